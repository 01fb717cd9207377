"""Commands of the host, run to their end or to their deadline: then they are asked to end, and made to.

Each is the head of a process group of its own: what it starts ends with it, and no terminal's end ends it.
"""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from .dbus import hang_up

if TYPE_CHECKING:
    import subprocess

ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C.UTF-8",
    "DEBIAN_FRONTEND": "noninteractive",
    "HOME": "/root",
    # Hooks of apt that ask people: they would wait for an answer, or refuse for want of one.
    "APT_LISTBUGS_FRONTEND": "none",
    "APT_LISTCHANGES_FRONTEND": "none",
}
ENDING_SECONDS = 30
"""How long a command may take to end once it is asked to."""
LOOK_SECONDS = 0.05
# What it reads is a word when the command has ended, and an end without a word when the agent has.
WATCH = f"""read -r _ && exit
kill -TERM "-$1"
for _ in $(seq {ENDING_SECONDS}0); do kill -0 "-$1" 2>/dev/null || exit 0; sleep 0.1; done
kill -KILL "-$1"
"""
Around = Callable[[int], AbstractContextManager[None]]
"""What is done while a command is at work, given its process."""


class Overdue(Exception):
    """A command did not end within its deadline, and was ended."""


def run(
    command: list[str], *, stdin: bytes, output: int, path: str, seconds: float, around: Around | None = None
) -> int:
    """The exit status of a command, whose output goes to a file descriptor; `path` is where programs are looked for.

    Raises Overdue, and FileNotFoundError if there is no such command.
    """
    import subprocess  # slow, and seldom needed to plan

    process = _started(command, subprocess.PIPE, output, output, path)
    with around(process.pid) if around else contextlib.nullcontext():
        try:
            process.communicate(stdin, timeout=seconds)
        except subprocess.TimeoutExpired as error:
            _end(process)
            raise Overdue from error
    return process.returncode


@contextlib.contextmanager
def speaking(command: list[str], *, errors: int, path: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A command at work, whose output is read as it comes; it ends with the block, and with the agent."""
    import subprocess  # slow, and seldom needed to plan

    process = _started(command, subprocess.DEVNULL, subprocess.PIPE, errors, path)
    assert process.stdout
    with process.stdout, watched(process.pid):
        try:
            yield process
        finally:
            if process.poll() is None:
                _end(process)


def _started(command: list[str], source: int, output: int, errors: int, path: str) -> "subprocess.Popen[bytes]":
    import subprocess

    hang_up()
    return subprocess.Popen(
        command,
        stdin=source,
        stdout=output,
        stderr=errors,
        env={**ENVIRONMENT, "PATH": path} if path else ENVIRONMENT,
        start_new_session=True,
        cwd="/",
    )


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Asks the command and all that it started to end, and ends what has not ended in time."""
    if not _is_gone_after(process, signal.SIGTERM):
        _is_gone_after(process, signal.SIGKILL)


def _is_gone_after(process: "subprocess.Popen[bytes]", sign: signal.Signals) -> bool:
    deadline = time.monotonic() + ENDING_SECONDS
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, sign)
        while time.monotonic() < deadline:
            process.poll()
            os.killpg(process.pid, 0)
            time.sleep(LOOK_SECONDS)
        return False
    return True


@contextlib.contextmanager
def watched(group: int) -> Iterator[None]:
    """Meanwhile a shell waits beside: should the agent be killed, it ends the command and all that this started."""
    import subprocess  # slow, and seldom needed to plan

    watchman = subprocess.Popen(
        ["/bin/sh", "-c", WATCH, "fedikit-watch", str(group)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=ENVIRONMENT,
        start_new_session=True,
        cwd="/",
    )
    try:
        yield
    finally:
        watchman.communicate(b"ended\n")
