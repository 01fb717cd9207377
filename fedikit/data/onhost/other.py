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
ADDRESS = re.compile(r"rest:http://127\.0\.0\.1:[1-9][0-9]{0,4}/[A-Za-z0-9][A-Za-z0-9._-]*/?")
"""A gate is reached on this host itself, by a way that the deployer made."""


@dataclass(frozen=True)
class Other:
    """Where another repository is, and its password."""

    url: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class OneSecret:
    """The secrets of a repository of which only the password is known; in a file of memory, which has no name."""

    password: str = field(repr=False)
    descriptor: int

    def path(self, name: str) -> Path:
        """Where restic reads it; raises Trouble for any other."""
        if name != "repository-password":
            raise Trouble(f"the repository that is read through a gate has no {name}")
        return Path(f"/proc/{os.getpid()}/fd/{self.descriptor}")

    def read(self, name: str) -> str:
        self.path(name)
        return self.password


def read_other(stream: IO[str]) -> Other:
    """The one line of standard input that says which; raises Trouble, never with what is in it."""
    line = stream.readline(LONGEST_LINE)
    try:
        raw = json.loads(line)
        if not isinstance(raw, dict) or raw.keys() != {"url", "password"}:
            raise ValueError
        url, password = raw["url"], raw["password"]
        if not isinstance(url, str) or not ADDRESS.fullmatch(url):
            raise ValueError
        if not isinstance(password, str) or not password.isprintable() or not password:
            raise ValueError
    except ValueError:
        words = "--other: one line with url (rest:http://127.0.0.1:PORT/FOLDER) and password was expected"
        raise Trouble(words, hint="let the deployer call it: fedikit migrate") from None
    return Other(url, password)


def kept_in_memory(password: str) -> OneSecret:
    """The password as a file that this process and what it starts can read."""
    descriptor = os.memfd_create("repository-password")
    os.write(descriptor, password.encode())
    return OneSecret(password, descriptor)
