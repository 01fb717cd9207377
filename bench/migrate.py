"""Measures a migration from one provider to another and back, while somebody posts; for how long nobody can.

.venv/bin/python bench/migrate.py [--rows 200000] [--objects 5000] [--runs 1] [--out FILE]

A run is a rehearsal, the migration and the way back. It fails unless everything that was acknowledged to whoever posted
is where the server is then.
"""

import argparse
import json
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from crowd import Member, lost, settle
from providers import MACHINES, NEW, OLD, Providers

import fedikit
from fedikit.data.migration.carrying_out import apply_migration
from fedikit.data.migration.planning import make_migration
from fedikit.display.drawing import lines_of
from fedikit.events import CheckFinished, Event, HostFinished, ItemFinished, StepStarted, Waiting
from fedikit.results.migration import MigrationReport
from fedikit_lab import Lab

RESULTS = Path(__file__).resolve().parent / "migrate.json"
NAMES_SECONDS = 120.0
SHORTEST = 0.3
"""What takes less is not said."""
BEFORE = 5.0
"""For how many seconds somebody posts before the door is shut, and afterwards."""


def main(words: Sequence[str]) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the machines are taken down even then
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=200_000, metavar="N", help="in the database; %(default)s")
    parser.add_argument("--objects", type=int, default=5_000, metavar="N", help="in the bucket; %(default)s")
    parser.add_argument("--runs", type=int, default=1, metavar="N", help="there and back; %(default)s")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="FILE", help="where the results go")
    given = parser.parse_args(words)
    results: dict[str, Any] = {"rows": given.rows, "objects": given.objects, "runs": []}
    with tempfile.TemporaryDirectory(prefix="fedikit-bench-") as name:
        for run in measured(Path(name), rows=given.rows, objects=given.objects, runs=given.runs):
            results["runs"].append(run)
            given.out.write_text(json.dumps(results, indent=1) + "\n")
    print("\n".join(text_of(results)))
    return 0


def measured(directory: Path, *, rows: int, objects: int, runs: int) -> Iterator[dict[str, Any]]:
    """What each run came to; raises if one does not go well, or anything is lost."""
    for number in range(runs):
        yield run_on_fresh_machines(directory / str(number), rows=rows, objects=objects)


def run_on_fresh_machines(directory: Path, *, rows: int, objects: int) -> dict[str, Any]:
    names = [name for side in MACHINES.values() for name in side]
    with Lab(directory / "lab", names) as lab:
        providers = Providers(lab)
        old = providers.deployment(OLD)
        lab.announce(old)
        report = fedikit.apply_plan(fedikit.make_plan(old))
        if not report.succeeded:
            raise RuntimeError(f"the old side could not be set up: {report}")
        say("the old side serves")
        settle(providers, rows=rows, objects=objects)
        say("its database and its bucket are full")
        return run_once(providers)


def run_once(providers: Providers) -> dict[str, Any]:
    rehearsal = migrate(providers, there=OLD, rehearse=True)
    there, posted = migrate_while_posting(providers, leaving=OLD, there=NEW)
    back, posted_then = migrate_while_posting(providers, leaving=NEW, there=OLD, back=True)
    return {
        "rehearsal": figures(rehearsal),
        "there": figures(there) | posted,
        "back": figures(back) | posted_then,
    }


def migrate_while_posting(
    providers: Providers, *, leaving: str, there: str, back: bool = False
) -> tuple[MigrationReport, dict[str, Any]]:
    with Member(providers, serving=leaving).posting() as posted:
        time.sleep(BEFORE)
        report = migrate(providers, there=there, back=back)
        time.sleep(BEFORE)
    if missing := lost(providers, there, posted):
        raise RuntimeError(f"acknowledged, and lost: {', '.join(missing[:20])}")
    taken = {"texts": len(posted.texts), "pictures": len(posted.pictures)}
    say(f"taken {taken}, nothing lost; refused {dict(posted.answers)}; nothing was taken for {posted.gap} s")
    return report, {"gap": posted.gap, "taken": taken, "refused": dict(posted.answers)}


def migrate(providers: Providers, *, there: str, rehearse: bool = False, back: bool = False) -> MigrationReport:
    """Carries it over; as soon as names are waited for, somebody sets them."""
    sides = providers.sides()
    plan = make_migration(sides, rehearse=rehearse, back=back)
    if not plan.has_changes:
        raise RuntimeError("\n".join(lines_of(plan)))

    def tell(event: Event) -> None:
        match event:
            case StepStarted(step=step):
                say(f"  {step}")
            case ItemFinished(host=host, item=what, seconds=seconds) if seconds >= SHORTEST:
                say(f"    {host}: {what} took {seconds:.1f} s")
            case CheckFinished(check=what, seconds=seconds) if seconds >= SHORTEST:
                say(f"    {what} took {seconds:.1f} s")
            case HostFinished(host=host, outcome=outcome, seconds=seconds):
                say(f"    {host} {outcome} after {seconds:.1f} s")
            case _:
                pass
        if isinstance(event, Waiting) and event.what.startswith("names to be set"):
            providers.lab.announce(providers.deployment(there))

    report = apply_migration(plan, sides, names_seconds=NAMES_SECONDS, tell=tell)
    say("\n".join(lines_of(report)))
    if not report.succeeded or any(report.compared.values()):
        raise RuntimeError("\n".join(lines_of(report)))
    return report


def figures(report: MigrationReport) -> dict[str, Any]:
    """The seconds of each phase, in their order, of the window, and of the window as it was predicted."""
    phases = {done.phase: round(done.seconds, 2) for done in report.phases}
    return {"phases": phases, "read_only": report.read_only, "predicted": report.predicted}


def text_of(results: Mapping[str, Any]) -> Iterator[str]:
    yield f"a migration with {results['rows']:,} rows and {results['objects']:,} objects"
    for way in ("rehearsal", "there", "back"):
        runs = [run[way] for run in results["runs"]]
        windows = [run["read_only"] for run in runs if run["read_only"] is not None]
        predicted = [run["predicted"] for run in runs if run["predicted"] is not None]
        if windows:
            yield f"  {way}: nobody could write for {median(windows):.1f} s; predicted {median(predicted or [0]):.1f} s"
        for phase in runs[0]["phases"]:
            yield f"    {median(run['phases'][phase] for run in runs):6.1f} s  {phase}"


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
