"""SSH servers on this machine's loopback, for what can go wrong on the way: real protocol, no machine behind.

Each runs what it is told to by a shell of its own, as its user here; so only what looks may be asked of them.
"""

import contextlib
import socket
import subprocess
import threading
from collections.abc import Iterator
from typing import Any

import paramiko

from fedikit.model.host import Ssh


class Server:
    """One that lets everybody in who has a key, and runs commands; with options for what shall be odd about it.

    shell       the words before a command: those of the user's login shell
    forwards    whether it leads on to other servers
    lends       whether it lends ports of its own that lead to who logged in
    allowed     the ways to log in that it offers
    banner      what it says before anybody is let in
    further     whether it wants more than the key
    takes       whether it takes keys at all
    """

    def __init__(
        self, *, shell: tuple[str, ...] = ("sh", "-c"), forwards: bool = True, lends: bool = True,
        allowed: str = "publickey", banner: str = "", further: bool = False, takes: bool = True,
    ) -> None:  # fmt: skip
        self.shell, self.forwards, self.lends, self.allowed, self.banner = shell, forwards, lends, allowed, banner
        self.further, self.takes = further, takes
        self.key = paramiko.ECDSAKey.generate()
        self.commands: list[str] = []
        self.led_to: list[tuple[str, int]] = []
        self.agents_asked = 0
        self.lent: list[socket.socket] = []
        self.transports: list[paramiko.Transport] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    @property
    def host_key(self) -> str:
        return f"{self.key.get_name()} {self.key.get_base64()}"

    def reached(self, **fields: Any) -> Ssh:
        """How it is reached."""
        plain = {"address": "127.0.0.1", "port": self.port, "host_key": self.host_key, "connect_seconds": 5}
        return Ssh(**plain | fields)

    def __enter__(self) -> "Server":
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                line, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(line,), daemon=True).start()

    def transport(self, line: socket.socket) -> paramiko.Transport:
        return paramiko.Transport(line)

    def _serve(self, line: socket.socket) -> None:
        transport = self.transport(line)
        self.transports.append(transport)
        transport.add_server_key(self.key)
        with contextlib.suppress(paramiko.SSHException, EOFError, OSError):
            transport.start_server(server=_Login(self, transport))


class _Login(paramiko.ServerInterface):
    """One connection to it: what Paramiko asks about that."""

    def __init__(self, server: Server, transport: paramiko.Transport) -> None:
        self._server, self._transport = server, transport

    def get_banner(self) -> tuple[str, str]:
        return self._server.banner, "en"

    def get_allowed_auths(self, username: str) -> str:
        return self._server.allowed

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        if not self._server.takes:
            return paramiko.common.AUTH_FAILED
        return paramiko.common.AUTH_PARTIALLY_SUCCESSFUL if self._server.further else paramiko.common.AUTH_SUCCESSFUL

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.common.OPEN_SUCCEEDED

    def check_channel_forward_agent_request(self, channel: paramiko.Channel) -> bool:
        self._server.agents_asked += 1
        return False

    def check_channel_pty_request(self, *_: object) -> bool:
        return True

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        self._server.commands.append(command.decode())
        run = (channel, [*self._server.shell, command.decode()])
        threading.Thread(target=_run, args=run, daemon=True).start()
        return True

    def check_channel_direct_tcpip_request(self, chanid: int, origin: Any, destination: tuple[str, int]) -> int:
        self._server.led_to.append(destination)
        if not self._server.forwards:
            return paramiko.common.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED
        try:
            line = socket.create_connection(destination, timeout=5)
        except OSError:
            return paramiko.common.OPEN_FAILED_CONNECT_FAILED
        threading.Thread(target=_join, args=(self._transport, line), daemon=True).start()
        return paramiko.common.OPEN_SUCCEEDED

    def check_port_forward_request(self, address: str, port: int) -> int:
        if not self._server.lends:
            return 0
        listener = socket.create_server((address, port))
        self._server.lent.append(listener)
        threading.Thread(target=_lend, args=(self._transport, listener), daemon=True).start()
        return int(listener.getsockname()[1])


def _lend(transport: paramiko.Transport, listener: socket.socket) -> None:
    """Whatever comes to the port goes to who asked for it, as long as that is there."""
    listener.settimeout(0.1)
    with listener:
        while transport.is_active():
            try:
                line, origin = listener.accept()
            except TimeoutError:
                continue
            threading.Thread(
                target=_hand_on, args=(transport, line, origin, listener.getsockname()), daemon=True
            ).start()


def _hand_on(transport: paramiko.Transport, line: socket.socket, origin: Any, place: Any) -> None:
    with line, contextlib.suppress(paramiko.SSHException, OSError, EOFError):
        line.settimeout(None)
        _joined(transport.open_forwarded_tcpip_channel(origin, place), line)


def _run(channel: paramiko.Channel, command: list[str]) -> None:
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
    ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        given = (channel.recv, process.stdin.write, process.stdin.close)
        threading.Thread(target=_pump, args=given, daemon=True).start()
        errors = threading.Thread(target=_pump, args=(process.stderr.read, channel.sendall_stderr, None), daemon=True)
        errors.start()
        _pump(process.stdout.read, channel.sendall, None)
        errors.join()
        with contextlib.suppress(OSError, EOFError):
            channel.send_exit_status(process.wait())
            channel.close()
        process.kill()


def _pump(read: Any, write: Any, end: Any) -> None:
    """Carry what comes until either side is gone, at whatever moment of it."""
    with contextlib.suppress(OSError, ValueError, EOFError):
        while piece := read(65536):
            write(piece)
    with contextlib.suppress(OSError, ValueError, EOFError):
        if end:
            end()


def _join(transport: paramiko.Transport, line: socket.socket) -> None:
    with line:
        if channel := transport.accept(5):
            line.settimeout(None)
            _joined(channel, line)


def _joined(channel: paramiko.Channel, line: socket.socket) -> None:
    given = (channel.recv, line.sendall, lambda: line.shutdown(socket.SHUT_RDWR))
    threading.Thread(target=_pump, args=given, daemon=True).start()
    _pump(line.recv, channel.sendall, channel.close)


@contextlib.contextmanager
def saying(text: bytes) -> Iterator[int]:
    """The port of something that says this to who comes, and no more; nothing at all is a silence."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        held: list[socket.socket] = []

        def listen() -> None:
            with contextlib.suppress(OSError):
                while True:
                    line, _ = listener.accept()
                    held.append(line)
                    if text:
                        line.sendall(text)
                        line.close()

        threading.Thread(target=listen, daemon=True).start()
        yield listener.getsockname()[1]
        for line in held:
            line.close()
