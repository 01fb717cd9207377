"""The videos of PeerTube's stand-in: kept in /data when they come, then moved to the bucket by a job in Redis."""

import importlib
import sys
import threading
import uuid
from pathlib import Path
from typing import Any

from .peertube_settings import Settings
from .peertube_store import Row, Store
from .shared import BucketError, Refused, Upload

DATA = Path("../data")  # upstream's directories are named as seen from its working directory, /app
_DIRECTORIES = (
    "avatars bin cache captions client-overrides logs original-video-files plugins redundancy storyboards "
    "streaming-playlists thumbnails tmp tmp-persistent torrents uploads web-videos well-known"
).split()
PUBLIC, PRIVATE = 1, 3
_PUBLISHED, _TO_MOVE = 1, 6
_QUEUE = "bull:move-to-object-storage:wait"
_BASE58 = "123456789abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ"
_SHORT_LENGTH = 22
_KINDS = {".mp4": "video/mp4", ".webm": "video/webm", ".ogv": "video/ogg", ".mkv": "video/x-matroska"}


class Videos:
    """What becomes of files that users upload."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self._driver = importlib.import_module("redis")
        self._redis: Any = self._driver.Redis(**settings.redis)

    def begin(self) -> None:
        """Makes the directories, and begins to work the queue; what an earlier process left undone comes first."""
        self._demand_cache()
        for name in _DIRECTORIES:
            _make_directory(DATA / name)
        for row in self._store.ask("select uuid from video where state = %s", _TO_MOVE):
            self._redis.rpush(_QUEUE, str(row["uuid"]))
        threading.Thread(target=self._work, daemon=True).start()

    def add(self, user: Row, name: str, privacy: int, upload: Upload) -> str:
        """Keeps an uploaded file; tells the uuid of the video."""
        number = str(uuid.uuid4())
        filename = f"{number}-0{Path(upload.name).suffix.lower()}"
        (DATA / "web-videos" / filename).write_bytes(upload.content)
        state = _TO_MOVE if self._settings.videos else _PUBLISHED
        url = None if self._settings.videos else f"{self._settings.url}/static/web-videos/{filename}"
        self._store.ask(
            'insert into video (uuid, name, privacy, state, filename, "fileUrl", "userId") '
            "values (%s, %s, %s, %s, %s, %s, %s)",
            *(number, name, privacy, state, filename, url, user["id"]),
        )
        if self._settings.videos:
            self._redis.rpush(_QUEUE, number)
        return number

    def find(self, number: str) -> Row | None:
        """A video with its user, by its uuid, short or long, or its number."""
        try:
            column, value = ("video.id", number) if number.isdigit() else ("uuid", str(uuid.UUID(long_form(number))))
        except ValueError:
            return None
        found = self.list(f"{column} = %s", value)
        return found[0] if found else None

    def list(self, condition: str = "privacy = 1 and state = 1", *values: object) -> list[Row]:
        """Videos with their users, newest first."""
        columns = 'select video.*, username from video join "user" on "user".id = "userId"'
        return self._store.ask(f"{columns} where {condition} order by video.id desc limit 15", *values)

    def _work(self) -> None:
        while True:
            try:
                found = self._redis.blpop(_QUEUE, timeout=5)
                if found:
                    self._move(found[1])
            except (BucketError, OSError, Refused, self._driver.RedisError) as error:
                print(f"Cannot process job move-to-object-storage: {error}", file=sys.stderr, flush=True)

    def _move(self, number: str) -> None:
        place = self._settings.videos
        found = self._store.ask("select * from video where uuid = %s and state = %s", number, _TO_MOVE)
        if not found or place is None:
            return
        file = DATA / "web-videos" / found[0]["filename"]
        key = place.prefix + file.name
        place.bucket.put(key, file.read_bytes(), _KINDS[file.suffix], acl=place.acl)
        moved = 'update video set state = %s, "fileUrl" = %s where uuid = %s'
        self._store.ask(moved, _PUBLISHED, f"{place.base_url}/{key}", number)
        file.unlink()

    def _demand_cache(self) -> None:
        try:
            self._redis.ping()
        except self._driver.RedisError as error:
            raise Refused(f"the cache of PEERTUBE_REDIS_HOSTNAME does not answer: {error}") from error


def is_video(upload: Upload | None) -> bool:
    """Whether a file can be taken: a kind of video, and not empty."""
    return bool(upload and upload.content and Path(upload.name).suffix.lower() in _KINDS)


def short_form(number: str) -> str:
    """A uuid as addresses show it: 22 digits of base 58."""
    value, digits = uuid.UUID(number).int, ""
    while value:
        value, digit = divmod(value, len(_BASE58))
        digits = _BASE58[digit] + digits
    return digits.rjust(_SHORT_LENGTH, _BASE58[0])


def long_form(number: str) -> str:
    """The uuid that a short form stands for; a long one stays. ValueError if it is neither."""
    if len(number) != _SHORT_LENGTH:
        return number
    value = 0
    for digit in number:
        value = value * len(_BASE58) + _BASE58.index(digit)
    return str(uuid.UUID(int=value))


def _make_directory(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Refused(f"/data/{path.name} cannot be made: {error.strerror}; /data must belong to the user") from error
