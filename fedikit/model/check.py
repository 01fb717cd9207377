"""Checks: what a user sees of a service that runs, as values; `fedikit.verify` carries them out."""

import shlex
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field

from fedikit.model.secret import SecretRef
from fedikit.model.value import (
    Argument,
    DomainName,
    HostName,
    HttpsUrl,
    HttpUrl,
    IpAddress,
    Line,
    Port,
    SignInName,
    UnixName,
    Value,
)

Url = Annotated[
    str,
    Field(
        pattern=r"^https?://[A-Za-z0-9._~:/?#@!$&'()*+,;=%\[\]-]+$",
        description="A web address that starts with http:// or https://.",
    ),
]


class _Check(Value):
    """What every check has."""

    application: Line
    """The application that it belongs to."""
    deadline: Annotated[float, Field(gt=0, le=3600)] = 20
    """Seconds until it must hold; it is tried again and again that long, for services take time to start."""


class DnsResolves(_Check):
    """The domain leads to the address."""

    kind: Literal["dns-resolves"] = "dns-resolves"
    domain: DomainName
    address: IpAddress

    @property
    def name(self) -> str:
        return f"{self.domain} resolves to {self.address}"


class TlsIsValid(_Check):
    """The domain shows a certificate that is its own, trusted, and valid for some time yet."""

    kind: Literal["tls-is-valid"] = "tls-is-valid"
    domain: DomainName
    port: Port = 443
    min_days_left: Annotated[int, Field(ge=0)] = 1
    """Some authorities' certificates live for few days only; renewal is the web server's task."""

    @property
    def name(self) -> str:
        return f"{at_port(self.domain, self.port)} has a valid certificate"


class HttpAnswers(_Check):
    """The page answers with the status; redirects are not followed."""

    kind: Literal["http-answers"] = "http-answers"
    url: Url
    status: Annotated[int, Field(ge=100, le=599)] = 200
    contains: Annotated[Argument, Field(min_length=1)] | None = None
    """Text in the body."""

    @property
    def name(self) -> str:
        return f"{self.url} answers {self.status}"


class NodeInfo(_Check):
    """The domain says by NodeInfo which software serves it."""

    kind: Literal["node-info"] = "node-info"
    domain: DomainName
    port: Port = 443
    software: Line | None = None
    """The name that the software gives itself; any if absent."""

    @property
    def name(self) -> str:
        return f"{at_port(self.domain, self.port)} presents itself as {self.software or 'a fediverse server'}"


class WebFinger(_Check):
    """Other servers find the account: WebFinger leads from its name to its ActivityPub actor."""

    kind: Literal["web-finger"] = "web-finger"
    domain: DomainName
    port: Port = 443
    account: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+(@[a-z0-9.-]+)?$")]
    """Its name at the domain; as `name@domain` if another domain is asked than the one in its name."""

    @property
    def address(self) -> str:
        """The account as others write it, without a leading @."""
        return self.account if "@" in self.account else f"{self.account}@{self.domain}"

    @property
    def name(self) -> str:
        return f"{self.address} is found by WebFinger"


class PageShows(_Check):
    """The page, after redirects, shows the text."""

    kind: Literal["page-shows"] = "page-shows"
    url: Url
    text: Annotated[Line, Field(min_length=1)]

    @property
    def name(self) -> str:
        return f"{self.url} shows “{self.text}”"


class SignsIn(_Check):
    """The page opens with the user's password, and not without (HTTP Basic).

    A wrong password is never tried, and the right one, if it is refused, not again: software counts wrong logins.
    """

    kind: Literal["signs-in"] = "signs-in"
    url: HttpsUrl
    username: SignInName
    secret: SecretRef

    @property
    def name(self) -> str:
        return f"{self.username} signs in at {self.url}"


class ShellCommandPrints(_Check):
    """The command, in a login shell on the host, prints the text among others."""

    kind: Literal["shell-command-prints"] = "shell-command-prints"
    host: HostName
    command: Annotated[tuple[Argument, ...], Field(min_length=1)]
    expected: Argument
    user: UnixName | None = None
    """Whose login shell; that of the user whom fedikit connects as if absent."""

    @property
    def name(self) -> str:
        return f"`{shlex.join(self.command)}` works on {self.host}"


TRIAL_FOLDER = "fedikit-check"
"""What stands before the keys of such objects."""


class BucketWorks(_Check):
    """The application's key puts an object into the bucket and gets it back; if it is public, so do browsers.

    The object is small, of its own, and deleted again.
    """

    kind: Literal["bucket-works"] = "bucket-works"
    host: HostName
    """The application's, from where its bucket is used."""
    endpoint: HttpUrl
    """The address of the S3 API; the bucket is in the path."""
    region: Line
    bucket: Annotated[str, Field(pattern=r"^[a-z0-9.-]+$")]
    key_id: SecretRef | Line
    key_secret: SecretRef
    public_host: DomainName | None = None
    """The media host, where everybody may read the objects; nobody may if absent."""
    port: Port = 443
    """Of the media host."""

    @property
    def public_url(self) -> str:
        """What stands before an object's key where everybody may read it; nothing where nobody may."""
        return f"https://{at_port(self.public_host, self.port)}" if self.public_host else ""

    @property
    def name(self) -> str:
        shown = f" and shows at {self.public_url}" if self.public_host else ""
        return f"what {self.host} puts into bucket {self.bucket} comes back{shown}"


class BackupIsYoung(_Check):
    """The newest backup of the application's data on the host is young enough.

    Where there is none yet, it holds for as long: the first one may not have been due.
    """

    kind: Literal["backup-is-young"] = "backup-is-young"
    host: HostName
    max_age_hours: Annotated[int, Field(ge=1)]

    @property
    def name(self) -> str:
        return f"the newest backup of {self.application} on {self.host} is at most {self.max_age_hours} hours old"


Check = Annotated[
    DnsResolves
    | TlsIsValid
    | HttpAnswers
    | NodeInfo
    | WebFinger
    | PageShows
    | SignsIn
    | ShellCommandPrints
    | BucketWorks
    | BackupIsYoung,
    Field(discriminator="kind"),
]


def domain_of(check: Check) -> str:
    """The name that a check needs to lead somewhere; empty if it needs none."""
    for field in ("domain", "public_host"):
        if name := getattr(check, field, None):
            return str(name)
    return urlsplit(getattr(check, "url", "")).hostname or ""


def at_port(domain: str, port: int) -> str:
    """The domain as it stands in an https address: with its port, unless that is the usual one."""
    return domain if port == 443 else f"{domain}:{port}"
