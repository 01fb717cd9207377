"""Journals: what the units of a deployment say on their hosts, told line by line, with the host's name before each."""

import queue
import shlex
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from fedikit.errors import ConfigurationError, HostError, Mistake, visible
from fedikit.model.deployment import Deployment
from fedikit.model.host import Connection, DirectoryHost, HostState, Local, Ssh
from fedikit.remote.openssh import ssh_command

_MOST_CHARACTERS = 10_000
"""The longest line that is shown whole."""


@dataclass(frozen=True)
class Wanted:
    """Which part of a journal: the last lines, since when (as journalctl takes it), and whether what is to come too."""

    lines: int = 100
    since: str = ""
    follow: bool = False


def units_of(deployment: Deployment, name: str) -> dict[str, tuple[str, ...]]:
    """By host, the units that a host or an application has; a host's include the one in which fedikit works there.

    Raises ConfigurationError if there is no such host or application, or if it has no units.
    """
    if state := deployment.hosts.get(name):
        return {name: (f"fedikit-{deployment.name}*.scope", *_units(state))}
    found = {
        host: _units(state, name) for host, state in deployment.hosts.items() if name in state.applications
    }  # fmt: skip
    if not found:
        known = sorted(
            {*deployment.hosts, *(each for state in deployment.hosts.values() for each in state.applications)}
        )
        raise ConfigurationError(
            deployment.name, [Mistake(name, "is no host and no application that is enabled")],
            hint=f"there are: {', '.join(known)}",
        )  # fmt: skip
    if not any(found.values()):
        raise ConfigurationError(deployment.name, [Mistake(name, "has no units: nothing of it runs by itself")])
    return {host: units for host, units in found.items() if units}


def _units(state: HostState, application: str = "") -> tuple[str, ...]:
    """The units of a host, or those that are there for one application."""
    return tuple(
        item.unit
        for item in state.items
        if item.unit
        if not application or application in state.belongings.get(item.id, ())
    )


def journal_command(units: Sequence[str], wanted: Wanted) -> list[str]:
    """The command that tells the journal of units."""
    named = [word for unit in units for word in ("--unit", unit)]
    since = ["--since", wanted.since] if wanted.since else []
    follow = ["--follow"] if wanted.follow else []
    return [
        "journalctl",
        "--quiet",
        "--no-pager",
        "--output",
        "short-iso",
        "--lines",
        str(wanted.lines),
        *since,
        *follow,
        *named,
    ]


def read_journals(
    deployment: Deployment, units: Mapping[str, Sequence[str]], wanted: Wanted
) -> Iterator[tuple[str, str]]:
    """The hosts' lines as they come, each with its host; what would act on a terminal is written out.

    Raises HostError for a host whose journal cannot be read, once the others have ended.
    """
    lines: queue.Queue[tuple[str, str | HostError | None]] = queue.Queue(maxsize=1000)
    with ExitStack() as stack:
        for host, names in units.items():
            command = stack.enter_context(_reaching(host, deployment.hosts[host].connection, names, wanted))
            process = stack.enter_context(_started(command))
            stack.callback(process.kill)
            threading.Thread(target=_read, args=(host, process, lines), daemon=True).start()
        failures, left = list[HostError](), len(units)
        while left:
            host, said = lines.get()
            if isinstance(said, str):
                yield host, said
                continue
            left -= 1
            failures += [said] if said else []
        if failures:
            raise failures[0]


def _read(host: str, process: subprocess.Popen[bytes], lines: queue.Queue[tuple[str, str | HostError | None]]) -> None:
    assert process.stdout
    last = ""
    for line in iter(lambda: process.stdout.readline(_MOST_CHARACTERS), b""):  # type: ignore[union-attr]
        last = visible(line.decode(errors="replace").rstrip("\n")).replace("\n", "\\n")
        lines.put((host, last))
    status = process.wait()
    trouble = HostError(host, f"its journal cannot be read: {last or f'exit status {status}'}")
    lines.put((host, trouble if status else None))


@contextmanager
def _reaching(host: str, connection: Connection, units: Sequence[str], wanted: Wanted) -> Iterator[list[str]]:
    """The command that tells the journal of a host, from here."""
    command = journal_command(units, wanted)
    match connection:
        case DirectoryHost():
            raise HostError(host, "is a directory: its services are simulated, and there is no journal")
        case Local():
            yield command
        case Ssh():
            with ssh_command(host, connection) as start:
                sudo = [] if connection.user == "root" else ["sudo", "-n"]
                yield [*start, "--", shlex.join([*sudo, *command])]


def _started(command: Sequence[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
