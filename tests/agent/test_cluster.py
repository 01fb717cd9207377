"""The kind `cluster`, with a stand-in for Garage; `tests/lab/test_garage_hosts.py` has the real one."""

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest

from fedikit.agent import layout
from fedikit.agent.blobs import Blobs
from fedikit.agent.cluster import ClusterKind
from fedikit.agent.trouble import Trouble
from fedikit.agent.work import Work
from tests.agent.conftest import Host, QuietHands
from tests.agent.garage import TOKEN, GarageStandIn

Item = dict[str, Any]
GB = 10**9
THREE = {"one": 10 * GB, "two": 10 * GB, "three": 10 * GB}


def id_of(host: str) -> str:
    return hashlib.sha256(host.encode()).hexdigest()


@pytest.fixture
def garage(monkeypatch: pytest.MonkeyPatch) -> Iterator[GarageStandIn]:
    for name in ("MEETING_SECONDS", "QUIET_SECONDS"):
        monkeypatch.setattr(layout, name, 0.2)
    monkeypatch.setattr(layout, "PAUSE_SECONDS", 0.01)
    stand_in = GarageStandIn()
    stand_in.cluster.own = id_of("one")
    stand_in.cluster.up = {id_of("one")}
    stand_in.cluster.reachable = {id_of(host) for host in ("two", "three", "four", "app")}
    yield stand_in
    stand_in.close()


class Cluster:
    """The item on the host `one`, and what the agent makes of it."""

    def __init__(self, host: Host, garage: GarageStandIn) -> None:
        (host.root / "token").write_text(TOKEN)
        self.hands = QuietHands(str(host.root))
        self.garage = garage
        self.work = Work(Blobs(str(host.home / "store")), {}, purge=False)

    def item(self, capacities: dict[str, int | None] | dict[str, int], **fields: Any) -> Item:
        members = [{"host": host, "zone": host, "capacity": capacity} for host, capacity in capacities.items()]
        nodes = [f"{host} {id_of(host)}@10.0.0.1:3901\n" for host in capacities]
        self.work.secrets["cluster:garage"] = "".join(nodes)
        usual: Item = {"id": "cluster:garage", "kind": "cluster", "host": "one", "copies": 1, "seal": "00"}
        usual["deadline"] = 60
        return {**usual, "admin": self.garage.address, "token_file": "/token", "members": members, **fields}

    def reasons(self, item: Item) -> list[str]:
        state = ClusterKind().observe(self.hands, item)
        return ClusterKind().differences(item, state, self.work.done)

    def conflict(self, item: Item) -> str:
        return ClusterKind().conflict(item, ClusterKind().observe(self.hands, item))

    def make(self, item: Item) -> None:
        ClusterKind().converge(self.hands, item, self.work)


@pytest.fixture
def of(host: Host, garage: GarageStandIn) -> Cluster:
    return Cluster(host, garage)


def capacities(garage: GarageStandIn) -> dict[str, int | None]:
    return {role["tags"][1]: role["capacity"] for role in garage.cluster.roles.values()}


def test_all_nodes_get_their_roles_in_one_version_and_then_hold(of: Cluster, garage: GarageStandIn) -> None:
    item = of.item(THREE)
    assert of.reasons(item) == [f"{host} joins with 10 GB" for host in THREE]
    of.make(item)
    assert of.reasons(item) == []
    assert garage.cluster.version == 1
    assert capacities(garage) == THREE
    assert garage.cluster.roles[id_of("one")]["tags"] == ["fedikit", "one", "leads"]
    assert garage.cluster.roles[id_of("two")] == {"zone": "two", "capacity": 10 * GB, "tags": ["fedikit", "two"]}


def test_one_alone_needs_no_node_to_be_known(of: Cluster, garage: GarageStandIn) -> None:
    item = of.item({"one": 5 * GB})
    del item["seal"]
    of.make(item)
    assert capacities(garage) == {"one": 5 * GB}
    assert of.reasons(item) == []


def test_a_gateway_joins_without_room(of: Cluster, garage: GarageStandIn) -> None:
    of.make(of.item(THREE))
    item = of.item({**THREE, "app": None})
    assert of.reasons(item) == ["app joins with no room of its own"]
    of.make(item)
    assert capacities(garage) == {**THREE, "app": None}


