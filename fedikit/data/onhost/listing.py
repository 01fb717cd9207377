"""Which backups there are."""

from typing import Any

from .work import Work


def backups(work: Work) -> list[dict[str, Any]]:
    """All backups of the application, the newest first, without a count for each table."""
    if not work.repository.exists():
        return []
    return [manifest.told() for manifest in work.manifests.all().values()]
