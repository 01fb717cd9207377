"""How long who guesses has to wait: after some tries the wait doubles with each, up to two minutes.

It is counted by name and by address. A browser in which somebody has signed in before is counted by itself, so that
a stranger who guesses at a name does not keep its owner out.
"""

import hashlib
import hmac
import ipaddress
from collections.abc import Callable, Sequence
from typing import Any

from fedikit.panel.server.files import JsonFile

FREE = {"name": 5, "device": 5, "address": 20}
"""Tries without a wait, by what is counted: several people may share an address."""
LONGEST_SECONDS = 120
FORGOTTEN_SECONDS = 900
_MOST = 5000
"""So many names and addresses are remembered; the oldest go first."""


class Throttle:
    """The tries that failed, in a file that outlives the server; names only as keyed hashes."""

    def __init__(self, file: JsonFile, secret: bytes, clock: Callable[[], float]) -> None:
        self._file = file
        self._secret = secret
        self._clock = clock

    def attempt(self, keys: Sequence[str]) -> float:
        """Counts a try, which returns 0, or refuses it, which returns the seconds to wait."""
        now = self._clock()
        with self._file.changing() as tries:
            _forget(tries, now)
            wait = max((_wait(key, tries[key], now) for key in keys if key in tries), default=0.0)
            if wait <= 0:
                for key in keys:
                    tries[key] = {"count": tries.get(key, {"count": 0})["count"] + 1, "last": now}
        return max(wait, 0.0)

    def take_back(self, keys: Sequence[str]) -> None:
        """The last try was right: it does not count; others at the same address do."""
        with self._file.changing() as tries:
            for key in keys:
                if key in tries:
                    tries[key]["count"] -= 1

    def forgive(self, keys: Sequence[str]) -> None:
        """Forgets all tries."""
        with self._file.changing() as tries:
            for key in keys:
                tries.pop(key, None)

    def name(self, name: str) -> str:
        """The key of a name; what was typed may be a password, and is not kept."""
        return "name:" + hmac.new(self._secret, name.encode(), hashlib.sha256).hexdigest()

    @staticmethod
    def device(token: str) -> str:
        return f"device:{hashlib.sha256(token.encode()).hexdigest()}"

    @staticmethod
    def address(address: str) -> str:
        """The key of an address; of IPv6, its network, since whoever has one address there has all."""
        try:
            known = ipaddress.ip_address(address)
        except ValueError:
            return "address:unknown"
        if known.version == 4:
            return f"address:{known}"
        return f"address:{ipaddress.ip_network((int(known), 64), strict=False)}"


def _wait(key: str, entry: dict[str, Any], now: float) -> float:
    beyond = entry["count"] - FREE[key.partition(":")[0]]
    delay = min(2.0**beyond, LONGEST_SECONDS) if beyond >= 0 else 0.0
    return float(entry["last"] + delay - now)


def _forget(tries: dict[str, Any], now: float) -> None:
    by_age = sorted(tries, key=lambda key: float(tries[key]["last"]))
    too_many = by_age[: max(0, len(by_age) - _MOST)]
    for key in [*too_many, *(key for key in by_age if not 0 <= now - tries[key]["last"] < FORGOTTEN_SECONDS)]:
        tries.pop(key, None)
