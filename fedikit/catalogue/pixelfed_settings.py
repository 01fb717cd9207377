"""What operators may choose of Pixelfed."""

from typing import Annotated, Literal

from pydantic import Field

from fedikit.model import Line, Subdomain, Upstream, WebSettings

MediaType = Literal["image/jpeg", "image/png", "image/gif", "image/webp", "image/avif", "video/mp4"]
PICTURES: tuple[MediaType, ...] = ("image/jpeg", "image/png", "image/gif")


class PixelfedSettings(WebSettings):
    """The picture server."""

    subdomain: Subdomain = "pixelfed"
    """What stands before the domain in its web address. Can never change."""
    registrations: Annotated[Literal["open", "approved", "none"], Upstream("OPEN_REGISTRATION", writes=False)] = "none"
    """Who may sign up: everybody, those whom an administrator approves (upstream's INSTANCE_CUR_REG), or nobody."""
    title: Annotated[Line, Field(min_length=1, max_length=100), Upstream("APP_NAME")] = "Pixelfed"
    """The server's title."""
    description: Annotated[Line, Field(max_length=500), Upstream("PF_SHORT_DESCRIPTION", writes=False)] = ""
    """A sentence about the server; its title if empty."""
    rules: Annotated[tuple[Annotated[Line, Field(min_length=1)], ...], Upstream("PF_RULES", writes=False)] = ()
    """What holds there, a sentence each; shown to those who sign up."""
    federation: Annotated[bool, Upstream("ACTIVITY_PUB")] = True
    """Whether it speaks with other servers."""
    public_discovery: Annotated[bool, Upstream("INSTANCE_DISCOVER_PUBLIC")] = False
    """Whether visitors who are not signed in may look around."""
    stories: Annotated[bool, Upstream("STORIES_ENABLED")] = False
    """Whether there are stories: posts that are gone after a day."""
    media_types: Annotated[tuple[MediaType, ...], Field(min_length=1), Upstream("MEDIA_TYPES")] = PICTURES
    """What may be posted."""
    max_photo_megabytes: Annotated[int, Field(ge=1, le=500), Upstream("MAX_PHOTO_SIZE", times=1000)] = 15
    """The largest picture or video."""
    max_album_photos: Annotated[int, Field(ge=1, le=20), Upstream("MAX_ALBUM_LENGTH")] = 4
    """How many pictures a post may have."""
    max_caption_characters: Annotated[int, Field(ge=1, le=5000), Upstream("MAX_CAPTION_LENGTH")] = 500
    """How long the text of a post may be."""
    image_quality: Annotated[int, Field(ge=1, le=100), Upstream("IMAGE_QUALITY")] = 80
    """How much of a picture is kept when it is made smaller, in per cent."""
    quota_megabytes: Annotated[int | None, Field(ge=50), Upstream("MAX_ACCOUNT_SIZE", times=1000)] = 1000
    """How much one person may keep; as much as there is room for if null."""
    max_users: Annotated[int | None, Field(ge=1), Upstream("PF_MAX_USERS")] = 1000
    """How many people may have accounts; any number if null."""
    captcha_site_key: Annotated[Line, Upstream("CAPTCHA_SITEKEY")] = ""
    """The public key of hCaptcha, which then asks those who sign up; none if empty. Its secret is pixelfed/captcha."""
