"""The agent as a process of this machine, spoken with over pipes."""

import os
import select
import subprocess
import tempfile
import time
from collections.abc import Mapping

from fedikit.errors import ConnectionFailed
from fedikit.remote import bootstrap
from fedikit.remote.contact import End

CHUNK = 65536
ENDING_SECONDS = 30
TAKING_SECONDS = 30
"""How long an agent may take nothing of what it is sent."""
LAST_WORDS = 16 * 1024
Start = tuple[list[str], Mapping[str, str] | None]
"""A command, and its environment if it has one of its own."""


def agent_on_this_machine() -> Start:
    """The command that starts it, with sudo where the deployer is not root."""
    return [*(["sudo", "-n"] if os.geteuid() != 0 else []), *bootstrap.command("/usr/bin/python3")], None


class ProcessContact:
    """An agent that runs here; its standard error goes to a file, so that nothing waits for somebody to read it."""

    def __init__(self, host: str, command: list[str], environment: Mapping[str, str] | None = None) -> None:
        self._host = host
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the contact
        self._lacks_sudo = command[0] == "sudo"
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, bufsize=0, env=environment
            )
        except FileNotFoundError as error:
            self._errors.close()
            raise ConnectionFailed(host, f"there is no {command[0]} on this machine") from error
        assert self._process.stdin
        assert self._process.stdout
        self._into, self._out_of = self._process.stdin, self._process.stdout
        os.set_blocking(self._into.fileno(), False)

    def write(self, data: bytes) -> None:
        left = memoryview(data)
        deadline = time.monotonic() + TAKING_SECONDS
        while left:
            _, ready, _ = select.select([], [self._into], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise ConnectionFailed(self._host, f"the agent took nothing for {TAKING_SECONDS} s")
            try:
                left = left[os.write(self._into.fileno(), left[:CHUNK]) :]
            except BlockingIOError:
                continue
            except BrokenPipeError as error:
                raise ConnectionFailed(self._host, "the agent takes nothing more") from error
            deadline = time.monotonic() + TAKING_SECONDS

    def read(self, seconds: float) -> bytes:
        ready, _, _ = select.select([self._out_of], [], [], seconds)
        if not ready:
            raise TimeoutError
        return os.read(self._out_of.fileno(), CHUNK)

    def close(self) -> None:
        """Closing its channel ends an agent that waits; one that hangs is killed."""
        self._into.close()
        self._out_of.close()
        self._wait()
        self._errors.close()

    def end(self) -> End:
        status = self._wait()
        self._errors.seek(max(0, self._errors.seek(0, os.SEEK_END) - LAST_WORDS))
        words = self._errors.read().decode(errors="replace")
        return End(status, words, "sudo command" if self._lacks_sudo and status == 1 and words else "")

    def _wait(self) -> int:
        try:
            return self._process.wait(timeout=ENDING_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()
