"""The host's record is honest: on a full disk, after a failed run, and when the last thing has left."""

import pytest

from fedikit.model.item import File, Item, Job, Unit, User
from fedikit.results.plan import PlannedChange
from fedikit.status import read_status
from fedikit_lab import Lab
from tests.failure.scene import Scene, error_of
from tests.failure.view import changes, view_of

pytestmark = pytest.mark.lab

FILE = File(path="/etc/app.conf", content="a = 1\n")
FILL_THE_DISK = """
test -e /etc/enough && exit
for size in 64k 1k; do dd if=/dev/zero of=/fill.$size bs=$size; done
true
"""
FILL = Job(name="fill", run=("sh", "-c", FILL_THE_DISK))
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGm9b2Q0 somebody"


def change_of(scene: Scene, item: File) -> PlannedChange:
    return next(change for change in scene.plan(one=[item]).hosts["one"].changes if change.id == item.id)


@pytest.fixture
def scene(lab: Lab) -> Scene:
    lab["one"].reset()
    return Scene(lab, "one")


def test_a_disk_that_is_full_when_the_record_is_written(lab: Lab) -> None:
    machine, scene = lab["tiny"], Scene(lab, "tiny")
    machine.reset()
    untouched = view_of(machine)
    assert scene.apply(tiny=[FILE]).succeeded
    error = error_of(scene.apply(tiny=[FILE, FILL, File(path="/etc/more", content="b\n")]), "tiny")
    assert "No space left on device" in error
    assert "the host's record of this run could not be written" in error
    assert "free some space" in error
    machine.succeed("rm /fill.* && touch /etc/enough")
    assert "was interrupted" in scene.plan(tiny=[FILE]).hosts["tiny"].note
    assert scene.apply(tiny=[FILE, FILL, File(path="/etc/more", content="b\n")]).succeeded
    assert scene.remove().succeeded
    machine.succeed("rm /etc/enough")
    assert changes(untouched, view_of(machine)) == []


def test_an_edition_made_after_a_failed_apply_is_saved_too(lab: Lab, scene: Scene) -> None:
    assert scene.apply(one=[FILE]).succeeded
    second = File(path="/etc/app.conf", content="a = 2\n")
    assert not scene.apply(one=[second, Job(name="bad", run=("false",))]).succeeded
    lab["one"].succeed("echo mine >/etc/app.conf")
    change = change_of(scene, second)
    assert (change.drift, change.before) == (True, "mine\n")
    report = scene.apply(one=[second])
    saved = next(item.saved for item in report.hosts["one"].items if item.saved)
    assert lab["one"].succeed(f"cat {saved} /etc/app.conf") == "mine\na = 2\n"


def test_what_a_failed_apply_did_not_come_to_is_no_edition_of_anybody(lab: Lab, scene: Scene) -> None:
    assert scene.apply(one=[FILE]).succeeded
    second = File(path="/etc/app.conf", content="a = 2\n")
    assert not scene.apply(one=[Job(name="bad", run=("false",)), second]).succeeded
    for wanted in (second, File(path="/etc/app.conf", content="a = 3\n")):
        assert change_of(scene, wanted).action == "update"
        assert not change_of(scene, wanted).drift


def test_a_failed_unit_that_somebody_mends_by_hand_completes_with_the_next_apply(lab: Lab, scene: Scene) -> None:
    service = "[Service]\nExecStart=/bin/sh -c 'test -e /etc/mended && sleep 99'\nType=exec\n"
    service += "ExecStartPost=/bin/test -e /etc/mended\n[Install]\nWantedBy=multi-user.target\n"
    items: list[Item] = [File(path="/etc/systemd/system/app.service", content=service), Unit(name="app.service")]
    assert not scene.apply(one=items).succeeded
    assert read_status(scene.environment).hosts["one"].generation == 0
    lab["one"].succeed("touch /etc/mended; systemctl reset-failed app.service; systemctl start app.service")
    assert not scene.plan(one=items).is_noop
    assert scene.apply(one=items).succeeded
    status = read_status(scene.environment).hosts["one"]
    assert (status.generation, set(status.items.values())) == (1, {"held"})
    assert scene.plan(one=items).is_noop


def test_a_failed_unit_leaves_without_a_ghost(lab: Lab, scene: Scene) -> None:
    untouched = view_of(lab["one"])
    service = "[Service]\nExecStart=/bin/false\nType=oneshot\n[Install]\nWantedBy=multi-user.target\n"
    items: list[Item] = [File(path="/etc/systemd/system/app.service", content=service), Unit(name="app.service")]
    assert not scene.apply(one=items).succeeded
    assert scene.remove().succeeded
    assert changes(untouched, view_of(lab["one"])) == []


def test_the_record_goes_although_everything_had_left_before(lab: Lab, scene: Scene) -> None:
    assert scene.apply(one=[FILE]).succeeded
    assert scene.apply(one=[]).succeeded
    lab["one"].succeed("test -d /var/lib/fedikit")
    assert scene.remove().succeeded
    lab["one"].fails("test -e /var/lib/fedikit")
    assert scene.remove().hosts["one"].outcome == "same"


def test_things_leave_in_the_reverse_order_of_their_making(lab: Lab, scene: Scene) -> None:
    """By name the job would come first: its undoing fails as long as the file is there."""
    undo = ("sh", "-c", "test ! -e /etc/later && rm /etc/first")
    first = Job(name="first", run=("touch", "/etc/first"), undo=undo)
    assert scene.apply(one=[first, File(path="/etc/later", content="")]).succeeded
    assert scene.remove().succeeded
    lab["one"].fails("test -e /etc/first || test -e /etc/later")


def test_a_user_who_was_there_before_gets_groups_and_keys_and_loses_only_these(lab: Lab, scene: Scene) -> None:
    lab["one"].succeed("useradd --create-home --shell /bin/sh --comment 'Old Hand' old")
    untouched = view_of(lab["one"])
    assert scene.apply(one=[User(name="old", comment="New", groups=("sudo",), authorized_keys=(KEY,))]).succeeded
    assert lab["one"].succeed("getent passwd old").split(":")[4::2] == ["Old Hand", "/bin/sh\n"]
    assert "sudo" in lab["one"].succeed("id --name --groups old")
    assert lab["one"].succeed("cat /home/old/.ssh/authorized_keys") == f"{KEY}\n"
    assert scene.remove().succeeded
    assert changes(untouched, view_of(lab["one"])) == []
