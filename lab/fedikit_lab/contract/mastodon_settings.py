"""What the contract image of Mastodon is started with: its variables, checked as upstream needs them."""

import fnmatch
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from . import forms as form
from .mastodon_servers import (
    Listening,
    MailServer,
    MediaStore,
    Servers,
    load_listening,
    load_mail,
    load_media,
    load_servers,
)
from .mastodon_vapid import PRIVATE_KEY, PUBLIC_KEY, check_pair
from .shared import Environment, Refused

NAMES = Path("config/variables.txt")
# Of these upstream knows that they are empty; any other one it takes for a value, if a useless one.
_MAY_BE_EMPTY = frozenset(
    "ALLOWED_PRIVATE_ADDRESSES ALTERNATE_DOMAINS DB_SSLMODE EMAIL_DOMAIN_ALLOWLIST EMAIL_DOMAIN_DENYLIST S3_PERMISSION "
    "SKIP_POST_DEPLOYMENT_MIGRATIONS SMTP_LOGIN SMTP_PASSWORD TRUSTED_PROXY_IP".split()
)
# config/initializers/i18n.rb
_LOCALES = frozenset(
    "af an ar ast be bg bn br bs ca ckb co cs cy da de el en en-GB eo es es-AR es-MX et eu fa fi fo fr fr-CA fy ga gd "
    "gl he hi hr hu hy ia id ie ig io is it ja ka kab kk kn ko ku kw la lt lv mk ml mr ms my nan-TW nl nn no oc pa pl "
    "pt-BR pt-PT ro ru sa sc sco si sk sl sq sr sr-Latn sv szl ta te th tr tt ug uk ur vi zgh zh-CN zh-HK zh-TW".split()
)
_NETWORKS = form.Form(r"[0-9a-fA-F.:/]+([\s,]+[0-9a-fA-F.:/]+)*", "addresses and networks, with commas between them")


# Whom upstream trusts to tell a visitor's address when nothing is said: this machine and private networks.
_NEAR = ["127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"]


@dataclass(frozen=True)
class Federation:
    """Whom the server speaks with, and who speaks here."""

    authorized_fetch: bool | None
    """Whether posts and profiles are given only to those who sign; an administrator decides if nothing is said."""
    limited: bool
    single_user: bool


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
    mail: MailServer | None
    federation: Federation
    locale: str
    proxies: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]
    listening: Listening


def refuse_strangers(values: Mapping[str, str], names: Path = NAMES) -> None:
    """Refuses a variable that upstream does not read, and one that is empty where upstream does not expect it."""
    known = [line for line in names.read_text().splitlines() if line and not line.startswith("#")]
    for name in sorted(values):
        if not any(fnmatch.fnmatchcase(name, pattern) for pattern in known):
            raise Refused(f"{name} is not a variable that Mastodon reads")
        if not values[name] and name in known and name not in _MAY_BE_EMPTY:
            raise Refused(f"{name} is empty, which is not the same as unset")


def load_settings(environment: Environment) -> Settings:
    """The settings, or a refusal that names the first variable that is missing or malformed."""
    domain = environment.required("LOCAL_DOMAIN", form.HOST_AND_PORT)
    secret = environment.required("SECRET_KEY_BASE", form.HEX_128)
    _check_keys(environment)
    _check_processes(environment)
    web_domain = environment.optional("WEB_DOMAIN", domain, form.HOST_AND_PORT)
    others = environment.optional("ALTERNATE_DOMAINS").split(",")
    names = {name.strip().partition(":")[0].lower() for name in (domain, web_domain, *others)}
    return Settings(
        domain=domain,
        web_domain=web_domain,
        hosts=frozenset(names - {""}),
        secret=secret,
        servers=load_servers(environment, queue="SIDEKIQ_"),
        media=load_media(environment),
        mail_domains=frozenset(filter(None, environment.optional("EMAIL_DOMAIN_ALLOWLIST").split("|"))),
        mail=load_mail(environment),
        federation=_federation(environment),
        locale=_locale(environment),
        proxies=tuple(map(ipaddress.ip_network, _networks(environment, "TRUSTED_PROXY_IP") or _NEAR)),
        listening=load_listening(environment, 3000),
    )


def _check_keys(environment: Environment) -> None:
    for name in ("DETERMINISTIC_KEY", "KEY_DERIVATION_SALT", "PRIMARY_KEY"):
        environment.required(f"ACTIVE_RECORD_ENCRYPTION_{name}", form.ALPHANUMERIC_32)
    private = environment.required("VAPID_PRIVATE_KEY", PRIVATE_KEY)
    check_pair(private, environment.required("VAPID_PUBLIC_KEY", PUBLIC_KEY))


def _check_processes(environment: Environment) -> None:
    for name in ("WEB_CONCURRENCY", "MAX_THREADS", "SIDEKIQ_CONCURRENCY", "DB_POOL", "PERSISTENT_TIMEOUT"):
        environment.number(name, 5)
    _networks(environment, "ALLOWED_PRIVATE_ADDRESSES")
    if environment.flag("OIDC_ENABLED"):
        for name in ("OIDC_ISSUER", "OIDC_SCOPE", "OIDC_UID_FIELD", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET"):
            environment.required(name)
        environment.required("OIDC_REDIRECT_URI", form.URL)


def _networks(environment: Environment, name: str) -> list[str]:
    return re.split(r"[\s,]+", environment.optional(name, form=_NETWORKS)) if environment.raw(name) else []


def _federation(environment: Environment) -> Federation:
    said = environment.raw("AUTHORIZED_FETCH")
    return Federation(
        authorized_fetch=None if said is None else said == "true",
        limited=environment.flag("LIMITED_FEDERATION_MODE"),
        single_user=environment.flag("SINGLE_USER_MODE"),
    )


def _locale(environment: Environment) -> str:
    """The language of pages; one that upstream does not have is English, and nobody is told."""
    wanted = environment.optional("DEFAULT_LOCALE", "en")
    return wanted if wanted in _LOCALES else "en"
