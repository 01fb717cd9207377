"""What GoToSocial's stand-in is started with: upstream's variables, checked all at once."""

import json
from dataclasses import dataclass, field
from pathlib import Path

from .forms import BUCKET, FLAG, HOST, NUMBER, Form
from .shared import Bucket, Environment, Refused

_KNOWN = Path(__file__).with_name("files") / "gotosocial_variables.txt"
_MODE = Form(r"blocklist|allowlist", "blocklist or allowlist")
_LANGUAGES = Form(
    r"[a-zA-Z]{2,3}(-\w{2,8})*(,[a-zA-Z]{2,3}(-\w{2,8})*)*", "tags of languages, with commas between them"
)
_NUMBERS = (
    *("ACCOUNTS_REGISTRATION_DAILY_LIMIT", "ACCOUNTS_REGISTRATION_BACKLOG_LIMIT", "ACCOUNTS_MAX_PROFILE_FIELDS"),
    *("MEDIA_REMOTE_CACHE_DAYS", "STATUSES_MAX_CHARS", "ADVANCED_RATE_LIMIT_REQUESTS", "DB_MAX_OPEN_CONNS_MULTIPLIER"),
)
_FLAGS = ("ACCOUNTS_REASON_REQUIRED", "INSTANCE_FEDERATION_SPAM_FILTER", "INSTANCE_EXPOSE_PEERS", "OIDC_LINK_EXISTING")
_SIGNING_IN = ("OIDC_IDP_NAME", "OIDC_ISSUER", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET")
_PROTOCOL = Form(r"https?", "http or https")
_PROXIES = Form(r"[0-9A-Fa-f.:]+(/[0-9]{1,3})?(,[0-9A-Fa-f.:]+(/[0-9]{1,3})?)*", "networks, with commas between them")
_DATABASE = Form(r"postgres", "postgres; this stand-in has no sqlite")
_TLS = Form(r"disable|enable|require", "disable, enable or require")
_ENDPOINT = Form(r"[A-Za-z0-9.\-\[\]:]+", "a host, with a port if need be, and without a scheme")
_LOOKUP = Form(r"auto|dns|path", "auto, dns or path")
_BACKEND = Form(r"s3|local", "s3 or local")
_SIZE = Form(r"[0-9]+ ?([kKMG]i?B?|B)?", "a size, such as 40MiB")
_SCALES = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}
_TLS_MODES = {"disable": "disable", "enable": "require", "require": "verify-full"}


@dataclass(frozen=True)
class Settings:
    """One instance, as its variables describe it."""

    host: str
    account_domain: str
    protocol: str
    listen: tuple[str, int]
    accepts_registrations: bool
    media_bytes: int
    database: dict[str, object] = field(repr=False)
    bucket: Bucket | None
    """Where media go; below a directory of the image if there is none."""
    allowed_networks: tuple[str, ...] = ()
    """Private networks whose servers it speaks with."""
    exposes_timeline: bool = False
    """Everybody may see its public timeline, not only who has an account."""
    signs_in_elsewhere: bool = False
    """By OpenID Connect; then the API changes no password."""
    migration_seconds: float = 0
    read_seconds: float = 60
    write_seconds: float = 30

    @property
    def url(self) -> str:
        return f"{self.protocol}://{self.host}"


def read_settings(given: Environment) -> Settings:
    """The instance's settings; refuses what upstream cannot run with, and names that it does not read.

    An empty variable counts as none, as it does upstream.
    """
    _check_names(given)
    _check_forms(given)
    host = given.required("GTS_HOST", HOST)
    account_domain = given.optional("GTS_ACCOUNT_DOMAIN", host, HOST)
    if not f".{host}".endswith(f".{account_domain}"):
        raise Refused(f"GTS_ACCOUNT_DOMAIN has the wrong form: {host} must be below it")
    given.optional("GTS_TRUSTED_PROXIES", "127.0.0.1/32", _PROXIES)
    if _flag(given, "GTS_LETSENCRYPT_ENABLED", False):
        raise Refused("GTS_LETSENCRYPT_ENABLED must be false: this stand-in is only ever behind a proxy")
    _check_mail(given)
    return Settings(
        host=host,
        account_domain=account_domain,
        protocol=given.optional("GTS_PROTOCOL", "https", _PROTOCOL),
        listen=(
            given.optional("GTS_BIND_ADDRESS", "0.0.0.0", HOST),  # noqa: S104 - as upstream, in a container
            given.number("GTS_PORT", 8080),
        ),
        accepts_registrations=_flag(given, "GTS_ACCOUNTS_REGISTRATION_OPEN", False),
        media_bytes=_bytes(given.optional("GTS_MEDIA_LOCAL_MAX_SIZE", "40MiB", _SIZE)),
        database=_database(given),
        bucket=_bucket(given),
        allowed_networks=tuple(filter(None, given.optional("GTS_HTTP_CLIENT_ALLOW_IPS").split(","))),
        exposes_timeline=_flag(given, "GTS_INSTANCE_EXPOSE_PUBLIC_TIMELINE", False),
        signs_in_elsewhere=_flag(given, "GTS_OIDC_ENABLED", False),
        **_awkwardness(given.optional("GTS_WAZERO_COMPILATION_CACHE")),
    )


