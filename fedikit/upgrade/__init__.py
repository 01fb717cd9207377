"""Upgrades of the Debian packages that fedikit brought: planned, and carried out host by host."""

from fedikit.upgrade.carrying_out import apply_upgrade
from fedikit.upgrade.planning import make_upgrade

__all__ = ["apply_upgrade", "make_upgrade"]
