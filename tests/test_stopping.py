"""A verb that is stopped says what it had done, and ends as a shell expects it; what a host was at goes on."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fedikit.cli.stopping import Witness
from fedikit.events import HostFinished, ItemFinished, ItemStarted, StepStarted

ACTING = """
import signal
import sys
from pathlib import Path
from fedikit.cli.verbs import Manner, act
from fedikit.model.deployment import Deployment
from fedikit.model.host import HostState
from fedikit.model.item import File, Job
from fedikit.plan import make_plan
from fedikit.remote.directory import DirectoryMachine

signal.signal(signal.SIGINT, signal.default_int_handler)  # as on a terminal
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # also where the tests themselves outlive one
machine = DirectoryMachine.at("machine")
slow = "#!/bin/sh\\ncd {}\\n: > began\\nwhile [ ! -e may-end ]; do /bin/sleep 0.05; done\\n: > ended\\n"
machine.program("slow", slow.format(Path.cwd()))
items = (File(path="/etc/a", content="a\\n"), Job(name="slow", run=("/usr/bin/slow",)))
deployment = Deployment(name="trial", hosts={"one": HostState(connection=machine.connection, items=items)})

def plan(sessions, tell):
    return make_plan(deployment, sessions=sessions, tell=tell)

act(deployment, plan, Manner(yes=True, as_json=False, diff=False))
"""


def wait_for(path: Path, seconds: float = 20) -> None:
    ends = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < ends, f"{path} did not come"
        time.sleep(0.02)


def acting(folder: Path) -> subprocess.Popen[str]:
    """An apply that is at its slow item."""
    process = subprocess.Popen(
        [sys.executable, "-c", ACTING], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        stdin=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    wait_for(folder / "began")
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stopped_apply_says_how_far_each_host_is_and_the_host_goes_on(tmp_path: Path, number: signal.Signals) -> None:
    process = acting(tmp_path)
    os.killpg(process.pid, number)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 128 + number
    assert "one: 1 done, at work on job:slow; goes on by itself" in said
    assert "fedikit status" in said
    assert "Traceback" not in said
    (tmp_path / "may-end").touch()
    wait_for(tmp_path / "ended")


def test_what_was_planned_only_touched_no_host() -> None:
    witness = Witness()
    witness(StepStarted(step="plan"))
    assert list(witness.lines()) == ["  no host was touched"]


def test_of_a_host_that_is_at_its_next_application_it_is_not_said_to_be_done() -> None:
    witness = Witness()
    witness(StepStarted(step="restore"))
    witness(HostFinished(host="one", outcome="changed", seconds=1))
    witness(ItemStarted(host="one", item="pixelfed mariadb:pixelfed", action="restore"))
    told = "\n".join(witness.lines())
    assert "one: 0 done, at work on pixelfed mariadb:pixelfed; goes on by itself" in told
    assert "until then the application may stand still" in told


def test_hosts_that_are_done_are_told_as_they_ended() -> None:
    witness = Witness()
    witness(StepStarted(step="apply"))
    witness(ItemStarted(host="one", item="file:/etc/a", action="create"))
    witness(ItemFinished(host="one", item="file:/etc/a", action="create", seconds=0.1, failed=False))
    witness(HostFinished(host="one", outcome="changed", seconds=0.2, detail=""))
    witness(ItemStarted(host="two", item="unit:caddy.service", action="create"))
    assert list(witness.lines())[:2] == [
        "  one: changed",
        "  two: 0 done, at work on unit:caddy.service; goes on by itself",
    ]


@pytest.mark.parametrize("words", [["schema", "environment"], ["plan", "-e", "environment.toml"]])
def test_nobody_who_reads_ends_it_without_a_traceback(tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "configuration.json").write_text(
        '{"domain": "x.example", "initialUser": {"displayName": "T", "username": "test", "email": "t@x.example"}}'
    )
    (tmp_path / "environment.toml").write_text('name = "home"\n[hosts.here]\ntype = "directory"\npath = "machine"\n')
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "fedikit", *words]
    done = subprocess.run(command, cwd=tmp_path, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr.strip().splitlines()[-1]) == (141, "stopped: nobody reads what it prints")


def test_what_was_stopped_while_it_only_looked_says_what_was_done_before() -> None:
    witness = Witness()
    for step in ("copy", "close", "names", "verify"):
        witness(StepStarted(step=step))
    assert list(witness.lines())[-1].endswith("serve where they came to; the same command again goes on where it was")
