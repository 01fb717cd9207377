"""A port of a host that leads back to the deployer, over an SSH connection of its own.

OpenSSH carries it, told as `remote.openssh` tells it: what it forwards does not wait for Python.
"""

import os
import select
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from fedikit.errors import ConnectionFailed, visible
from fedikit.model.host import Connection, Ssh
from fedikit.remote.openssh import legs_of, ssh_command

_STAY = "echo there; cat"
"""What runs on the host meanwhile: it ends with this process, however that ends, and the connection with it."""
_ENDING_SECONDS = 5
_LAST_WORDS = 4000
_OPENS_NONE = (
    "its sshd_config must allow it to that user: AllowTcpForwarding yes or remote, no DisableForwarding, and no "
    "PermitListen that leaves out 127.0.0.1; nor may its authorized_keys forbid it"
)


class Forward:
    """A port of the host's 127.0.0.1 that leads to the deployer."""

    def __init__(self, host: str, port: int, carrier: "_Carrier | None" = None) -> None:
        self._host, self.port, self._carrier = host, port, carrier

    def require(self, *, because: Exception | None = None) -> None:
        """Raises ConnectionFailed if the host was lost meanwhile."""
        if self._carrier and self._carrier.has_ended():
            words = f"the connection by which it reads through the deployer broke: {self._carrier.last_words()}"
            raise ConnectionFailed(
                self._host, words, hint="see that it is up and reached, then do the same again"
            ) from because


@contextmanager
def reverse_forward(host: str, connection: Connection, to: tuple[str, int]) -> Iterator[Forward]:
    """Has a port of the host's 127.0.0.1 lead to an IPv4 address and port of the deployer's, while this is entered.

    The host's sshd chooses the port, and opens it to the host's network too where it says `GatewayPorts yes`: so what
    listens here must know who asks. What is on this machine anyway needs no way: it gets the port itself. Raises
    ConnectionFailed.
    """
    if not isinstance(connection, Ssh):
        yield Forward(host, to[1])
        return
    seconds = sum(leg.server.connect_seconds + leg.server.login_seconds for leg in legs_of(host, connection))
    with ssh_command(host, connection) as start, _carried(host, start) as carrier:
        carrier.require_that_it_is_there(seconds)
        yield Forward(host, carrier.port_that_leads_to(to, seconds), carrier)


@contextmanager
def _carried(host: str, start: Sequence[str]) -> "Iterator[_Carrier]":
    with tempfile.TemporaryDirectory(prefix="fedikit-ssh-") as folder, tempfile.TemporaryFile() as words:
        control = ["-S", str(Path(folder, "control")), "-o", "BatchMode=yes"]
        try:
            process = subprocess.Popen(
                [start[0], "-M", *control, *start[1:], _STAY],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=words, start_new_session=True,
            )  # fmt: skip
        except FileNotFoundError:
            hint = "apt-get install openssh-client"
            raise ConnectionFailed(host, "there is no ssh on this machine", hint=hint) from None
        try:
            yield _Carrier(host, process, [start[0], *control, *start[1:]], words.fileno())
        finally:
            _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """By its standard input, which `cat` waits for at the other end; a host that is silent is not waited for."""
    assert process.stdin
    assert process.stdout
    process.stdin.close()
    try:
        process.wait(_ENDING_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()


class _Carrier:
    """An OpenSSH that is logged in, and can be told to do more over the same connection."""

    def __init__(self, host: str, process: "subprocess.Popen[bytes]", again: Sequence[str], words: int) -> None:
        self._host, self._process, self._again, self._words = host, process, again, words

    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def last_words(self) -> str:
        """What it wrote on standard error last."""
        end = os.fstat(self._words).st_size
        said = os.pread(self._words, _LAST_WORDS, max(0, end - _LAST_WORDS)).decode(errors="replace")
        return visible(said).strip() or f"exit status {self._process.poll()}"

    def require_that_it_is_there(self, seconds: float) -> None:
        """Waits for whatever the host writes first: by then it has let us in."""
        assert self._process.stdout
        out = self._process.stdout.fileno()
        ready, _, _ = select.select([out], [], [], seconds)
        if not ready:
            raise ConnectionFailed(self._host, f"did not let us in within {seconds:g} s, to lead a port back to here")
        if not os.read(out, 4096):
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_ENDING_SECONDS)
            raise ConnectionFailed(self._host, f"opens no way back to the deployer: {self.last_words()}")

    def port_that_leads_to(self, to: tuple[str, int], seconds: float) -> int:
        """The port, which OpenSSH prints when it is asked so."""
        asked = ["-O", "forward", "-R", f"127.0.0.1:0:{to[0]}:{to[1]}"]
        try:
            done = subprocess.run(
                [self._again[0], *asked, *self._again[1:]],
                stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            words = f"let us in, but said nothing within {seconds:g} s of a port that leads back to here"
            raise ConnectionFailed(self._host, words, hint="see its SSH server's log: journalctl --unit ssh") from error
        if self.has_ended():
            raise ConnectionFailed(self._host, f"opens no way back to the deployer: {self.last_words()}")
        if done.returncode or not done.stdout.strip().isdigit():
            words = "its SSH server lets no port of the host's lead to the deployer"
            raise ConnectionFailed(self._host, words, hint=_OPENS_NONE)
        return int(done.stdout)
