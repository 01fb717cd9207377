"""The firewall: what is open on each host follows from what is wanted there, and everything else is closed."""

import re
from typing import Any

import pytest

from fedikit.environment import Environment
from fedikit.errors import ConfigurationError
from fedikit.model import Container, Firewall, HostState, ObjectBucket, OpenPort, SystemService
from fedikit.model.item import Package
from tests.model.example import MEDIA_SERVERS, Data, configuration, environment, ids, only, probing, refusal

FIREWALL: Data = {"firewall": {}}
DOORS = (OpenPort(port=5222), OpenPort(port=3478, protocol="udp"))
SERVICE = SystemService(packages=("hello",), unit="hello.service", open=DOORS)


def firewall(state: HostState) -> Firewall:
    (found,) = (item for item in state.items if isinstance(item, Firewall))
    return found


def doors(state: HostState) -> dict[str, list[str]]:
    """What is open besides what networks need: by protocol and port, from where."""
    found: dict[str, list[str]] = {}
    for line in firewall(state).rules.splitlines():
        if match := re.fullmatch(r"\t\t(.*?) ?(tcp|udp) dport (\d+) accept  # .+", line):
            found.setdefault(f"{match[2]}/{match[3]}", []).append(match[1] or "everywhere")
    return found


WEB = {"tcp/80": ["everywhere"], "tcp/443": ["everywhere"], "udp/443": ["everywhere"]}
SSH = {"tcp/22": ["everywhere"]}


def test_without_the_policy_nothing_is_closed() -> None:
    states = environment().deployment(configuration(*MEDIA_SERVERS)).hosts.values()
    assert not [item for state in states for item in state.items if item.id in ("firewall:fedikit", "package:nftables")]


def test_hosts_of_the_sample_are_open_for_what_they_do() -> None:
    hosts = environment(FIREWALL).deployment(configuration(*MEDIA_SERVERS, peertube={"live": True})).hosts
    clients = "ip saddr { 10.0.0.3, 10.0.0.4, 10.0.0.5 }"
    assert doors(hosts["objects"]) == SSH | WEB | {"tcp/3900": [clients]}
    assert doors(hosts["mastodon"]) == SSH | WEB
    assert doors(hosts["peertube"]) == SSH | WEB | {"tcp/1935": ["everywhere"]}
    assert doors(hosts["spare"]) == SSH


def test_databases_and_nodes_of_garage_are_open_to_the_hosts_that_use_them() -> None:
    policies = FIREWALL | {
        "postgresql": {"host": "spare"},
        "mariadb": {"host": "spare"},
        "bucket": {"means": "garage", "hosts": ["objects", "spare", "six"]},
    }
    hosts = environment(policies).deployment(configuration(*MEDIA_SERVERS)).hosts
    assert doors(hosts["spare"]) == SSH | {
        "tcp/5432": ["ip saddr { 10.0.0.3, 10.0.0.4 }"],
        "tcp/3306": ["ip saddr { 10.0.0.5 }"],
        "tcp/3901": ["ip saddr { 10.0.0.2, 10.0.0.3, 10.0.0.4, 10.0.0.5 }", "ip6 saddr { 2001:db8::7 }"],
    }
    assert doors(hosts["mastodon"])["tcp/3901"] == ["ip saddr { 10.0.0.2, 10.0.0.6 }", "ip6 saddr { 2001:db8::7 }"]
    assert "tcp/3900" not in doors(hosts["spare"])


def test_what_applications_declare_is_open() -> None:
    container = Container(name="probe", image="docker.io/a/b:1", ports=(1234, 9000), open=(OpenPort(port=1234),))
    state = only({"probe": "spare"}, FIREWALL).deployment(probing(service=SERVICE, container=container)).hosts["spare"]
    assert doors(state) == SSH | {"tcp/5222": ["everywhere"], "udp/3478": ["everywhere"], "tcp/1234": ["everywhere"]}


def test_ssh_is_open_at_the_connections_port_from_the_networks_that_are_named() -> None:
    policies = {"firewall": {"ssh_from": ["192.0.2.0/24", "2001:db8::/32", "192.0.2.7/32"]}}
    written = environment(policies).model_dump(mode="json", by_alias=True)
    written["hosts"]["spare"]["port"] = 2222
    state = Environment.model_validate(written).deployment(configuration()).hosts["spare"]
    assert doors(state) == {"tcp/2222": ["ip saddr { 192.0.2.0/24 }", "ip6 saddr { 2001:db8::/32 }"]}
    assert firewall(state).ssh_port == 2222


def test_the_provider_opens_further_ports() -> None:
    opened = [{"port": 9100, "from": ["192.0.2.7/32"], "hosts": "spare"}, {"port": 51820, "protocol": "udp"}]
    hosts = environment({"firewall": {"open": opened}}).deployment(configuration()).hosts
    assert doors(hosts["spare"]) == SSH | {"tcp/9100": ["ip saddr { 192.0.2.7 }"], "udp/51820": ["everywhere"]}
    assert doors(hosts["six"]) == SSH | {"udp/51820": ["everywhere"]}


@pytest.mark.parametrize(("network", "told"), [("0.0.0.0/0", "meta nfproto ipv4"), ("::/0", "meta nfproto ipv6")])
def test_the_whole_of_a_protocol_is_no_set(network: str, told: str) -> None:
    hosts = environment({"firewall": {"ssh_from": [network]}}).deployment(configuration()).hosts
    assert doors(hosts["spare"]) == {"tcp/22": [told]}


def test_the_firewall_comes_before_what_it_guards_and_hosts_may_be_left_out() -> None:
    hosts = environment({"firewall": {"hosts": ["mastodon"]}}).deployment(configuration(*MEDIA_SERVERS)).hosts
    assert ids(hosts["mastodon"])[:5] == [
        "package:nftables", "directory:/etc/fedikit", "file:/etc/systemd/system/fedikit-firewall.service",
        "firewall:fedikit", "unit:fedikit-firewall.service",
    ]  # fmt: skip
    assert not [item for item in hosts["peertube"].items if isinstance(item, Firewall | Package) and "nft" in item.id]
    assert hosts["mastodon"].belongings.get("firewall:fedikit", ()) == ()


def test_a_host_that_is_let_in_must_have_an_address() -> None:
    written = only({"probe": "spare"}, FIREWALL).model_dump(mode="json", by_alias=True)
    written["hosts"]["spare"] |= {"address": "spare.example.org"}
    wanted = probing(media=ObjectBucket(name="probe"))
    words = "should be an IP address: the firewall of objects lets spare in by it, at port 3900"
    assert refusal(Environment.model_validate(written), wanted) == [("hosts.spare.address", words)]
    written["hosts"]["spare"] |= {"public_address": "192.0.2.5"}
    objects = Environment.model_validate(written).deployment(wanted).hosts["objects"]
    assert doors(objects)["tcp/3900"] == ["ip saddr { 192.0.2.5 }"]


def mistakes(policy: Any) -> list[str]:
    with pytest.raises(ConfigurationError) as refused:
        environment({"firewall": policy})
    return [f"{mistake.path} {mistake.message}" for mistake in refused.value.mistakes]


def test_hosts_that_do_not_exist_are_named_by_their_paths() -> None:
    assert mistakes({"hosts": ["mastodn"], "open": [{"port": 1, "hosts": ["spair"]}]}) == [
        'policies.firewall.hosts names "mastodn", which is no host; did you mean "mastodon"?',
        'policies.firewall.open.0.hosts names "spair", which is no host; did you mean "spare"?',
    ]
