"""Records, as files."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fedikit.errors import FedikitError
from fedikit.events import CheckFinished, Event, ItemFinished, Progress, StepStarted, as_record
from fedikit.runbook import RunResult, RunStatus, list_records, read_record
from fedikit.runbook.follow import event_of, following
from fedikit.runbook.parameters import VerifyParameters
from fedikit.runbook.record import EventLog, close_record, held, open_record

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def result(status: RunStatus) -> RunResult:
    return RunResult(
        runbook="verify", status=status, exit_status=0, dry_run=None, started=NOON, finished=NOON, user="ada",
        runbook_sha256="00", versions={},
    )  # fmt: skip


def test_records_of_the_same_second_do_not_meet(tmp_path: Path) -> None:
    folders = [open_record(tmp_path, "verify", VerifyParameters()) for _ in range(3)]
    assert len(set(folders)) == 3
    assert {read_record(folder).runbook for folder in folders} == {"verify"}


def test_a_record_tells_running_from_unfinished_from_finished(tmp_path: Path) -> None:
    folder = open_record(tmp_path, "verify", VerifyParameters())
    with held(folder):
        assert read_record(folder).status is RunStatus.RUNNING
    assert read_record(folder).status is RunStatus.UNFINISHED
    close_record(folder, result(RunStatus.SUCCEEDED))
    assert read_record(folder).result == result(RunStatus.SUCCEEDED).model_copy(update={"folder": folder})
    assert [record.folder for record in list_records(tmp_path)] == [folder]


def test_a_result_does_not_name_the_folder_it_is_in(tmp_path: Path) -> None:
    folder = open_record(tmp_path, "verify", VerifyParameters())
    close_record(folder, result(RunStatus.FAILED))
    assert str(tmp_path) not in (folder / "result.json").read_text()


def test_what_is_no_record_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FedikitError, match="not the record"):
        read_record(tmp_path)


def test_a_result_that_cannot_be_read_is_not_taken_for_one(tmp_path: Path) -> None:
    folder = open_record(tmp_path, "verify", VerifyParameters())
    (folder / "result.json").write_text('{"status": "succeeded"')
    with pytest.raises(FedikitError, match="not written by this version"):
        read_record(folder)


def test_an_event_cut_short_by_a_kill_is_left_out(tmp_path: Path) -> None:
    folder = open_record(tmp_path, "verify", VerifyParameters())
    EventLog(folder / "events.ndjson")(StepStarted(step="verify"))
    with (folder / "events.ndjson").open("a") as file:
        file.write('{"event": "StepFin')
    assert [event["step"] for event in read_record(folder).events] == ["verify"]


@pytest.mark.parametrize(
    "event",
    [
        StepStarted(step="plan"),
        Progress(what="sending", done=1, total=2, host="alpha"),
        ItemFinished(host="alpha", item="user:ada", action="create", seconds=0.5, failed=True),
        CheckFinished(check="web", passed=False, seconds=1.5, detail="503 – später"),
    ],
)
def test_an_event_survives_its_record(event: Event) -> None:
    assert event_of(json.loads(json.dumps({"time": "now", **as_record(event)}))) == event


def test_all_events_are_told_once_when_following_ends(tmp_path: Path) -> None:
    file, told = tmp_path / "events.ndjson", list[Event]()
    log = EventLog(file)
    with following(file, told.append):
        for number in range(100):
            log(StepStarted(step=str(number)))
    assert told == [StepStarted(step=str(number)) for number in range(100)]
