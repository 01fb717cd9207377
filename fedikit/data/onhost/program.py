"""The verbs of the program: fedikit-data VERB APPLICATION.

`restore --other`: standard input says which repository is read instead of the application's own.
"""

import argparse
import contextlib
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any

from . import lock
from .backup import back_up
from .checking import check
from .closing import close, open_again, require_closed_by, require_no_migration
from .door import WORDS
from .following import run_what_is_owed
from .listing import backups
from .moments import IDENTITY
from .other import read_other
from .pace import pace
from .places import Places
from .planning import plan_restore
from .proving import note_proof
from .restoring import restore
from .settings import NAME
from .telling import Telling
from .trouble import Busy, Trouble, trouble_from
from .watching import way_watched
from .work import Work, open_work


def application_name(text: str) -> str:
    if not NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no name of an application")
    return text


def migration_name(text: str) -> str:
    if not MIGRATION.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no name of a migration")
    return text


def backup_name(text: str) -> str:
    if not IDENTITY.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no name of a backup")
    return text


OPTIONS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "backup": [
        ("--reason", {"choices": ("schedule", "now", "upgrade"), "default": "schedule"}),
        ("--anew", {"action": "store_true"}),
    ],
    "plan-restore": [("--at", {"default": ""})],
    "restore": [
        ("--backup", {"required": True, "type": backup_name}),
        ("--instead", {"default": ""}),
        ("--without-saving", {"action": "store_true"}),
        ("--read-only", {"action": "store_true"}),
        ("--leave-down", {"action": "store_true"}),
        ("--migration", {"type": migration_name}),
        ("--other", {"action": "store_true"}),
    ],
    "close": [
        ("--migration", {"required": True, "type": migration_name}),
        ("--why", {"choices": tuple(WORDS), "default": "moving"}),
        ("--instead", {"default": ""}),
    ],
    "open": [("--migration", {"required": True, "type": migration_name}), ("--start", {"action": "store_true"})],
    "note-proof": [("--backup", {"required": True, "type": backup_name}), ("--proof", {"required": True})],
}
FAILED, BUSY = 1, 3
MIGRATION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def _backup(work: Work, asked: argparse.Namespace) -> dict[str, Any]:
    return {"result": back_up(work, asked.reason, anew=asked.anew)}


def _list(work: Work, asked: argparse.Namespace) -> dict[str, Any]:
    found = backups(work)
    return {"backups": found, "notes": [trouble.message for trouble in work.manifests.unreadable.values()]}


def _check(work: Work, asked: argparse.Namespace) -> dict[str, Any]:
    return {"result": check(work)}


def _plan_restore(work: Work, asked: argparse.Namespace) -> dict[str, Any]:
    return {"plan": plan_restore(work, asked.at)}


def _restore(work: Work, asked: argparse.Namespace) -> dict[str, Any]:
    options = {"instead": asked.instead, "saves": not asked.without_saving, "leave_down": asked.leave_down}
    if asked.migration:
        require_closed_by(work.state, asked.migration)
    elif not asked.other:
        require_no_migration(work.state)
    return {"restored": restore(work, asked.backup, **options)}


def _close(work: Work, asked: argparse.Namespace) -> dict[str, Any]:
    return {"closed": close(work, migration=asked.migration, why=asked.why, instead=asked.instead)}


def _open(work: Work, asked: argparse.Namespace) -> dict[str, Any]:
    return {"opened": open_again(work, migration=asked.migration, starts=asked.start)}


def _follow(work: Work, asked: argparse.Namespace) -> dict[str, Any]:
    return {"followed": run_what_is_owed(work)}


def _pace(work: Work, asked: argparse.Namespace) -> dict[str, Any]:
    return {"units": pace(work)}


def _note_proof(work: Work, asked: argparse.Namespace) -> dict[str, Any]:
    return {"noted": note_proof(work, asked.backup, asked.proof)}


VERBS: dict[str, Callable[[Work, argparse.Namespace], dict[str, Any]]] = {
    "backup": _backup,
    "list": _list,
    "check": _check,
    "plan-restore": _plan_restore,
    "restore": _restore,
    "note-proof": _note_proof,
    "close": _close,
    "open": _open,
    "follow": _follow,
    "pace": _pace,
}
READING = ("list", "plan-restore", "pace")
"""What changes nothing, and needs no lock."""


def start() -> int:
    """The program as a host runs it."""
    for sign in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(sign, _stop)
    return main(sys.argv[1:])


def main(
    words: Sequence[str],
    places: Callable[[str], Places] = Places,
    stream: IO[str] | None = None,
    source: IO[str] | None = None,
) -> int:
    """Carries out a verb and tells how it went; the exit status: 0, 1 if it failed, 3 if somebody else is at work."""
    asked = _parser().parse_args(words)
    with _own_output(stream) as output:
        telling = Telling(output)
        try:
            _carry_out(asked, places(asked.application), telling, source or sys.stdin)
        except Exception as error:
            trouble = trouble_from(error)
            telling.trouble(trouble)
            print(telling.clean("\n  → ".join(filter(None, (trouble.message, trouble.hint)))), file=sys.stderr)
            return BUSY if isinstance(trouble, Busy) else FAILED
    return 0


def _carry_out(asked: argparse.Namespace, places: Places, telling: Telling, source: IO[str]) -> None:
    other = read_other(source) if getattr(asked, "other", False) else None
    work = open_work(places, telling, other=other, reads_all=getattr(asked, "read_only", False))
    holding = contextlib.nullcontext() if asked.verb in READING else lock.held(work.state, asked.verb)
    with way_watched(other), holding:
        work.manifests.may_remember = asked.verb not in READING
        telling.done(**VERBS[asked.verb](work, asked))


def _stop(*_: object) -> None:
    """Whoever asks this to end lets what is under way be put in order."""
    raise Trouble("it was asked to stop, and did", hint="run it again")


@contextlib.contextmanager
def _own_output(stream: IO[str] | None) -> Iterator[IO[str]]:
    """Standard output for events alone: what anything else prints there goes to standard error."""
    if stream:
        yield stream
        return
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as output:
        os.dup2(2, 1)
        yield output


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("fedikit-data", description=__doc__, allow_abbrev=False)
    verbs = parser.add_subparsers(dest="verb", required=True)
    for name in VERBS:
        verb = verbs.add_parser(name, allow_abbrev=False)
        verb.add_argument("application", type=application_name)
        for words in OPTIONS.get(name, ()):
            verb.add_argument(words[0], **words[1])
    return parser
