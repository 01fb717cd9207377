"""Garage on several machines, as the policy brings it: hosts that die, come back, leave and join; nothing is lost.

The tests follow each other, on the same machines.
"""

import random
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from fedikit.agent.exchange import Answer, ask
from fedikit.agent.garage import Garage
from fedikit.agent.layout import still_moving
from fedikit.agent.signature import Access, signed_headers
from fedikit.environment import Environment
from fedikit.events import tell_nobody
from fedikit.model import Bucket, Deployment, HostItems, ObjectBucket
from fedikit.model.item import Package
from fedikit.plan import make_plan
from fedikit.results.plan import Plan
from fedikit.secrets import Vault
from fedikit_lab import Lab, Machine
from fedikit_lab.supply import mirrors, supply_images
from tests.failure.scene import applied, error_of, ssh_to, switch_off
from tests.model.example import probing_several

pytestmark = pytest.mark.lab
MACHINES = ("one", "two", "three", "four")
SIZE = 50_000
BLOCK_NAME = 64
ANSWER_SECONDS = 100
"""Until a node that is off counts as such, in some 85 s, whoever asks it first waits 10 s, several times a request."""
WANTED = probing_several(
    base={"podman": HostItems(items=(Package(name="podman"),))}, media={"media": ObjectBucket(name="media")}
)
THREE: dict[str, Any] = {"hosts": ["one", "two", "three"], "replication_factor": 3}


@pytest.fixture(scope="module")
def lab(lab_directory: Callable[[str], Path]) -> Iterator[Lab]:
    supply_images(["garage"], tell=tell_nobody)
    with Lab(lab_directory("garage-hosts"), MACHINES, acme=False) as lab:
        yield lab


class Cloud:
    """What a provider writes about the machines, and what an application on `four` gets of it."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab

    def wants(self, *, machines: tuple[str, ...] = MACHINES, **bucket: Any) -> Deployment:
        policy = {"means": "garage", "capacity_gigabytes": 1, **bucket}
        written = {
            "name": "cloud",
            "hosts": {name: ssh_to(self.lab[name]).model_dump() for name in machines},
            "policies": {"bucket": policy, "container": {"mirrors": mirrors()}},
            "placement": {"base": machines, "media": "four"},
            "secrets": {"master_key": f"file:{self.lab.directory / 'master.key'}"},
        }
        return Environment.model_validate(written).deployment(WANTED)

    def plan(self, **bucket: Any) -> Plan:
        return make_plan(self.wants(**bucket))

    def apply(self, **bucket: Any) -> None:
        report = applied(self.wants(**bucket))
        assert report.succeeded, report
        left = self.plan(**bucket)
        assert not [change for host in left.hosts.values() for change in host.changes], left

    @contextmanager
    def store(self, name: str = "four") -> Iterator["Store"]:
        """The bucket, as it is seen by what runs on a machine."""
        vault = Vault.of(self.wants(**THREE))
        bucket = next(
            item for item in self.wants(**THREE).hosts["one"].items if isinstance(item, Bucket) and item.name == "media"
        )
        key, secret = vault.text(bucket.access).split(" ")
        with tunnel(self.lab[name], 3900) as address:
            yield Store(Access(address, "garage", key, secret))

    @contextmanager
    def admin(self, name: str) -> Iterator[Garage]:
        token = self.lab[name].succeed("cat /etc/fedikit/garage/admin-token").strip()
        with tunnel(self.lab[name], 3903) as address:
            yield Garage(address, token)


class Store:
    """A bucket with objects called by numbers, each of its own content, too large to lie among the metadata."""

    def __init__(self, access: Access) -> None:
        self.access = access

    def put(self, *numbers: int) -> None:
        with ThreadPoolExecutor(10) as pool:
            assert {answer.status for answer in pool.map(self._put, numbers)} == {200}

    def has(self, *numbers: int) -> bool:
        with ThreadPoolExecutor(10) as pool:
            return all(pool.map(lambda number: self._call(f"GET /media/{number}") == (200, _content(number)), numbers))

    def _put(self, number: int) -> Answer:
        return self._call(f"PUT /media/{number}", _content(number))

    def _call(self, request: str, body: bytes = b"") -> Answer:
        headers = signed_headers(self.access, request, body)
        return ask(self.access.address, request, headers=headers, body=body, seconds=ANSWER_SECONDS)


def _content(number: int) -> bytes:
    return random.Random(number).randbytes(SIZE)


@contextmanager
def tunnel(machine: Machine, port: int) -> Iterator[str]:
    """An address here of what listens on the machine alone."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        here = free.getsockname()[1]
    command = ["ssh", *machine.ssh_options(), "-NL", f"127.0.0.1:{here}:127.0.0.1:{port}", f"root@{machine.address}"]
    process = subprocess.Popen(command)
    try:
        wait_until(lambda: _is_open(here), seconds=10)
        yield f"http://127.0.0.1:{here}"
    finally:
        process.kill()  # It has nothing to put away, and ssh can miss a SIGTERM that comes just before it waits.
        process.wait()


def _is_open(port: int) -> bool:
    with socket.socket() as door:
        return door.connect_ex(("127.0.0.1", port)) == 0


