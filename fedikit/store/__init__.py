"""The store on the deployer: artifacts are resolved, fetched and verified once, and kept by their hash.

Names are imported when they are first used: a plan in which nothing changes needs none of them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fedikit.store.artifact import Store, default_directory
    from fedikit.store.debian import Deb, resolve
    from fedikit.store.download import fetch
    from fedikit.store.images import Images, StoredImage
    from fedikit.store.locked import Pin, locate, locked_debs
    from fedikit.store.sources import Source, debian_sources
    from fedikit.store.upgrades import Newer, Upgrades, newer_packages, upgrades_for

__all__ = [
    "Deb",
    "Images",
    "Newer",
    "Pin",
    "Source",
    "Store",
    "StoredImage",
    "Upgrades",
    "debian_sources",
    "default_directory",
    "fetch",
    "locate",
    "locked_debs",
    "newer_packages",
    "resolve",
    "upgrades_for",
]
_MODULES = {
    "artifact": ("Store", "default_directory"),
    "debian": ("Deb", "resolve"),
    "download": ("fetch",),
    "images": ("Images", "StoredImage"),
    "locked": ("Pin", "locate", "locked_debs"),
    "sources": ("Source", "debian_sources"),
    "upgrades": ("Newer", "Upgrades", "newer_packages", "upgrades_for"),
}


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"fedikit.store.{module}"), name)
    raise AttributeError(f"fedikit.store has no {name}")
