"""Which backups there are."""

from typing import Any

from .proving import newest_proofs
from .work import Work


def backups(work: Work) -> list[dict[str, Any]]:
    """All backups of the application, the newest first, without a count for each table; with their last proof."""
    if not work.repository.exists():
        return []
    proofs = newest_proofs(work.repository)
    return [manifest.told() | {"proof": proofs.get(manifest.id)} for manifest in work.manifests.all().values()]
