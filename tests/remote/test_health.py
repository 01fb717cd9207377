"""Health: what no longer runs, or is no longer as it was left, is seen by `status`, over hosts that are directories."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from fedikit.agent.health import CERTIFICATES
from fedikit.display.drawing import lines_of
from fedikit.model.item import Directory, File, Item, SecretRef, SecretText, Symlink, Unit
from fedikit.results.health import DiskHealth, Health, UnitHealth
from fedikit.results.status import Status
from fedikit.status import read_status
from tests.remote.conftest import Stage, tree_of

SERVICE = File(path="/etc/systemd/system/app.service", content="[Service]\nExecStart=/usr/bin/app\n")
UNIT = Unit(name="app.service", restart_on=(SERVICE.id,))
SETTINGS = File(path="/etc/app", content="".join(f"line {number}\n" for number in range(10)))
ENV = File(path="/etc/app.env", content=SecretText(parts=("PASSWORD=", SecretRef(name="app/password"), "\n")))
LINK = Symlink(path="/etc/app-link", target="/etc/app")
SITE = File(path="/etc/caddy/sites/pages.example.caddy", content="pages.example {\n}\n")
ITEMS: list[Item] = [SERVICE, UNIT, SETTINGS, ENV, LINK]
MEMORY = "/run/simulated-systemd.json"


def status_of(stage: Stage) -> Status:
    return read_status(stage.environment, health=True)


def health_of(stage: Stage) -> Health:
    health = status_of(stage).hosts["one"].health
    assert health
    return health


def put_unit(stage: Stage, name: str, condition: str) -> None:
    units = json.loads(stage["one"].path(MEMORY).read_text())
    units.setdefault(name, {"enabled": True, "loaded": ""})["active"] = condition
    stage["one"].path(MEMORY).write_text(json.dumps(units))


def told(stage: Stage, width: int = 200) -> str:
    return "\n".join(lines_of(status_of(stage), width))


def test_what_is_as_it_was_left_is_well(stage: Stage) -> None:
    stage.apply(one=ITEMS)
    assert status_of(stage).is_well
    assert health_of(stage).units == (UnitHealth(name="app.service", state="active", seconds=0, restarts=0),)
    assert "all is well: 1 unit, nothing was changed by hand" in told(stage)


def test_nothing_is_called_well_after_an_apply_that_did_not_end(stage: Stage) -> None:
    stage.apply(one=ITEMS)
    assert not stage.apply(one=[*ITEMS, File(path="/nowhere/b", content="b\n")]).succeeded
    assert not status_of(stage).is_well
    assert "✗ the last apply did not come to its end" in told(stage)
    assert "all is well" not in told(stage)


def test_health_is_looked_at_only_when_asked_for(stage: Stage) -> None:
    stage.apply(one=ITEMS)
    assert read_status(stage.environment).hosts["one"].health is None


@pytest.mark.parametrize(("condition", "word"), [("inactive", "inactive"), ("failed", "failed")])
def test_a_unit_that_stopped_is_seen(stage: Stage, condition: str, word: str) -> None:
    stage.apply(one=ITEMS)
    put_unit(stage, "app.service", condition)
    (unit,) = health_of(stage).units
    assert (unit.state, unit.is_well, status_of(stage).is_well) == (word, False, False)
    assert f"✗ unit app.service is {word}" in told(stage)


def test_lines_added_to_a_file_are_seen_and_counted(stage: Stage) -> None:
    stage.apply(one=ITEMS)
    with stage["one"].path("/etc/app").open("a") as file:
        file.write("mine\n" * 300)
    (drift,) = health_of(stage).drift
    assert (drift.id, drift.reasons) == (SETTINGS.id, ("content: +300 −0 lines",))
    assert not status_of(stage).is_well
    assert "✗ file /etc/app was changed: content: +300 −0 lines" in told(stage)


def test_an_edited_secret_is_seen_and_nothing_of_it_is_told(stage: Stage) -> None:
    stage.apply(one=ITEMS)
    stage["one"].path("/etc/app.env").write_text("PASSWORD=hunter2\n")
    (drift,) = health_of(stage).drift
    assert (drift.id, drift.reasons) == (ENV.id, ("content",))
    assert "hunter2" not in told(stage)


def test_without_the_master_key_nothing_is_said_of_secrets(stage: Stage) -> None:
    stage.apply(one=ITEMS)
    stage.key_file.unlink()
    assert health_of(stage).is_well


def test_what_is_gone_is_seen(stage: Stage) -> None:
    stage.apply(one=ITEMS)
    stage["one"].path("/etc/app-link").unlink()
    assert [(drift.id, drift.reasons) for drift in health_of(stage).drift] == [(LINK.id, ("absent",))]


def test_what_a_timer_starts_is_looked_at_too(stage: Stage) -> None:
    files = [File(path=f"/etc/systemd/system/clean.{kind}", content="[Unit]\n") for kind in ("timer", "service")]
    stage.apply(one=[*files, Unit(name="clean.timer")])
    assert health_of(stage).is_well
    put_unit(stage, "clean.service", "failed")
    assert [unit.name for unit in health_of(stage).units if not unit.is_well] == ["clean.service"]


def test_looking_changes_nothing(stage: Stage) -> None:
    stage.apply(one=ITEMS)
    stage["one"].path("/etc/app").write_text("other\n")
    before = tree_of(stage["one"])
    status_of(stage)
    assert tree_of(stage["one"]) == before


def test_a_run_that_did_not_end_well_is_not_well(stage: Stage) -> None:
    stage.apply(one=[File(path="/etc/a", content="a"), Unit(name="nothing.service")])
    assert not status_of(stage).is_well


# Certificates and disks


def certificate(*, days_gone: int, days_left: int) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "pages.example")])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - timedelta(days=days_gone)).not_valid_after(now + timedelta(days=days_left, hours=1))
    )  # fmt: skip
    return built.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def with_certificate(stage: Stage, content: bytes, site: str = "pages.example") -> Health:
    assert stage.apply(one=[Directory(path="/etc/caddy"), Directory(path="/etc/caddy/sites"), SITE]).succeeded
    folder = stage["one"].path(f"{CERTIFICATES}/acme/{site}")
    folder.mkdir(parents=True)
    (folder / f"{site}.crt").write_bytes(content)
    return health_of(stage)


@pytest.mark.parametrize(
    ("gone", "left", "is_well"), [(1, 89, True), (60, 30, True), (80, 10, False), (91, -1, False), (4, 2, True)]
)
def test_a_certificate_that_should_be_renewed_by_now_is_seen(stage: Stage, gone: int, left: int, is_well: bool) -> None:
    health = with_certificate(stage, certificate(days_gone=gone, days_left=left))
    assert (len(health.certificates), health.is_well) == (1, is_well)


def test_a_certificate_that_cannot_be_read_is_not_well(stage: Stage) -> None:
    assert not with_certificate(stage, b"nonsense").is_well
    assert "certificate of pages.example cannot be read" in told(stage)


def test_certificates_of_other_sites_are_not_ours_to_judge(stage: Stage) -> None:
    assert with_certificate(stage, b"nonsense", site="other.example").certificates == ()


@pytest.mark.parametrize(
    ("size", "free", "is_well"), [(100e9, 4e9, False), (1e12, 6e9, True), (10e9, 1e9, True), (10e9, 0, False)]
)
def test_a_disk_that_is_nearly_full_is_not_well(size: float, free: float, is_well: bool) -> None:
    assert DiskHealth(place="/", size=int(size), free=int(free)).is_well is is_well
