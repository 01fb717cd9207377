"""Garage on several hosts: who runs what, who waits for whom, and what is refused beforehand."""

import tomllib
from typing import Any

import pytest

from fedikit.environment import Environment
from fedikit.model import Bucket, BucketWorks, Deployment, HostState, Job, SecretRef, SecretText
from fedikit.model.item import Cluster, secrets_in
from fedikit.model.resource import ObjectBucket, OtherServers, PostgresDatabase
from fedikit.model.stores import Member
from tests.model.example import (
    MEDIA_SERVERS,
    configuration,
    environment,
    files,
    ids,
    only,
    probing,
    probing_several,
    refusal,
    text,
)

PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
PUBLIC = ObjectBucket(name="probe", public_at="media.probe.fedi.test")
SPREAD = {"means": "garage", "hosts": ["objects", "spare", "pixelfed"], "replication_factor": 3}
STORING = ("objects", "spare", "pixelfed")
GATEWAYS = ("mastodon", "peertube")


def spread(policies: dict[str, Any] | None = None, **bucket: Any) -> Environment:
    return environment({"bucket": SPREAD | bucket, **(policies or {})})


@pytest.fixture(scope="module")
def deployment() -> Deployment:
    return spread().deployment(configuration(*MEDIA_SERVERS))


def cluster_of(state: HostState) -> Cluster:
    (cluster,) = (item for item in state.items if isinstance(item, Cluster))
    return cluster


def settings(deployment: Deployment, host: str) -> dict[str, Any]:
    return tomllib.loads(files(deployment.hosts[host])["/etc/fedikit/garage/garage.toml"])


def test_every_host_that_keeps_objects_or_has_an_application_runs_one_node(deployment: Deployment) -> None:
    running = {host for host, state in deployment.hosts.items() if "unit:garage.service" in ids(state)}

    assert running == {*STORING, *GATEWAYS}
    assert {settings(deployment, host)["replication_factor"] for host in running} == {3}


def test_only_rpc_answers_beyond_a_host(deployment: Deployment) -> None:
    for host, address in [("objects", "10.0.0.2"), ("mastodon", "10.0.0.3")]:
        told = settings(deployment, host)
        assert told["rpc_bind_addr"] == told["rpc_public_addr"] == f"{address}:3901"
        assert told["s3_api"]["api_bind_addr"] == "127.0.0.1:3900"
        assert told["s3_web"]["bind_addr"] == "127.0.0.1:3902"
        assert told["admin"]["api_bind_addr"] == "127.0.0.1:3903"


def test_the_first_host_alone_says_who_keeps_what_and_makes_the_buckets(deployment: Deployment) -> None:
    having = {host for host in (*STORING, *GATEWAYS) if cluster_of(deployment.hosts[host]).members}
    buckets = {
        (host, item.name)
        for host, state in deployment.hosts.items()
        for item in state.items
        if isinstance(item, Bucket)
    }

    assert having == {"objects"}
    assert buckets == {("objects", name) for name in (*MEDIA_SERVERS, "peertube-private")}
    there = ids(deployment.hosts["objects"])
    assert there.index("cluster:garage") < min(there.index(f"bucket:{name}") for name in MEDIA_SERVERS)


def test_it_knows_all_of_them_and_gateways_keep_nothing(deployment: Deployment) -> None:
    cluster = cluster_of(deployment.hosts["objects"])

    assert (cluster.host, cluster.copies) == ("objects", 3)
    assert {member.host: member.capacity for member in cluster.members} == {
        **dict.fromkeys(STORING, 100 * 10**9),
        **dict.fromkeys(GATEWAYS),
    }
    assert cluster.members[1] == Member(
        host="spare",
        zone="spare",
        capacity=100 * 10**9,
        id=SecretRef(name="garage/node-spare", format="garage-node-id"),
        address="10.0.0.6:3901",
    )
    assert text(cluster.nodes).splitlines()[1] == "spare <garage/node-spare garage-node-id 1>@10.0.0.6:3901"


def test_each_host_knows_how_many_copies_there_are_so_that_it_can_refuse_another_number(deployment: Deployment) -> None:
    assert {cluster_of(deployment.hosts[host]).copies for host in (*STORING, *GATEWAYS)} == {3}


def test_zones_capacities_and_known_nodes_are_the_providers() -> None:
    known = "ab" * 32
    environment = spread(
        zones={"spare": "lyon"}, capacity_gigabytes=5, capacities={"spare": 7}, nodes={"objects": known}
    )
    deployment = environment.deployment(configuration("mastodon"))
    members = {member.host: member for member in cluster_of(deployment.hosts["objects"]).members}

    assert [members["spare"].zone, members["objects"].zone] == ["lyon", "objects"]
    assert [members["spare"].capacity, members["objects"].capacity] == [7 * 10**9, 5 * 10**9]
    assert members["objects"].id == known
    assert "job:garage node" not in ids(deployment.hosts["objects"])


