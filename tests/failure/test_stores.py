"""Stores: damage is noticed on both sides, and a host can go back from its own."""

from pathlib import Path

import pytest

from fedikit.apply import apply_plan
from fedikit.model.item import File, Package
from fedikit.plan import make_plan, make_rollback
from fedikit.store import Store, default_directory
from fedikit_lab import Lab
from tests.failure.scene import Scene, error_of

pytestmark = pytest.mark.lab

STORE = "/var/lib/fedikit/store"


@pytest.fixture(autouse=True)
def as_new(lab: Lab) -> None:
    lab["one"].reset()


def test_a_damaged_content_on_the_host_is_noticed_dropped_and_sent_anew(lab: Lab) -> None:
    scene = Scene(lab, "one")
    wants = {"one": [File(path="/etc/app.conf", content="x = 1\n")]}
    scene.apply(**wants)
    lab["one"].succeed(f"rm /etc/app.conf; for content in {STORE}/*; do echo rot >$content; done")
    assert "was damaged" in error_of(scene.apply(**wants), "one")
    assert scene.apply(**wants).succeeded
    assert lab["one"].succeed("cat /etc/app.conf") == "x = 1\n"


def test_a_damaged_package_on_the_host_is_noticed_before_it_is_installed(lab: Lab) -> None:
    scene = Scene(lab, "one")
    assert scene.apply(one=[Package(name="hello")]).succeeded
    lab["one"].succeed(f"dpkg --purge hello; for content in {STORE}/*; do echo rot >>$content; done")
    assert "was damaged" in error_of(scene.apply(one=[Package(name="hello")]), "one")
    assert scene.apply(one=[Package(name="hello")]).succeeded
    lab["one"].succeed("hello")


def test_a_damaged_package_in_the_deployers_store_is_fetched_anew(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_own_cache(tmp_path, monkeypatch)
    scene = Scene(lab, "one")
    plan = make_plan(scene.wants(one=[Package(name="hello")]))
    deb = plan.hosts["one"].debs[0]
    assert apply_plan(plan).succeeded
    Store().path(deb.sha256).write_bytes(b"rot")
    lab["one"].reset()
    assert scene.apply(one=[Package(name="hello")]).succeeded
    lab["one"].succeed("hello")


def test_a_host_goes_back_from_its_own_store_alone(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(lab, "one")
    scene.apply(one=[Package(name="jq"), File(path="/etc/app.conf", content="1\n")])
    scene.apply(one=[File(path="/etc/app.conf", content="2\n")])
    lab["one"].fails("test -e /usr/bin/jq")
    with_own_cache(tmp_path, monkeypatch, lists=False)
    report = apply_plan(make_rollback(scene.environment))
    assert report.succeeded, report
    lab["one"].succeed("jq --version")
    assert lab["one"].succeed("cat /etc/app.conf") == "1\n"
    assert not Store().directory.exists() or not list(Store().directory.rglob("sha256/*/*"))


def with_own_cache(folder: Path, monkeypatch: pytest.MonkeyPatch, *, lists: bool = True) -> None:
    """A deployer whose store is empty; its package lists may be shared, they are slow to fetch."""
    usual = default_directory()
    monkeypatch.setenv("FEDIKIT_CACHE", str(folder))
    if lists:
        Store().directory.mkdir(parents=True, exist_ok=True)
        (Store().directory / "apt").symlink_to(usual / "apt")
