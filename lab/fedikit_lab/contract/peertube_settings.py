"""What PeerTube's stand-in is started with: upstream's variables, and no others, checked all at once."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .forms import ADDRESS, ANY, BUCKET, HOST, URL, Form
from .shared import Bucket, Environment, Refused

KINDS_OF_OBJECTS = ("WEB_VIDEOS", "STREAMING_PLAYLISTS", "USER_EXPORTS")
_KNOWN = Path(__file__).with_name("files") / "peertube_variables.txt"
_SURROUNDINGS = re.compile(r"_|PATH|HOME|HOSTNAME|PWD|SHLVL|TERM|LANG|LC_\w+|container|NODE_\w+|PEERTUBE_LOCAL_CONFIG")
_INTEGER = Form(r"-?[0-9]{1,16}", "a number")
_ENDPOINT = Form(r"[^\s\"']+", "an address, or a host and port, which are then reached by https")
_PREFIX = Form(r"[^\s\"']*/", "a prefix that ends in /")
_LEVEL = Form(r"debug|info|warn|error", "debug, info, warn or error")


@dataclass(frozen=True)
class Place:
    """Where objects of one kind go, and the address that visitors load them from."""

    bucket: Bucket
    prefix: str
    base_url: str
    acls: tuple[str, str]
    """Of what everybody may read, and of what is private; empty if none is told."""

    def put(self, key: str, content: bytes, kind: str, *, is_private: bool) -> str:
        """Stores an object, in the same place whether it is private or not; tells its public address."""
        self.bucket.put(self.prefix + key, content, kind, acl=self.acls[is_private])
        return f"{self.base_url}/{self.prefix}{key}"

    def get(self, key: str, part: str) -> tuple[bytes, str]:
        """What a Range header asks for of an object, and the Content-Range of that; nothing if it is all of it."""
        return self.bucket.get_part(self.prefix + key, part)


@dataclass(frozen=True)
class Signup:
    """Who may sign up."""

    enabled: bool
    limit: int
    requires_approval: bool
    requires_email_verification: bool


@dataclass(frozen=True)
class Settings:
    """One instance, as its variables describe it."""

    name: str
    short_description: str
    hostname: str
    port: int
    is_https: bool
    listen: tuple[str, int]
    admin_email: str
    signup: Signup
    quotas: tuple[int, int]
    """What a new user may keep, and upload within a day, in bytes; -1: as much as there is room for."""
    transcodes: bool
    transcodes_elsewhere: bool
    exports: bool
    rtmp_port: int | None
    log_level: str
    root_password: str = field(repr=False)
    secret: str = field(repr=False)
    database: dict[str, object] = field(repr=False)
    redis: dict[str, object] = field(repr=False)
    places: dict[str, Place]
    """By kind of object; none without object storage."""
    proxifies: bool
    """Files of private videos are read by PeerTube itself for those who may watch them."""

    @property
    def host(self) -> str:
        """The host that visitors ask for: with its port, unless that is a usual one."""
        return self.hostname if self.port in (80, 443) else f"{self.hostname}:{self.port}"

    @property
    def url(self) -> str:
        return f"{'https' if self.is_https else 'http'}://{self.host}"


def read_settings(given: Environment) -> Settings:
    """The instance's settings; refuses what upstream cannot run with."""
    _check_names(given)
    _check_proxies(given)
    return Settings(
        name=given.optional("PEERTUBE_INSTANCE_NAME", "PeerTube"),
        short_description=given.optional("PEERTUBE_INSTANCE_SHORT_DESCRIPTION", "Videos of everybody"),
        hostname=given.required("PEERTUBE_WEBSERVER_HOSTNAME", HOST),
        port=given.number("PEERTUBE_WEBSERVER_PORT", 443),
        is_https=given.flag("PEERTUBE_WEBSERVER_HTTPS", True),
        listen=(
            given.optional("PEERTUBE_LISTEN_HOSTNAME", "0.0.0.0", HOST),  # noqa: S104 - as upstream, in a container
            given.number("PEERTUBE_LISTEN_PORT", 9000),
        ),
        admin_email=given.required("PEERTUBE_ADMIN_EMAIL", ADDRESS),
        signup=Signup(
            enabled=given.flag("PEERTUBE_SIGNUP_ENABLED"),
            limit=_integer(given, "PEERTUBE_SIGNUP_LIMIT", 10),
            requires_approval=given.flag("PEERTUBE_SIGNUP_REQUIRES_APPROVAL", True),
            requires_email_verification=given.flag("PEERTUBE_SIGNUP_REQUIRES_EMAIL_VERIFICATION"),
        ),
        quotas=(
            _integer(given, "PEERTUBE_USER_VIDEO_QUOTA", -1),
            _integer(given, "PEERTUBE_USER_VIDEO_QUOTA_DAILY", -1),
        ),
        transcodes=_transcodes(given),
        transcodes_elsewhere=given.flag("PEERTUBE_TRANSCODING_REMOTE_RUNNERS_ENABLED"),
        exports=given.flag("PEERTUBE_EXPORT_USERS_ENABLED", True),
        rtmp_port=_rtmp_port(given),
        log_level=given.optional("PEERTUBE_LOG_LEVEL", "info", _LEVEL),
        root_password=given.optional("PT_INITIAL_ROOT_PASSWORD"),
        secret=given.required("PEERTUBE_SECRET"),
        database=_database(given),
        redis=_redis(given),
        places=_places(given),
        proxifies=given.flag("PEERTUBE_OBJECT_STORAGE_PROXY_PROXIFY_PRIVATE_FILES", True),
    )


