"""What Pixelfed's stand-in is started with: upstream's variables, checked at once, and read as Laravel reads them."""

import fnmatch
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .forms import ANY, BASE64_32, BUCKET, FLAG, HOST, NUMBER, URL, Form
from .pixelfed_rules import RULES
from .shared import Bucket, Environment, Refused

NAMES = Path("vendor/variables.txt")
_SURROUNDINGS = {"PATH", "HOME", "HOSTNAME", "PWD", "OLDPWD", "SHLVL", "TERM", "LANG", "_", "container"}
_SURROUNDINGS |= {"NOTIFY_SOCKET", "LC_ALL", "LC_CTYPE", "CONTRACT_ARTISAN", "SSL_CERT_FILE"}
_MYSQL = Form(r"mysql", "mysql")
_REDIS = Form(r"redis", "redis")
_REDIS_CLIENT = Form(r"phpredis|predis", "phpredis or predis")
_PROXIES = Form(r"\*|[0-9A-Fa-f.:/]+(, ?[0-9A-Fa-f.:/]+)*", "* or addresses of proxies, with commas between them")
_S3 = Form(r"s3", "s3")
_MAILER = Form(r"smtp|log", "smtp or log")
_SCHEME = Form(r"smtp|smtps", "smtp or smtps")
_SITE = re.compile(r"(?:http://)?([^:/\s]*)(?::([0-9]+))?")
_DESCRIPTION = "Pixelfed shares pictures."
# By what upstream calls each, its variable and default. A switch that is on is 1, and nothing if it is off.
_KEPT: dict[str, tuple[str, str | bool]] = {
    "app.name": ("APP_NAME", "Pixelfed"),
    "app.short_description": ("PF_SHORT_DESCRIPTION", _DESCRIPTION),
    "app.description": ("PF_DESCRIPTION", _DESCRIPTION),
    "app.rules": ("PF_RULES", ""),
    "pixelfed.open_registration": ("OPEN_REGISTRATION", True),
    "pixelfed.max_photo_size": ("MAX_PHOTO_SIZE", "15000"),
    "pixelfed.max_album_length": ("MAX_ALBUM_LENGTH", "4"),
    "pixelfed.max_caption_length": ("MAX_CAPTION_LENGTH", "500"),
    "pixelfed.media_types": ("MEDIA_TYPES", "image/jpeg,image/jpg,image/png,image/gif"),
    "pixelfed.max_account_size": ("MAX_ACCOUNT_SIZE", "1000000"),
    "pixelfed.enforce_account_limit": ("LIMIT_ACCOUNT_SIZE", True),
    "federation.activitypub.enabled": ("ACTIVITY_PUB", False),
    "instance.curated_registration.enabled": ("INSTANCE_CUR_REG", False),
    "captcha.enabled": ("CAPTCHA_ENABLED", False),
    "captcha.active.register": ("CAPTCHA_ENABLED_ON_REGISTER", False),
}


class Variables(Environment):
    """The variables that it was started with. None may be unknown, and an empty one is not an unset one."""

    def __init__(self, values: Mapping[str, str] = os.environ, names: Path = NAMES) -> None:
        super().__init__(values)
        known = [line for line in names.read_text("utf-8").splitlines() if not line.startswith("#")]
        for name in sorted(set(values) - _SURROUNDINGS):
            if not any(fnmatch.fnmatchcase(name, one) for one in known):
                raise Refused(f"{name} is not a variable that upstream reads")
        for name, form in RULES.items():
            if values.get(name):
                self._checked(name, form)

    def optional(self, name: str, default: str = "", form: Form = ANY) -> str:
        value = self.raw(name)
        if value is None:
            return default
        return "" if value in ("", "null") else self._checked(name, form)

    def number(self, name: str, default: int) -> int:
        if self.raw(name) == "":
            raise Refused(f"{name} is empty, which is not a number")
        return super().number(name, default)

    def flag(self, name: str, default: bool = False) -> bool:
        return self.optional(name, str(default).lower(), FLAG) == "true"


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
class Mail:
    """Where mail goes, and how. Laravel goes by scheme and port, and asks for STARTTLS unless it is told not to."""

    mailer: str
    host: str
    port: int
    user: str
    password: str = field(repr=False)
    is_tls: bool
    may_start_tls: bool
    sender: str


@dataclass(frozen=True)
class Settings:
    """One instance, as its variables describe it."""

    url: str
    domain: str
    cookie_domain: str
    is_production: bool
    demands_confirmed_email: bool
    most_users: int | None
    keeps_first: bool
    """Whether the first value of what is `kept` stays in the database and wins."""
    kept: dict[str, str]
    upload_bytes: int
    post_bytes: int
    database: dict[str, object] = field(repr=False)
    redis: dict[str, object] = field(repr=False)
    queue_prefix: str
    cache_prefix: str
    horizon_prefix: str
    mail: Mail
    cloud: Cloud | None


