"""The store on the deployer: artifacts are resolved, fetched and verified once, and kept by their hash."""

from fedikit.store.artifact import Store, default_directory
from fedikit.store.debian import Deb, resolve
from fedikit.store.download import fetch
from fedikit.store.images import Images, StoredImage
from fedikit.store.locked import Pin, locate, locked_debs
from fedikit.store.sources import Source, debian_sources

__all__ = [
    "Deb",
    "Images",
    "Pin",
    "Source",
    "Store",
    "StoredImage",
    "debian_sources",
    "default_directory",
    "fetch",
    "locate",
    "locked_debs",
    "resolve",
]
