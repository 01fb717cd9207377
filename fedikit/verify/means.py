"""What an attempt at a check may use."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from fedikit.secrets import Vault
from fedikit.verify.standpoint import Send
from fedikit.verify.visitor import Visitor

Shell = Callable[[str, tuple[str, ...], str | None], str]
"""What a command prints in a login shell on a host, of a user if one is named."""
Stand = Callable[[str], AbstractContextManager[Send]]
"""A way to send requests from where a host stands."""


@dataclass(frozen=True)
class Means:
    """A visitor's eyes, the secrets to sign in with, login shells on the hosts, and requests from where they stand."""

    visitor: Visitor
    vault: Vault
    shell: Shell
    stand: Stand
    ends: float = 0
    """When the attempt must have ended, by the monotonic clock."""
