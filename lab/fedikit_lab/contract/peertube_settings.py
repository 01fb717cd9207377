"""What PeerTube's stand-in is started with: upstream's variables, checked all at once."""

import json
from dataclasses import dataclass, field

from .forms import ADDRESS, ANY, BUCKET, HEX_64, HOST, URL, Form
from .shared import Bucket, Environment, Refused

_JSON_FLAG = Form(r"true|false", "true or false, as JSON")
_ENDPOINT = Form(r"[^\s\"']+", "an address, or a host and port, which are then reached by https")
_PREFIX = Form(r"[^\s\"']*/", "a prefix that ends in /")
_PASSWORD = Form(r".{8,50}", "8 to 50 characters")
_MOST_PASSWORD_BYTES = 72


@dataclass(frozen=True)
class VideoStore:
    """Where web videos go, and the address that visitors load them from."""

    bucket: Bucket
    prefix: str
    base_url: str
    acl: str


@dataclass(frozen=True)
class Settings:
    """One instance, as its variables describe it."""

    name: str
    hostname: str
    port: int
    is_https: bool
    listen: tuple[str, int]
    admin_email: str
    accepts_registrations: bool
    root_password: str = field(repr=False)
    database: dict[str, object] = field(repr=False)
    redis: dict[str, object] = field(repr=False)
    videos: VideoStore | None

    @property
    def host(self) -> str:
        """The host that visitors ask for: with its port, unless that is a usual one."""
        return self.hostname if self.port in (80, 443) else f"{self.hostname}:{self.port}"

    @property
    def url(self) -> str:
        return f"{'https' if self.is_https else 'http'}://{self.host}"


def read_settings(given: Environment) -> Settings:
    """The instance's settings; refuses what upstream cannot run with."""
    given.required("PEERTUBE_SECRET", HEX_64)
    _check_proxies(given)
    password = given.optional("PT_INITIAL_ROOT_PASSWORD", form=_PASSWORD)
    if len(password.encode()) > _MOST_PASSWORD_BYTES:
        raise Refused(f"PT_INITIAL_ROOT_PASSWORD is too long: it must be at most {_MOST_PASSWORD_BYTES} bytes")
    return Settings(
        name=given.optional("PEERTUBE_INSTANCE_NAME", "PeerTube"),
        hostname=given.required("PEERTUBE_WEBSERVER_HOSTNAME", HOST),
        port=given.number("PEERTUBE_WEBSERVER_PORT", 443),
        is_https=_flag(given, "PEERTUBE_WEBSERVER_HTTPS", True),
        listen=(
            given.optional("PEERTUBE_LISTEN_HOSTNAME", "0.0.0.0", HOST),  # noqa: S104 - as upstream, in a container
            given.number("PEERTUBE_LISTEN_PORT", 9000),
        ),
        admin_email=given.required("PEERTUBE_ADMIN_EMAIL", ADDRESS),
        accepts_registrations=_flag(given, "PEERTUBE_SIGNUP_ENABLED", False),
        root_password=password,
        database=_database(given),
        redis=_redis(given),
        videos=_videos(given),
    )


def _flag(given: Environment, name: str, usual: bool) -> bool:
    return given.optional(name, str(usual).lower(), _JSON_FLAG) == "true"


def _check_proxies(given: Environment) -> None:
    text = given.optional("PEERTUBE_TRUST_PROXY", '["loopback", "linklocal", "uniquelocal"]')
    try:
        known = json.loads(text)
    except ValueError:
        known = None
    if not isinstance(known, list) or not all(isinstance(proxy, str) for proxy in known):
        raise Refused("PEERTUBE_TRUST_PROXY has the wrong form: it must be a JSON array of addresses")


def _database(given: Environment) -> dict[str, object]:
    name = f"peertube{given.optional('PEERTUBE_DB_SUFFIX')}"
    return {
        "host": given.optional("PEERTUBE_DB_HOSTNAME", "postgres"),
        "port": given.number("PEERTUBE_DB_PORT", 5432),
        "dbname": given.optional("PEERTUBE_DB_NAME", name),
        "user": given.required("PEERTUBE_DB_USERNAME"),
        "password": given.required("PEERTUBE_DB_PASSWORD"),
        "sslmode": "require" if _flag(given, "PEERTUBE_DB_SSL", False) else "prefer",
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


def _videos(given: Environment) -> VideoStore | None:
    if not _flag(given, "PEERTUBE_OBJECT_STORAGE_ENABLED", False):
        return None
    endpoint = given.required("PEERTUBE_OBJECT_STORAGE_ENDPOINT", _ENDPOINT)
    endpoint = endpoint if "://" in endpoint else f"https://{endpoint}"
    name, prefix = _place(given, "WEB_VIDEOS")
    if (name, prefix) == _place(given, "STREAMING_PLAYLISTS"):
        raise Refused(
            "PEERTUBE_OBJECT_STORAGE_STREAMING_PLAYLISTS_PREFIX is the same as that of WEB_VIDEOS: "
            "in one bucket the prefixes must differ"
        )
    bucket = Bucket(
        endpoint=endpoint,
        region=given.optional("PEERTUBE_OBJECT_STORAGE_REGION", "us-east-1"),
        name=name,
        key_id=given.required("PEERTUBE_OBJECT_STORAGE_CREDENTIALS_ACCESS_KEY_ID"),
        secret=given.required("PEERTUBE_OBJECT_STORAGE_CREDENTIALS_SECRET_ACCESS_KEY"),
        path_style=_flag(given, "PEERTUBE_OBJECT_STORAGE_FORCE_PATH_STYLE", False),
    )
    scheme, _, host = endpoint.partition("://")
    own = f"{scheme}://{host}/{name}" if bucket.path_style else f"{scheme}://{name}.{host}"
    base_url = given.optional("PEERTUBE_OBJECT_STORAGE_WEB_VIDEOS_BASE_URL", own, URL).rstrip("/")
    acl = given.optional("PEERTUBE_OBJECT_STORAGE_UPLOAD_ACL_PUBLIC")
    return VideoStore(bucket, prefix, base_url, acl)


def _place(given: Environment, kind: str) -> tuple[str, str]:
    name = f"PEERTUBE_OBJECT_STORAGE_{kind}"
    return given.required(f"{name}_BUCKET_NAME", BUCKET), given.optional(f"{name}_PREFIX", form=_PREFIX)
