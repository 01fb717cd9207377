"""The store on the deployer: artifacts are resolved, fetched and verified once, and kept by their hash."""

from fedikit.store.artifact import Store, default_directory
from fedikit.store.debian import Deb, resolve
from fedikit.store.download import fetch
from fedikit.store.sources import Source, debian_sources

__all__ = ["Deb", "Source", "Store", "debian_sources", "default_directory", "fetch", "resolve"]
