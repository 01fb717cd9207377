"""How a picture comes into Pixelfed's stand-in: PHP's limits, then upstream's, and the post that is made of it."""

import hashlib
import mimetypes
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .pixelfed_config import Config
from .pixelfed_queue import STORAGE, Queue
from .pixelfed_settings import Settings
from .pixelfed_store import Row, Store
from .pixelfed_visits import Visits
from .shared import Answer, Request, Upload, json_answer, plain

_PUBLISHED = Path("public/storage")
# Upstream looks at what a file begins with, not at what a browser calls it
_BEGINNINGS = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif"}
_Handler = Callable[..., Answer]


class Media:
    """Uploads and posts of one instance."""

    def __init__(self, settings: Settings, store: Store, queue: Queue, visits: Visits) -> None:
        self._settings = settings
        self._store = store
        self._queue = queue
        self._visits = visits
        self._config = Config(settings, store)

    def routes(self) -> dict[tuple[str, str], _Handler]:
        """The addresses that are answered."""
        return {
            ("POST", "/api/compose/v0/media/upload"): self._upload,
            ("POST", "/api/compose/v0/publish"): self._publish,
            ("GET", "/storage/{path...}"): self._stored,
        }

    def posts(self, condition: str = "true", *values: object) -> list[Row]:
        """Posts with the address of their picture."""
        found = self._store.posts(condition, *values)
        return [{**post, "picture": post["cdn_url"] or self._address(post["media_path"])} for post in found]

    def _upload(self, request: Request) -> Answer:
        if len(request.body) > self._settings.post_bytes:
            return json_answer({"message": "The POST data is too large."}, 413)

        def keep(session: Row, user: Row) -> Answer:
            upload = request.files().get("file")
            if not upload:
                return json_answer({"message": "The file field is required."}, 422)
            return self._refusal(upload, user) or json_answer(self._kept(upload, user))

        return self._visits.for_script(request, keep)

    def _refusal(self, upload: Upload, user: Row) -> Answer | None:
        kinds, most = self._config["pixelfed.media_types"], self._config.number("pixelfed.max_photo_size")
        if len(upload.content) > self._settings.upload_bytes:
            return json_answer({"message": "The file failed to upload."}, 422)
        if _kind(upload.content) not in kinds.split(","):
            return json_answer({"message": f"The file must be a file of type: {kinds.replace(',', ', ')}."}, 422)
        if len(upload.content) > most * 1024:
            return json_answer({"message": f"The file may not be greater than {most} kilobytes."}, 422)
        if self._config.is_on("pixelfed.enforce_account_limit") and self._is_over(upload, user):
            return json_answer({"message": "Account size limit reached."}, 403)
        return None

    def _is_over(self, upload: Upload, user: Row) -> bool:
        """Whether this would be more than one person may keep, in kilobytes."""
        used = self._store.ask("select sum(size) as used from media where profile_id = %s", user["profile_id"])
        kilobytes = (int(used[0]["used"] or 0) + len(upload.content)) / 1000
        return kilobytes >= self._config.number("pixelfed.max_account_size")

    def _kept(self, upload: Upload, user: Row) -> dict[str, object]:
        kind = _kind(upload.content)
        month = hashlib.sha256(datetime.now(UTC).strftime("%Y-.-%m").encode()).hexdigest()
        folder = f"public/m/_v2/{user['profile_id']}/{month[:9]}-{month[9:15]}/{secrets.token_urlsafe(9)}"
        path = f"{folder}/{secrets.token_hex(20)}{mimetypes.guess_extension(kind)}"
        (STORAGE / folder).mkdir(parents=True)
        (STORAGE / path).write_bytes(upload.content)
        number = self._store.insert(
            "insert into media (profile_id, media_path, mime, size) values (%s, %s, %s, %s)",
            *(user["profile_id"], path, kind, len(upload.content)),
        )
        url = self._address(path)
        return {"id": str(number), "type": kind.split("/")[0], "url": url, "preview_url": url}

    def _publish(self, request: Request) -> Answer:
        def post(session: Row, user: Row) -> Answer:
            given: Any = request.json()
            media, caption = [int(one["id"]) for one in given["media"]], given.get("caption") or ""
            most = self._config.number("pixelfed.max_caption_length")
            if not media:
                return json_answer({"message": "The media field is required."}, 422)
            if len(caption) > most:
                return json_answer({"message": f"The caption may not be greater than {most} characters."}, 422)
            number = self._posted(media, caption, user)
            return json_answer(f"{self._settings.url}/p/{user['username']}/{number}")

        return self._visits.for_script(request, post)

    def _posted(self, media: list[int], caption: str, user: Row) -> int:
        number = self._store.insert(
            "insert into statuses (profile_id, caption) values (%s, %s)", user["profile_id"], caption
        )
        for one in media:
            belongs = "id = %s and profile_id = %s and status_id is null"
            self._store.ask(
                f"update media set status_id = %s where {belongs}",  # noqa: S608 - nothing of a visitor's in it
                *(number, one, user["profile_id"]),
            )
            self._queue.push(one)
        return number

    def _stored(self, request: Request, path: str) -> Answer:
        root = _PUBLISHED.resolve()
        file = (root / path).resolve()
        if not file.is_relative_to(root) or not file.is_file():
            return plain("Not Found", 404)
        return Answer(200, file.read_bytes(), mimetypes.guess_type(file.name)[0] or "application/octet-stream")

    def _address(self, path: str) -> str:
        """Where a picture is that was not moved to the cloud."""
        return f"{self._settings.url}/storage/{path.removeprefix('public/')}"


def _kind(content: bytes) -> str:
    """What a file is, by its first bytes."""
    if content[4:8] == b"ftyp":
        return "video/mp4"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    found = (kind for beginning, kind in _BEGINNINGS.items() if content.startswith(beginning))
    return next(found, "application/octet-stream")
