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

from .child import has_ended
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

    Without `subprocess`: to import it takes longer than most commands. Raises Overdue, and FileNotFoundError if there
    is no such command.
    """
    hang_up()
    process = _spawned(command, stdin, output, path)
    with around(process) if around else contextlib.nullcontext():
        if not has_ended(process, seconds):
            _end(process, lambda: _reap(process))
            raise Overdue
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def _spawned(command: list[str], stdin: bytes, output: int, path: str) -> int:
    """The process of a command that was begun, in a session of its own."""
    environment = {**ENVIRONMENT, "PATH": path} if path else ENVIRONMENT
    with open(os.memfd_create("input"), "r+b") as source:
        source.write(stdin)
        source.seek(0)
        redirections = [
            (os.POSIX_SPAWN_DUP2, source.fileno(), 0),
            *((os.POSIX_SPAWN_DUP2, output, to) for to in (1, 2)),
        ]
        refused: OSError = FileNotFoundError(command[0])
        for program in _places(command[0], environment["PATH"]):
            try:
                return os.posix_spawn(
                    program,
                    command,
                    environment,
                    file_actions=redirections,
                    setsid=True,
                    setsigdef=(signal.SIGPIPE, signal.SIGXFSZ),  # Python ignores them, and who is begun so would too
                )
            except PermissionError as error:
                refused = error
            except (FileNotFoundError, NotADirectoryError):
                continue
        raise refused


def _places(name: str, path: str) -> list[str]:
    """Where a program may be."""
    return [name] if "/" in name else [f"{folder}/{name}" for folder in path.split(":")]


def _reap(process: int) -> None:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(process, os.WNOHANG)


@contextlib.contextmanager
def speaking(command: list[str], *, stdin: int, errors: int, path: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A command at work, whose output is read as it comes; it ends with the block, and with the agent."""
    import subprocess  # slow, and seldom needed to plan

    hang_up()
    process = subprocess.Popen(
        command,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=errors,
        env={**ENVIRONMENT, "PATH": path} if path else ENVIRONMENT,
        start_new_session=True,
        cwd="/",
    )
    assert process.stdout
    with process.stdout, watched(process.pid):
        try:
            yield process
        finally:
            if process.poll() is None:
                _end(process.pid, process.poll)


def _end(group: int, reap: Callable[[], object]) -> None:
    """Asks the command and all that it started to end, and ends what has not ended in time."""
    if not _is_gone_after(group, signal.SIGTERM, reap):
        _is_gone_after(group, signal.SIGKILL, reap)


def _is_gone_after(group: int, sign: signal.Signals, reap: Callable[[], object]) -> bool:
    deadline = time.monotonic() + ENDING_SECONDS
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, sign)
        while time.monotonic() < deadline:
            reap()
            os.killpg(group, 0)
            time.sleep(LOOK_SECONDS)
        return False
    return True


@contextlib.contextmanager
def watched(group: int) -> Iterator[None]:
    """Meanwhile a shell waits beside: should the agent be killed, it ends the command and all that this started."""
    reading, writing = os.pipe()
    watchman = os.posix_spawn(
        "/bin/sh",
        ["/bin/sh", "-c", WATCH, "fedikit-watch", str(group)],
        ENVIRONMENT,
        file_actions=[
            (os.POSIX_SPAWN_DUP2, reading, 0),
            *((os.POSIX_SPAWN_OPEN, to, "/dev/null", os.O_WRONLY, 0) for to in (1, 2)),
        ],
        setsid=True,
    )
    os.close(reading)
    try:
        yield
    finally:
        with contextlib.suppress(BrokenPipeError):
            os.write(writing, b"ended\n")
        os.close(writing)
        os.waitpid(watchman, 0)