def wait_until(condition: Callable[[], bool], *, seconds: float, pause: float = 0.5) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"it did not come within {seconds} s"
        time.sleep(pause)


def blocks(machine: Machine) -> set[str]:
    """The blocks that it keeps, by their hashes."""
    found = machine.succeed("find /srv/garage-data -type f -printf '%f\\n'").split()
    return {name for name in found if len(name) >= BLOCK_NAME}


def has_caught_up(garage: Garage, machine: Machine) -> bool:
    """Whether it keeps what the others do; if not, they are told to look now, not within ten minutes."""
    garage.call("LaunchRepairOperation", "node=*", body={"repairType": "tables"})
    return len(blocks(machine)) == len(FEW) + len(MORE)


def reasons(plan: Plan) -> list[str]:
    changes = [change for host in plan.hosts.values() for change in host.changes if change.id == "cluster:garage"]
    return [reason for change in changes for reason in change.reasons]


@pytest.fixture(scope="module")
def cloud(lab: Lab) -> Cloud:
    return Cloud(lab)


FEW, MORE = range(10), range(10, 20)


def test_one_apply_makes_three_hosts_one_store_with_a_gateway(cloud: Cloud) -> None:
    cloud.apply(**THREE)
    with cloud.store() as store:
        store.put(*FEW)
        assert store.has(*FEW)
    for name in THREE["hosts"]:
        wait_until(lambda name=name: len(blocks(cloud.lab[name])) == len(FEW), seconds=30)
    assert blocks(cloud.lab["four"]) == set()


def test_another_number_of_copies_is_refused_before_anything_is_done(cloud: Cloud) -> None:
    report = applied(cloud.wants(**(THREE | {"replication_factor": 2})))
    for name in MACHINES:
        assert "let replication_factor be 3" in error_of(report, name)


def test_nothing_is_lost_while_a_machine_is_off_and_it_catches_up(cloud: Cloud) -> None:
    two = cloud.lab["two"]
    switch_off(two)
    with cloud.store() as store, cloud.store("one") as elsewhere:
        assert store.has(*FEW)
        store.put(*MORE)
        assert elsewhere.has(*FEW, *MORE)
    two.start()
    with cloud.admin("one") as garage:
        wait_until(lambda: has_caught_up(garage, two), seconds=200, pause=15)
        assert garage.call("GetClusterHealth")["status"] == "healthy"
        wait_until(lambda: still_moving(garage) == "", seconds=60)
    assert blocks(two) == blocks(cloud.lab["one"])


def test_a_host_leaves_when_another_has_what_it_held(cloud: Cloud) -> None:
    wanted = {"hosts": ["one", "two", "four"], "replication_factor": 3}
    assert reasons(cloud.plan(**wanted)) == [
        "four: no room of its own → 1 GB", "three leaves, once what it holds is with the others",
    ]  # fmt: skip
    cloud.apply(**wanted)
    assert blocks(cloud.lab["four"]) == blocks(cloud.lab["one"])
    cloud.lab["three"].fails("systemctl is-active garage")
    switch_off(cloud.lab["three"])
    with cloud.store() as store:
        assert store.has(*FEW, *MORE)
    cloud.lab["three"].start()


def test_the_first_host_is_followed_when_it_is_lost(cloud: Cloud) -> None:
    cloud.lab["one"].succeed("systemctl stop garage")  # so that the others know it soon
    switch_off(cloud.lab["one"])
    with cloud.admin("two") as garage:
        wait_until(lambda: garage.call("GetClusterHealth")["status"] != "healthy", seconds=120)
    cloud.apply(machines=("two", "three", "four"), hosts=["two", "three", "four"], replication_factor=3)
    assert blocks(cloud.lab["three"]) == blocks(cloud.lab["four"])
    with cloud.store() as store:
        assert store.has(*FEW, *MORE)
    cloud.lab["one"].start()


def test_what_one_host_kept_stays_where_others_join_it(cloud: Cloud) -> None:
    for name in MACHINES:
        cloud.lab[name].succeed(
            "systemctl stop garage; rm -rf /srv/garage-* /etc/fedikit/garage /etc/containers/systemd/*"
        )
        cloud.lab[name].succeed("systemctl daemon-reload; rm -rf /var/lib/fedikit/deployments")
    cloud.apply(host="one")
    with cloud.admin("one") as garage:
        (own,) = garage.call("GetNodeInfo", "node=self")["success"]
    with tunnel_to_address(cloud) as store:
        store.put(*FEW)
    report = applied(cloud.wants(hosts=["one", "two"]))
    assert f'[policies.bucket.nodes] one = "{own}"' in error_of(report, "one")
    assert report.hosts["four"].error == "waits for one, which failed"
    cloud.apply(hosts=["one", "two"], nodes={"one": own})
    with cloud.store() as store:
        assert store.has(*FEW)


@contextmanager
def tunnel_to_address(cloud: Cloud) -> Iterator[Store]:
    """The store of a Garage that listens at its host's address."""
    with cloud.store("one") as store:
        yield Store(store.access._replace(address=f"http://{cloud.lab['one'].address}:3900"))
