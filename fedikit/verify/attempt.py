"""One attempt at a check: looks once, and says what it saw, or raises Unmet."""

import html
from ipaddress import ip_address
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from fedikit.model.check import (
    BackupIsYoung,
    BucketWorks,
    Check,
    DnsResolves,
    HttpAnswers,
    NodeInfo,
    PageShows,
    ShellCommandPrints,
    SignsIn,
    TlsIsValid,
    WebFinger,
    at_port,
)
from fedikit.secrets import Vault
from fedikit.verify.backup import is_young
from fedikit.verify.bucket import put_and_read
from fedikit.verify.means import Means, Shell
from fedikit.verify.page import Page
from fedikit.verify.visitor import Visitor
from fedikit.verify.words import Refused, Unmet

_SCHEMA = "http://nodeinfo.diaspora.software/ns/schema/"
_ACTIVITY_TYPES = (
    "application/activity+json",
    'application/ld+json; profile="https://www.w3.org/ns/activitystreams"',
)
_SHOWN_LENGTH = 200
_REFUSALS = (401, 403)

DocumentT = TypeVar("DocumentT", bound=BaseModel)


class _Link(BaseModel):
    rel: str = ""
    href: str = ""
    type: str = ""


class _Links(BaseModel):
    """What /.well-known/nodeinfo and WebFinger have in common."""

    subject: str = ""
    links: list[_Link]


class _Software(BaseModel):
    name: str
    version: str


class _NodeInfo(BaseModel):
    software: _Software


def attempt(check: Check, means: Means) -> str:
    """Looks whether a check holds just now, and says what was seen. Raises Unmet if it does not hold."""
    match check:
        case DnsResolves():
            return _resolves(check, means.visitor)
        case TlsIsValid():
            return _has_certificate(check, means.visitor)
        case HttpAnswers():
            return _answers(check, means.visitor)
        case NodeInfo():
            return _presents_itself(check, means.visitor)
        case WebFinger():
            return _is_found(check, means.visitor)
        case PageShows():
            return _shows(check, means.visitor)
        case SignsIn():
            return _signs_in(check, means.visitor, means.vault)
        case ShellCommandPrints():
            return _prints(check, means.shell)
        case BucketWorks():
            return put_and_read(check, means)
        case BackupIsYoung():
            return is_young(check, means.shell)


def _resolves(check: DnsResolves, visitor: Visitor) -> str:
    found = visitor.addresses(check.domain)
    if ip_address(check.address) not in map(ip_address, found):
        raise Unmet(wanted=check.address, seen=", ".join(found))
    return ", ".join(found)


def _has_certificate(check: TlsIsValid, visitor: Visitor) -> str:
    certificate = visitor.certificate(check.domain, check.port)
    if certificate.days_left < check.min_days_left:
        raise Unmet(wanted=f"at least {check.min_days_left} days left", seen=f"a certificate {certificate}")
    return f"{certificate}"


def _answers(check: HttpAnswers, visitor: Visitor) -> str:
    page = visitor.get(check.url)
    _expect_status(page, check.status)
    if check.contains is not None and check.contains not in page.text:
        raise Unmet(wanted=f"“{check.contains}”", seen=f"{len(page.body)} bytes without it")
    return f"HTTP {page.status}, {len(page.body)} bytes"


def _presents_itself(check: NodeInfo, visitor: Visitor) -> str:
    index = visitor.follow(f"https://{at_port(check.domain, check.port)}/.well-known/nodeinfo")
    links = [link for link in _read(index, _Links).links if link.rel.startswith(_SCHEMA)]
    if not links:
        raise Unmet(wanted="a link to NodeInfo", seen=f"none at {index.url}")
    newest = max(links, key=lambda link: link.rel)
    if not newest.href.startswith("https://"):
        raise Unmet(wanted="NodeInfo over HTTPS", seen=newest.href)
    software = _read(visitor.follow(newest.href), _NodeInfo).software
    if check.software not in (None, software.name):
        raise Unmet(wanted=f"{check.software}", seen=f"{software.name} {software.version}")
    return f"{software.name} {software.version}, NodeInfo {newest.rel.removeprefix(_SCHEMA)}"


def _is_found(check: WebFinger, visitor: Visitor) -> str:
    place = f"https://{at_port(check.domain, check.port)}/.well-known/webfinger"
    page = visitor.follow(f"{place}?resource=acct:{check.address}")
    found = _read(page, _Links)
    if found.subject.lower() != f"acct:{check.address}".lower():
        raise Unmet(wanted=f"acct:{check.address}", seen=found.subject or "no subject")
    for link in found.links:
        if link.rel == "self" and link.type in _ACTIVITY_TYPES and link.href:
            return link.href
    raise Unmet(wanted="a link to the account's actor", seen=f"{len(found.links)} links, none of them such")


def _shows(check: PageShows, visitor: Visitor) -> str:
    page = visitor.follow(check.url)
    _expect_status(page, 200)
    if check.text not in page.text and check.text not in html.unescape(page.text):
        raise Unmet(wanted=f"“{check.text}”", seen=f"{len(page.body)} bytes without it at {page.url}")
    return f"{page.url}, {len(page.body)} bytes"


def _signs_in(check: SignsIn, visitor: Visitor, vault: Vault) -> str:
    """No wrong password is ever tried: software counts those, and shuts out who brought too many."""
    password = vault.value(check.secret)
    refused = visitor.get(check.url)
    if refused.status not in _REFUSALS:
        raise Unmet(wanted="refusal without a password", seen=f"HTTP {refused.status}")
    welcome = visitor.get(check.url, auth=(check.username, password))
    if welcome.status in _REFUSALS:
        raise Refused(wanted="the page with the right password", seen=f"HTTP {welcome.status}")
    if not 200 <= welcome.status < 300:
        raise Unmet(wanted="the page with the right password", seen=f"HTTP {welcome.status}")
    return f"HTTP {welcome.status} with the password, {refused.status} without"


def _prints(check: ShellCommandPrints, shell: Shell) -> str:
    output = shell(check.host, check.command, check.user).strip()
    if check.expected not in output:
        raise Unmet(wanted=f"“{check.expected}”", seen=f"“{output[-_SHOWN_LENGTH:]}”" if output else "nothing")
    return output[-_SHOWN_LENGTH:]


def _expect_status(page: Page, status: int) -> None:
    if page.status != status:
        raise Unmet(wanted=f"HTTP {status}", seen=f"HTTP {page.status} from {page.url}")


def _read(page: Page, document: type[DocumentT]) -> DocumentT:
    _expect_status(page, 200)
    try:
        return document.model_validate_json(page.body)
    except ValidationError:
        wanted = "NodeInfo" if document is _NodeInfo else "a list of links"
        raise Unmet(wanted=f"{wanted} in JSON", seen=f"something else at {page.url}") from None
