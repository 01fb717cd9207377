"""Somebody works on a host by hand: it is reported, and restored or kept as the plan says."""

import pytest

from fedikit.apply import apply_plan
from fedikit.display.drawing import lines_of
from fedikit.model.item import File, Item, Unit
from fedikit.plan import make_plan, make_rollback
from fedikit.status import read_status
from fedikit_lab import Lab
from tests.failure.scene import Scene

pytestmark = pytest.mark.lab

SERVICE = "[Service]\nExecStart=/bin/sleep 4444\n[Install]\nWantedBy=multi-user.target\n"
ITEMS: list[Item] = [
    File(path="/etc/app.conf", content="port = 1\nname = us\n"),
    File(path="/etc/systemd/system/app.service", content=SERVICE),
    Unit(name="app.service"),
]


@pytest.fixture
def scene(lab: Lab) -> Scene:
    lab["one"].reset()
    scene = Scene(lab, "one")
    assert scene.apply(one=ITEMS).succeeded
    lab["one"].succeed("echo 'port = 2' >/etc/app.conf; chmod 0600 /etc/app.conf; systemctl stop app.service")
    return scene


def test_it_is_reported_with_its_lines(scene: Scene) -> None:
    text = "\n".join(lines_of(scene.plan(one=ITEMS), width=200))
    assert "-port = 2" in text
    assert "+port = 1" in text
    assert "mode 0600 → 0644" in text
    assert "edited by hand; the edition is saved on the host" in text
    assert "inactive → active" in text


def test_the_health_of_a_host_tells_of_it(lab: Lab, scene: Scene) -> None:
    health = read_status(scene.environment, health=True).hosts["one"].health
    assert health
    assert [(unit.name, unit.state, unit.is_well) for unit in health.units] == [("app.service", "inactive", False)]
    assert 0 < health.units[0].seconds < 600
    assert [(drift.id, drift.reasons) for drift in health.drift] == [
        ("file:/etc/app.conf", ("content: +1 −2 lines", "mode 0600 → 0644")),
    ]


def test_it_is_restored_and_the_edition_saved(lab: Lab, scene: Scene) -> None:
    report = scene.apply(one=ITEMS)
    assert report.succeeded
    assert lab["one"].succeed("cat /etc/app.conf") == "port = 1\nname = us\n"
    lab["one"].succeed("systemctl is-active app.service")
    saved = next(item.saved for item in report.hosts["one"].items if item.saved)
    assert lab["one"].succeed(f"cat {saved}") == "port = 2\n"


def test_it_is_kept_where_the_plan_says_so(lab: Lab, scene: Scene) -> None:
    deployment = scene.wants(one=[*ITEMS, File(path="/etc/more", content="x")])
    assert apply_plan(make_plan(deployment, drift="keep")).succeeded
    assert lab["one"].succeed("cat /etc/app.conf /etc/more") == "port = 2\nx"
    lab["one"].fails("systemctl is-active app.service")


def test_an_edited_file_stays_when_it_leaves_unless_purged(lab: Lab, scene: Scene) -> None:
    assert scene.apply(one=[]).succeeded
    assert lab["one"].succeed("cat /etc/app.conf") == "port = 2\n"
    assert apply_plan(make_plan(scene.wants(one=[]), purge=True)).succeeded
    lab["one"].fails("test -e /etc/app.conf")


def test_a_service_takes_up_the_file_that_was_restored_under_it(lab: Lab) -> None:
    lab["one"].reset()
    scene = Scene(lab, "one")
    service = SERVICE.replace("sleep 4444", "sleep $SECONDS").replace(
        "[Service]", "[Service]\nEnvironmentFile=/etc/app.env"
    )
    items = [
        File(path="/etc/app.env", content="SECONDS=5555\n"),
        File(path="/etc/systemd/system/app.service", content=service),
        Unit(name="app.service", restart_on=("file:/etc/app.env", "file:/etc/systemd/system/app.service")),
    ]
    assert scene.apply(one=items).succeeded
    lab["one"].succeed("echo SECONDS=6666 >/etc/app.env; systemctl restart app.service")
    assert "to restart or reload" in scene.plan(one=items).hosts["one"].changes[-1].reasons
    assert scene.apply(one=items).succeeded
    assert "sleep 5555" in lab["one"].succeed("pgrep --list-full sleep")
    assert scene.plan(one=items).is_noop


def test_a_rollback_after_a_mere_repair_takes_nothing_away(lab: Lab, scene: Scene) -> None:
    assert scene.apply(one=ITEMS).succeeded
    plan = make_rollback(scene.environment)
    assert plan.is_noop
    assert plan.hosts["one"].target == 1


def test_a_rollback_shows_the_lines_that_come_back(lab: Lab, scene: Scene) -> None:
    newer = [File(path="/etc/app.conf", content="port = 3\n"), *ITEMS[1:]]
    assert scene.apply(one=newer).succeeded
    plan = make_rollback(scene.environment)
    text = "\n".join(lines_of(plan, width=200))
    assert "-port = 3" in text
    assert "+port = 1" in text
