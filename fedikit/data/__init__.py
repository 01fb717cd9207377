"""The data of applications: backups that hosts make by themselves, asked for here, and restores."""

from fedikit.data.backups import list_backups, make_backup
from fedikit.data.carrying_out import apply_restore
from fedikit.data.planning import make_restore

__all__ = ["apply_restore", "list_backups", "make_backup", "make_restore"]
