"""How long a run will take, told from records of earlier ones."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from fedikit.runbook import RunResult, RunStatus, list_records, read_record
from fedikit.runbook.history import durations, expected_seconds, remaining_seconds
from fedikit.runbook.record import Record, close_record
from tests.runs import BEGAN, Event, at, step

DEPLOY = {"environment": "env.toml", "dry_run": False}


def steps(plan: float, apply: float, verify: float, *, changes: int = 10, failed: bool = False) -> list[Event]:
    planned = at(plan / 2, "HostPlanned", host="social", changes=changes, seconds=plan / 2)
    begun, *ended = step("plan", 0, plan)
    told = [begun, planned, *ended, *step("apply", plan, plan + apply, failed=failed)]
    return told if failed else [*told, *step("verify", plan + apply, plan + apply + verify)]


def keep(folder: Path, number: int, events: list[Event], status: RunStatus | None, **parameters: Any) -> Record:
    """Writes a record; a run that goes on has no status."""
    kept = folder / f"2026112{number}T091400Z-deploy"
    kept.mkdir(parents=True)
    (kept / "parameters.json").write_text(json.dumps({**DEPLOY, **parameters}))
    (kept / "events.ndjson").write_text("".join(json.dumps(event) + "\n" for event in events))
    if status:
        began = BEGAN + timedelta(days=number)
        ended = began + timedelta(seconds=100 + number)
        close_record(
            kept,
            RunResult(
                runbook="deploy", status=status, exit_status=0, dry_run=parameters.get("dry_run", False), started=began,
                finished=ended, user="ada", runbook_sha256="00", versions={},
            ),
        )  # fmt: skip
    return read_record(kept)


@pytest.fixture
def earlier(tmp_path: Path) -> list[Record]:
    """Six runs; the oldest took for ever, the last failed when applying."""
    applied = (900, 40, 50, 60, 50, 70)
    for number, apply in enumerate(applied):
        is_last = number == len(applied) - 1
        status = RunStatus.FAILED if is_last else RunStatus.SUCCEEDED
        keep(tmp_path, number, steps(4, apply, 10, failed=is_last), status)
    keep(tmp_path, 8, steps(1, 0, 0), RunStatus.SUCCEEDED, dry_run=True)
    return list_records(tmp_path)


def test_a_run_takes_as_long_as_its_steps_usually_did(earlier: list[Record]) -> None:
    assert expected_seconds(earlier, "deploy", DEPLOY) == 4 + 50 + 10


def test_a_dry_run_another_environment_and_another_runbook_are_no_measure(earlier: list[Record]) -> None:
    assert expected_seconds(earlier, "deploy", {**DEPLOY, "dry_run": True}) == 1
    assert expected_seconds(earlier, "deploy", {**DEPLOY, "environment": "other.toml"}) is None
    assert expected_seconds(earlier, "remove", DEPLOY) is None


def test_runs_that_changed_as_much_count_where_there_are_some(earlier: list[Record], tmp_path: Path) -> None:
    keep(tmp_path, 7, steps(4, 400, 10, changes=90), RunStatus.SUCCEEDED)
    records = list_records(tmp_path)
    assert expected_seconds(records, "deploy", DEPLOY, changes=80) == 414
    assert expected_seconds(records, "deploy", DEPLOY, changes=9) == 64
    assert expected_seconds(records, "deploy", DEPLOY, changes=5000) == 64


def running(folder: Path, seconds: float) -> Record:
    """A run as its record is after so many seconds."""
    until = (BEGAN + timedelta(seconds=seconds)).isoformat()
    return keep(folder / f"{seconds}", 9, [event for event in steps(4, 90, 10) if event["time"] <= until], None)


def test_what_remains_falls_and_never_goes_below_zero_or_up(earlier: list[Record], tmp_path: Path) -> None:
    def left(seconds: float) -> float | None:
        record = running(tmp_path / "now", seconds)
        return remaining_seconds(record, earlier, BEGAN + timedelta(seconds=seconds))

    told = [left(seconds) for seconds in (0, 2, 5, 30, 54, 80, 94.5, 103, 104)]
    assert told[0] == 64
    assert told[1:] == pytest.approx([62, 59, 34, 10, 10, 9.5, 1, 0])


def test_a_step_within_another_is_not_the_one_of_its_name_that_comes_later(
    earlier: list[Record], tmp_path: Path
) -> None:
    """So it is with the phases of a migration."""
    told = [*step("plan", 0, 4), step("apply", 4, 90)[0], step("verify", 14, 90)[0]]
    record = keep(tmp_path / "now", 9, told, None)
    assert remaining_seconds(record, earlier, BEGAN + timedelta(seconds=24)) == 50 - 20 + 10


def test_a_clock_that_went_back_adds_nothing(earlier: list[Record], tmp_path: Path) -> None:
    record = running(tmp_path / "now", 1)
    assert remaining_seconds(record, earlier, BEGAN - timedelta(hours=1)) == 64


def test_nobody_knows_how_long_the_first_run_takes(tmp_path: Path) -> None:
    record = running(tmp_path, 5)
    assert remaining_seconds(record, [], BEGAN) is None
    assert remaining_seconds(record, [record], BEGAN) is None


def test_how_long_runs_took_is_told_of_those_that_changed_hosts_and_ended_well(earlier: list[Record]) -> None:
    assert [seconds for _, seconds in durations(earlier, "deploy")] == [100, 101, 102, 103, 104]
