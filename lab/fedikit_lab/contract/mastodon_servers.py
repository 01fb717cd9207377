"""The servers that the contract image of Mastodon is told of: PostgreSQL, Redis, the bucket, who takes mail."""

from dataclasses import dataclass, field
from typing import Any

from . import forms as form
from .shared import Bucket, Environment

_SSL_MODES = form.Form("disable|allow|prefer|require|verify-ca|verify-full", "a mode of PostgreSQL's own library")


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
class MailServer:
    """Who takes mail for delivery. A user name that is empty is one too: it is signed in with."""

    address: str
    port: int
    user: str | None
    password: str | None = field(repr=False)
    authentication: str | None
    encryption: str
    authorities: str
    sender: str


def load_servers(environment: Environment, *, queue: str = "") -> Servers:
    """PostgreSQL and Redis; variables that begin with `queue` come before the common ones."""
    mode = environment.optional("DB_SSLMODE", "prefer", _SSL_MODES)
    return Servers({**_database(environment), "sslmode": mode}, _redis(environment, queue))


def load_listening(environment: Environment, port: int) -> Listening:
    """The address and port from upstream's variables; without BIND, loopback."""
    return Listening(environment.optional("BIND", "127.0.0.1"), environment.number("PORT", port))


def load_streaming_servers(environment: Environment) -> Servers:
    """The same as streaming reaches them (streaming/database.js): no mode is no encryption, and all but one verify."""
    return Servers({**_database(environment), **_streaming_encryption(environment)}, _redis(environment, ""))


def _streaming_encryption(environment: Environment) -> dict[str, str]:
    match environment.raw("DB_SSLMODE"):
        case None | "" | "disable":
            return {"sslmode": "disable"}
        case "no-verify":
            return {"sslmode": "require"}
    authorities = environment.optional("NODE_EXTRA_CA_CERTS", "/etc/ssl/certs/ca-certificates.crt")
    return {"sslmode": "verify-full", "sslrootcert": authorities}


def load_mail(environment: Environment) -> MailServer | None:
    """Nothing where mail goes nowhere, as upstream boots without a server too."""
    methods = form.Form("smtp|sendmail|test", "smtp, sendmail or test")
    if environment.optional("SMTP_DELIVERY_METHOD", "smtp", methods) != "smtp":
        return None
    ways = form.Form("auto|always|never", "auto, always or never")
    starttls = environment.optional("SMTP_ENABLE_STARTTLS", "auto", ways)
    method = environment.optional("SMTP_AUTH_METHOD", "plain", form.Form("plain|login|cram_md5|none", "a method"))
    return MailServer(
        address=environment.optional("SMTP_SERVER", "localhost", form.HOST),
        port=environment.number("SMTP_PORT", 25),
        user=environment.raw("SMTP_LOGIN"),
        password=environment.raw("SMTP_PASSWORD"),
        authentication=None if method == "none" else method,
        encryption="tls" if environment.flag("SMTP_TLS") or environment.flag("SMTP_SSL") else starttls,
        authorities=environment.optional("SMTP_CA_FILE", "/etc/ssl/certs/ca-certificates.crt"),
        sender=environment.optional("SMTP_FROM_ADDRESS", "notifications@localhost", form.FROM),
    )


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


def load_media(environment: Environment) -> MediaStore | None:
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
