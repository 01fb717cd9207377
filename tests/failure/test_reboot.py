"""What packages have made when their machine boots leaves with them."""

import pytest
from fedikit.lab import Lab

from fedikit.model.item import Item, Package
from tests.failure.scene import Scene
from tests.failure.view import changes, view_of

pytestmark = pytest.mark.lab

ITEMS: list[Item] = [Package(name="podman")]


def test_a_removal_after_a_reboot_leaves_nothing_of_podman(lab: Lab) -> None:
    machine = lab["one"]
    machine.reset()
    scene, untouched = Scene(lab, "one"), view_of(machine)
    assert scene.apply(one=ITEMS).succeeded
    machine.restart()
    machine.succeed("test -d /var/lib/cni/networks")
    assert scene.remove().succeeded
    assert changes(untouched, view_of(machine)) == []