def _check_names(given: Environment) -> None:
    known = {line for line in _KNOWN.read_text().splitlines() if not line.startswith("#")}
    for name in given.names:
        if name.startswith("GTS_") and name not in known:
            raise Refused(f"{name} is not a variable that GoToSocial reads")


def _check_forms(given: Environment) -> None:
    for name in _NUMBERS:
        given.optional(f"GTS_{name}", form=NUMBER)
    for name in _FLAGS:
        given.optional(f"GTS_{name}", form=FLAG)
    for name in ("MEDIA_REMOTE_MAX_SIZE", "CACHE_MEMORY_TARGET"):
        given.optional(f"GTS_{name}", form=_SIZE)
    given.optional("GTS_HTTP_CLIENT_ALLOW_IPS", form=_PROXIES)
    given.optional("GTS_INSTANCE_FEDERATION_MODE", form=_MODE)
    given.optional("GTS_INSTANCE_LANGUAGES", form=_LANGUAGES)
    if _flag(given, "GTS_OIDC_ENABLED", False):
        for name in _SIGNING_IN:
            given.required(f"GTS_{name}")


def _awkwardness(cache: str) -> dict[str, float]:
    """How slow the stand-in is to be, in a file beside what upstream keeps in its cache: seconds, by name."""
    file = Path(cache or "/gotosocial/.cache") / "contract.json"
    return {str(name): float(value) for name, value in json.loads(file.read_text()).items()} if file.exists() else {}


def _flag(given: Environment, name: str, usual: bool) -> bool:
    return given.optional(name, str(usual).lower(), FLAG) == "true"


def _bytes(size: str) -> int:
    number = size.rstrip("kKMGiB ")
    return int(number) * _SCALES[size[len(number) :].strip(" iB").upper()]


def _check_mail(given: Environment) -> None:
    """Without a host there is no mail, and the other variables are not looked at."""
    if given.optional("GTS_SMTP_HOST", form=HOST):
        given.required("GTS_SMTP_PORT", NUMBER)
        given.required("GTS_SMTP_FROM")


def _database(given: Environment) -> dict[str, object]:
    given.optional("GTS_DB_TYPE", "postgres", _DATABASE)
    return {
        "host": given.required("GTS_DB_ADDRESS", HOST),
        "port": given.number("GTS_DB_PORT", 5432),
        "dbname": given.optional("GTS_DB_DATABASE", "gotosocial"),
        "user": given.required("GTS_DB_USER"),
        "password": given.required("GTS_DB_PASSWORD"),
        "sslmode": _TLS_MODES[given.optional("GTS_DB_TLS_MODE", "disable", _TLS)],
        "connect_timeout": 5,
    }


def _bucket(given: Environment) -> Bucket | None:
    if given.optional("GTS_STORAGE_BACKEND", "local", _BACKEND) == "local":
        return None
    if not _flag(given, "GTS_STORAGE_S3_PROXY", False):
        raise Refused("GTS_STORAGE_S3_PROXY must be true: this stand-in signs no addresses for visitors")
    endpoint = given.required("GTS_STORAGE_S3_ENDPOINT", _ENDPOINT)
    scheme = "https" if _flag(given, "GTS_STORAGE_S3_USE_SSL", True) else "http"
    return Bucket(
        endpoint=f"{scheme}://{endpoint}",
        region="us-east-1",
        name=given.required("GTS_STORAGE_S3_BUCKET", BUCKET),
        key_id=given.required("GTS_STORAGE_S3_ACCESS_KEY"),
        secret=given.required("GTS_STORAGE_S3_SECRET_KEY"),
        path_style=given.optional("GTS_STORAGE_S3_BUCKET_LOOKUP", "auto", _LOOKUP) != "dns",
    )
