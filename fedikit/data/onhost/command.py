"""Commands of the host, run to their end, or to their deadline, or until they no longer get on.

Each has a clean environment, is the head of a process group of its own, and ends when this program does.
"""

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO

from .shield import shielded
from .trouble import TAIL_CHARACTERS, Overdue, Trouble

ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C.UTF-8",
    "HOME": "/root",
    "TZ": "UTC",
}
WITH_US = ("setpriv", "--pdeathsig=TERM", "--")
"""What a command is started by, so that it is ended when this program is killed."""
ENDING_SECONDS = 30
_LOOK_SECONDS = 1.0
_FIRST_LINES, _LAST_LINES = 5, 25
"""What is kept of what a command said: how its trouble began, and how it ended."""
MOST_OUTPUT = 16 << 20
"""What a command may answer in all, in characters; also what a repository of another's has restic say."""
Pipe = int | IO[bytes] | None
Hear = Callable[[str], bool]
"""Is given each line of a command's output; whether that line says that the work gets on."""


@dataclass(frozen=True)
class Finished:
    """How a command ended; of its output, whole lines that nobody heard, and the last of what it said beside."""

    status: int
    output: str
    tail: str


@dataclass
class _Stream:
    """A pipe that is read in lines."""

    take: Callable[[str], None]
    rest: bytes = b""

    def feed(self, data: bytes) -> None:
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines if data or not self.rest else [*lines, self.rest]:
            self.take(line.decode(errors="replace"))
        self.rest = self.rest[-MOST_OUTPUT:] if data else b""


@dataclass
class _Work:
    """A running command and the patience with it."""

    process: "subprocess.Popen[bytes]"
    silence: float
    output: list[str] = field(default_factory=list)
    length: int = 0
    said: list[str] = field(default_factory=list)
    moved: float = field(default_factory=time.monotonic)

    def got_on(self) -> None:
        self.moved = time.monotonic()

    def keep(self, line: str) -> None:
        self.output.append(line)
        self.length += len(line) + 1
        if self.length > MOST_OUTPUT:
            raise Trouble(f"it answered more than {MOST_OUTPUT:,} characters, and was ended")

    def say(self, line: str) -> None:
        said = [*self.said, line]
        self.said = [*said[:_FIRST_LINES], *said[_FIRST_LINES:][-_LAST_LINES:]]


def start(
    words: Sequence[str],
    environment: Mapping[str, str] | None = None,
    *,
    stdin: Pipe = subprocess.DEVNULL,
    stdout: Pipe = None,
    stderr: Pipe = None,
    folder: str = "",
) -> "subprocess.Popen[bytes]":
    """A command that has been started; one that is not there ends with status 127.

    `folder`: where it follows no link, as somebody else may change what is there.
    """
    everything = {**ENVIRONMENT, **(environment or {})}
    line = shielded(folder, words) if folder else words
    return subprocess.Popen(
        [*WITH_US, *line], env=everything, cwd="/", start_new_session=True, stdin=stdin, stdout=stdout, stderr=stderr
    )


def run(
    words: Sequence[str],
    *,
    seconds: float,
    environment: Mapping[str, str] | None = None,
    hear: Hear | None = None,
    silence: float = 0,
    folder: str = "",
) -> Finished:
    """How a command ended, which follows no link in `folder`, if given.

    `hear` is given the lines of both its outputs as they come. `seconds` is its deadline; `silence`, if given, for how
    long it may say nothing that gets on. Raises Trouble when one of them is over, having ended the command and all
    that it started.
    """
    process = start(words, environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, folder=folder)
    work = _Work(process, silence)

    def listen(line: str) -> None:
        if hear is None:
            work.keep(line)
        elif hear(line):
            work.got_on()

    def listen_beside(line: str) -> None:
        work.say(line)
        if hear is not None and hear(line):
            work.got_on()

    try:
        _follow(work, (listen, listen_beside), words, time.monotonic() + seconds)
    except BaseException:
        end(process)
        raise
    finally:
        for stream in (process.stdout, process.stderr):
            if stream:
                stream.close()
    return Finished(process.returncode, "\n".join(work.output), "\n".join(work.said)[-TAIL_CHARACTERS:])


def _follow(work: _Work, takers: Sequence[Callable[[str], None]], words: Sequence[str], deadline: float) -> None:
    process = work.process
    with selectors.DefaultSelector() as selector:
        for pipe, take in zip((process.stdout, process.stderr), takers, strict=True):
            assert pipe
            selector.register(pipe, selectors.EVENT_READ, _Stream(take))
        while selector.get_map():
            for key, _ in selector.select(_LOOK_SECONDS):
                data = os.read(key.fd, 1 << 16)
                key.data.feed(data)
                if not data:
                    selector.unregister(key.fileobj)
            _lose_patience(work, words, deadline)
    while process.returncode is None:
        _lose_patience(work, words, deadline)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_LOOK_SECONDS)


def _lose_patience(work: _Work, words: Sequence[str], deadline: float) -> None:
    now, tail = time.monotonic(), "\n".join(work.said)
    if now > deadline:
        raise Overdue(f"`{named(words)}` did not end in its time, and was ended", tail=tail)
    if work.silence and now - work.moved > work.silence:
        minutes = max(1, round(work.silence / 60))
        raise Trouble(f"`{named(words)}` did not get on for {minutes} minutes, and was ended", tail=tail)


def named(words: Sequence[str]) -> str:
    """A command as it is told of: its program, and its verb if a plain word comes first."""
    return " ".join([words[0].rpartition("/")[2], *(word for word in words[1:2] if word.isalpha())])


def end(process: "subprocess.Popen[bytes]") -> None:
    """Asks a command and all that it started to end, and makes it after a while."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(ENDING_SECONDS)
            break
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