def _check_names(given: Environment) -> None:
    """Upstream would ignore them; here they are mistakes, so that no recipe relies on them."""
    lines = [line.split() for line in _KNOWN.read_text().splitlines() if not line.startswith("#")]
    known = {name: bool(form) for name, *form in lines}
    for name in given.names:
        if name not in known and not _SURROUNDINGS.fullmatch(name):
            raise Refused(f"{name} is not a variable of PeerTube: nothing would read it")
        if known.get(name):
            _json(given, name)


def _json(given: Environment, name: str) -> Any:
    text = given.optional(name)
    try:
        return json.loads(text) if text else None
    except ValueError as error:
        raise Refused(f"{name} has the wrong form: it must be JSON") from error


def _check_proxies(given: Environment) -> None:
    known = _json(given, "PEERTUBE_TRUST_PROXY")
    if known is not None and not (isinstance(known, list) and all(isinstance(proxy, str) for proxy in known)):
        raise Refused("PEERTUBE_TRUST_PROXY has the wrong form: it must be a JSON array of addresses")


def _integer(given: Environment, name: str, usual: int) -> int:
    return int(given.optional(name, str(usual), _INTEGER))


def _transcodes(given: Environment) -> bool:
    transcodes = given.flag("PEERTUBE_TRANSCODING_ENABLED", True)
    if transcodes and _integer(given, "PEERTUBE_TRANSCODING_CONCURRENCY", 1) < 1:
        raise Refused("PEERTUBE_TRANSCODING_CONCURRENCY is too small: it must be at least 1")
    return transcodes


def _rtmp_port(given: Environment) -> int | None:
    if not given.flag("PEERTUBE_LIVE_ENABLED"):
        return None
    if given.flag("PEERTUBE_LIVE_ALLOW_REPLAY", True) and not given.flag("PEERTUBE_TRANSCODING_ENABLED", True):
        raise Refused("PEERTUBE_LIVE_ALLOW_REPLAY needs PEERTUBE_TRANSCODING_ENABLED: a replay is transcoded")
    return given.number("PEERTUBE_LIVE_RTMP_PORT", 1935)


def _database(given: Environment) -> dict[str, object]:
    name = f"peertube{given.optional('PEERTUBE_DB_SUFFIX')}"
    return {
        "host": given.optional("PEERTUBE_DB_HOSTNAME", "postgres"),
        "port": given.number("PEERTUBE_DB_PORT", 5432),
        "dbname": given.optional("PEERTUBE_DB_NAME", name),
        "user": given.required("PEERTUBE_DB_USERNAME"),
        "password": given.required("PEERTUBE_DB_PASSWORD"),
        "sslmode": "require" if given.flag("PEERTUBE_DB_SSL") else "disable",
        "connect_timeout": 5,
    }


def _redis(given: Environment) -> dict[str, object]:
    return {
        "host": given.optional("PEERTUBE_REDIS_HOSTNAME", "redis", HOST),
        "port": given.number("PEERTUBE_REDIS_PORT", 6379),
        "password": given.optional("PEERTUBE_REDIS_AUTH", form=ANY) or None,
        "db": given.number("PEERTUBE_REDIS_DB", 0),
        "socket_timeout": 10,
        "decode_responses": True,
    }


def _places(given: Environment) -> dict[str, Place]:
    if not given.flag("PEERTUBE_OBJECT_STORAGE_ENABLED"):
        return {}
    places = {kind: _place(given, kind) for kind in KINDS_OF_OBJECTS if _is_named(given, kind)}
    videos, playlists = places["WEB_VIDEOS"], places["STREAMING_PLAYLISTS"]
    if (videos.bucket.name, videos.prefix) == (playlists.bucket.name, playlists.prefix):
        raise Refused(
            "PEERTUBE_OBJECT_STORAGE_STREAMING_PLAYLISTS_PREFIX is the same as that of WEB_VIDEOS: "
            "in one bucket the prefixes must differ"
        )
    return places


def _is_named(given: Environment, kind: str) -> bool:
    """Exports may have no bucket, if there are none."""
    name = f"PEERTUBE_OBJECT_STORAGE_{kind}_BUCKET_NAME"
    return bool(given.required(name, BUCKET) if kind != "USER_EXPORTS" else given.optional(name, form=BUCKET))


def _place(given: Environment, kind: str) -> Place:
    name = f"PEERTUBE_OBJECT_STORAGE_{kind}"
    endpoint = given.required("PEERTUBE_OBJECT_STORAGE_ENDPOINT", _ENDPOINT)
    endpoint = endpoint if "://" in endpoint else f"https://{endpoint}"
    bucket = Bucket(
        endpoint=endpoint,
        region=given.optional("PEERTUBE_OBJECT_STORAGE_REGION", "us-east-1"),
        name=given.required(f"{name}_BUCKET_NAME", BUCKET),
        key_id=given.required("PEERTUBE_OBJECT_STORAGE_CREDENTIALS_ACCESS_KEY_ID"),
        secret=given.required("PEERTUBE_OBJECT_STORAGE_CREDENTIALS_SECRET_ACCESS_KEY"),
        path_style=given.flag("PEERTUBE_OBJECT_STORAGE_FORCE_PATH_STYLE"),
    )
    scheme, _, host = endpoint.partition("://")
    own = f"{scheme}://{host}/{bucket.name}" if bucket.path_style else f"{scheme}://{bucket.name}.{host}"
    return Place(
        bucket=bucket,
        prefix=given.optional(f"{name}_PREFIX", form=_PREFIX),
        base_url=given.optional(f"{name}_BASE_URL", own, URL).rstrip("/"),
        acls=(
            given.optional("PEERTUBE_OBJECT_STORAGE_UPLOAD_ACL_PUBLIC"),
            given.optional("PEERTUBE_OBJECT_STORAGE_UPLOAD_ACL_PRIVATE"),
        ),
    )
