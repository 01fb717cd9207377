"""Directories that packages have systemd make at each boot (tmpfiles.d), and that dpkg knows nothing of."""

from collections.abc import Iterable

from .bystander import LISTS, owned
from .eyes import Eyes
from .hands import Hands

RULES = "tmpfiles.d"
MAKING = "dDvqQ"
"""The letters of rules that make directories, and nothing else: those only may have nothing in them."""
FIELDS = 2
SHALLOWEST = 3
"""How deep a directory lies, by the slashes in its path, that may go: what lies above belongs to the system."""


def boot_places(eyes: Eyes, packages: Iterable[str]) -> set[str]:
    """The directories that these packages have made at each boot, as long as they are installed."""
    names = set(packages)
    lists = [name for name in eyes.names(LISTS) if name.endswith(".list") and name[:-5].split(":")[0] in names]
    paths = [
        path for name in lists for path in eyes.read(f"{LISTS}/{name}").decode(errors="surrogateescape").split("\n")
    ]
    rules = [path for path in paths if f"/{RULES}/" in path and path.endswith(".conf") and eyes.exists(path)]
    return {place for path in rules for place in _made_by(eyes.read(path).decode(errors="replace"))}


def _made_by(rules: str) -> Iterable[str]:
    """The paths that are written out; where a pattern or a specifier leads to cannot be told."""
    for words in (line.split(maxsplit=FIELDS) for line in rules.splitlines()):
        if len(words) >= FIELDS and words[0][:1] in MAKING and not set("%*?[") & set(words[1]):
            yield words[1].rstrip("/")


def clear_boot_places(hands: Hands, places: set[str]) -> None:
    """Takes those away that nothing is in, with what lies above them if that is empty then and no package's."""
    for place in sorted(places, reverse=True):
        path = place
        while path.count("/") >= SHALLOWEST and _is_nobodys(hands, path) and hands.delete_empty_directory(path):
            path = path.rpartition("/")[0]


def _is_nobodys(hands: Hands, path: str) -> bool:
    return not hands.is_link(path) and not hands.names(path) and not owned(hands, [path])
