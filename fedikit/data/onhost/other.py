"""Another repository: whose backups are restored here, read through a gate of the deployer's and never written.

What opens it comes by standard input, and lies in this process's memory alone: it goes with that, however it ends.
"""

import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from .trouble import Trouble

LONGEST_LINE = 8192
ADDRESS = re.compile(
    r"rest:http://(?:(?P<user>[a-z]+):(?P<login>[0-9a-f]+)@)?"
    r"(?P<place>127\.0\.0\.1:[1-9][0-9]{0,4}/[A-Za-z0-9][A-Za-z0-9._-]*/?)"
)
"""A gate is reached on this host itself, by a way that the deployer made; who else is here lacks its login."""


@dataclass(frozen=True)
class Other:
    """Where another repository is, who signs in at its gate and by what, and its password."""

    url: str
    user: str
    login: str = field(repr=False)
    password: str = field(repr=False)

    @property
    def port(self) -> int:
        """Where the way begins, at 127.0.0.1."""
        return int(self.url.removeprefix("rest:http://127.0.0.1:").partition("/")[0])


@dataclass(frozen=True)
class GateSecrets:
    """The secrets of a repository that is read through a gate; its password in a file of memory, without a name."""

    other: Other
    descriptor: int

    def path(self, name: str) -> Path:
        """Where restic reads it; raises Trouble for any other."""
        if name != "repository-password":
            raise Trouble(f"the repository that is read through a gate has no {name}")
        return Path(f"/proc/{os.getpid()}/fd/{self.descriptor}")

    def read(self, name: str) -> str:
        """The login at the gate, or the repository's password."""
        if name == "rest-password":
            return self.other.login
        self.path(name)
        return self.other.password


def read_other(stream: IO[str]) -> Other:
    """The one line of standard input that says which; raises Trouble, never with what is in it."""
    line = stream.readline(LONGEST_LINE)
    try:
        raw = json.loads(line)
        if not isinstance(raw, dict) or raw.keys() != {"url", "password"}:
            raise ValueError
        url, password = raw["url"], raw["password"]
        address = ADDRESS.fullmatch(url) if isinstance(url, str) else None
        if address is None:
            raise ValueError
        if not isinstance(password, str) or not password.isprintable() or not password:
            raise ValueError
    except ValueError:
        words = "--other: one line with url (rest:http://127.0.0.1:PORT/FOLDER) and password was expected"
        raise Trouble(words, hint="let the deployer call it: fedikit migrate") from None
    return Other(f"rest:http://{address['place']}", address["user"] or "", address["login"] or "", password)


def kept_in_memory(other: Other) -> GateSecrets:
    """The password as a file that this process and what it starts can read."""
    descriptor = os.memfd_create("repository-password")
    os.write(descriptor, other.password.encode())
    return GateSecrets(other, descriptor)
