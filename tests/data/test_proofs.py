"""The evidence of proofs: sealed, drawn, noted beside the backup; and what is wrong with a backup by its manifest."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from fedikit.data.backups import list_backups, make_backup
from fedikit.data.proofs import load_proof, note_proof, place_of, save_proof
from fedikit.data.way.opening import opened
from fedikit.display.drawing import lines_of
from fedikit.errors import ConfigurationError, FedikitError
from fedikit.results.backup import Backup, PartSaved
from fedikit.results.proof import BackupProven, Proof, doubts_about
from fedikit.secrets.vault import Vault
from fedikit.status import read_status
from fedikit_lab.prove_choice import backups_to_prove
from fedikit_lab.prove_run import _not_written_down
from tests.data.scene import Scene, settings_of
from tests.remote.conftest import Stage, Staged, stage, staged  # noqa: F401

NOW = datetime(2026, 11, 27, 5, 0, 0, tzinfo=UTC)


@pytest.fixture
def scene(stage: Stage) -> Scene:  # noqa: F811
    """An application that is backed up."""
    scene = Scene(stage, ["mastodon"])
    assert make_backup(scene.wanted).succeeded
    return scene


def backup_of(*parts: PartSaved) -> Backup:
    return Backup(id="20261127T023000Z-1a2b3c4d", started=NOW, ended=NOW, parts=parts, bytes=15)


def proof_of(backup: Backup, **about: object) -> Proof:
    proven = BackupProven(host="one", backup=backup)
    usual = {"deployment": "stage", "application": "mastodon", "fedikit": "1.0", "ended": NOW, "backups": (proven,)}
    return Proof.model_validate({**usual, **about})


def drawn(value: object) -> str:
    return "\n".join(lines_of(value, 200))


def test_a_proof_is_read_as_it_was_written_and_not_when_somebody_changed_it(scene: Scene, tmp_path: Path) -> None:
    vault, proof = Vault.of(scene.wanted), proof_of(backup_of(), failures=("the page is gone",))
    path = place_of(tmp_path / "environment.toml", proof)
    assert path == tmp_path / ".fedikit-proofs/stage-mastodon.json"
    assert save_proof(proof, path, vault)
    assert load_proof(path, vault) == proof
    path.write_text(path.read_text().replace("the page is gone", "the page is here"))
    with pytest.raises(ConfigurationError, match="was changed after it was written"):
        load_proof(path, vault)
    path.write_text("{}")
    with pytest.raises(ConfigurationError, match="cannot be read as a proof"):
        load_proof(path, vault)


def test_a_proof_of_another_master_key_does_not_count(scene: Scene, staged: Staged, tmp_path: Path) -> None:  # noqa: F811
    proof = proof_of(backup_of())
    save_proof(proof, tmp_path / ".fedikit-proofs/x.json", Vault.of(scene.wanted))
    other = staged("two", name="other", key="6" * 64)
    with pytest.raises(ConfigurationError, match="made with another master key"):
        load_proof(tmp_path / ".fedikit-proofs/x.json", Vault.of(other.environment.empty()))


def test_a_proof_that_has_no_place_here_is_said_and_put_beside_its_backup(scene: Scene, tmp_path: Path) -> None:
    (backup,) = backups_to_prove(scene.wanted, "mastodon").values()
    (tmp_path / ".fedikit-proofs").write_text("in the way")
    (problem,) = _not_written_down(proof_of(backup), tmp_path / "environment.toml", scene.wanted)
    assert "stage-mastodon.json cannot be written: file exists" in problem
    assert "✓ proven on 2026-11-27" in drawn(list_backups(scene.wanted))


@pytest.mark.parametrize(
    ("failures", "words"), [((), "✓ proven on 2026-11-27"), (("no",), "✗ the proof of 2026-11-27")]
)
def test_a_proof_is_told_with_its_backup_from_then_on(scene: Scene, failures: tuple[str, ...], words: str) -> None:
    (backup,) = backups_to_prove(scene.wanted, "mastodon").values()
    assert "proven" not in drawn(list_backups(scene.wanted))
    note_proof(proof_of(backup, failures=failures), scene.wanted)
    kept = list_backups(scene.wanted).applications[0].backups[0]
    assert kept.proof
    assert (kept.proof.ended, kept.proof.failed) == (NOW, bool(failures))
    assert words in drawn(list_backups(scene.wanted))
    (health,) = read_status(scene.wanted, health=True).hosts["one"].backups
    assert health.proof == kept.proof, "the host tells it by itself from then on"


def test_a_proof_is_drawn_with_what_it_found() -> None:
    part = PartSaved(id="volume:/srv/x", kind="volume", bytes=1500, counts={"files": 3})
    good = drawn(proof_of(backup_of(part), checks=7))
    assert "volume:/srv/x  3 files  1.5 kB" in good
    assert "Proven: restored as its manifest says, 7 checks held." in good
    bad = proof_of(backup_of(part), failures=("the page is gone",))
    assert "✗ the page is gone" in drawn(bad)
    assert "Not proven: 1 thing wrong with it." in drawn(bad)


DATABASE = PartSaved(id="postgresql:m", kind="postgresql", bytes=9000, counts={"tables": 3, "rows": 12})
VOLUME = PartSaved(id="volume:/srv/m", kind="volume", bytes=0, counts={"files": 0})


@pytest.mark.parametrize(
    ("parts", "doubts"),
    [
        ([DATABASE, VOLUME], []),
        ([DATABASE], ["volume:/srv/m is not in the backup 20261127T023000Z-1a2b3c4d, and would be lost"]),
        (
            [DATABASE.model_copy(update={"counts": {"tables": 3, "rows": 0}}), VOLUME],
            ["postgresql:m holds no row in the backup"],
        ),
        (
            [DATABASE, VOLUME, VOLUME.model_copy(update={"id": "volume:/srv/old"})],
            ["volume:/srv/old is in the backup, and no part of the application any more"],
        ),
    ],
)
def test_a_manifest_alone_tells_of_parts_that_lack_or_are_empty(parts: list[PartSaved], doubts: list[str]) -> None:
    assert list(doubts_about(backup_of(*parts), ["postgresql:m", "volume:/srv/m"])) == doubts


def test_an_empty_volume_that_is_all_there_is_proves_nothing() -> None:
    assert list(doubts_about(backup_of(VOLUME), [VOLUME.id])) == [
        "volume:/srv/m is empty in the backup, and there is nothing else in it"
    ]


def test_the_newest_backup_is_proven_unless_another_is_asked_for(scene: Scene) -> None:
    (first,) = backups_to_prove(scene.wanted, "mastodon").values()
    assert make_backup(scene.wanted).succeeded
    newest = list_backups(scene.wanted).applications[0].backups[0]
    assert backups_to_prove(scene.wanted, "mastodon") == {"one": newest}
    assert backups_to_prove(scene.wanted, "mastodon", first.id) == {"one": first}
    with pytest.raises(FedikitError, match="there is no backup of mastodon of 2020-01-01T23:59:59Z or before"):
        backups_to_prove(scene.wanted, "mastodon", "2020-01-01")


def test_a_backup_that_another_version_wrote_is_refused(scene: Scene) -> None:
    before = settings_of("mastodon", images={"mastodon-web": "example.org/mastodon:4.6"})
    assert scene.stage.bring(scene.wants(before)).succeeded
    assert make_backup(scene.wants(before)).succeeded
    wanted = scene.wants(settings_of("mastodon", images={"mastodon-web": "example.org/mastodon:4.7"}))
    with pytest.raises(
        FedikitError, match=r"was example\.org/mastodon:4\.6 then, and is example\.org/mastodon:4\.7 now"
    ):
        backups_to_prove(wanted, "mastodon")


def test_a_repository_that_is_not_there_is_told_before_any_machine_boots(scene: Scene, tmp_path: Path) -> None:
    words = "there is no repository at /srv/backups/mastodon"
    with pytest.raises(FedikitError, match=words), opened(scene.wanted, "mastodon", tmp_path):
        pass
    key = scene.machine.path("/srv/backups/mastodon/keys") / ("1" * 64)
    key.parent.mkdir(parents=True)
    key.write_text("sealed")
    with opened(scene.wanted, "mastodon", tmp_path) as sources:
        assert sources["mastodon"].sizes("keys") == {"1" * 64: 6}
