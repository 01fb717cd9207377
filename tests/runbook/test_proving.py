"""The runbook of proofs, over hosts that are directories; whoever proves stands in for the lab."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from fedikit.data.backups import list_backups, make_backup
from fedikit.data.proofs import note_proof, place_of
from fedikit.display.notebook import register
from fedikit.errors import FedikitError
from fedikit.events import Tell
from fedikit.results.backup import Backup
from fedikit.results.proof import BackupProven, Proof, Proofs
from fedikit.runbook import keeping, proving
from fedikit.runbook.parameters import ProveParameters
from fedikit.runbook.session import Run
from fedikit.runbook.summary import NothingDone
from tests.data.scene import Scene
from tests.remote.conftest import Stage, stage, staged  # noqa: F401

PICTURE = b"\x89PNG\r\n\x1a\nof the newest post"


class Lab:
    """Proves what it is asked for, as it is told to find it; leaves a picture where pictures lie."""

    def __init__(self, scene: Scene, **about: Any) -> None:
        self.scene, self.about = scene, about
        self.asked: list[tuple[tuple[str, ...], str]] = []
        self.notes = True

    def __call__(
        self, configuration: Path, environment: Path, applications: tuple[str, ...], *, at: str, tell: Tell
    ) -> Proofs:
        self.asked.append((applications, at))
        proof = proof_of(list_backups(self.scene.wanted).applications[0].backups[0], **self.about)
        place = place_of(environment, proof).with_name(proof.picture or "none")
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(PICTURE)
        if self.notes:
            note_proof(proof, self.scene.wanted)
        return Proofs(proofs=(proof,))


def proof_of(backup: Backup, **about: Any) -> Proof:
    now = datetime.now(UTC).replace(microsecond=0)
    usual = {"deployment": "stage", "application": "mastodon", "fedikit": "1.0", "ended": now, "checks": 7}
    proven = (BackupProven(host="one", backup=backup),)
    return Proof.model_validate({**usual, "backups": proven, "picture": "stage-mastodon.png", **about})


@pytest.fixture
def scene(stage: Stage) -> Scene:  # noqa: F811
    scene = Scene(stage, ["mastodon"])
    assert make_backup(scene.wanted).succeeded
    return scene


@pytest.fixture
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "record"
    folder.mkdir()
    return folder


def proving_run(record: Path, lab: Lab, monkeypatch: pytest.MonkeyPatch, **parameters: Any) -> Run:
    monkeypatch.setattr(keeping, "find_prover", lambda: lab)
    run = Run(ProveParameters(**{"dry_run": False, "environment": "environment.toml", **parameters}), record=record)
    with run.step("plan"):
        run.require_lab()
    return run


def test_what_was_proven_is_in_the_record_with_its_picture_and_beside_the_backup(
    scene: Scene, record: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Lab(scene)
    run = proving_run(record, lab, monkeypatch, applications=("mastodon",), at="2026-11-27")
    proofs = run.prove(scene.wanted)
    assert isinstance(proofs, Proofs)
    assert lab.asked == [(("mastodon",), "2026-11-27")]
    assert json.loads((record / "proofs.json").read_text())["proofs"][0]["checks"] == 7
    assert (record / "stage-mastodon.png").read_bytes() == PICTURE
    run.require_proven(list_backups(scene.wanted), proofs)


def test_a_dry_run_boots_nothing(scene: Scene, record: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = Lab(scene)
    run = proving_run(record, lab, monkeypatch, dry_run=True)
    done = run.prove(scene.wanted)
    assert isinstance(done, NothingDone)
    assert lab.asked == []
    run.require_proven(list_backups(scene.wanted), done)


def test_a_proof_that_failed_fails_the_run_and_keeps_what_was_found(
    scene: Scene, record: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = proving_run(record, Lab(scene, failures=("a page is gone",)), monkeypatch)
    with pytest.raises(FedikitError, match="not every backup could be proven"):
        run.prove(scene.wanted)
    assert "a page is gone" in (record / "proofs.json").read_text()
    assert (record / "stage-mastodon.png").exists()


def test_a_proof_that_does_not_lie_beside_its_backup_fails_the_run(
    scene: Scene, record: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Lab(scene)
    lab.notes = False
    run = proving_run(record, lab, monkeypatch)
    proofs = run.prove(scene.wanted)
    with pytest.raises(FedikitError, match="the proof does not lie beside its backup: 2"):
        run.require_proven(list_backups(scene.wanted), proofs)


def test_a_picture_that_cannot_be_read_costs_only_itself(
    scene: Scene, record: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Blind(Lab):
        def __call__(self, *files: Any, **about: Any) -> Proofs:
            proofs = super().__call__(*files, **about)
            place_of(files[1], proofs.proofs[0]).with_name("stage-mastodon.png").unlink()
            return proofs

    proving_run(record, Blind(scene), monkeypatch).prove(scene.wanted)
    assert not (record / "stage-mastodon.png").exists()


def test_a_notebook_draws_proofs_with_their_figures(scene: Scene) -> None:
    shell = InteractiveShell()
    register(shell)
    proof = proof_of(list_backups(scene.wanted).applications[0].backups[0], post="https://a.example/@ada/1")
    shown, _ = shell.display_formatter.format(Proofs(proofs=(proof,)))
    assert "the newest post: https://a.example/@ada/1" in shown["text/plain"]
    assert "Proven: restored as its manifest says, 7 checks held." in shown["text/plain"]


def test_without_the_lab_it_is_said_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proving, "entry_points", lambda group: ())
    with pytest.raises(FedikitError, match=r"^backups are proven in the lab, which is not installed here") as refused:
        Run(ProveParameters()).require_lab()
    assert refused.value.hint == "pip install fedikit-lab"
