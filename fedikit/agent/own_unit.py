"""A unit of systemd's for the agent at work: no end of a login session ends it, and the journal says what it did.

It is a scope: the process stays what it is, with its channel to the deployer, and only moves to another control group.
Where systemd does not run, there is none, and the agent's record says so.
"""

import _socket  # without `socket`: what it has besides takes time to import
import os
import time
from contextlib import suppress

from . import kernel
from .dbus import ANSWER, line_to_systemd
from .wire import Writer

BOOTED = "/run/systemd/system"
JOURNAL = "/run/systemd/journal/socket"
CONTROL_GROUP = "/proc/self/cgroup"
MOVING_SECONDS = 5.0
LOOK_SECONDS = 0.001


def enter(deployment: str) -> str:
    """Moves this process into a scope in the system's own slice; returns its name, or nothing if there is none."""
    if not os.path.isdir(BOOTED):
        return ""
    for name in (f"fedikit-{deployment}.scope", f"fedikit-{deployment}-{os.getpid()}.scope"):
        if _start(name, f"fedikit changes this host: {deployment}") and _is_in(name):
            return name
    return ""  # such as in a container that may not ask


def _start(name: str, description: str) -> bool:
    """Whether systemd took it: not if a scope of that name holds what an earlier run left at work."""
    body = Writer()
    body.text(name)
    body.text("fail")
    body.array(8, lambda: _write_properties(body, description))
    body.array(8, lambda: None)  # other units that it would bring along
    with suppress(OSError), line_to_systemd() as systemd:
        return systemd.ask("StartTransientUnit", "ssa(sv)a(sa(sv))", bytes(body.data)).form == ANSWER
    return False


def _write_properties(body: Writer, description: str) -> None:
    body.align(8)
    body.text("PIDs")
    body.variant("au", lambda: body.array(4, lambda: body.number(os.getpid())))
    for name, text in (("Slice", "system.slice"), ("Description", description)):
        body.align(8)
        body.text(name)
        body.variant("s", lambda text=text: body.text(text))  # type: ignore[misc]


def _is_in(name: str) -> bool:
    """Waits until this process is in the scope: systemd moves it a moment after it said yes."""
    deadline = time.monotonic() + MOVING_SECONDS
    while time.monotonic() < deadline:
        if f"/{name}" in kernel.text(CONTROL_GROUP):
            return True
        time.sleep(LOOK_SECONDS)
    return False


def write_journal(text: str) -> None:
    """A line in the journal; nothing happens where there is none."""
    line = " ".join(text.split())
    entry = f"MESSAGE={line}\nPRIORITY=6\nSYSLOG_IDENTIFIER=fedikit\n".encode(errors="replace")
    journal = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM)
    journal.setblocking(False)
    with suppress(OSError):
        journal.sendto(entry, JOURNAL)
    journal.close()
