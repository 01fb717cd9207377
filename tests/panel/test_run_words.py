"""Runs, times and sizes in words."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fedikit.panel.texts import Texts
from fedikit.panel.words import about, age, duration, moment, run_in_words, said, size, told
from fedikit.runbook import RunResult, RunStatus, read_record
from fedikit.runbook.record import Record, close_record, held
from tests.runs import BEGAN, Event, at, step

ENGLISH, GERMAN = Texts("en"), Texts("de")


def record_of(folder: Path, events: list[Event], runbook: str = "deploy", **ended: Any) -> Record:
    kept = folder / f"20261127T091400Z-{runbook}"
    kept.mkdir()
    (kept / "parameters.json").write_text(json.dumps({"dry_run": ended.get("dry_run", False)}))
    (kept / "events.ndjson").write_text("".join(json.dumps(event) + "\n" for event in events))
    if ended:
        usual = {"dry_run": False, "exit_status": 0, "runbook_sha256": "00", "versions": {}}
        times = {"started": BEGAN, "finished": BEGAN + timedelta(seconds=72), "user": "root"}
        close_record(kept, RunResult(**{"runbook": runbook, **usual, **times, **ended}))
    return read_record(kept)


def test_a_run_says_who_did_what_when_and_how_it_ended(tmp_path: Path) -> None:
    record = record_of(tmp_path, step("plan", 0, 9), status=RunStatus.SUCCEEDED)
    words = run_in_words(record, text=ENGLISH, who="Alice", zone=UTC)
    assert words.sentence == "Alice changed the services on 27 November at 09:14: done in 1 min 12 s"
    german = run_in_words(record, text=GERMAN, who="Alice", zone=UTC)
    assert german.sentence == "Alice hat am 27. November um 09:14 Uhr die Dienste geändert: fertig nach 1 min 12 s"


def test_a_failed_run_says_where_why_and_what_to_do(tmp_path: Path) -> None:
    reason = "deploy: apply failed: not every host was brought to its wanted state\n  → next: run rollback.ipynb"
    record = record_of(tmp_path, [], status=RunStatus.FAILED, failed_step="apply", reason=reason)
    words = run_in_words(record, text=ENGLISH, who="Alice")
    assert words.ended == ("failed at the step “changing the hosts”: not every host was brought to its wanted state")
    assert "take the change back" in words.do
    assert "nicht jede Maschine ist, wie sie sein soll" in run_in_words(record, text=GERMAN).ended


@pytest.mark.parametrize(
    ("ended", "words"),
    [
        ({"status": RunStatus.INTERRUPTED, "failed_step": "plan"}, "stopped after 1 min 12 s"),
        (
            {"status": RunStatus.TIMED_OUT, "failed_step": "apply"},
            "given up after 1 min 12 s, at the step “changing the hosts”",
        ),
        (
            {"status": RunStatus.KERNEL_DIED, "failed_step": "plan"},
            "it broke off after 1 min 12 s, at the step “asking the hosts”",
        ),
        ({"status": RunStatus.INVALID, "reason": "is missing"}, "failed: is missing"),
    ],
)
def test_each_end_has_its_words(tmp_path: Path, ended: dict[str, Any], words: str) -> None:
    told_of = run_in_words(record_of(tmp_path, [], **ended), text=ENGLISH)
    assert told_of.ended == words
    assert told_of.do


def test_a_run_that_goes_on_says_at_which_step(tmp_path: Path) -> None:
    record = record_of(tmp_path, [*step("plan", 0, 9), at(10, "StepStarted", step="apply")])
    assert run_in_words(record, text=ENGLISH).ended == "it broke off at the step “changing the hosts”"
    with held(record.folder):
        words = run_in_words(read_record(record.folder), text=ENGLISH, who="Bob", zone=UTC)
    assert (
        words.sentence == "Bob changed the services on 27 November at 09:14: going on, at the step “changing the hosts”"
    )


def test_a_run_without_an_event_yet_began_when_its_folder_says(tmp_path: Path) -> None:
    assert "27 November at 09:14" in run_in_words(record_of(tmp_path, []), text=ENGLISH, zone=UTC).what


def test_a_trial_is_told_as_one(tmp_path: Path) -> None:
    record = record_of(tmp_path, [], status=RunStatus.SUCCEEDED, dry_run=True)
    assert run_in_words(record, text=ENGLISH, who="Alice", zone=UTC).what.startswith(
        "Alice looked at what would change"
    )


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.42, "0.4 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (80, "1 min 20 s"),
        (3599.9, "1 h 0 min"),
        (7500, "2 h 5 min"),
    ],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds, text=ENGLISH) == words


def test_a_guess_is_vague() -> None:
    assert [about(seconds, text=ENGLISH) for seconds in (0, 12, 55, 63, 140, 5300, 9000)] == [
        "about 5 seconds", "about 10 seconds", "about one minute", "about one minute", "about 2 minutes",
        "about 88 minutes", "about 2 hours",
    ]  # fmt: skip


def test_ages_and_moments() -> None:
    ago = [age(BEGAN - timedelta(seconds=seconds), BEGAN, text=ENGLISH) for seconds in (-5, 59, 60, 200, 7300, 200_000)]
    assert ago == ["just now", "just now", "1 minute ago", "3 minutes ago", "2 hours ago", "2 days ago"]
    assert moment(datetime(2026, 3, 1, 7, 5, tzinfo=UTC), text=GERMAN) == "1. März um 07:05 Uhr"


def test_sizes_are_written_as_the_language_writes_numbers() -> None:
    assert [size(count, text=ENGLISH) for count in (10, 4_200, 380_000_000, 1_250_000_000)] == [
        "1 kB", "4 kB", "380 MB", "1.2 GB",
    ]  # fmt: skip
    assert size(1_250_000_000, text=GERMAN) == "1,2 GB"


def test_what_the_library_says_is_known_by_its_form() -> None:
    assert said("is 3, should be at least 5", text=GERMAN) == "ist 3, soll mindestens 5 sein"
    assert said('is "x", should be an e-mail address', text=GERMAN) == 'ist "x", soll eine E-Mail-Adresse sein'
    assert said("nobody ever said {this}", text=GERMAN) == "nobody ever said {this}"
    assert told("10.0.0.1 cannot be reached\n  → is the machine up?", text=GERMAN) == (
        "10.0.0.1 ist nicht zu erreichen; läuft die Maschine?"
    )


def test_the_address_of_an_application_is_not_changed_by_a_flag() -> None:
    from fedikit.results.identity import DOMAIN, refusals

    (refusal,) = refusals({f"{DOMAIN}snac": "a.example"}, {f"{DOMAIN}snac": "b.example"}, ())
    assert said(refusal, text=ENGLISH).startswith("The address of snac would change from a.example to b.example")
    assert "--consent" not in said(refusal, text=ENGLISH)
