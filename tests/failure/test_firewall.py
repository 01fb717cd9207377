"""A firewall on real machines: it closes what nobody needs, and never the way by which it came."""

import socket
import time
from typing import Any

import pytest

from fedikit.apply import apply_plan
from fedikit.model.item import File, Item, Unit
from fedikit.model.policy import Opening
from fedikit.plan import make_rollback
from fedikit.policies.firewall import FirewallPolicy
from fedikit.remote.session import Session
from fedikit_lab import Lab, Machine
from tests.failure.scene import Scene, applied, error_of
from tests.failure.view import changes, view_of

pytestmark = pytest.mark.lab

SECONDS = 8
OPEN, CLOSED = 3900, 3901
LISTENERS: list[Item] = [
    item
    for port in (OPEN, CLOSED)
    for item in (
        File(
            path=f"/etc/systemd/system/listener-{port}.service",
            content=f"[Service]\nExecStart=/usr/bin/python3 -m http.server --directory /etc/skel {port}\n"
            "[Install]\nWantedBy=multi-user.target\n",
        ),
        Unit(name=f"listener-{port}.service"),
    )
]

OPENED = [
    {"port": 9, "from": ["10.0.0.0/8", "10.1.0.0/16", "2001:db8::/32", "2001:db8::1/128", "2001:db9::1/128"]},
    {"port": 9, "protocol": "udp", "hosts": ["one"]},
]
"""All forms in which rules are written; some networks lie in others."""


def wall(scene: Scene, port: int = OPEN, **policy: Any) -> list[Item]:
    """The firewall of machine one, where machine two reaches a port."""
    opened = Opening(host="one", port=port, clients=("two",), what="a listener")
    written = FirewallPolicy(confirm_seconds=SECONDS, **policy)
    return [*written.items("one", [opened], scene.environment.hosts), *LISTENERS]


def answers(address: str, port: int) -> bool:
    """Whether this deployer reaches it."""
    try:
        socket.create_connection((address, port), timeout=1).close()
    except OSError:
        return False
    return True


def is_open(client: Machine, machine: Machine, port: int) -> bool:
    """Whether that machine reaches it."""
    reach = f"import socket; socket.create_connection(('{machine.address}', {port}), timeout=1)"
    return client.run(f'python3 -c "{reach}"').exit_status == 0


def test_a_firewall_from_its_first_rules_to_its_removal(lab: Lab) -> None:
    machine, client = lab["one"], lab["two"]
    machine.reset()
    untouched = view_of(machine)
    scene = Scene(lab, "one", "two")
    walled, locked = wall(scene), wall(scene, ssh_from=["203.0.113.0/24"])

    # A plan names what would be cut off; what is open is open to whom it is for, and to nobody else
    assert scene.apply(one=LISTENERS).succeeded
    plan = scene.plan(one=walled)
    (change,) = (change for change in plan.hosts["one"].changes if change.id == "firewall:fedikit")
    assert change.reasons == ("absent", f"closes port {CLOSED} (tcp), where python3 listens")
    report = scene.apply(one=walled)
    assert report.succeeded, report
    assert [is_open(client, machine, port) for port in (22, OPEN, CLOSED)] == [True, True, False]
    assert [answers(machine.address, port) for port in (22, OPEN, CLOSED)] == [True, False, False]
    assert scene.plan(one=walled).is_noop
    rules = machine.succeed("nft list ruleset")
    assert "fedikit" not in machine.succeed("systemctl list-timers --all")

    # Rules that lock the deployer out are undone by the host itself
    began = time.monotonic()
    error = error_of(scene.apply(one=locked), "one")
    assert f"did not reach this host by a new connection within {SECONDS} s of the change" in error
    assert time.monotonic() - began < SECONDS + 15
    assert machine.succeed("nft list ruleset") == rules
    assert answers(machine.address, 22)
    assert scene.apply(one=walled).succeeded

    # ... and by its timer, where the agent was killed
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Session, "_confirm", lambda *_: machine.succeed("kill -9 $(pgrep -f '[/]var/lib/fedikit/agent')"))
        assert error_of(applied(scene.wants(one=locked)), "one")
    assert not answers(machine.address, 22)
    deadline = time.monotonic() + SECONDS + 5
    while not answers(machine.address, 22):
        assert time.monotonic() < deadline
    assert machine.succeed("nft list ruleset") == rules
    assert scene.apply(one=walled).succeeded

    # They are there again after a start of the host, before anybody comes
    machine.restart()
    assert machine.succeed("nft list ruleset") == rules
    assert scene.plan(one=walled).hosts["one"].changes == ()

    # Going back takes other rules into force, and a removal leaves none, and no unit
    assert scene.apply(one=wall(scene, CLOSED, ssh_from=["0.0.0.0/0", "::/0"], open=OPENED)).succeeded
    assert is_open(client, machine, CLOSED)
    assert apply_plan(make_rollback(scene.environment)).succeeded
    assert machine.succeed("nft list ruleset") == rules
    assert scene.remove().succeeded
    assert changes(untouched, view_of(machine)) == []
