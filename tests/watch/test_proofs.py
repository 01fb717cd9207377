"""Proofs that a timer makes: what is remembered of them, and what the next look tells."""

import json
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fedikit.errors import ConfigurationError, FedikitError
from fedikit.events import Tell
from fedikit.results.proof import Proof, Proofs
from fedikit.watch import watch_once
from fedikit.watch.memory import memory_file
from fedikit.watch.proofs import Outcome, Tried, make_proofs, proofs_file, read_proofs
from tests.panel.conftest import provider  # noqa: F401 - a fixture
from tests.panel.scene import Provider
from tests.watch.conftest import Serve
from tests.watch.hook import Program


class Lab:
    """Stands in for the lab: each proof ends as it is told to."""

    def __init__(self, **ends: Exception | Proofs) -> None:
        self.ends = ends

    def __call__(
        self, configuration: Path, environment: Path, applications: tuple[str, ...], *, at: str, tell: Tell
    ) -> Proofs:
        (name,) = applications
        end = self.ends.get(name, Proofs(proofs=(proof(name),)))
        if isinstance(end, Exception):
            raise end
        return end


def proof(name: str, *failures: str) -> Proof:
    now = datetime.now(UTC)
    return Proof(deployment="alice", application=name, fedikit="1", ended=now, backups=(), failures=failures)


@pytest.fixture
def files(provider: Provider) -> tuple[Path, Path]:  # noqa: F811
    """An environment and a configuration, of two applications that are backed up."""
    provider.hire("alice").keeps_diary("alice")
    environment, configuration = provider.folder / "alice.toml", provider.folder / "alice.json"
    environment.write_text(environment.read_text().replace("[placement]\n", '[placement]\nletters = "alice"\n'))
    chosen = json.loads(configuration.read_text())
    configuration.write_text(json.dumps({**chosen, "diary": {"enable": True}, "letters": {"enable": True}}))
    return environment, configuration


def remembered(files: tuple[Path, Path]) -> dict[str, Tried]:
    return {one.application: one for one in read_proofs(proofs_file(memory_file(files[0], "alice")))}


def told(files: tuple[Path, Path]) -> set[str]:
    return {f"{one.what}: {one.seen}" for one in watch_once(*files).findings if one.key.startswith("proving:")}


def test_each_proof_is_remembered_as_it_ended_and_one_that_fails_keeps_no_other_from_it(
    files: tuple[Path, Path],
) -> None:
    lab = Lab(diary=FedikitError("the lab has no room", hint="make some"))
    assert [one.outcome for one in make_proofs(*files, lab)] == [Outcome.NOT_MADE, Outcome.HELD]
    assert told(files) == {"the backup of diary could not be proven: the lab has no room → make some"}
    assert [*make_proofs(*files, Lab())]
    assert told(files) == set()
    assert stat.S_IMODE(proofs_file(memory_file(files[0], "alice")).stat().st_mode) == 0o600


def test_what_is_noted_beside_the_backup_is_told_by_its_host_and_not_twice(files: tuple[Path, Path]) -> None:
    failed = Proofs(proofs=(proof("diary", "a page lacks"),))
    unnoted = Proofs(proofs=(proof("letters"),), notes=("the host is silent",))
    assert [*make_proofs(*files, Lab(diary=failed, letters=unnoted))]
    assert (remembered(files)["diary"].outcome, remembered(files)["diary"].words) == (Outcome.FAILED, "a page lacks")
    assert told(files) == {"the proof of letters held, and is not noted beside the backup: the host is silent"}


def test_a_round_that_is_cut_off_forgets_nothing_and_one_that_ends_forgets_who_left(files: tuple[Path, Path]) -> None:
    assert len([*make_proofs(*files, Lab())]) == 2
    before = remembered(files)["letters"]
    next(make_proofs(*files, Lab(diary=RuntimeError("odd"))))
    assert remembered(files)["diary"].words == "RuntimeError: odd"
    assert remembered(files)["letters"] == before
    chosen = json.loads(files[1].read_text())
    files[1].write_text(json.dumps({**chosen, "diary": {"enable": False}}))
    assert [*make_proofs(*files, Lab())]
    assert set(remembered(files)) == {"letters"}


def test_where_nothing_could_be_tried_that_is_told_once_it_is_known_whom(files: tuple[Path, Path]) -> None:
    good = files[1].read_text()
    files[1].write_text("{")
    assert [one.application for one in make_proofs(*files, Lab())] == [""]
    files[1].write_text(good)
    assert [words.partition(":")[0] for words in told(files)] == ["no backup could be proven"]
    files[0].write_text("name = ")
    with pytest.raises(ConfigurationError):
        next(make_proofs(*files, Lab()))


def test_the_verb_that_the_timer_runs_asks_the_real_lab_and_the_next_look_tells(
    files: tuple[Path, Path], serve: Serve
) -> None:
    program = serve(Program())
    with files[0].open("a") as environment:
        environment.write(f'\n[watch]\nlooks = 1\nwebhook = {{ url = "{program.url}" }}\n')

    def watch(verb: str, *words: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "fedikit", "watch", verb, *words, "--environment", str(files[0])]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    proven = watch("prove", str(files[1]))
    assert proven.returncode == 1
    assert "proof of diary: not made, " in proven.stdout
    assert "proof of diary: not made, " in watch("status").stdout
    watch("once", str(files[1]))
    ((body, _),) = program.told
    found = [change["what"] for change in json.loads(body)["changes"]]
    assert "the backup of diary could not be proven" in found
