"""Commands of the program: deadlines, patience, and that nothing outlives it."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fedikit.data.onhost import command
from fedikit.data.onhost.trouble import Trouble


def test_what_a_command_prints_and_says_is_told_apart() -> None:
    finished = command.run(["sh", "-c", "echo out; echo beside >&2; printf end; exit 3"], seconds=9)
    assert finished == command.Finished(3, "out\nend", "beside")


def test_a_command_that_is_not_there_ends_with_127() -> None:
    assert command.run(["fedikit-nothing"], seconds=9).status == 127


def test_nothing_of_our_environment_is_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", "secret")
    names = {line.split("=")[0] for line in command.run(["env"], seconds=9).output.splitlines()}
    assert names == {*command.ENVIRONMENT}


def test_a_command_that_takes_too_long_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    script = f"sleep 50 & echo $! >{tmp_path}/child; echo last words >&2; wait"
    with pytest.raises(Trouble, match="`sh` did not end in its time, and was ended") as trouble:
        command.run(["sh", "-c", script], seconds=0.3)
    assert trouble.value.tail == "last words"
    assert is_gone(int((tmp_path / "child").read_text()))


def test_a_command_that_talks_without_getting_on_is_ended() -> None:
    script = "while :; do echo same; sleep 0.05; done"
    seen = set[str]()

    def is_new(line: str) -> bool:
        known = line in seen
        seen.add(line)
        return not known

    with pytest.raises(Trouble, match="did not get on for 1 minutes"):
        command.run(["sh", "-c", script], seconds=50, hear=is_new, silence=0.3)


def test_a_command_that_gets_on_may_take_longer_than_the_patience_with_it() -> None:
    script = "for n in 1 2 3 4 5 6; do echo $n; sleep 0.1; done"
    assert command.run(["sh", "-c", script], seconds=50, hear=lambda line: True, silence=0.4).status == 0


def test_a_command_ends_when_the_program_is_killed(tmp_path: Path) -> None:
    words = ["sh", "-c", f"echo $$ >{tmp_path}/command; exec sleep 50"]
    source = f"from fedikit.data.onhost import command; command.run({words!r}, seconds=60)"
    program = subprocess.Popen([sys.executable, "-c", source])
    while not (tmp_path / "command").exists() or not (tmp_path / "command").read_text():
        time.sleep(0.01)
    program.kill()
    program.wait()
    assert is_gone(int((tmp_path / "command").read_text()))


def is_gone(process: int) -> bool:
    for _ in range(200):
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        if Path(f"/proc/{process}/stat").read_text().split(") ")[1][0] == "Z":
            return True
        time.sleep(0.01)
    return False


def test_what_answers_without_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "MOST_OUTPUT", 1 << 16)
    with pytest.raises(Trouble, match="more than 65,536 characters"):
        command.run(["yes"], seconds=60)


def test_a_long_line_is_whole() -> None:
    assert len(command.run(["head", "-c", "3000000", "/dev/zero"], seconds=60).output) == 3_000_000