def test_a_capacity_and_a_zone_change(of: Cluster, garage: GarageStandIn) -> None:
    of.make(of.item(THREE))
    item = of.item({**THREE, "two": 20 * GB})
    item["members"][2]["zone"] = "lyon"
    assert of.reasons(item) == ["two: 10 GB → 20 GB", "three: zone three → lyon"]
    of.make(item)
    assert of.reasons(item) == []
    assert garage.cluster.version == 2


def test_a_host_that_leaves_the_list_is_told_of_and_drained(of: Cluster, garage: GarageStandIn) -> None:
    of.make(of.item({**THREE, "four": GB}))
    item = of.item(THREE)
    assert of.reasons(item) == ["four leaves, once what it holds is with the others"]
    of.make(item)
    assert garage.cluster.moving == 0, "it has waited until the version before was at work no more"
    assert capacities(garage) == THREE


def test_no_version_is_applied_while_data_moves(of: Cluster, garage: GarageStandIn) -> None:
    of.make(of.item(THREE))
    garage.cluster.moving = 20
    of.make(of.item({**THREE, "four": GB}))
    assert not garage.cluster.applied_while_moving
    assert garage.cluster.version == 2


def test_a_wait_that_was_cut_short_is_owed(of: Cluster, garage: GarageStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    of.make(of.item({**THREE, "four": GB}))
    item = of.item(THREE)
    monkeypatch.setattr(layout, "STALLED_SECONDS", 0.05)
    monkeypatch.setattr(garage.cluster, "working", lambda: ["Draining"] if garage.cluster.version > 1 else [])
    with pytest.raises(Trouble, match="tables are on their way to other hosts"):
        of.make(item)
    monkeypatch.undo()
    assert of.reasons(item) == ["waits until all data is where it belongs"]


def test_a_block_that_is_on_its_way_is_waited_for(
    of: Cluster, garage: GarageStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    of.make(of.item(THREE))
    worker = {"name": "Block resync worker #1", "persistentErrors": 0, "queueLength": 3, "state": "busy"}
    monkeypatch.setattr(garage, "_ListWorkers", lambda node: {"success": {"x": [worker]}, "error": {}}, raising=False)
    monkeypatch.setattr(layout, "STALLED_SECONDS", 0.05)
    with pytest.raises(Trouble, match="up to 3 blocks of a host are on their way"):
        of.make(of.item({"one": GB, "two": GB}))


def test_what_does_not_end_in_its_time_is_given_up(
    of: Cluster, garage: GarageStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(garage.cluster, "working", lambda: ["Draining"])
    with pytest.raises(Trouble, match="is not where it belongs after 0 minutes"):
        of.make(of.item(THREE, deadline=0.05))


def test_the_deployer_is_told_how_long_it_may_take(host: Host, garage: GarageStandIn) -> None:
    told: list[tuple[str, float]] = []
    of = Cluster(host, garage)
    of.hands = QuietHands(str(host.root), note_command=lambda _, what, seconds: told.append((what, seconds)))
    of.make(of.item(THREE, deadline=4000))
    assert told == [("garage", 4000)]


def test_a_node_that_does_not_come_is_named(of: Cluster, garage: GarageStandIn) -> None:
    garage.cluster.reachable.remove(id_of("three"))
    with pytest.raises(Trouble, match="Garage does not reach three"):
        of.make(of.item(THREE))
    assert garage.cluster.version == 0


def test_a_host_that_leaves_unseen_is_left_behind_only_where_three_copies_are(
    of: Cluster, garage: GarageStandIn
) -> None:
    of.make(of.item({**THREE, "four": GB}))
    garage.cluster.up.remove(id_of("four"))
    with pytest.raises(Trouble, match="its data cannot follow"):
        of.make(of.item(THREE))
    assert "four" in capacities(garage)
    of.make(of.item(THREE, copies=3))
    assert garage.cluster.skipped == [2]


def test_another_number_of_copies_is_refused_with_words(of: Cluster, garage: GarageStandIn) -> None:
    of.make(of.item(THREE))
    assert of.conflict(of.item(THREE)) == ""
    assert "let replication_factor be 1" in of.conflict(of.item(THREE, copies=3))


def test_the_other_hosts_change_nothing_and_refuse_another_number_of_copies(of: Cluster, garage: GarageStandIn) -> None:
    of.make(of.item(THREE))
    garage.cluster.own = id_of("two")
    item = of.item({}, host="two")
    assert of.reasons(item) == []
    of.make(item)
    assert garage.cluster.version == 1
    assert "let replication_factor be 1" in of.conflict(of.item({}, host="two", copies=2))


def test_only_one_host_leads(of: Cluster, garage: GarageStandIn) -> None:
    of.make(of.item(THREE))
    garage.cluster.own = id_of("two")
    assert "name one first of its hosts" in of.conflict(of.item(THREE, host="two"))
    assert "name one first of its hosts" in of.conflict(of.item({"two": GB, "three": GB, "four": GB}, host="two"))


def test_one_that_is_lost_is_followed_by_another(of: Cluster, garage: GarageStandIn) -> None:
    of.make(of.item(THREE))
    garage.cluster.own = id_of("two")
    garage.cluster.up = {id_of("two")}
    assert "name one first of its hosts" in of.conflict(of.item(THREE, host="two")), "it is still named"
    item = of.item({"two": 10 * GB, "three": 10 * GB, "four": GB}, host="two", copies=3)
    garage.cluster.copies = 3
    assert of.conflict(item) == ""
    of.make(item)
    assert garage.cluster.roles[id_of("two")]["tags"] == ["fedikit", "two", "leads"]
    assert of.reasons(item) == []


def test_a_node_with_data_and_another_id_is_told_how_to_name_it(of: Cluster, garage: GarageStandIn) -> None:
    garage.cluster.own = "a" * 64
    with pytest.raises(Trouble, match="under another id here") as trouble:
        of.make(of.item(THREE))
    assert trouble.value.hint.endswith(f'[policies.bucket.nodes] one = "{"a" * 64}"')


def test_roles_and_changes_of_somebody_else_are_left_alone(of: Cluster, garage: GarageStandIn) -> None:
    garage.cluster.roles["f" * 64] = {"zone": "theirs", "capacity": GB, "tags": ["mine"]}
    of.make(of.item(THREE))
    assert garage.cluster.roles["f" * 64]["zone"] == "theirs"
    garage.cluster.staged = [{"id": "e" * 64, "zone": "x", "capacity": 1, "tags": []}]
    with pytest.raises(Trouble, match="somebody else is changing"):
        of.make(of.item({"one": GB}))


def test_a_layout_from_before_roles_were_named_is_taken_over(of: Cluster, garage: GarageStandIn) -> None:
    garage.cluster.version = 1
    garage.cluster.roles[id_of("one")] = {"zone": "one", "capacity": 10 * GB, "tags": []}
    item = of.item({"one": 10 * GB})
    assert of.reasons(item) == ["one gets its name in the layout"]
    of.make(item)
    assert of.reasons(item) == []


def test_a_garage_that_is_not_there_yet_is_to_be_made(of: Cluster) -> None:
    item = of.item(THREE, token_file="/nothing")
    assert of.reasons(item) == ["there is no /nothing, which Garage is asked with"]
    assert of.conflict(item) == ""


def test_an_apply_through_the_whole_agent(host: Host, garage: GarageStandIn) -> None:
    (host.root / "etc/token").write_text(TOKEN)
    members = [{"host": "one", "zone": "one", "capacity": GB}]
    item = {
        "id": "cluster:garage", "kind": "cluster", "host": "one", "copies": 1, "members": members,
        "admin": garage.address, "token_file": "/etc/token", "deadline": 60,
    }  # fmt: skip
    assert host.actions(item) == {"cluster:garage": "update"}
    assert host.apply(item)[-1]["event"] == "done"
    assert host.actions(item) == {}
    assert host.remove()[-1]["event"] == "done"
    assert capacities(garage) == {"one": GB}, "where Garage leaves, roles stay with the data"
