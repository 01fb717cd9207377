"""Redis as the contract image of Mastodon uses it: sidekiq's queues, home feeds, and the count of log-in attempts."""

import json
import secrets
import time
from typing import Any

from .mastodon_servers import Servers
from .shared import Refused

QUEUES = ("default", "push", "ingress", "mailers", "pull", "scheduler", "fasp")
OLDEST = 7
_FEED = 400
_RETRY_SECONDS = 5
_RETRIES = 25
Job = dict[str, Any]


def open_redis(servers: Servers) -> Any:
    """A client of the Redis server, which is asked at once so that a wrong password is found at the start."""
    import redis  # type: ignore[import-not-found]

    place = dict(servers.redis)
    url = place.pop("url", None)
    limits = {"socket_connect_timeout": 5, "socket_timeout": 15, "decode_responses": True}
    client = redis.Redis.from_url(url, **limits) if url else redis.Redis(**place, **limits)
    try:
        version = str(client.info("server")["redis_version"])
    except redis.RedisError as error:
        raise Refused(f"Redis cannot be used: {' '.join(str(error).split())}") from error
    if int(version.partition(".")[0]) < OLDEST:
        raise Refused(f"Redis {version} is too old: this version of Mastodon requires 7.0.0 or greater")
    return client


class Queue:
    """Jobs for sidekiq, kept as sidekiq keeps them: a list for each queue, and a sorted set of what is tried again."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def put(self, kind: str, *arguments: object, queue: str = "default") -> None:
        """Queues a job for whichever sidekiq process takes it."""
        job = {"class": kind, "args": arguments, "jid": secrets.token_hex(12), "queue": queue}
        self._client.sadd("queues", queue)
        self._client.lpush(f"queue:{queue}", json.dumps(job))

    def take(self, seconds: float) -> Job | None:
        """The next job; nothing when none came in that time."""
        import redis

        try:
            self._bring_back()
            found = self._client.brpop([f"queue:{name}" for name in QUEUES], timeout=seconds)
        except redis.RedisError as error:
            raise Refused(f"Redis cannot be used: {' '.join(str(error).split())}") from error
        return dict(json.loads(found[1])) if found else None

    def done(self) -> None:
        """Counts a job that was done."""
        self._client.incr("stat:processed")

    def failed(self, job: Job, message: str) -> None:
        """Keeps a job to be tried again; one that failed too often is given up."""
        count = int(job.get("retry_count", 0)) + 1
        self._client.incr("stat:failed")
        again = {**job, "retry_count": count, "error_message": message}
        where = "retry" if count <= _RETRIES else "dead"
        self._client.zadd(where, {json.dumps(again): time.time() + _RETRY_SECONDS * count})

    def _bring_back(self) -> None:
        for waiting in ("retry", "schedule"):
            for text in self._client.zrangebyscore(waiting, "-inf", time.time()):
                if self._client.zrem(waiting, text):
                    self._client.lpush(f"queue:{json.loads(text)['queue']}", text)


class Feeds:
    """Home feeds: the newest statuses of each account, by number."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def add(self, account: int, statuses: list[int]) -> None:
        """Puts statuses into an account's feed, and tells who listens."""
        key = f"feed:home:{account}"
        if statuses:
            # A score holds 53 bits, too few for a status's number; members of equal score are ordered by their text.
            self._client.zadd(key, {str(number): 0 for number in statuses})
            self._client.zremrangebyrank(key, 0, -_FEED)
            self._client.publish(f"timeline:{account}", json.dumps({"event": "update", "payload": str(statuses[-1])}))

    def newest(self, account: int, count: int) -> list[int]:
        """The newest statuses, the last one first; nothing when the feed has to be built."""
        return [int(number) for number in self._client.zrevrange(f"feed:home:{account}", 0, count - 1)]


class Throttle:
    """Counts what a visitor does in a while."""

    def __init__(self, client: Any, *, limit: int, seconds: int) -> None:
        self._client, self._limit, self._seconds = client, limit, seconds

    def refuses(self, visitor: str) -> bool:
        """Counts one more act; whether it was one too many."""
        key = f"rack::attack:{int(time.time()) // self._seconds}:throttle_login_attempts/ip:{visitor}"
        count = int(self._client.incr(key))
        self._client.expire(key, self._seconds)
        return count > self._limit
