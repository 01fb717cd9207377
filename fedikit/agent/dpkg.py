"""Calling apt and dpkg: not touched by how an administrator set them up, and waiting while another is at work."""

import fcntl
import os
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from .eyes import Eyes
from .hands import Hands
from .trouble import Trouble

LOCKS = ("/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock")
LOCK_SECONDS = 300
"""How long is waited for whoever is at work with packages."""
POLL_SECONDS = 0.5
FLOCK = "hhqqi4x"

DPKG_OPTIONS = [
    "--force-confdef", "--force-confold", "--refuse-confnew", "--refuse-confmiss", "--refuse-confask",
    "--path-include=*",
]  # fmt: skip
"""After those of /etc/dpkg, and so instead: edited configuration stays, and what a package brings comes whole."""
DPKG = ["dpkg", *DPKG_OPTIONS]

# What apt.conf says is meant for people at a keyboard, or for other archives. Hooks around
# dpkg stay: an administrator who records or mirrors what changes wants to see these changes too.
APT_CONFIGURATION = """\
#clear APT::Get;
#clear APT::Solver;
#clear APT::Default-Release;
#clear Debug;
#clear DPkg::Options;
DPkg::Options {{ {options} }};
DPkg::Lock::Timeout "{timeout}";
APT::Install-Recommends "false";
APT::Install-Suggests "false";
APT::Sandbox::User "root";
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::State::lists "{lists}";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
"""


def apt_options(folder: str) -> list[str]:
    """The options of apt's commands, to stand first; their configuration is written into this folder of ours.

    No source is known to them but the files that they are given.
    """
    lists, path = os.path.join(folder, "lists"), os.path.join(folder, "apt.conf")
    os.makedirs(lists, exist_ok=True)
    options = " ".join(f'"{option}";' for option in DPKG_OPTIONS)
    with open(path, "w", encoding="utf-8") as file:
        file.write(APT_CONFIGURATION.format(options=options, timeout=LOCK_SECONDS, lists=lists))
    return ["--config-file", path]


def run(hands: Hands, command: list[str], *, seconds: int = 120) -> str:
    """Runs apt or dpkg when nobody else is at work with packages; again, if somebody was faster.

    Raises Trouble, which says who is at work, when that takes too long.
    """
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        _await_locks(hands, deadline)
        try:
            return hands.run(command, seconds=seconds)
        except Trouble:
            if not holder_of_locks(hands) or time.monotonic() > deadline:
                raise


def _await_locks(hands: Hands, deadline: float) -> None:
    while holder := holder_of_locks(hands):
        hands.take_long(f"waiting for {holder}", seconds=LOCK_SECONDS)
        if time.monotonic() > deadline:
            raise Trouble(
                f"{holder} is at work with packages, and was waited for {LOCK_SECONDS} s",
                hint="let it end, or end it, and run the same command again",
            )
        time.sleep(POLL_SECONDS)


def holder_of_locks(eyes: Eyes) -> str:
    """Who is at work with packages, by name and process; empty if nobody is."""
    return next((holder for path in LOCKS if (holder := _holder_of(eyes, path))), "")


def _holder_of(eyes: Eyes, path: str) -> str:
    with suppress(FileNotFoundError, NotADirectoryError), _opened(eyes, path) as descriptor:
        asked = struct.pack(FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        from .kernel import described  # seldom needed

        held, _, _, _, process = struct.unpack(FLOCK, fcntl.fcntl(descriptor, fcntl.F_GETLK, asked))
        return "" if held == fcntl.F_UNLCK else described(process)
    return ""


@contextmanager
def _opened(eyes: Eyes, path: str) -> Iterator[int]:
    with eyes.files.place(path) as (folder, name), folder.file(name) as file:
        yield file.descriptor
