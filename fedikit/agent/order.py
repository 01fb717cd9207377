"""An order: waiting for it, its lock, what comes with it, and a session of its own to carry it out in."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .blobs import Blobs
from .channel import Channel
from .contact import Contact
from .dbus import hang_up
from .disk_space import require_disk_space
from .hands import Hands
from .kinds import kind_of
from .ledger import Record
from .lock import Lock, lock
from .trouble import Trouble, as_event

ALIVE_SECONDS = 2
"""How often an agent at work says that it is alive: more often than the least patience of a deployer."""
TOLD_FROM_SECONDS = 600
"""From where on a deployer is told how long a command may take."""
PATIENCE_SECONDS = 120
"""How long an agent waits for its order, and for each piece of it; a deployer that comes later starts a new one."""

APPLY_AGAIN = "apply again: that completes what was begun"


def now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def receive_order(channel: Channel) -> Record:
    """What the deployer orders; an agent that waits in vain is ended by its alarm."""
    wait_on()
    hang_up()
    return channel.receive()


def wait_on() -> None:
    """The agent gives its deployer, or itself, that much time from now on."""
    signal.alarm(PATIENCE_SECONDS)


@contextmanager
def locked(contact: Contact, order: Record, seal: bytes = b"") -> Iterator[Hands]:
    """Hands that change this host while they hold its lock in the name of who gave the order."""
    with lock(contact.home, {"who": order["who"], "since": now(), "run": order["run"]}) as held:
        yield Hands(contact.root, seal, note_command=_noting(contact.channel, held))


def _noting(channel: Channel, held: Lock) -> Callable[[int, str, float], None]:
    """Notes each command in the lock, and tells the deployer of those that may take long."""

    def note(process: int, name: str, seconds: float) -> None:
        held.note_command(process, name)
        if seconds > TOLD_FROM_SECONDS:
            channel.send({"event": "alive", "longest": seconds})

    return note


def take_in(contact: Contact, announced: list[Record], making: list[Record]) -> Blobs:
    """Receives the contents that come with the order, if there is room for them and what they become."""
    blobs = Blobs(os.path.join(contact.home, "store"))
    os.makedirs(blobs.directory, mode=0o700, exist_ok=True)
    layers = [layer for item in making for layer in kind_of(item).unpacked(contact.eyes, item)]
    require_disk_space(contact.root, sum(blob["size"] for blob in announced), layers)
    hang_up()
    for blob in announced:
        blobs.add(blob["sha256"], _patiently(contact.channel.blob(blob["size"])))
    return blobs


def _patiently(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The pieces; a deployer that sends no more shall not hold the host's lock for ever."""
    for piece in pieces:
        wait_on()
        yield piece


def in_a_session_of_its_own(contact: Contact, work: Callable[[str], int], *, killed: str = APPLY_AGAIN) -> int:
    """Forks, so that neither a dropped connection nor the end of a login cuts the work in half.

    `work` is told the unit that it is done in, and returns the exit status; `killed`: what to do should it be killed.
    """
    signal.alarm(0)
    hang_up()  # two cannot speak over one line
    child = os.fork()
    if child:
        return _end_of(child, killed)
    os.setsid()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    contact.channel.show_life(ALIVE_SECONDS)
    status = 1
    try:
        status = work(_in_a_unit_of_its_own(contact))
    except BaseException as error:
        contact.channel.send(as_event(Trouble(f"the agent failed: {type(error).__name__}", code="agent")))
        raise
    finally:
        sys.stderr.flush()
        os._exit(status)


def _in_a_unit_of_its_own(contact: Contact) -> str:
    """The name of the unit that the work is done in; nothing where there is no systemd."""
    if contact.root != "/":
        return ""
    from .own_unit import enter  # needs what is slow to import

    return enter(contact.request["deployment"])


def _end_of(child: int, killed: str) -> int:
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status < 0:
        raise Trouble(
            f"the agent was killed by signal {-status} in the middle of its work",
            code="agent",
            hint=killed,
        )
    return status
