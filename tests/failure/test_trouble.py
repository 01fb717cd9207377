"""What fails on a host: jobs, units, packages, a full disk. It is told, and the next apply mends it."""

import time

import pytest

from fedikit.apply import apply_plan
from fedikit.model.item import File, Job, Package, Unit
from fedikit.plan import make_rollback
from fedikit_lab import Lab
from tests.failure.scene import Scene, error_of

pytestmark = pytest.mark.lab

FIRST = File(path="/etc/app.conf", content="version = 1\n")
SECOND = File(path="/etc/app.conf", content="version = 2\n")


@pytest.fixture(autouse=True)
def as_new(lab: Lab) -> None:
    lab["one"].reset()


def test_a_failed_migration_shows_its_last_lines_and_the_old_generation_can_be_had_back(lab: Lab) -> None:
    scene = Scene(lab, "one")
    assert scene.apply(one=[FIRST]).hosts["one"].generation == 1
    migration = Job(name="migrate", run=("sh", "-c", "echo column missing >&2; exit 7"))
    error = error_of(scene.apply(one=[SECOND, migration]), "one")
    assert "job:migrate: `sh` ended with exit status 7" in error
    assert "| column missing" in error

    plan = scene.plan(one=[SECOND])
    assert "failed at job:migrate" in plan.hosts["one"].note
    assert apply_plan(make_rollback(scene.environment)).succeeded
    assert lab["one"].succeed("cat /etc/app.conf") == "version = 1\n"


def test_a_unit_that_does_not_start_shows_its_journal(lab: Lab) -> None:
    service = (
        "[Service]\nExecStart=/bin/sh -c 'echo no port to listen on; exit 3'\n[Install]\nWantedBy=multi-user.target\n"
    )
    items = [File(path="/etc/systemd/system/app.service", content=service), Unit(name="app.service")]
    error = error_of(Scene(lab, "one").apply(one=items), "one")
    assert "unit:app.service" in error
    assert "no port to listen on" in error


def test_an_unknown_package_is_told_by_the_plan(lab: Lab) -> None:
    plan = Scene(lab, "one").plan(one=[Package(name="helo")])
    assert "helo" in plan.hosts["one"].error
    assert plan.has_errors


def test_what_does_not_fit_on_the_disk_is_refused_before_anything_changes(lab: Lab) -> None:
    lab["tiny"].reset()
    lab["tiny"].succeed("fallocate -l $(($(df --output=avail -B1 / | tail -n 1) - 9000000)) /fill")
    scene = Scene(lab, "tiny")
    error = error_of(scene.apply(tiny=[FIRST, Package(name="iso-codes")]), "tiny")
    assert "MB are to be sent" in error
    assert "nothing was done" in error
    lab["tiny"].fails("test -e /etc/app.conf")


def test_a_disk_that_fills_up_on_the_way_is_told_and_the_same_apply_completes_later(lab: Lab) -> None:
    lab["tiny"].reset()
    lab["tiny"].succeed("fallocate -l $(($(df --output=avail -B1 / | tail -n 1) - 18000000)) /fill")
    scene = Scene(lab, "tiny")
    wants = {"tiny": [Package(name="iso-codes"), FIRST]}
    error = error_of(scene.apply(**wants), "tiny")
    assert "No space left on device" in error
    lab["tiny"].succeed("rm /fill")
    report = scene.apply(**wants)
    assert report.succeeded, report
    lab["tiny"].succeed("test -e /usr/share/iso-codes/json && test -e /etc/app.conf")


def test_every_wait_has_an_end(lab: Lab) -> None:
    began = time.monotonic()
    error = error_of(Scene(lab, "one").apply(one=[Job(name="slow", run=("sleep", "60"), deadline=2)]), "one")
    assert "did not end within 2 s" in error
    assert time.monotonic() - began < 20