def test_each_node_gets_its_key_and_no_key_stands_in_a_command(deployment: Deployment) -> None:
    (job,) = (item for item in deployment.hosts["spare"].items if item.id == "job:garage node")

    assert isinstance(job, Job)
    assert isinstance(job.stdin, SecretText)
    assert text(job.stdin) == "<garage/admin-token hex64 1>\n<garage/node-spare garage-node-key 1>"
    assert (job.run[-2:], job.check[-2:]) == (("make", "key"), ("check", "key"))


def test_only_a_host_that_has_a_key_knows_it_by_a_permanent_secret(deployment: Deployment) -> None:
    """So whoever comes first later is known by the same secret as before."""
    permanent = {
        host: {
            (secret.name, secret.format)
            for secret in secrets_in(state.items)
            if secret.permanent and "/node-" in secret.name
        }
        for host, state in deployment.hosts.items()
    }
    assert {host: found for host, found in permanent.items() if found} == {
        host: {(f"garage/node-{host}", "garage-node-key")} for host in (*STORING, *GATEWAYS)
    }


def test_an_application_uses_the_garage_of_its_own_host(deployment: Deployment) -> None:
    checks = {check.application: check for check in deployment.checks if isinstance(check, BucketWorks)}

    assert {name: (check.host, check.endpoint) for name, check in checks.items()} == {
        name: (name, "http://127.0.0.1:3900") for name in MEDIA_SERVERS
    }


def test_its_media_host_is_its_own_host(deployment: Deployment) -> None:
    led = {record.name: record.address for record in deployment.dns}

    assert led["media.mastodon.fedi.test"] == led["mastodon.fedi.test"] == "10.0.0.3"
    assert "/etc/caddy/sites/media.mastodon.fedi.test.caddy" in files(deployment.hosts["mastodon"])


def test_an_application_elsewhere_waits_for_its_bucket_before_it_starts(deployment: Deployment) -> None:
    there = ids(deployment.hosts["mastodon"])

    assert there.index("unit:garage.service") < there.index("job:garage bucket mastodon")
    assert there.index("job:garage bucket mastodon") < there.index("unit:mastodon-web.service")
    here = environment({"bucket": SPREAD}, {"mastodon": "objects"}).deployment(configuration("mastodon"))
    assert "job:garage bucket mastodon" not in ids(here.hosts["objects"]), "where it is made, it is there already"


def test_hosts_of_one_garage_are_changed_at_the_same_time(deployment: Deployment) -> None:
    assert [state.after for state in deployment.hosts.values() if state.after] == []


def test_too_few_at_a_time_is_refused() -> None:
    few = environment({"bucket": SPREAD}, parallel={"hosts": 4})

    assert refusal(few, configuration(*MEDIA_SERVERS)) == [
        (
            "parallel.hosts",
            "should be 5 at least: objects, spare, pixelfed, mastodon, peertube are changed at the same time",
        )
    ]


def test_hosts_that_would_wait_in_vain_are_refused() -> None:
    """The database's host would be done only when the bucket is there, for which the other host's Garage is needed."""
    policies = {"bucket": {"means": "garage", "hosts": ["objects"]}, "postgresql": {"host": "objects"}}
    wanted = probing(media=PUBLIC, database=PostgresDatabase(name="probe"))

    assert refusal(only({"probe": "spare"}, policies), wanted) == [
        ("policies.bucket.hosts", "has objects wait for spare, which is only changed after objects")
    ]


def test_a_database_on_a_host_that_waits_for_nobody_is_fine() -> None:
    policies = {"bucket": {"means": "garage", "hosts": ["objects", "six"]}, "postgresql": {"host": "six"}}
    wanted = probing(media=PUBLIC, database=PostgresDatabase(name="probe"))

    assert only({"probe": "spare"}, policies).deployment(wanted).hosts["spare"].after == ("six",)


def test_applications_of_several_hosts_bring_their_gateways_together() -> None:
    asked = {f"probe{n}": {"media": ObjectBucket(name=f"probe{n}")} for n in range(2)}
    placed = only({"probe0": "spare", "probe1": "six"}, {"bucket": {"means": "garage", "hosts": ["objects"]}})
    deployment = placed.deployment(probing_several(**asked))

    assert [member.host for member in cluster_of(deployment.hosts["objects"]).members] == ["objects", "spare", "six"]
    assert settings(deployment, "six")["rpc_bind_addr"] == "[2001:db8::7]:3901"


def test_garage_is_the_same_for_applications_that_trust_other_authorities_and_those_that_do_not() -> None:
    asked = {
        "probe0": {"others": OtherServers(), "media": ObjectBucket(name="probe0")},
        "probe1": {"media": ObjectBucket(name="probe1")},
    }
    bucket = {"means": "garage", "hosts": ["objects"]}
    placed = only(dict.fromkeys(asked, "spare"), {"bucket": bucket, "web": {"means": "caddy", "trust": PEM}})

    assert ids(placed.deployment(probing_several(**asked)).hosts["objects"]).count("unit:garage.service") == 1
