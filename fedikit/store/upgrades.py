"""What could be upgraded on a target, as apt says from the target's own dpkg status.

Rule: what fedikit did not bring is on hold for the apt that is asked, so it neither changes nor leaves. What an
administrator holds stays as it is, too.
"""

import json
import re
import tempfile
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import asdict
from hashlib import sha256
from subprocess import CompletedProcess
from typing import NamedTuple

from fedikit.errors import StoreError
from fedikit.events import Tell
from fedikit.store.artifact import Store
from fedikit.store.debian import Deb, memory_of, parse_uris, write_whole
from fedikit.store.lists import Lists, current_lists, last_lines
from fedikit.store.strangers import in_pieces, refuse_pieces, without_half_done

_STEP = re.compile(r"Inst (?P<name>[a-z0-9][a-z0-9+.-]+) \[(?P<was>\S+)\] \((?P<becomes>\S+) (?P<sources>[^)]*)\)")
_STATUS = re.compile(rb"^(Status: )\S+( \S+ \S+)$", re.MULTILINE)
_NAME = re.compile(rb"^Package: (\S+)$", re.MULTILINE)
_SECURITY = "Debian-Security"


class Newer(NamedTuple):
    """A package of which there is a newer version than the target has."""

    name: str
    was: str
    becomes: str
    is_security: bool
    """Whether Debian's security archive has it."""


class Upgrades(NamedTuple):
    """What is to come for what fedikit brought, and all of which there is a newer version."""

    debs: tuple[Deb, ...]
    newer: tuple[Newer, ...]


def upgrades_for(
    ours: Collection[str],
    *,
    kept: Collection[str] = (),
    status: bytes,
    codename: str,
    architecture: str,
    store: Store,
    tell: Tell,
) -> Upgrades:
    """The package files that bring what fedikit brought up to date, with what these need besides.

    `ours` names what fedikit brought there, `kept` those of them that stay at their version. `status` is the target's
    /var/lib/dpkg/status. Raises StoreError where apt can do nothing beside what the target has.
    """
    if not ours:
        return Upgrades((), ())
    refuse_pieces(ours, status, ours)
    pieces = in_pieces(status, ours)
    status = without_half_done(status, ours)
    lists = current_lists(codename, architecture, store=store, tell=tell)
    movable = sorted({*ours} - {*kept})
    memory = memory_of(store, ["upgrade", lists.version, movable, pieces, sha256(status).hexdigest()])
    if memory.is_file():
        debs, newer = json.loads(memory.read_text())
        return Upgrades(tuple(Deb(**deb) for deb in debs), tuple(Newer(*one) for one in newer))
    with lists.unchanging():
        found = Upgrades(_coming(lists, frozen(status, movable), pieces), _newer(lists, status))
    write_whole(memory, json.dumps([[asdict(deb) for deb in found.debs], found.newer]))
    return found


def newer_packages(status: bytes, *, codename: str, architecture: str, store: Store) -> tuple[Newer, ...] | None:
    """Every package of the target's of which this deployer's lists have a newer version; None if there are no lists.

    Fetches nothing. Raises StoreError where the lists cannot be asked, such as in a store that may only be read.
    """
    try:
        return _newer_by_lists(status, codename, architecture, store)
    except OSError as error:
        raise StoreError(f"Debian's lists cannot be asked: {error.strerror or error}") from error


def _newer_by_lists(status: bytes, codename: str, architecture: str, store: Store) -> tuple[Newer, ...] | None:
    lists = Lists(codename, architecture, store.directory / "apt" / f"{codename}-{architecture}")
    if lists.age == float("inf"):
        return None
    memory = memory_of(store, ["newer", lists.version, sha256(status).hexdigest()])
    if memory.is_file():
        return tuple(Newer(*one) for one in json.loads(memory.read_text()))
    with lists.unchanging():
        newer = _newer(lists, status)
    write_whole(memory, json.dumps(newer))
    return newer


def frozen(status: bytes, movable: Collection[str]) -> bytes:
    """A dpkg status in which all packages are on hold but those that may move."""
    return b"\n\n".join(_held(stanza, movable) for stanza in status.split(b"\n\n"))


def _held(stanza: bytes, movable: Collection[str]) -> bytes:
    name = _NAME.search(stanza)
    return stanza if name and name[1].decode() in movable else _STATUS.sub(rb"\1hold\2", stanza)


def _coming(lists: Lists, status: bytes, pieces: Sequence[str]) -> tuple[Deb, ...]:
    """What comes. Where a dpkg was cut short, what it left in pieces comes anew, and so does what fits no more."""
    with suppress(StoreError):
        if not pieces:
            return parse_uris(_ask(lists, status, "--with-new-pkgs", "--print-uris", "upgrade").stdout)
    return parse_uris(_ask(lists, status, "--fix-broken", "--print-uris", "dist-upgrade", "--", *pieces).stdout)


def _newer(lists: Lists, status: bytes) -> tuple[Newer, ...]:
    """What apt would upgrade if nobody held anything."""
    free = _STATUS.sub(rb"\1install\2", status)
    steps = _ask(lists, free, "--simulate", "--fix-broken", "dist-upgrade").stdout.splitlines()
    found = [match for line in steps if (match := _STEP.match(line))]
    return tuple(Newer(match["name"], match["was"], match["becomes"], _SECURITY in match["sources"]) for match in found)


def _ask(lists: Lists, status: bytes, *words: str) -> CompletedProcess[str]:
    with tempfile.NamedTemporaryFile(prefix="fedikit-status-") as file:
        file.write(status)
        file.flush()
        options = ["-q", "-y", "-o", f"Dir::State::status={file.name}"]
        no_remove = [] if "--simulate" in words else ["--no-remove"]
        answer = lists.ask("apt-get", *options, *no_remove, *words)
    if answer.returncode:
        hint = "see what the host has with: dpkg --audit; apt-get check"
        raise StoreError(f"apt cannot say what there is to upgrade:\n{last_lines(answer)}", hint=hint)
    return answer
