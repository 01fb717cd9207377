"""What operators may choose of PeerTube."""

from typing import Annotated, Literal

from pydantic import Field

from fedikit.model import Line, Subdomain, Upstream, WebSettings

Resolution = Literal["144p", "240p", "360p", "480p", "720p", "1080p", "1440p", "2160p"]
Registrations = Literal["open", "approved", "none"]
Gigabytes = Annotated[int, Field(ge=1, le=1_000_000)]


class PeertubeSettings(WebSettings):
    """The video server."""

    subdomain: Subdomain = "peertube"
    """What stands before the domain in its web address. Can never change."""
    registrations: Annotated[Registrations, Upstream("PEERTUBE_SIGNUP_ENABLED", writes=False)] = "none"
    """Who may sign up: everybody, whom an administrator approves, or nobody."""
    max_users: Annotated[int | None, Field(ge=1), Upstream("PEERTUBE_SIGNUP_LIMIT", writes=False)] = None
    """How many users there may be before nobody else may sign up; any number if absent."""
    title: Annotated[Line, Field(max_length=100), Upstream("PEERTUBE_INSTANCE_NAME", writes=False)] = ""
    """The server's title; its web address if empty."""
    description: Annotated[Line, Field(max_length=250), Upstream("PEERTUBE_INSTANCE_SHORT_DESCRIPTION")] = ""
    """A sentence about the server."""
    user_quota_gigabytes: Annotated[Gigabytes | None, Upstream("PEERTUBE_USER_VIDEO_QUOTA", times=10**9)] = None
    """How much a new user may upload at all, as uploaded; as much as there is room for if absent."""
    daily_quota_gigabytes: Annotated[Gigabytes | None, Upstream("PEERTUBE_USER_VIDEO_QUOTA_DAILY", times=10**9)] = None
    """How much a new user may upload within a day, and so the largest video; without limit if absent."""
    transcoding: Annotated[bool, Upstream("PEERTUBE_TRANSCODING_ENABLED")] = True
    """Whether videos are turned into forms that every browser plays. Takes much of the processor."""
    transcoding_resolutions: Annotated[tuple[Resolution, ...], Upstream("PEERTUBE_TRANSCODING_720P", writes=False)] = ()
    """Which smaller copies are made of a video, and of a live stream; only its own resolution if none is named."""
    transcoding_concurrency: Annotated[int, Field(ge=1, le=64), Upstream("PEERTUBE_TRANSCODING_CONCURRENCY")] = 1
    """How many videos are transcoded at the same time."""
    transcoding_threads: Annotated[int, Field(ge=0, le=256), Upstream("PEERTUBE_TRANSCODING_THREADS")] = 1
    """How many threads each of them takes; as many as ffmpeg likes if 0."""
    remote_runners: Annotated[bool, Upstream("PEERTUBE_TRANSCODING_REMOTE_RUNNERS_ENABLED")] = False
    """Whether runners on other machines transcode, with a token of PeerTube's; nothing is transcoded here then."""
    live: Annotated[bool, Upstream("PEERTUBE_LIVE_ENABLED")] = False
    """Whether users may stream live, by RTMP at port 1935 of the host, which is not encrypted."""
    import_from_web: Annotated[bool, Upstream("PEERTUBE_IMPORT_VIDEOS_HTTP")] = False
    """Whether users may have the server fetch videos from other sites. It asks any address that they name."""
    import_torrents: Annotated[bool, Upstream("PEERTUBE_IMPORT_VIDEOS_TORRENT")] = False
    """Whether users may have the server fetch videos by BitTorrent."""
