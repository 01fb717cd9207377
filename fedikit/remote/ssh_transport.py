"""An SSH transport that remembers what a server said, for whoever has to explain why nothing came of it."""

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import paramiko

_MOST_WORDS = 1000
_KINDS = {
    "key exchange": ("preferred_kex", ("kex_algo_list",)),
    "host key": ("preferred_keys", ("server_key_algo_list",)),
    "cipher": ("preferred_ciphers", ("client_encrypt_algo_list", "server_encrypt_algo_list")),
    "message authentication": ("preferred_macs", ("client_mac_algo_list", "server_mac_algo_list")),
    "compression": ("preferred_compression", ("client_compress_algo_list", "server_compress_algo_list")),
}
"""By kind of algorithm, what Paramiko calls ours and the server's."""


class SecondFactorWanted(paramiko.AuthenticationException):
    """The key was taken, and something is asked for besides."""


class Transport(paramiko.Transport):
    """Never asks a person anything; knows what was offered, how often we tried to log in, and the last words."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.offered: dict[str, list[str]] = {}
        self.tries = 0
        self.farewell = ""

    def auth_publickey(self, *args: Any, **options: Any) -> list[str]:
        self.tries += 1
        further: list[str] = super().auth_publickey(*args, **options)
        if further:
            raise SecondFactorWanted(", ".join(further))
        return further

    @property
    def last_words(self) -> str:
        """What the server said when it refused us: its farewell and its banner."""
        banner = (self.get_banner() or b"") if self.auth_handler else b""
        words = [*banner.decode(errors="replace").split(), *self.farewell.split()]
        return " ".join(words)[-_MOST_WORDS:]

    def nothing_in_common(self) -> tuple[str, list[str], list[str]] | None:
        """The kind of algorithm of which we have none in common, with ours and the server's."""
        for kind, (ours, names) in _KINDS.items():
            own = list(getattr(self, ours))
            for theirs in (self.offered.get(name, []) for name in names):
                if theirs and not set(own) & set(theirs):
                    return kind, own, theirs
        return None

    def _really_parse_kex_init(self, *args: Any, **options: Any) -> dict[str, Any]:
        parsed: dict[str, Any] = super()._really_parse_kex_init(*args, **options)  # type: ignore[misc]
        self.offered = {name: list(value) for name, value in parsed.items() if isinstance(value, list)}
        return parsed

    def _parse_disconnect(self, message: paramiko.Message) -> None:
        message.get_int()
        self.farewell = message.get_text()[:_MOST_WORDS]


@contextlib.contextmanager
def within(seconds: float, transport: paramiko.Transport) -> Iterator[None]:
    """Raises TimeoutError if what is done meanwhile takes longer; the connection is closed then."""
    overdue = threading.Event()

    def give_up() -> None:
        overdue.set()
        transport.close()

    timer = threading.Timer(seconds, give_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    except Exception as error:
        if overdue.is_set():
            raise TimeoutError(f"not within {seconds:g} s") from error
        raise
    finally:
        timer.cancel()
