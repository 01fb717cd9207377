"""Files of private videos in PeerTube's stand-in: it reads the bucket for those who may watch them.

In the bucket they lie among the others, under keys of the same kind. Upstream answers whoever shows anything at all, a
token or a password, and only then asks whether the video needs it; what it decided holds for ten seconds.
"""

import time
from collections.abc import Callable

from .peertube_doors import Doors, Routes, problem
from .peertube_settings import Place, Settings
from .peertube_videos import INTERNAL, PRIVATE, Videos
from .shared import Answer, BucketError, Request, plain
from .tables import Row

_REMEMBERED_SECONDS = 10.0
_PASSWORD = "x-peertube-video-password"  # noqa: S105 - the name of a header


class Proxy:
    """What is answered under /object-storage-proxy."""

    def __init__(self, settings: Settings, videos: Videos, doors: Doors) -> None:
        self._places = settings.places
        self._is_on = settings.proxifies
        self._videos = videos
        self._doors = doors
        self._decided: dict[str, tuple[float, Answer | None]] = {}

    def routes(self) -> Routes:
        folder = "/object-storage-proxy"
        return {
            ("GET", f"{folder}/web-videos/private/{{name}}"): self._web_video,
            ("GET", f"{folder}/streaming-playlists/hls/private/{{video}}/{{name}}"): self._playlist_file,
        }

    def _web_video(self, request: Request, name: str) -> Answer:
        found = self._videos.list("filename = %s", name)
        refused = self._refused(request, found[0] if found else None, request.path)
        return refused or self._read(request, "WEB_VIDEOS", name)

    def _playlist_file(self, request: Request, video: str, name: str) -> Answer:
        refused = self._refused(request, self._videos.find(video), video)
        return refused or self._read(request, "STREAMING_PLAYLISTS", f"hls/{video}/{name}")

    def _refused(self, request: Request, video: Row | None, what: str) -> Answer | None:
        """Why somebody does not get a file; nothing if they do."""
        if not self._is_on:
            return problem(400, "Private object storage proxy is not enabled")
        shown = request.header(_PASSWORD) or request.query.get("videoFileToken", "") or request.header("Authorization")
        if not shown:
            return problem(
                401, "Video password header, video file token query parameter and bearer token are all missing"
            )
        return self._remembered(f"{shown}-{what}", lambda: self._judged(request, video))

    def _remembered(self, key: str, judge: Callable[[], Answer | None]) -> Answer | None:
        until, decided = self._decided.get(key, (0.0, None))
        if until < time.monotonic():
            decided = judge()
            self._decided[key] = time.monotonic() + _REMEMBERED_SECONDS, decided
        return decided

    def _judged(self, request: Request, video: Row | None) -> Answer | None:
        if not video:
            return plain("Forbidden", 403)
        if "videoFileToken" in request.query:
            return problem(403, "Invalid video file token")  # none are given out here
        if video["privacy"] not in (PRIVATE, INTERNAL):
            return None
        user = self._doors.user(request)
        if not user:
            return problem(401, "Authentication is required")
        is_allowed = video["privacy"] == INTERNAL or user["id"] == video["userId"]
        return None if is_allowed else problem(403, "Cannot fetch information of private/internal/blocked video")

    def _read(self, request: Request, kind: str, key: str) -> Answer:
        place: Place | None = self._places.get(kind)
        try:
            content, whole = place.get(key, request.header("Range")) if place else (b"", "")
        except BucketError as error:
            return plain("Not Found", 404) if error.status == 404 else problem(500, str(error))
        answer = Answer(206 if whole else 200, content, "application/octet-stream")
        return answer.having(("Content-Range", whole)) if whole else answer
