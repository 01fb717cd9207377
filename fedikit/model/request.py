"""Requests: what an application asks for, in words that name no host and no means.

Which policy answers a request is told by its `kind`.
"""

from typing import Annotated, Literal

from pydantic import Field

from fedikit.model.item import Directory, File, Item, Job
from fedikit.model.permission import Permission
from fedikit.model.resource import (
    Cache,
    LocalPort,
    MailRelay,
    MariaDatabase,
    ObjectBucket,
    OtherServers,
    PostgresDatabase,
)
from fedikit.model.text import FactReference, Text
from fedikit.model.value import (
    AbsolutePath,
    Argument,
    DomainName,
    HeaderName,
    HeaderText,
    ImageReference,
    IpAddress,
    Line,
    PackageName,
    Port,
    Protocol,
    UnitFile,
    UnixName,
    UrlPath,
    Value,
)


class Example(Value):
    """A command, and what it prints when all is well."""

    command: Annotated[tuple[Argument, ...], Field(min_length=1)]
    prints: Argument
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


AllottedPort = Port | FactReference
"""A port, or what its policy will tell of it."""


class OpenPort(Value):
    """A port that everybody reaches from elsewhere."""

    port: AllottedPort
    protocol: Protocol = "tcp"


class SystemService(Value):
    """A service that Debian packages bring and systemd runs."""

    kind: Literal["service"] = "service"
    packages: tuple[PackageName, ...]
    """Debian packages; one of them brings the unit."""
    unit: UnitFile
    """The systemd unit; restarted when one of the files changes."""
    directories: tuple[Directory, ...] = ()
    """Directories, for configuration or for data."""
    files: tuple[File, ...] = ()
    """Configuration files, over those that the packages bring."""
    setup: tuple[Job, ...] = ()
    """Jobs that run once, when the files are there and before the unit is started."""
    open: tuple[OpenPort, ...] = ()
    """Ports of it that are for everybody; a firewall closes all others."""


UrlPattern = Annotated[str, Field(pattern=r"^/[A-Za-z0-9._~/-]*\*?$")]
"""A URL path; a final `*` stands for any ending."""


class Route(Value):
    """Which of a web site's requests go to which local port."""

    path: UrlPattern = "/*"
    """The URL paths."""
    port: AllottedPort
    """The port at 127.0.0.1 that answers."""
    permission: Permission | None = None
    """What is asked before, for each request."""


class WebSite(Value):
    """A web site under a domain of its own, over HTTPS, in front of local ports."""

    kind: Literal["web"] = "web"
    domain: DomainName
    routes: tuple[Route, ...] = ()
    """Of those that fit, the one with the longest path answers."""
    redirects: dict[UrlPattern, DomainName] = Field(default_factory=dict)
    """By path, the site that has it: visitors are sent to the same path there."""
    passed_to: IpAddress | None = None
    """The host that has the site by now, where names still lead here: all is asked of it."""
    max_body_megabytes: Annotated[int, Field(ge=1)] = 20
    """The largest upload."""
    reads: bool = False
    """It may be read while its application is closed for writing."""
    buffered: bool = False
    """An upload is passed on when it is there as a whole: for software that gives slow visitors little time."""
    headers: dict[HeaderName, HeaderText] = Field(default_factory=dict)
    """Headers that every answer gets."""


VariableName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
UnitName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]


class Variables(Value):
    """Environment variables that several containers of an application share."""

    name: UnitName
    values: dict[VariableName, Text]
    """One line each, as the software reads them; nothing is quoted."""


InnerPath = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*$")]
"""A path inside of something: letters, digits and . _ -, with no / first and no ..."""


class Volume(Value):
    """A directory of the host that bears a container's data."""

    name: UnitName
    """Its name; the policy decides where it lies."""
    mount: AbsolutePath
    """Where the container sees it."""
    owner: Annotated[int, Field(ge=0)] = 0
    """The number of the user, and of the group, that it belongs to, inside of the container."""
    leave_out: tuple[InnerPath, ...] = ()
    """Paths below it that no backup holds: what the software makes anew by itself."""
    is_cache: bool = False
    """All in it is made anew by itself: no backup holds it."""


class MountedFile(Value):
    """A file that a container sees, read-only."""

    mount: AbsolutePath
    content: Text
    owner: Annotated[int, Field(ge=0)] = 0
    """The number of the only user who may read it, inside of the container."""


class HttpHealth(Value):
    """Healthy is what answers an HTTP request of its host with success."""

    kind: Literal["http"] = "http"
    port: AllottedPort
    path: UrlPath = "/"
    domain: DomainName | None = None
    """The Host header, for software that answers to its own name only."""


