"""A backup: each part, one after the other, then the manifest, which makes it one."""

import contextlib
import time
from collections.abc import Mapping
from typing import Any

from .closing import read_closed
from .journal import read_journal
from .keeping import let_go
from .life import has_begun, life_of, require_life
from .manifest import Manifest
from .moments import new_identity, now
from .part import Record, in_order, summary
from .trouble import Absent, Trouble, of_part, trouble_from
from .work import Work


def back_up(work: Work, reason: str, *, anew: bool = False) -> dict[str, Any]:
    """Backs up all parts, lets go what need not be kept, and writes down how it ended; the result.

    `anew`: what is there now is what the repository is for, whatever was backed up there before. Of a closed
    application nothing is let go: somebody waits for it, and perhaps for nothing but what is kept.
    """
    identity, started = new_identity(), time.monotonic()
    try:
        _require_no_restore(work)
        work.repository.initialise()
        earlier = list(work.manifests.all().values())
        require_life(work, earlier, anew=anew)
        manifest = make_backup(work, reason=reason, identity=identity, last=_counts_of(work, earlier))
        has_begun(work)
        work.result.backed_up(manifest, time.monotonic() - started)
        if read_closed(work.state) is None:
            with work.telling.step("keep"):
                work.result.noted(let_go(work, manifest))
    except Exception as error:
        trouble = trouble_from(error)
        with contextlib.suppress(OSError):  # a full disk must not hide what happened
            work.result.failed(identity, trouble, work.telling.clean(trouble.message))
        raise trouble from error
    return work.result.values


def make_backup(
    work: Work, *, reason: str, identity: str, last: Mapping[str, Mapping[str, int]], present: bool = False
) -> Manifest:
    """A backup of all parts; or, if `present` is all that is asked for, of those that are there.

    There is none unless every part succeeds. `last`: what each part held in the newest backup, if that counts.
    """
    started = now()
    records = {}
    for spec in in_order(work.settings.parts):
        record = _part(work, spec["id"], [f"part={spec['id']}", f"run={identity}"], present=present)
        if record is None:
            continue
        _require_no_loss(spec, record, last.get(spec["id"], {}))
        records[spec["id"]] = record
    expected = [part for part in work.settings.expected if part in records or not present]
    if set(expected) != records.keys():
        raise Trouble(f"not all parts were backed up: {', '.join(sorted(set(expected) - records.keys()))}")
    kinds = {spec["id"]: spec["kind"] for spec in work.settings.parts}
    parts = [{"id": part, "kind": kinds[part], **records[part]} for part in records]
    manifest = Manifest(
        id=identity, deployment=work.settings.deployment, application=work.settings.application,
        host=work.settings.host, reason=reason, started=started, ended=now(), expected=expected,
        images=work.settings.images, parts=parts, life=life_of(work.state),
    )  # fmt: skip
    work.manifests.write(manifest)
    return manifest


def _part(work: Work, identity: str, tags: list[str], *, present: bool) -> dict[str, Any] | None:
    """The record of one part, with the seconds that it took; none if it is absent and may be."""
    started = time.monotonic()
    try:
        with work.telling.step(identity) as told:
            record = work.part(identity).back_up(work.repository, tags)
            told["bytes"] = record["bytes"]
    except Exception as error:
        if present and isinstance(error, Absent):
            return None
        raise of_part(error, identity) from error
    return {**record, "seconds": round(time.monotonic() - started, 3)}


def _counts_of(work: Work, manifests: list[Manifest]) -> dict[str, Mapping[str, int]]:
    """What each part held in the newest backup of this life that was no way back."""
    own = (one for one in manifests if one.is_regular and one.life == life_of(work.state))
    newest = next(own, None)
    return {part["id"]: part["counts"] for part in newest.parts} if newest else {}


def _require_no_loss(spec: Mapping[str, Any], record: Record | dict[str, Any], last: Mapping[str, int]) -> None:
    """What suddenly holds nothing is another thing: the place of a disk that is not mounted, a store made anew."""
    what, named, hint = _LOSSES[spec["kind"]]
    had = summary(last).get(what, 0)
    if had and not summary(record["counts"])[what]:
        words = f"{named.format(**spec)} is empty, and had {had:,} {what} in the last backup"
        raise Trouble(words, hint=f"{hint} {_MEANT}", part=spec["id"])


_ANEW = "was its {} lost, and made anew? Then restore it: fedikit restore."
_LOSSES = {
    "volume": ("files", "{path}", "is its disk mounted?"),
    "bucket": ("objects", "bucket {bucket}", _ANEW.format("store")),
    "postgresql": ("rows", "the database {name}", _ANEW.format("server")),
    "mariadb": ("rows", "the database {name}", _ANEW.format("server")),
}
"""By kind: what is counted of it, how it is named, and what may have happened."""
_MEANT = "If it is meant to be empty: fedikit backup now --anew"


def _require_no_restore(work: Work) -> None:
    journal = read_journal(work.state)
    if journal:
        hint = "end it first: run the restore of that backup again"
        raise Trouble(f"a restore of the backup {journal.backup} was cut off: what is there is half of it", hint=hint)
