"""What a host says before its agent does: messages of the day, what start files print, refusals.

It is a stranger's text, in any bytes: it is skipped up to a limit, and its last lines are kept for whoever has to know
why no agent followed.
"""

import re
import time
from collections.abc import Callable
from typing import NamedTuple

from fedikit.errors import AgentFailed, ConnectionFailed, HostError
from fedikit.remote import bootstrap
from fedikit.remote.lines import TooLong

MOST_BYTES = 1024 * 1024
"""How much may be printed before the agent says that it is there."""
LAST_BYTES = 2000
_OTHER_USER = re.compile(r"login as the (?:NONROOT_)?user \"?([a-z_][a-z0-9_-]{0,30})\"? rather than", re.IGNORECASE)
_UNFIT = re.compile(rb"unfit (?:python (?P<version>[0-9.]{1,10})|lacks (?P<module>[A-Za-z0-9_.]{1,60}))\n")


class Greeting(NamedTuple):
    """What was printed before."""

    has_ended: bool
    """Whether nothing more came: there is no agent."""
    last_words: str = ""


def await_agent(host: str, next_line: Callable[[float], bytes], seconds: float) -> Greeting:
    """Skips what is printed until an agent says that it is there.

    Raises TimeoutError if it does not within so many seconds, and AgentFailed if what is printed does not end.
    """
    deadline, size, last = time.monotonic() + seconds, 0, b""
    while size < MOST_BYTES:
        try:
            line = next_line(max(0.0, deadline - time.monotonic()))
        except TooLong:
            break
        if line in (b"", bootstrap.MARK):
            return Greeting(not line, _words(last))
        size, last = size + len(line), (last + line)[-LAST_BYTES:]
    raise AgentFailed(
        host, f"its login prints more than {MOST_BYTES >> 20} MiB, and no agent starts: {_words(last)[-200:]}",
        hint="look at the start files of the login user's shell there, such as ~/.bashrc",
    )  # fmt: skip


def _words(printed: bytes) -> str:
    """The last lines, the empty ones left out."""
    lines = [line.strip() for line in printed.decode(errors="replace").splitlines()]
    return "\n".join([line for line in lines if line][-3:])


def other_user(words: str) -> str:
    """Whom the images of clouds tell to log in as, instead of root; nothing if they do not."""
    found = _OTHER_USER.search(words)
    return found[1] if found else ""


def refuse_unfit(host: str, line: bytes) -> None:
    """Raises a HostError if the line says that the agent cannot run with the host's Python."""
    if found := _UNFIT.fullmatch(line):
        raise _unfit(host, **found.groupdict())


def _unfit(host: str, version: bytes | None, module: bytes | None) -> HostError:
    if version:
        return ConnectionFailed(
            host, f"its python3 is {version.decode()}, and 3.11 is the oldest that will do", hint="use Debian 12 or 13"
        )
    return ConnectionFailed(
        host,
        f"its python3 is not whole: it has no module {(module or b'').decode()}",
        hint="install all of it there once (python3-minimal is too little): apt-get install python3",
    )
