"""What Pixelfed's stand-in is started with: upstream's variables, checked all at once."""

import re
from dataclasses import dataclass, field

from .forms import ANY, BASE64_32, BUCKET, HOST, NUMBER, URL, Form
from .shared import Bucket, Environment, Refused

_MYSQL = Form(r"mysql", "mysql")
_REDIS_CLIENT = Form(r"phpredis|predis", "phpredis or predis")
_PROXIES = Form(r"\*|[0-9A-Fa-f.:/]+(, ?[0-9A-Fa-f.:/]+)*", "* or addresses of proxies, with commas between them")
_S3 = Form(r"s3", "s3")
_SITE = re.compile(r"(?:http://)?([^:/\s]*)(?::([0-9]+))?")


@dataclass(frozen=True)
class Cloud:
    """Where media go once they were moved, and the address that visitors load them from."""

    bucket: Bucket
    url: str
    acl: str
    deletes_local: bool


@dataclass(frozen=True)
class Listener:
    """What the server in front of PHP listens on; it answers visitors of another host with an empty page."""

    address: str
    port: int
    host: str


@dataclass(frozen=True)
class Settings:
    """One instance, as its variables describe it."""

    name: str
    url: str
    domain: str
    is_production: bool
    demands_confirmed_email: bool
    accepts_registrations: bool
    photo_kilobytes: int
    database: dict[str, object] = field(repr=False)
    redis: dict[str, object] = field(repr=False)
    horizon_prefix: str
    cloud: Cloud | None


def read_settings(given: Environment) -> Settings:
    """The instance's settings; refuses what upstream cannot run with."""
    given.required("APP_KEY", BASE64_32)
    given.required("TRUST_PROXIES", _PROXIES)
    domain = given.required("APP_DOMAIN", HOST)
    url = given.required("APP_URL", URL).rstrip("/")
    if url != f"https://{domain}":
        raise Refused(f"APP_URL has the wrong form: it must be https://{domain}, as APP_DOMAIN says")
    for name in ("ADMIN_DOMAIN", "SESSION_DOMAIN"):
        if given.required(name, HOST) != domain:
            raise Refused(f"{name} has the wrong form: it must be {domain}, as APP_DOMAIN says")
    return Settings(
        name=given.optional("APP_NAME", "Pixelfed"),
        url=url,
        domain=domain,
        is_production=given.optional("APP_ENV", "production") == "production",
        demands_confirmed_email=given.flag("ENFORCE_EMAIL_VERIFICATION", True),
        accepts_registrations=given.flag("OPEN_REGISTRATION", True),
        photo_kilobytes=given.number("MAX_PHOTO_SIZE", 15_000),
        database=_database(given),
        redis=_redis(given),
        horizon_prefix=given.optional("HORIZON_PREFIX", "horizon:"),
        cloud=_cloud(given),
    )


def read_listener(given: Environment) -> Listener:
    """Where the web server listens, as the base image's Caddyfile takes it from the variables."""
    site = _SITE.fullmatch(given.optional("CADDY_HTTP_SERVER_ADDRESS", "http://"))
    if not site:
        raise Refused(
            "CADDY_HTTP_SERVER_ADDRESS has the wrong form: it must be http:// with or without a host and port"
        )
    bound = re.search(r"default_bind ([^\s]+)", given.optional("CADDY_GLOBAL_OPTIONS"))
    port = int(site[2]) if site[2] else given.number("CADDY_HTTP_PORT", 8080)
    return Listener(bound[1] if bound else "0.0.0.0", port, site[1])  # noqa: S104 - as upstream, in a container


def _database(given: Environment) -> dict[str, object]:
    given.required("DB_CONNECTION", _MYSQL)
    return {
        "host": given.optional("DB_HOST", "127.0.0.1", HOST),
        "port": given.number("DB_PORT", 3306),
        "database": given.required("DB_DATABASE"),
        "user": given.required("DB_USERNAME"),
        "password": given.required("DB_PASSWORD"),
        "charset": "utf8mb4",
        "connect_timeout": 5,
    }


def _redis(given: Environment) -> dict[str, object]:
    given.optional("REDIS_CLIENT", "predis", _REDIS_CLIENT)
    for name in ("CACHE_DRIVER", "QUEUE_DRIVER"):
        given.required(name, Form(r"redis", "redis"))
    password = given.optional("REDIS_PASSWORD", "null", ANY)
    return {
        "host": given.optional("REDIS_HOST", "localhost", HOST),
        "port": given.number("REDIS_PORT", 6379),
        "password": None if password == "null" else password,  # noqa: S105 - upstream's word for none
        "db": int(given.optional("REDIS_DATABASE", "0", NUMBER)),
        "socket_timeout": 10,
        "decode_responses": True,
    }


def _cloud(given: Environment) -> Cloud | None:
    if not given.flag("PF_ENABLE_CLOUD"):
        return None
    if given.optional("FILESYSTEM_DRIVER", "local") != "local":
        raise Refused("FILESYSTEM_DRIVER has the wrong form: it must be local, the cloud has FILESYSTEM_CLOUD")
    given.required("FILESYSTEM_CLOUD", _S3)
    bucket = Bucket(
        endpoint=given.required("AWS_ENDPOINT", URL),
        region=given.required("AWS_DEFAULT_REGION"),
        name=given.required("AWS_BUCKET", BUCKET),
        key_id=given.required("AWS_ACCESS_KEY_ID"),
        secret=given.required("AWS_SECRET_ACCESS_KEY"),
        path_style=given.flag("AWS_USE_PATH_STYLE_ENDPOINT"),
    )
    acl = "public-read" if given.optional("AWS_VISIBILITY", "public") == "public" else "private"
    url = given.required("AWS_URL", URL).rstrip("/")
    return Cloud(bucket, url, acl, given.flag("MEDIA_DELETE_LOCAL_AFTER_CLOUD", True))
