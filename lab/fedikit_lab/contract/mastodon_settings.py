"""What the contract image of Mastodon is started with: its variables, checked as upstream needs them."""

from dataclasses import dataclass, field
from typing import Any

from . import forms as form
from .mastodon_vapid import PRIVATE_KEY, PUBLIC_KEY, check_pair
from .shared import Bucket, Environment


@dataclass(frozen=True)
class Servers:
    """Where PostgreSQL and Redis are, in the words of their drivers."""

    database: dict[str, str] = field(repr=False)
    redis: dict[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Listening:
    """Where a process answers."""

    address: str
    port: int


@dataclass(frozen=True)
class MediaStore:
    """The bucket for what users upload, and the public address that stands before each key."""

    bucket: Bucket
    acl: str
    prefix: str
    public: str


@dataclass(frozen=True)
class Settings:
    """All that web, sidekiq and the administration commands know of their surroundings."""

    domain: str
    web_domain: str
    hosts: frozenset[str]
    secret: str = field(repr=False)
    servers: Servers
    media: MediaStore | None
    mail_domains: frozenset[str]
    listening: Listening


def load_settings(environment: Environment) -> Settings:
    """The settings, or a refusal that names the first variable that is missing or malformed."""
    domain = environment.required("LOCAL_DOMAIN", form.HOST_AND_PORT)
    secret = environment.required("SECRET_KEY_BASE", form.HEX_128)
    _check_keys(environment)
    _check_mail(environment)
    web_domain = environment.optional("WEB_DOMAIN", domain, form.HOST_AND_PORT)
    others = environment.optional("ALTERNATE_DOMAINS").split(",")
    names = {name.strip().partition(":")[0].lower() for name in (domain, web_domain, *others)}
    return Settings(
        domain=domain,
        web_domain=web_domain,
        hosts=frozenset(names - {""}),
        secret=secret,
        servers=load_servers(environment, queue="SIDEKIQ_"),
        media=_media(environment),
        mail_domains=frozenset(filter(None, environment.optional("EMAIL_DOMAIN_ALLOWLIST").split("|"))),
        listening=load_listening(environment, 3000),
    )


def load_servers(environment: Environment, *, queue: str = "") -> Servers:
    """PostgreSQL and Redis; variables that begin with `queue` come before the common ones."""
    return Servers(_database(environment), _redis(environment, queue))


def load_listening(environment: Environment, port: int) -> Listening:
    """The address and port from upstream's variables; without BIND, loopback."""
    return Listening(environment.optional("BIND", "127.0.0.1"), environment.number("PORT", port))


def _check_keys(environment: Environment) -> None:
    for name in ("DETERMINISTIC_KEY", "KEY_DERIVATION_SALT", "PRIMARY_KEY"):
        environment.required(f"ACTIVE_RECORD_ENCRYPTION_{name}", form.ALPHANUMERIC_32)
    private = environment.required("VAPID_PRIVATE_KEY", PRIVATE_KEY)
    check_pair(private, environment.required("VAPID_PUBLIC_KEY", PUBLIC_KEY))


def _check_mail(environment: Environment) -> None:
    """Mail may be left out, as upstream boots without; what there is must make sense."""
    environment.optional("SMTP_SERVER", form=form.HOST)
    environment.number("SMTP_PORT", 25)
    environment.optional("SMTP_FROM_ADDRESS", form=form.FROM)
    environment.optional("SMTP_ENABLE_STARTTLS", form=form.Form("auto|always|never", "auto, always or never"))
    environment.flag("SMTP_TLS")
    environment.flag("SMTP_SSL")


def _database(environment: Environment) -> dict[str, str]:
    if url := environment.optional("DATABASE_URL"):
        return {"dsn": url}
    host = environment.required("DB_HOST")
    password = environment.optional("DB_PASS") if host.startswith("/") else environment.required("DB_PASS")
    return {
        "host": host,
        "port": str(environment.number("DB_PORT", 5432)),
        "dbname": environment.optional("DB_NAME", "mastodon_production"),
        "user": environment.optional("DB_USER", "mastodon"),
        "password": password,
        "sslmode": environment.optional("DB_SSLMODE", "prefer"),
        "connect_timeout": "5",
    }


def _redis(environment: Environment, queue: str) -> dict[str, Any]:
    def value(name: str, default: str = "") -> str:
        return environment.optional(f"{queue}REDIS_{name}") or environment.optional(f"REDIS_{name}", default)

    if url := value("URL"):
        return {"url": url}
    host = value("HOST") or environment.required("REDIS_HOST")
    for name in ("PORT", "DB"):
        environment.number(f"REDIS_{name}", 0)
        environment.number(f"{queue}REDIS_{name}", 0)
    return {
        "host": host,
        "port": int(value("PORT", "6379")),
        "db": int(value("DB", "0")),
        "username": value("USER") or None,
        "password": value("PASSWORD") or None,
    }


def _media(environment: Environment) -> MediaStore | None:
    if not environment.flag("S3_ENABLED"):
        return None
    endpoint = environment.optional("S3_ENDPOINT", form=form.URL)
    region = environment.optional("S3_REGION", "us-east-1")
    path_style = bool(endpoint) and not environment.flag("S3_OVERRIDE_PATH_STYLE")
    bucket = Bucket(
        endpoint=endpoint or f"https://s3.{region}.amazonaws.com",
        region=region,
        name=environment.required("S3_BUCKET", form.BUCKET),
        key_id=environment.required("AWS_ACCESS_KEY_ID"),
        secret=environment.required("AWS_SECRET_ACCESS_KEY"),
        path_style=path_style,
    )
    acl = environment.raw("S3_PERMISSION")
    prefix = environment.optional("S3_KEY_PREFIX").strip("/")
    return MediaStore(
        bucket, "public-read" if acl is None else acl, f"{prefix}/" if prefix else "", _public(environment, bucket)
    )


def _public(environment: Environment, bucket: Bucket) -> str:
    protocol = environment.optional("S3_PROTOCOL", "https", form.Form("https?", "http or https"))
    if alias := environment.optional("S3_ALIAS_HOST", form=form.HOST_AND_PORT):
        return f"{protocol}://{alias}"
    host = environment.optional("S3_HOSTNAME", f"s3-{bucket.region}.amazonaws.com", form.HOST_AND_PORT)
    return f"{protocol}://{host}/{bucket.name}"
