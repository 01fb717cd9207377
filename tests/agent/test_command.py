"""Commands end at their deadlines, and jobs with their agent: asked to first, then made to, with all they started."""

import contextlib
import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from fedikit.agent import command
from fedikit.agent.command import Overdue, run
from tests.agent.conftest import Host, read_answer
from tests.agent.test_agent import wait_for, wait_until

PATIENT = "trap 'echo stopped >{place}/stopped; exit 1' TERM; sleep {seconds} & touch {place}/began; wait"
DEAF = "trap '' TERM; touch {place}/began; sleep {seconds}; touch {place}/ended"


def run_quietly(script: str, seconds: float) -> int:
    with open(os.devnull, "wb") as nowhere:
        return run(["sh", "-c", script], stdin=b"", output=nowhere.fileno(), path="", seconds=seconds)


def is_at_work(words: str) -> bool:
    lines = (_line_of(path) for path in Path("/proc").glob("[0-9]*/cmdline"))
    return any(line.strip().endswith(words.encode()) for line in lines)


def _line_of(path: Path) -> bytes:
    """The command line of a process, which may end at any moment."""
    with contextlib.suppress(OSError):
        return path.read_bytes().replace(b"\0", b" ")
    return b""


def test_at_its_deadline_a_command_is_asked_to_end_and_can_put_things_in_order(tmp_path: Path) -> None:
    with pytest.raises(Overdue):
        run_quietly(PATIENT.format(place=tmp_path, seconds=7331), 0.5)
    assert (tmp_path / "stopped").exists()
    assert not is_at_work("sleep 7331")


def test_a_command_that_does_not_listen_is_killed_with_what_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "ENDING_SECONDS", 0.3)
    with pytest.raises(Overdue):
        run_quietly(DEAF.format(place=tmp_path, seconds=7332), 0.5)
    assert not is_at_work("sleep 7332")


def test_what_a_command_leaves_behind_at_its_deadline_is_ended_though_it_has_ended_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(command, "ENDING_SECONDS", 0.3)
    with pytest.raises(Overdue):
        run_quietly("(trap '' TERM; sleep 7333; sleep 1) & trap 'exit 0' TERM; wait", 0.5)
    assert not is_at_work("sleep 7333")


def said_by(*words: str, stdin: bytes = b"", path: str = "") -> tuple[int, str]:
    """The exit status of a command, and all that it prints."""
    with open(os.memfd_create("output"), "r+b") as output:
        status = run([*words], stdin=stdin, output=output.fileno(), path=path, seconds=20)
        output.seek(0)
        return status, output.read().decode()


def test_a_command_reads_what_it_is_given_and_all_that_it_prints_is_kept() -> None:
    assert said_by("cat", stdin=b"x" * 1_000_000) == (0, "x" * 1_000_000)
    assert said_by("sh", "-c", "echo one; echo two >&2; exit 3") == (3, "one\ntwo\n")
    assert said_by("cat") == (0, "")


def test_a_command_killed_by_a_signal_has_its_number() -> None:
    assert said_by("sh", "-c", "kill -9 $$")[0] == -9


def test_a_command_begins_with_no_more_than_it_should_have(tmp_path: Path) -> None:
    script = "read -r _ _ _ parent group session _ </proc/$$/stat; echo $$ $group $session; env; ls -l /proc/$$/fd"
    with open(tmp_path / "open in the agent", "w"):
        status, said = said_by("sh", "-c", script, path="/usr/bin:/bin")
    head, *rest = said.splitlines()
    process, group, session = head.split()
    assert (status, process == group == session) == (0, True), "a session of its own"
    assert {line.partition("=")[0] for line in rest if "=" in line} <= {*command.ENVIRONMENT, "PWD", "SHLVL", "_"}
    assert "PATH=/usr/bin:/bin" in rest
    assert "open in the agent" not in said


def test_who_writes_to_one_that_is_gone_ends_as_programs_do() -> None:
    mask = int(said_by("grep", "SigIgn", "/proc/self/status")[1].split()[-1], 16)
    assert not mask & (1 << (signal.SIGPIPE - 1)), "Python ignores it, and would hand that on"


def test_a_program_is_looked_for_where_it_is_said_to_be(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "a/tool").write_text("no program")
    with pytest.raises(PermissionError):
        said_by("tool", path=f"{tmp_path}/a:{tmp_path}/b")
    (tmp_path / "b/tool").write_text("#!/bin/sh\necho b\n")
    (tmp_path / "b/tool").chmod(0o755)
    assert said_by("tool", path=f"{tmp_path}/a:{tmp_path}/b") == (0, "b\n")
    with pytest.raises(FileNotFoundError):
        said_by("tool", path=f"{tmp_path}")


def begin(host: Host, script: str) -> subprocess.Popen[bytes]:
    process = host.start(items=[host.job("slow", script)])
    host.order(process, read_answer(process))
    wait_for(host.root / "began")
    return process


def kill_the_agent_at_work(host: Host, process: subprocess.Popen[bytes]) -> None:
    """Kills the process that has begun the job, and not what it began, as the kernel does when memory is short."""
    job = json.loads((host.home / "lock").read_text())["command"]["pid"]
    worker = int(Path(f"/proc/{job}/stat").read_text().rpartition(") ")[2].split()[1])
    os.kill(worker, signal.SIGKILL)
    process.communicate(timeout=20)


def test_a_job_is_asked_to_end_when_its_agent_is_killed(host: Host) -> None:
    process = begin(host, PATIENT.format(place=host.root, seconds=7334))
    wait_until(lambda: is_at_work("sleep 7334"))
    kill_the_agent_at_work(host, process)
    wait_for(host.root / "stopped")
    wait_until(lambda: not is_at_work("sleep 7334"))


def test_a_job_that_does_not_listen_keeps_the_host_busy_until_it_has_ended(host: Host) -> None:
    kill_the_agent_at_work(host, begin(host, DEAF.format(place=host.root, seconds=3)))
    assert "sh is at work as process" in host.plan()["busy"]
    wait_for(host.root / "ended")
    wait_until(lambda: "busy" not in host.plan())


def test_who_watches_a_job_leaves_with_it(host: Host) -> None:
    assert host.apply(host.job("quick", f"echo $$ >{host.root}/pid"))[-1]["event"] == "done"
    assert not is_at_work(f"fedikit-watch {host.text('/pid').strip()}")


def test_commands_begin_at_the_top_wherever_the_agent_was_begun(host: Host) -> None:
    assert host.apply(host.job("where", f"pwd >{host.root}/where"))[-1]["event"] == "done"
    assert host.text("/where") == "/\n"
