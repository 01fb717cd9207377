"""What is kept of earlier backups, and what is let go.

How old something is, is judged by the backup before the one that was just made, not by the clock alone: one that has
jumped ahead lets nothing go at once.
"""

from collections.abc import Iterable, Mapping
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
"""For how long each backup is kept, lest a worse one of the same day take its place.

For as long, what another host put there may be part of a backup that is still being made.
"""
NEWEST = 2
"""So many are kept however old they are."""


def let_go(work: Work, made: Manifest) -> str:
    """Forgets backups that the rules do not keep, and what failed ones left; then removes what nobody needs.

    In words, what is to be known of it: some repositories let nobody delete, so that nothing is lost there by whoever
    breaks into this host. What was just `made` stays, whatever the clock says, and what is young stays with it: of
    those of a day, the rules keep the latest alone.
    """
    manifests = work.manifests.all()
    for trouble in work.manifests.unreadable.values():
        raise trouble  # what it names would be forgotten
    today = _today(manifests.values(), made)
    kept = _kept(work, manifests, today)
    if not kept:
        return ""
    kept |= {snapshot for snapshot, one in manifests.items() if one.id == made.id}
    needed = kept | {snapshot for one in kept for snapshot in manifests[one].snapshots}
    names = {manifests[one].id for one in kept}
    snapshots = work.repository.snapshots()
    needed |= {one["id"] for one in snapshots if PROOF in (one.get("tags") or ()) and backup_proven(one) in names}
    gone = [one["id"] for one in snapshots if one["id"] not in needed and _may_go(one, work, today)]
    if not gone:
        return ""
    work.repository.forget(gone)
    stayed = {one["id"] for one in work.repository.snapshots()} & set(gone)
    if stayed:
        words = f"the repository lets nothing be deleted: it has {len(stayed)} snapshots more than are to be kept"
        return f"{words}. Whoever may delete there should: restic forget, with the rules of policies.backup"
    work.repository.prune()
    return ""


def _today(manifests: Iterable[Manifest], made: Manifest) -> datetime:
    """By what ages are judged: when the last of the earlier backups ended, unless that is still to come.

    Where there is none, everything is young.
    """
    ends = [moment_of(one.ended) for one in manifests if one.is_regular and one.id != made.id]
    return min(datetime.now(UTC), max(ends, default=datetime.min.replace(tzinfo=UTC)))


def _kept(work: Work, manifests: Mapping[str, Manifest], today: datetime) -> set[str]:
    """What the rules keep, ways back, and of the others the newest and the young."""
    by_rules = set(work.repository.kept_by(work.settings.keep, [f"{TAG},reason={reason}" for reason in REGULAR]))
    regular = [snapshot for snapshot, one in manifests.items() if one.is_regular]
    if regular and not by_rules:
        return set()  # it was not understood what the rules keep
    young = {one for one, it in manifests.items() if _age(it, today) < (YOUNG if it.is_regular else WAY_BACK)}
    return manifests.keys() & by_rules | {*regular[:NEWEST]} | young


def _age(manifest: Manifest, today: datetime) -> timedelta:
    return today - moment_of(manifest.ended)


def _may_go(snapshot: dict[str, Any], work: Work, today: datetime) -> bool:
    """Whether it is a snapshot of ours, and nobody is at work on it: this host holds its own lock."""
    is_ours = any(tag.startswith("run=") for tag in snapshot.get("tags") or ())
    made = datetime.fromisoformat(snapshot["time"])
    return is_ours and (snapshot["hostname"] == work.settings.host or today - made > YOUNG)
