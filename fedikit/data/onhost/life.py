"""The life of an application's data: what tells its backups from those of another that had its name before.

A host that was set up anew bears an empty application. Its backups would soon take the place of those of the one that
was lost: so it makes none until somebody restores, or says that what is there now is what counts.
"""

import secrets
from collections.abc import Iterable, Sequence
from pathlib import Path

from .manifest import Manifest
from .places import remove_whole, write_whole
from .trouble import Trouble
from .work import Work

FILE = "life"
ANEW = "begins-anew"
FORMER = "lives-before"
"""Those in the repository that this one came after, whatever a clock said when their backups were made."""


def life_of(state: Path) -> str:
    """The life of the data that this host has; empty if it never made a backup, nor was restored."""
    try:
        return (state / FILE).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""


def begin_life(state: Path, manifests: Iterable[Manifest]) -> str:
    """What is there now is a life of its own, after those that have backups already."""
    life = secrets.token_hex(8)
    write_whole(state / FORMER, "\n".join(sorted({one.life for one in manifests})))
    write_whole(state / FILE, life)
    return life


def go_on_with(work: Work, manifests: Iterable[Manifest], restored: Manifest) -> None:
    """After a restore, this host's data is what the backups are of; those of another repository are not this one's."""
    if work.is_of_other:
        write_whole(work.state / ANEW, "")
        return
    newest = _newest(work, manifests)
    write_whole(work.state / FILE, newest.life if newest else restored.life)
    remove_whole(work.state / ANEW)


def require_life(work: Work, manifests: Sequence[Manifest], *, anew: bool) -> None:
    """Trouble if the repository has backups of another life; `anew`: from now on, this one is backed up there.

    So it is for what came from another repository, until there is a backup of it in this one.
    """
    newest, own = _newest(work, manifests), life_of(work.state)
    if anew or (work.state / ANEW).exists() or not (own or newest):
        begin_life(work.state, manifests)
    elif newest and newest.life != own:
        name = work.settings.application
        words = f"the repository has backups of another {name} than this host's, the newest of {newest.ended}"
        hint = f"restore one: fedikit restore; if what is here counts: fedikit backup now --application {name} --anew"
        raise Trouble(words, hint=hint)


def has_begun(work: Work) -> None:
    """There is a backup of this life."""
    remove_whole(work.state / ANEW)


def _newest(work: Work, manifests: Iterable[Manifest]) -> Manifest | None:
    """The newest of those that did not end with a life before this one."""
    file = work.state / FORMER
    former = file.read_text(encoding="utf-8").split() if file.exists() else []
    return next((one for one in manifests if one.is_regular and one.life not in former), None)
