"""The cache and the queue of Pixelfed's stand-in, and Horizon, which works the queue: it moves media to the cloud."""

import importlib
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from .pixelfed_settings import Settings
from .pixelfed_store import Store
from .shared import BucketError, Refused

STORAGE = Path("storage/app")
_MASTER_SECONDS = 15
_TRIES = 3
_LOGINS = 5
_LOGIN_SECONDS = 3600


class Queue:
    """What an instance keeps in Redis: jobs, the sign of life of Horizon, throttles and cached answers."""

    def __init__(self, settings: Settings) -> None:
        self._driver = importlib.import_module("redis")
        self._redis: Any = self._driver.Redis(**settings.redis)
        self._horizon = settings.horizon_prefix
        self._queues = f"{settings.queue_prefix}queues:"
        self._cache = f"{settings.cache_prefix}:"

    def push(self, media: int, tries: int = 0) -> None:
        """Leaves a job: this picture goes to the cloud."""
        self._redis.rpush(
            f"{self._queues}mmo", json.dumps({"job": "MediaStoragePipeline", "media": media, "tries": tries})
        )

    def take(self, seconds: int) -> dict[str, Any] | None:
        """The next job, once there is one."""
        found = self._redis.blpop(f"{self._queues}mmo", timeout=seconds)
        return json.loads(found[1]) if found else None

    def fail(self, job: dict[str, Any]) -> None:
        """Puts a job aside that failed too often."""
        self._redis.rpush(f"{self._queues}failed", json.dumps(job))

    def announce_master(self) -> None:
        self._redis.setex(f"{self._horizon}masters", _MASTER_SECONDS, "running")

    def dismiss_master(self) -> None:
        self._redis.delete(f"{self._horizon}masters")

    def has_master(self) -> bool:
        return bool(self._redis.exists(f"{self._horizon}masters"))

    def is_throttled(self, who: str) -> bool:
        """Whether too many logins failed; it lasts an hour."""
        return int(self._redis.get(f"{self._cache}login:{who}") or 0) >= _LOGINS

    def count_failed_login(self, who: str) -> None:
        self._redis.incr(f"{self._cache}login:{who}")
        self._redis.expire(f"{self._cache}login:{who}", _LOGIN_SECONDS)

    def forget_failed_logins(self, who: str) -> None:
        self._redis.delete(f"{self._cache}login:{who}")

    def remembered(self, name: str) -> Any:
        """A cached answer, while it lasts."""
        kept = self._redis.get(self._cache + name)
        return json.loads(kept) if kept else None

    def remember(self, name: str, value: object, seconds: int) -> None:
        self._redis.setex(self._cache + name, seconds, json.dumps(value))

    def forget(self, name: str) -> None:
        self._redis.delete(self._cache + name)

    def clear(self) -> None:
        """As Laravel does it: whatever is in that database goes, jobs that wait and the sign of life too."""
        self._redis.flushdb()

    def demand(self) -> None:
        """Refuses to go on without the cache."""
        try:
            self._redis.ping()
        except self._driver.RedisError as error:
            raise Refused(f"the cache does not answer: {error} (REDIS_HOST, REDIS_PORT, REDIS_PASSWORD)") from error


def run_horizon(settings: Settings) -> int:
    """Works the queue until told to stop; a job in hand is finished."""
    queue, store = Queue(settings), Store(settings)
    queue.demand()
    stopping: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: stopping.append(number))
    print("Horizon started successfully.", flush=True)
    while not stopping:
        queue.announce_master()
        job = queue.take(1)
        if job:
            _work(job, queue, store, settings)
    queue.dismiss_master()
    return 0


def run_schedule(settings: Settings) -> int:
    """Once a minute does what is due: forgets sessions and pictures that never became a post. Heeds no signal."""
    store = Store(settings)
    print("Running scheduled tasks every minute.", flush=True)
    while True:
        time.sleep(60 - time.time() % 60)
        store.ask("delete from sessions where last_activity < unix_timestamp() - 86400 * 60")
        store.ask("delete from media where status_id is null and created_at < now() - interval 1 day")


def is_scheduling() -> bool:
    """Whether a process of this container runs the schedule, as `pgrep schedule:work` tells."""
    others = [path for path in Path("/proc").glob("[0-9]*") if path.name != str(os.getpid())]
    return any(_is_schedule(path / "cmdline") for path in others)


def _is_schedule(command_line: Path) -> bool:
    try:
        return b"schedule:work" in command_line.read_bytes().split(b"\0")
    except OSError:
        return False


def _work(job: dict[str, Any], queue: Queue, store: Store, settings: Settings) -> None:
    try:
        _move_to_cloud(job["media"], store, settings)
        print(f"{job['job']} {job['media']} DONE", flush=True)
    except (BucketError, OSError, Refused) as error:
        print(f"{job['job']} {job['media']} FAIL: {error}", file=sys.stderr, flush=True)
        tries = job["tries"] + 1
        if tries < _TRIES:
            queue.push(job["media"], tries)
        else:
            queue.fail(job)


def _move_to_cloud(number: int, store: Store, settings: Settings) -> None:
    cloud = settings.cloud
    found = store.ask("select * from media where id = %s and cdn_url is null", number)
    if cloud is None or not found:
        return
    key = found[0]["media_path"]
    file = STORAGE / key
    cloud.bucket.put(key, file.read_bytes(), found[0]["mime"], acl=cloud.acl)
    store.ask("update media set cdn_url = %s, replicated_at = now() where id = %s", f"{cloud.url}/{key}", number)
    if cloud.deletes_local:
        file.unlink()