class CommandHealth(Value):
    """Healthy is that in which a command succeeds."""

    kind: Literal["command"] = "command"
    command: Annotated[tuple[Argument, ...], Field(min_length=1)]


Health = Annotated[HttpHealth | CommandHealth, Field(discriminator="kind")]


class Container(Value):
    """A container that always runs, in the host's own network."""

    kind: Literal["container"] = "container"
    name: UnitName
    """Its name, and that of its systemd unit."""
    image: ImageReference
    command: tuple[Annotated[Argument, Field(min_length=1)], ...] = ()
    """The image's own if empty. No word is empty: Podman's generator would drop all that come after it."""
    variables: Variables | None = None
    """Environment variables, shared with others; a change restarts it."""
    environment: dict[VariableName, Line | FactReference] = Field(default_factory=dict)
    """Further ones, of its own; never secrets."""
    user: Annotated[str, Field(pattern=r"^[0-9]+(:[0-9]+)?$")] | None = None
    """Numbers of the user and group that it runs as, inside of it; the image's own if absent."""
    family: UnitName | None = None
    """Containers of a family share their volumes; all of the application are one if absent."""
    volumes: tuple[Volume, ...] = ()
    files: tuple[MountedFile, ...] = ()
    ports: tuple[AllottedPort, ...] = ()
    """The ports at which it listens."""
    open: tuple[OpenPort, ...] = ()
    """Ports of it that are for everybody; a firewall closes all others."""
    reads: bool = False
    """It goes on for readers while the application is closed for writing. It does nothing unasked then, has all that is
    kept in PostgreSQL and buckets, writes to a bucket only what it has just written into the database, and never asks
    there for transactions that write."""
    health: Health | None = None
    """When it counts as started; what comes after it in the same application waits for that."""
    ready: HttpHealth | None = None
    """When it does its work, which may take hours: databases migrate. Waited for once it has started."""
    start_seconds: Annotated[int, Field(ge=1)] = 300
    """How long it may take until it is healthy."""
    stop_seconds: Annotated[int, Field(ge=1)] = 30
    """How long it may take to end."""
    stop_signal: Annotated[str, Field(pattern=r"^SIG[A-Z0-9]+$")] | None = None
    """What tells it to end; what the image says, or SIGTERM, if absent."""


Deadline = Annotated[int, Field(ge=1, le=86400)]


class OneOffJob(Value):
    """A command in a container of its own: once for each version of its image, and again when its words change."""

    kind: Literal["job"] = "job"
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9 -]*$")]
    image: ImageReference
    run: Annotated[tuple[Argument | FactReference, ...], Field(min_length=1)]
    """The command, in a container; never holds a secret."""
    check: tuple[Argument | FactReference, ...] = ()
    """Succeeds when the effect is there already; gets the same standard input; changes nothing."""
    stdin: Text = ""
    variables: Variables | None = None
    environment: dict[VariableName, Line | FactReference] = Field(default_factory=dict)
    """Further ones, of its own; never secrets."""
    user: Annotated[str, Field(pattern=r"^[0-9]+(:[0-9]+)?$")] | None = None
    family: UnitName | None = None
    volumes: tuple[Volume, ...] = ()
    deadline: Deadline = 6 * 3600
    """Seconds that it may take; then its container is stopped."""


class Task(Value):
    """A command in a container that runs already, or on the host: once, and again when its own words change."""

    kind: Literal["task"] = "task"
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9 -]*$")]
    container: UnitName | None = None
    """The container's name; the command runs on the host itself if absent."""
    run: Annotated[tuple[Argument | FactReference, ...], Field(min_length=1)]
    """The command; never holds a secret."""
    check: tuple[Argument | FactReference, ...] = ()
    """Succeeds when the effect is there already; gets the same standard input; changes nothing."""
    stdin: Text = ""
    user: UnixName = "root"
    """Who runs it."""
    deadline: Deadline = 300
    """Seconds that it may take."""


class HostItems(Value):
    """Items, just as they are: for what no other request has a word for."""

    kind: Literal["items"] = "items"
    items: tuple[Item, ...]


Request = Annotated[
    LoginShell
    | SystemService
    | WebSite
    | Container
    | OneOffJob
    | Task
    | PostgresDatabase
    | MariaDatabase
    | Cache
    | ObjectBucket
    | MailRelay
    | LocalPort
    | OtherServers
    | HostItems,
    Field(discriminator="kind"),
]
Requests = dict[str, Request]
"""An application's requests by the name it gives each, in the order in which they are fulfilled."""
