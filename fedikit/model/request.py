"""Requests: what an application asks for, in words that name no host and no means.

Which policy answers a request is told by its `kind`.
"""

from typing import Annotated, Literal

from pydantic import Field

from fedikit.model.item import Directory, File, Job
from fedikit.model.value import DomainName, PackageName, Port, Value


class Example(Value):
    """A command, and what it prints when all is well."""

    command: Annotated[tuple[str, ...], Field(min_length=1)]
    prints: str
    """Text that its output contains."""


class LoginShell(Value):
    """A login shell in which packages are at hand."""

    kind: Literal["login-shell"] = "login-shell"
    packages: tuple[PackageName, ...]
    """Debian packages."""
    wheel: bool = False
    """Its user may act as root, through sudo."""
    examples: tuple[Example, ...] = ()
    """Commands that show that the packages are at hand."""


class SystemService(Value):
    """A service that Debian packages bring and systemd runs."""

    kind: Literal["service"] = "service"
    packages: tuple[PackageName, ...]
    """Debian packages; one of them brings the unit."""
    unit: str
    """The systemd unit; restarted when one of the files changes."""
    directories: tuple[Directory, ...] = ()
    """Directories, for configuration or for data."""
    files: tuple[File, ...] = ()
    """Configuration files, over those that the packages bring."""
    setup: tuple[Job, ...] = ()
    """Jobs that run once, when the files are there and before the unit is started."""


class Route(Value):
    """Which of a web site's requests go to which local port."""

    path: Annotated[str, Field(pattern=r"^/[A-Za-z0-9._~/-]*\*?$")] = "/*"
    """The URL paths; a final `*` stands for any ending."""
    port: Port
    """The port at 127.0.0.1 that answers."""


HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$")]
HeaderText = Annotated[str, Field(pattern=r'^[^"\\`{}\n]+$')]


class WebSite(Value):
    """A web site under a domain of its own, over HTTPS, in front of local ports."""

    kind: Literal["web"] = "web"
    domain: DomainName
    routes: Annotated[tuple[Route, ...], Field(min_length=1)]
    """Of those that fit, the one with the longest path answers."""
    max_body_megabytes: Annotated[int, Field(ge=1)] = 20
    """The largest upload."""
    headers: dict[HeaderName, HeaderText] = Field(default_factory=dict)
    """Headers that every answer gets."""


Request = Annotated[LoginShell | SystemService | WebSite, Field(discriminator="kind")]
Requests = dict[str, Request]
"""An application's requests by the name it gives each."""
