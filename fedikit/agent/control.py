"""What a Debian package says of itself before it is installed: what it would put where, and what it would delete."""

import io
import re
from collections.abc import Iterator
from typing import NamedTuple

HEADER = 60
# What scripts name is of interest where others have things of their own, and below what all share.
NAMED = re.compile(r"/(?:etc|srv|opt|home|usr/local|var/(?:lib|log|spool|www))/[A-Za-z0-9_.+@/-]*")
TAKES_TREES = re.compile(r"\brm\s+(?:-\w+\s+)*-\w*r|\bfind\b(?!.*-maxdepth)|\bclean_dir\b")
TAKES_ACCOUNTS = re.compile(r"\b(?:deluser|userdel|delgroup|groupdel)\b")
OF_ALL = ("/var/lib/dpkg", "/var/lib/ucf", "/var/lib/systemd", "/etc/systemd")


class Control(NamedTuple):
    """What matters of a package's control files.

    shipped    the files that it would put in place, but for its configuration
    conffiles  its configuration files
    postrm     its script that is run after it was removed or purged
    """

    shipped: list[str]
    conffiles: list[str]
    postrm: str


def control_of(path: str) -> Control:
    """Reads the control files of a package file."""
    import tarfile  # slow, and needed for changes only

    texts = {"md5sums": "", "conffiles": "", "postrm": ""}
    with open(path, "rb") as file, tarfile.open(fileobj=io.BytesIO(_control_archive(file))) as archive:
        for member in archive:
            name = member.name.removeprefix("./")
            if name in texts and (content := archive.extractfile(member)):
                texts[name] = content.read().decode(errors="replace")
    shipped = ["/" + line.split(maxsplit=1)[1] for line in texts["md5sums"].splitlines() if " " in line]
    conffiles = [line.split()[-1] for line in texts["conffiles"].splitlines() if line.strip()]
    return Control(shipped, conffiles, texts["postrm"])


def _control_archive(file: io.BufferedReader) -> bytes:
    """The packed control files; a package file is an `ar` archive of a version, these, and the contents."""
    file.seek(8)
    while len(header := file.read(HEADER)) == HEADER:
        name, size = header[:16].decode().strip(), int(header[48:58])
        if name.startswith("control.tar"):
            return file.read(size)
        file.seek(size + size % 2, io.SEEK_CUR)
    raise ValueError(f"{file.name} is not a Debian package")


def trees_taken(postrm: str) -> set[str]:
    """The directories that a script deletes with all that is in them, as far as it names them."""
    return {path for line in _lines(postrm) if TAKES_TREES.search(line) for path in _named(line)}


def files_taken(postrm: str) -> set[str]:
    """Whatever a script names."""
    return {path for line in _lines(postrm) for path in _named(line)}


def accounts_taken(postrm: str) -> set[str]:
    """The words of the lines in which a script deletes users or groups."""
    return {word for line in _lines(postrm) if TAKES_ACCOUNTS.search(line) for word in re.findall(r"[\w.-]+", line)}


def _lines(script: str) -> list[str]:
    return script.replace("\\\n", " ").splitlines()


def _named(line: str) -> Iterator[str]:
    for match in NAMED.findall(line.partition(" #")[0]):
        path = match.rstrip("/")
        is_deep_enough = path.count("/") > path.startswith(("/var/", "/usr/")) + 1
        if is_deep_enough and not path.startswith(OF_ALL):
            yield path
