"""A program that runs on a host as long as its output is read: sent to its Python as the agent is, and kept nowhere.

For what is too much for an agent's messages. OpenSSH carries it, told as `remote.openssh` tells it; what the program
writes comes as it is, and how it ended is told apart from that the connection did.
"""

import os
import select
import shlex
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from fedikit.errors import ConnectionFailed, visible
from fedikit.model.host import Connection, DirectoryHost, Local, Ssh
from fedikit.remote.bootstrap import LOAD
from fedikit.remote.directory import DirectoryMachine
from fedikit.remote.openssh import ssh_command

_CHUNK = 1 << 20
_LAST_WORDS = 4000
_ENDING_SECONDS = 20


class Running:
    """The program, and what comes of it."""

    def __init__(self, host: str, process: "subprocess.Popen[bytes]", words: int) -> None:
        self._host, self._process, self._words = host, process, words
        assert process.stdout
        self._out = process.stdout.fileno()

    def read(self, seconds: float) -> bytes:
        """What comes next, as much as there is; nothing at the end. Raises ConnectionFailed after so many seconds."""
        ready, _, _ = select.select([self._out], [], [], seconds)
        if not ready:
            raise ConnectionFailed(self._host, f"said nothing for {seconds:g} s", hint="do the same again")
        return os.read(self._out, _CHUNK)

    def last_words(self) -> str:
        """What it, or what carries it, wrote on standard error last; at its end."""
        deadline = time.monotonic() + _ENDING_SECONDS
        while self._process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        end = os.fstat(self._words).st_size
        said = os.pread(self._words, _LAST_WORDS, max(0, end - _LAST_WORDS)).decode(errors="replace")
        return visible(said).strip() or f"exit status {self._process.poll()}"


@contextmanager
def run_program(host: str, connection: Connection, program: bytes, given: bytes) -> Iterator[Running]:
    """Starts a program with the rights of root; it finds what it is `given` in the stream `r`, and ends with this.

    Raises ConnectionFailed where nothing can be started.
    """
    command = ["-I", "-S", "-c", LOAD.format(size=len(program))]
    match connection:
        case Local():
            sudo = ["sudo", "-n"] if os.geteuid() else []
            with _started(host, [*sudo, "/usr/bin/python3", *command], program + given) as running:
                yield running
        case DirectoryHost():
            own = {"PATH": str(DirectoryMachine.at(connection.path).path("/usr/bin")), "LC_ALL": "C.UTF-8"}
            with _started(host, [sys.executable, *command], program + given, own) as running:
                yield running
        case Ssh():
            sudo = [] if connection.user == "root" else ["sudo", "-n"]
            with ssh_command(host, connection) as start:
                line = shlex.join([*sudo, "python3", *command])
                with _started(host, [*start, "--", line], program + given) as running:
                    yield running


@contextmanager
def _started(
    host: str, command: Sequence[str], message: bytes, environment: dict[str, str] | None = None
) -> Iterator[Running]:
    """In a session of its own, so that Ctrl-C reaches this process alone, which ends it."""
    with tempfile.TemporaryFile() as words:
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=words,
                env=environment, start_new_session=True,
            )  # fmt: skip
        except FileNotFoundError:
            raise ConnectionFailed(host, f"there is no {command[0]} on this machine") from None
        try:
            threading.Thread(target=_send, args=(process, message), daemon=True).start()
            yield Running(host, process, words.fileno())
        finally:
            process.kill()
            process.wait()
            assert process.stdout
            process.stdout.close()


def _send(process: "subprocess.Popen[bytes]", message: bytes) -> None:
    """The message, and then the end; what ends before it was heard tells so itself."""
    assert process.stdin
    try:
        process.stdin.write(message)
        process.stdin.close()
    except (BrokenPipeError, ValueError):
        return
