"""Root's links to directories elsewhere, such as to a disk that data was moved to.

dpkg takes them for the package's own directory, and scripts of packages delete them with `rm`.
"""

from typing import Any

from .bystander import LISTS
from .eyes import Eyes, State
from .hands import Hands

DATA_PLACES = ("/etc/", "/home/", "/opt/", "/srv/", "/var/")
"""Where directories of packages may hold what people would move."""
UNLISTED = ("/srv", "/var/lib")
"""Where scripts of packages make directories that dpkg does not know of."""


def moved_directories(eyes: Eyes, packages: set[str]) -> dict[str, State]:
    """The links that stand for directories of these packages; those that packages bring themselves lead to /usr."""
    states = {path: eyes.folder_state(path) for path in _data_places(eyes, packages) if eyes.is_link(path)}
    links = {path: state["link"] for path, state in states.items() if "link" in state}
    return {
        path: {"type": "symlink", "target": target, "moved": True}
        for path, target in links.items()
        if target.lstrip("./").split("/")[0] != "usr"
    }


def _data_places(eyes: Eyes, packages: set[str]) -> list[str]:
    """The paths that these packages have, or might have, in places for data."""
    lists = [name for name in eyes.names(LISTS) if name.endswith(".list") and name[:-5].split(":")[0] in packages]
    paths = {
        path for name in lists for path in eyes.read(f"{LISTS}/{name}").decode(errors="surrogateescape").split("\n")
    }
    unlisted = {f"{place}/{name}" for place in UNLISTED for name in eyes.names(place)}
    return sorted({path for path in paths if path.startswith(DATA_PLACES)} | unlisted)


def bring_links_back(hands: Hands, bystanders: dict[str, Any]) -> str:
    """Puts those links back that are gone and still lead to something; says so."""
    kept = []
    for path, state in bystanders.items():
        if "moved" not in state or hands.exists(path):
            continue
        hands.link(path, state["target"])
        if hands.names(path):
            kept.append(f"{path} was moved to {state['target']} by an administrator: what is there stays")
        else:
            hands.delete(path)
    return "; ".join(kept)
