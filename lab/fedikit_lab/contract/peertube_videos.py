"""The videos of PeerTube's stand-in: they come to /data, are made playlists, and move to the bucket by jobs in Redis.

Transcoding is simulated: the file stays as it is, and its playlist names two ranges of it.
"""

import importlib
import threading
import uuid
from pathlib import Path
from typing import Any

from .peertube_log import Log
from .peertube_settings import Place, Settings
from .peertube_store import Store
from .shared import BucketError, Refused
from .tables import Row

DATA = Path("../data")  # upstream's directories are named as seen from its working directory, /app
PUBLIC, UNLISTED, PRIVATE, INTERNAL = range(1, 5)
PUBLISHED, TO_TRANSCODE, TO_MOVE = 1, 2, 6
STATES = {PUBLISHED: "Published", TO_TRANSCODE: "To transcode", TO_MOVE: "To move to an external storage"}
_QUEUE = "bull:videos:wait"
_RESOLUTION = 720
_BASE58 = "123456789abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ"
_SHORT_LENGTH = 22
_KINDS = {".mp4": "video/mp4", ".webm": "video/webm", ".ogv": "video/ogg", ".mkv": "video/x-matroska"}
_PLAYLIST = "application/vnd.apple.mpegurl"
_MASTER = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-STREAM-INF:BANDWIDTH=500000\n{}\n"
_RANGES = """\
#EXTM3U
#EXT-X-VERSION:7
#EXT-X-PLAYLIST-TYPE:VOD
#EXTINF:1,
#EXT-X-BYTERANGE:{first}@0
{name}
#EXTINF:1,
#EXT-X-BYTERANGE:{rest}@{first}
{name}
#EXT-X-ENDLIST
"""


class Videos:
    """What becomes of files that users upload."""

    def __init__(self, settings: Settings, store: Store, log: Log) -> None:
        self._settings = settings
        self._store = store
        self._log = log
        self._driver = importlib.import_module("redis")
        self._redis: Any = self._driver.Redis(**settings.redis)

    def begin(self) -> None:
        """Begins to work the queue; what an earlier process left undone comes first."""
        self._demand_cache()
        for row in self._store.ask("select uuid from video where state <> %s", PUBLISHED):
            self._redis.rpush(_QUEUE, str(row["uuid"]))
        threading.Thread(target=self._work, daemon=True).start()

    def add(self, user: Row, name: str, privacy: int, file: Path) -> str:
        """Keeps an uploaded file; tells the uuid of the video."""
        number, filename = str(uuid.uuid4()), f"{uuid.uuid4()}-{_RESOLUTION}{file.suffix.lower()}"
        file.rename(DATA / "web-videos" / filename)
        size = (DATA / "web-videos" / filename).stat().st_size
        self._store.ask(
            'insert into video (uuid, name, privacy, state, filename, size, "userId") values (%s,%s,%s,%s,%s,%s,%s)',
            *(number, name, privacy, TO_TRANSCODE, filename, size, user["id"]),
        )
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
        return self._store.ask(f"{columns} where {condition} order by video.id desc", *values)

    def _work(self) -> None:
        while True:
            try:
                found = self._redis.blpop(_QUEUE, timeout=5)
                if found:
                    self._go_on_with(found[1])
            except (BucketError, OSError, Refused, self._driver.RedisError) as error:
                self._log.error(f"Cannot process job move-to-object-storage: {error}")

    def _go_on_with(self, number: str) -> None:
        found = self._store.ask("select * from video where uuid = %s and state <> %s", number, PUBLISHED)
        if not found:
            return
        video, folder = found[0], DATA / "streaming-playlists" / "hls" / number
        if self._settings.transcodes and video["state"] == TO_TRANSCODE:
            if self._settings.transcodes_elsewhere:
                return  # a runner would have to come and ask for the job
            _transcode(video, folder)
        self._store.ask("update video set state = %s where uuid = %s", TO_MOVE, number)
        if folder.is_dir():
            self._publish_playlist(video, folder)
        else:
            self._publish_file(video)

    def _publish_playlist(self, video: Row, folder: Path) -> None:
        number = str(video["uuid"])
        place, names = self._settings.places.get("STREAMING_PLAYLISTS"), sorted(folder.iterdir())
        (master,) = (file for file in names if file.name.endswith("-master.m3u8"))
        url = f"{self._settings.url}/static/streaming-playlists/hls/{number}/{master.name}"
        if place:
            private = is_private(video)
            addresses = {file: _put_part(place, f"hls/{number}/{file.name}", file, private) for file in names}
            url = addresses[master]
        self._store.ask('update video set state = %s, "playlistUrl" = %s where uuid = %s', PUBLISHED, url, number)
        _remove(folder if place else None)

    def _publish_file(self, video: Row) -> None:
        place, file = self._settings.places.get("WEB_VIDEOS"), DATA / "web-videos" / video["filename"]
        url = f"{self._settings.url}/static/web-videos/{file.name}"
        if place:
            url = place.put(file.name, file.read_bytes(), _KINDS[file.suffix], is_private=is_private(video))
        self._store.ask('update video set state = %s, "fileUrl" = %s where id = %s', PUBLISHED, url, video["id"])
        if place:
            file.unlink()

    def _demand_cache(self) -> None:
        try:
            self._redis.ping()
        except self._driver.RedisError as error:
            raise Refused(f"the cache of PEERTUBE_REDIS_HOSTNAME does not answer: {error}") from error


def _transcode(video: Row, folder: Path) -> None:
    """Puts the file beside its playlists, of names that nobody guesses; the uploaded file goes."""
    folder.mkdir(parents=True, exist_ok=True)
    original, stem = DATA / "web-videos" / video["filename"], f"{uuid.uuid4()}-{_RESOLUTION}"
    name, first = f"{stem}-fragmented.mp4", video["size"] // 2
    if original.exists():  # a restart may have come between
        original.rename(folder / name)
        (folder / f"{stem}.m3u8").write_text(_RANGES.format(name=name, first=first, rest=video["size"] - first))
        (folder / f"{uuid.uuid4()}-master.m3u8").write_text(_MASTER.format(f"{stem}.m3u8"))


def _put_part(place: Place, key: str, file: Path, private: bool) -> str:
    return place.put(key, file.read_bytes(), _KINDS.get(file.suffix, _PLAYLIST), is_private=private)


def _remove(folder: Path | None) -> None:
    for file in folder.iterdir() if folder else ():
        file.unlink()
    if folder:
        folder.rmdir()


def is_private(video: Row) -> bool:
    """Whether not everybody may read its files who knows their address."""
    return video["privacy"] in (PRIVATE, INTERNAL)


def is_video(name: str) -> bool:
    """Whether a file is of a kind that can be taken."""
    return Path(name).suffix.lower() in _KINDS


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