def read_settings(given: Environment) -> Settings:
    """The instance's settings; refuses what upstream cannot run with."""
    given.required("APP_KEY", BASE64_32)
    given.required("TRUST_PROXIES", _PROXIES)
    domain = given.required("APP_DOMAIN", HOST)
    url = given.required("APP_URL", URL).rstrip("/")
    if url != f"https://{domain}":
        raise Refused(f"APP_URL has the wrong form: it must be https://{domain}, as APP_DOMAIN says")
    if given.required("ADMIN_DOMAIN", HOST) != domain:
        raise Refused(f"ADMIN_DOMAIN has the wrong form: it must be {domain}, as APP_DOMAIN says")
    slug = re.sub(r"[^a-z0-9]+", "_", given.optional("APP_NAME", "Pixelfed").lower()).strip("_")
    queue_prefix = given.optional("REDIS_PREFIX", f"{slug}_database_")
    return Settings(
        url=url,
        domain=domain,
        cookie_domain=given.optional("SESSION_DOMAIN", domain),
        is_production=given.optional("APP_ENV", "production") == "production",
        demands_confirmed_email=given.flag("ENFORCE_EMAIL_VERIFICATION", True),
        most_users=given.number("PF_MAX_USERS", 1000) if given.flag("PF_ENFORCE_MAX_USERS", True) else None,
        keeps_first=given.flag("ENABLE_CONFIG_CACHE", True),
        kept={key: _kept(given, *variable) for key, variable in _KEPT.items()},
        upload_bytes=_bytes(given.optional("PHP_UPLOAD_MAX_FILE_SIZE", "100M")),
        post_bytes=_bytes(given.optional("PHP_POST_MAX_SIZE", "100M")),
        database=_database(given),
        redis=_redis(given),
        queue_prefix=queue_prefix,
        cache_prefix=queue_prefix + given.optional("CACHE_PREFIX", f"{slug}_cache"),
        horizon_prefix=given.optional("HORIZON_PREFIX", "horizon-"),
        mail=_mail(given),
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


def _kept(given: Environment, name: str, default: str | bool) -> str:
    if isinstance(default, bool):
        return "1" if given.flag(name, default) else ""
    return str(given.number(name, int(default))) if default.isdigit() else given.optional(name, default)


def _bytes(text: str) -> int:
    """A size as PHP writes it."""
    found = re.fullmatch(r"([0-9]+)([KMG]?)", text)
    if not found:
        raise Refused("PHP_UPLOAD_MAX_FILE_SIZE and PHP_POST_MAX_SIZE must be numbers with K, M or G behind them")
    return int(found[1]) * {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}[found[2]]


def _either(given: Environment, former: str, name: str, default: str, form: Form) -> str:
    """What was renamed: the new name, then the former one, then upstream's default."""
    return given.optional(name, given.optional(former, default, form), form)


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
    for former, name in (("CACHE_DRIVER", "CACHE_STORE"), ("QUEUE_DRIVER", "QUEUE_CONNECTION")):
        if not _either(given, former, name, "", _REDIS):
            raise Refused(f"{former} is not set: it must be redis")
    return {
        "host": given.optional("REDIS_HOST", "localhost", HOST),
        "port": given.number("REDIS_PORT", 6379),
        "password": given.optional("REDIS_PASSWORD") or None,
        "db": int(given.optional("REDIS_DATABASE", "0", NUMBER)),
        "socket_timeout": 10,
        "decode_responses": True,
    }


def _mail(given: Environment) -> Mail:
    port = given.number("MAIL_PORT", 2525)
    return Mail(
        mailer=_either(given, "MAIL_DRIVER", "MAIL_MAILER", "smtp", _MAILER),
        host=given.optional("MAIL_HOST", "127.0.0.1"),
        port=port,
        user=given.optional("MAIL_USERNAME"),
        password=given.optional("MAIL_PASSWORD"),
        is_tls=given.optional("MAIL_SCHEME", "smtps" if port == 465 else "smtp", _SCHEME) == "smtps",
        may_start_tls=given.flag("MAIL_AUTO_TLS", True),
        sender=given.optional("MAIL_FROM_ADDRESS", "hello@example.com"),
    )


def _cloud(given: Environment) -> Cloud | None:
    if not given.flag("PF_ENABLE_CLOUD"):
        return None
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
