"""The check of how old the newest backup is: the host's own script runs here, and what a host says is not believed."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fedikit.model.check import BackupIsYoung
from fedikit.verify import backup_errand
from fedikit.verify.backup import is_young
from fedikit.verify.words import Refused, Unmet

CHECK = BackupIsYoung(application="mastodon", host="one", max_age_hours=26)
Note = Callable[..., None]


def ago(hours: float) -> str:
    return (datetime.now(UTC) - timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the application on its host."""
    folder = tmp_path / "mastodon"
    folder.mkdir()
    monkeypatch.setattr(backup_errand, "FOLDER", str(tmp_path))
    return folder


@pytest.fixture
def note(state: Path) -> Note:
    """Writes what the program on the host notes."""

    def write(newest: float | None, *, failed: bool = False, error: str = "") -> None:
        known = {"ended": ago(newest), "id": "a"} if newest is not None else None
        result = {"format": 1, "newest": known, "last": {"failed": failed, "error": error, "ended": ago(0)}}
        (state / "result.json").write_text(json.dumps(result))

    return write


def set_up(state: Path, hours: float) -> None:
    """Since when there are to be backups."""
    (state / "since").touch()
    at = time.time() - hours * 3600
    os.utime(state / "since", (at, at))


def on_host(state: Path) -> Callable[..., str]:
    """A login shell of root's on that host, whose start files print something."""

    def shell(host: str, command: tuple[str, ...], user: str | None) -> str:
        assert (host, user) == ("one", "root")
        *start, program = command
        assert start == ["python3", "-I", "-c"]
        program = program.replace('FOLDER = "/var/lib/fedikit-data"', f"FOLDER = {str(state.parent)!r}")
        run = [sys.executable, "-I", "-c", program]
        return (
            "Welcome!\n" + subprocess.run(run, capture_output=True, text=True, timeout=30, check=True).stdout + "bye\n"
        )

    return shell


def seen(state: Path) -> str:
    return is_young(CHECK, on_host(state))


def refused(state: Path) -> str:
    with pytest.raises(Refused) as found:
        seen(state)
    return str(found.value)


def test_a_young_backup_holds_and_says_how_old_it_is(state: Path, note: Note) -> None:
    note(7.5)
    assert seen(state) == "7 hours old"
    note(0.2)
    assert seen(state) == "less than an hour old"


def test_an_old_one_fails_at_once_with_why_no_later_one_came(state: Path, note: Note) -> None:
    note(31.2, failed=True, error="the repository\n\x1b[31mis full")
    wanted = "wanted a backup of the last 26 hours, saw one that is 31 hours old"
    assert refused(state) == wanted + "; the last attempt failed: the repository \\x1b[31mis full"


def test_a_young_one_holds_though_the_last_attempt_failed(state: Path, note: Note) -> None:
    note(25, failed=True, error="no answer")
    assert seen(state) == "25 hours old; the last attempt failed: no answer"


def test_no_backup_holds_only_until_the_first_was_due(state: Path) -> None:
    set_up(state, 3)
    assert seen(state) == "none yet: they were set up 3 hours ago"
    set_up(state, 27)
    assert refused(state) == "wanted a backup of the last 26 hours, saw none yet, though they were set up 27 hours ago"


def test_a_first_attempt_that_failed_is_told_of(state: Path, note: Note) -> None:
    set_up(state, 3)
    note(None, failed=True, error="no way to the repository")
    assert seen(state).endswith("; the last attempt failed: no way to the repository")


def test_nothing_that_tells_since_when_is_a_failure(state: Path) -> None:
    assert "nothing that tells since when" in refused(state)


def test_a_backup_of_the_future_counts_for_nothing(state: Path, note: Note) -> None:
    note(-30)
    assert "ended in the future: is the host's clock right?" in refused(state)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"newest": 5, "last": 6}', '{"newest": null}', "\udcff"])
def test_notes_that_cannot_be_read_are_told_of(state: Path, text: str) -> None:
    set_up(state, 3)
    (state / "result.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert seen(state).endswith("what the host noted of it cannot be read")


def test_a_link_in_place_of_the_notes_is_not_followed(state: Path, note: Note) -> None:
    note(2)
    (state / "result.json").rename(state / "elsewhere")
    (state / "result.json").symlink_to(state / "elsewhere")
    set_up(state, 3)
    assert seen(state).endswith("what the host noted of it cannot be read")


WELL: dict[str, Any] = {"now": time.time(), "since": None, "newest": ago(2), "failed": ""}


@pytest.mark.parametrize(
    "said",
    [
        {**WELL, "newest": "yesterday"},
        {**WELL, "newest": "2026-11-27T02:30:00"},
        {**WELL, "now": 1e300},
        {**WELL, "now": float("nan")},
        {**WELL, "since": -1},
        {**WELL, "failed": "x" * 501},
        {**WELL, "more": 1},
        [],
        None,
    ],
)
def test_nothing_is_believed_of_a_host_that_has_another_form(said: Any) -> None:
    with pytest.raises(Unmet, match="something else than an answer"):
        is_young(CHECK, lambda host, command, user: backup_errand.MARK + json.dumps(said))


def test_a_host_that_says_nothing_is_told_of() -> None:
    with pytest.raises(Unmet, match="wanted what one knows of backups, saw something else"):
        is_young(CHECK, lambda host, command, user: "bash: python3: command not found\n")
