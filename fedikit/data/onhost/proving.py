"""Proofs: what restoring a backup elsewhere came to, kept beside it for as long as the backup is."""

import json
from collections.abc import Mapping
from typing import Any

from .manifest import chosen
from .moments import moment_of
from .places import remove_whole, write_whole
from .repository import Repository
from .trouble import Trouble
from .work import Work

TAG = "proof"
FILE = "proof.json"


def note_proof(work: Work, backup: str, text: str) -> dict[str, Any]:
    """Puts a proof of a backup into the repository: JSON with `ended`, `failed`, and whatever else it says."""
    work.repository.open()
    manifest = chosen(list(work.manifests.all().values()), backup)
    told = _read(text)
    failed = "yes" if told["failed"] else "no"
    tags = [TAG, f"run={manifest.id}", f"proven={told['ended']}", f"failed={failed}"]
    draft = work.state / FILE
    write_whole(draft, text)
    try:
        work.repository.snapshot_command(["cat", str(draft)], FILE, tags, len(text.encode()))
    finally:
        remove_whole(draft)
    work.result.proven(told)
    return {"backup": manifest.id, **told}


def newest_proofs(repository: Repository) -> dict[str, dict[str, Any]]:
    """By the name of each backup that has one, when it was proven last, and whether that failed."""
    found: dict[str, dict[str, Any]] = {}
    for snapshot in repository.snapshots([TAG]):
        proof = {"ended": _said(snapshot, "proven"), "failed": _said(snapshot, "failed") != "no"}
        backup = backup_proven(snapshot)
        if proof["ended"] >= found.get(backup, {"ended": ""})["ended"]:
            found[backup] = proof
    return found


def backup_proven(snapshot: Mapping[str, Any]) -> str:
    """The name of the backup that a proof is of."""
    return _said(snapshot, "run")


def _said(snapshot: Mapping[str, Any], what: str) -> str:
    """What a snapshot's tags say of something; empty if nothing."""
    marks = (tag.partition("=") for tag in snapshot.get("tags") or ())
    return next((value for name, _, value in marks if name == what), "")


def _read(text: str) -> dict[str, Any]:
    try:
        raw = json.loads(text)
        moment_of(raw["ended"])
        return {"ended": raw["ended"], "failed": raw["failed"] is not False}
    except (ValueError, TypeError, KeyError) as error:
        raise Trouble(f"this is no proof of a backup: {error}") from error
