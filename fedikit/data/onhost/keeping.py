"""What is kept of earlier backups, and what is let go."""

from datetime import UTC, datetime, timedelta
from typing import Any

from .manifest import REGULAR, TAG, Manifest
from .moments import moment_of
from .proving import TAG as PROOF
from .proving import backup_proven
from .work import Work

WAY_BACK = timedelta(days=7)
"""For how long what was there before a restore or an upgrade is kept."""
YOUNG = timedelta(days=1)
"""What another host put there may be part of a backup that is still being made, for so long."""


def let_go(work: Work, made: Manifest) -> str:
    """Forgets backups that the rules do not keep, and what failed ones left; then removes what nobody needs.

    In words, what is to be known of it: some repositories let nobody delete, so that nothing is lost there by whoever
    breaks into this host. What was just `made` stays, whatever the clock says: of those of a day, the rules keep the
    latest.
    """
    manifests = work.manifests.all()
    for trouble in work.manifests.unreadable.values():
        raise trouble  # what it names would be forgotten
    kept_ids = set(work.repository.kept_by(work.settings.keep, [f"{TAG},reason={reason}" for reason in REGULAR]))
    kept = {snapshot for snapshot, one in manifests.items() if snapshot in kept_ids or _is_a_way_back(one)}
    if not kept:
        return ""
    kept |= {snapshot for snapshot, one in manifests.items() if one.id == made.id}
    needed = kept | {snapshot for one in kept for snapshot in manifests[one].snapshots}
    names = {manifests[one].id for one in kept}
    snapshots = work.repository.snapshots()
    needed |= {one["id"] for one in snapshots if PROOF in (one.get("tags") or ()) and backup_proven(one) in names}
    gone = [one["id"] for one in snapshots if one["id"] not in needed and _may_go(one, work)]
    if not gone:
        return ""
    work.repository.forget(gone)
    stayed = {one["id"] for one in work.repository.snapshots()} & set(gone)
    if stayed:
        words = f"the repository lets nothing be deleted: it has {len(stayed)} snapshots more than are to be kept"
        return f"{words}. Whoever may delete there should: restic forget, with the rules of policies.backup"
    work.repository.prune()
    return ""


def _is_a_way_back(manifest: Manifest) -> bool:
    return not manifest.is_regular and datetime.now(UTC) - moment_of(manifest.ended) < WAY_BACK


def _may_go(snapshot: dict[str, Any], work: Work) -> bool:
    """Whether it is a snapshot of ours, and nobody is at work on it: this host holds its own lock."""
    is_ours = any(tag.startswith("run=") for tag in snapshot.get("tags") or ())
    made = datetime.fromisoformat(snapshot["time"])
    return is_ours and (snapshot["hostname"] == work.settings.host or datetime.now(UTC) - made > YOUNG)
