"""Buckets: in the environment's own Garage, or at any provider who speaks S3."""

import tomllib
from typing import Any

import pytest

from fedikit.environment import Environment
from fedikit.errors import ConfigurationError
from fedikit.model import (
    Bucket,
    BucketWorks,
    Deployment,
    File,
    HostItems,
    ObjectBucket,
    Permission,
    SecretRef,
    SecretText,
    Shown,
    WebSite,
)
from fedikit.model.host import HostState
from fedikit.model.item import Cluster
from fedikit.model.stores import Member
from fedikit.policies import GaragePolicy, S3Policy
from tests.model.example import (
    HOST_KEY,
    HOSTS,
    MEDIA_SERVERS,
    configuration,
    environment,
    files,
    ids,
    only,
    place,
    probing,
    refusal,
    text,
    variables,
)

PUBLIC = ObjectBucket(name="probe", public_at="media.probe.fedi.test", max_gigabytes=2)
PRIVATE = ObjectBucket(name="probe")
BUCKETS = ("mastodon", "peertube", "peertube-private", "pixelfed")
KEY = (
    SecretRef(name="probe/bucket-key", format="garage-key-id"),
    SecretRef(name="probe/bucket-key", format="garage-key-secret"),
)
S3 = {
    "means": "s3",
    "endpoint": "https://s3.example.org",
    "region": "eu-1",
    "access_key": "AKIA1",
    "prefix": "fedi-",
    "media": {f"fedi-{name}": f"{name}.cdn.example.org" for name in MEDIA_SERVERS},
    "acl": True,
}


@pytest.fixture(scope="module")
def deployment() -> Deployment:
    return environment().deployment(configuration(*MEDIA_SERVERS))


# Garage


def test_garage_is_brought_once_for_several_applications(deployment: Deployment) -> None:
    there = ids(deployment.hosts["objects"])

    assert there[:15] == [
        "package:podman",
        "image:docker.io/dxflrs/garage:v2.5.0",
        "directory:/etc/fedikit",
        "file:/etc/fedikit/shift-owners",
        "directory:/srv/garage-meta",
        "job:garage-meta owners",
        "directory:/srv/garage-data",
        "job:garage-data owners",
        "directory:/etc/fedikit/garage",
        "file:/etc/fedikit/garage/garage.toml",
        "file:/etc/fedikit/garage/rpc-secret",
        "file:/etc/fedikit/garage/admin-token",
        "file:/etc/containers/systemd/garage.container",
        "unit:garage.service",
        "cluster:garage",
    ]
    assert [id for id in there if id.startswith("bucket:")] == [f"bucket:{name}" for name in BUCKETS]
    assert len(there) == len(set(there))
    assert not [id for host in MEDIA_SERVERS for id in ids(deployment.hosts[host]) if "garage" in id or "bucket" in id]


def test_what_one_application_needs_of_garage_is_what_three_need(deployment: Deployment) -> None:
    alone = environment().deployment(configuration("peertube")).hosts["objects"]

    assert {item.id: item for item in alone.items if not item.id.startswith("unit:caddy")}.items() <= {
        item.id: item for item in deployment.hosts["objects"].items
    }.items()


def test_media_hosts_lead_to_garages_host_and_applications_to_their_own(deployment: Deployment) -> None:
    assert {record.name: record.address for record in deployment.dns} == {
        "media.mastodon.fedi.test": "10.0.0.2",
        "media.peertube.fedi.test": "10.0.0.2",
        "media.pixelfed.fedi.test": "10.0.0.2",
        "mastodon.fedi.test": "10.0.0.3",
        "peertube.fedi.test": "10.0.0.4",
        "pixelfed.fedi.test": "10.0.0.5",
    }
    site = files(deployment.hosts["objects"])["/etc/caddy/sites/media.peertube.fedi.test.caddy"]
    assert "reverse_proxy 127.0.0.1:3902\n" in site


def test_only_the_s3_api_answers_beyond_the_host(deployment: Deployment) -> None:
    settings = tomllib.loads(files(deployment.hosts["objects"])["/etc/fedikit/garage/garage.toml"])

    assert settings["s3_api"] == {"api_bind_addr": "10.0.0.2:3900", "s3_region": "garage"}
    assert settings["rpc_bind_addr"] == "127.0.0.1:3901"
    assert settings["s3_web"]["bind_addr"] == "127.0.0.1:3902"
    assert settings["admin"]["api_bind_addr"] == "127.0.0.1:3903"


def test_its_secrets_are_in_files_of_their_own_that_root_reads(deployment: Deployment) -> None:
    secret = [item for item in deployment.hosts["objects"].items if isinstance(item, File)]
    secret = [item for item in secret if isinstance(item.content, SecretText)]

    assert {item.path: text(item.content) for item in secret} == {
        "/etc/fedikit/garage/rpc-secret": "<garage/rpc hex64 1>",
        "/etc/fedikit/garage/admin-token": "<garage/admin-token hex64 1>",
    }
    assert {item.mode for item in secret} == {"0400"}


def test_an_ipv6_address_stands_in_brackets() -> None:
    provision = GaragePolicy(host="six").typed(place())(PUBLIC)
    state = only({"probe": "spare"}, {"bucket": {"means": "garage", "host": "six"}}).deployment(probing(media=PUBLIC))

    assert provision.facts["endpoint"] == "http://[2001:db8::7]:3900"
    assert (
        '[s3_api]\napi_bind_addr = "[2001:db8::7]:3900"'
        in (files(state.hosts["six"])["/etc/fedikit/garage/garage.toml"])
    )


def cluster_of(state: HostState) -> Cluster:
    (cluster,) = (item for item in state.items if isinstance(item, Cluster))
    return cluster


def test_its_zone_and_capacity_are_the_providers() -> None:
    policy = {"bucket": {"means": "garage", "host": "spare", "capacity_gigabytes": 7}}
    state = environment(policy).deployment(configuration("mastodon")).hosts["spare"]

    assert cluster_of(state) == Cluster(
        host="spare",
        members=(Member(host="spare", zone="spare", capacity=7_000_000_000),),
        token_file="/etc/fedikit/garage/admin-token",
    )
    assert cluster_of(state).nodes == ""


def test_a_public_bucket_is_one_and_its_facts_say_where() -> None:
    provision = GaragePolicy(host="objects").typed(place())(PUBLIC)

    *_, items, site = (ask.request for ask in provision.asks)
    assert isinstance(site, WebSite)
    assert isinstance(items, HostItems)
    assert items.items == (
        Bucket(
            name="probe",
            access=SecretText(parts=(KEY[0], " ", KEY[1])),
            websites=("media.probe.fedi.test",),
            origins=("*",),
            max_bytes=2_000_000_000,
            s3="http://10.0.0.2:3900",
            token_file="/etc/fedikit/garage/admin-token",
        ),
    )
    assert {ask.host for ask in provision.asks} == {"objects"}
    assert provision.facts == {
        "endpoint": "http://10.0.0.2:3900",
        "endpoint-host": "10.0.0.2:3900",
        "encrypted": "no",
        "region": "garage",
        "bucket": "probe",
        "key-id": KEY[0],
        "key-secret": KEY[1],
        "public-url": "https://media.probe.fedi.test",
        "public-host": "media.probe.fedi.test",
        "acl-public": "",
        "acl-private": "",
    }
    assert set(provision.facts) == set(PUBLIC.FACTS)


@pytest.mark.parametrize(
    "policy", [GaragePolicy(host="objects"), S3Policy(endpoint="https://a.test", region="r", access_key="k")]
)
def test_a_private_bucket_has_no_public_address(policy: GaragePolicy | S3Policy) -> None:
    provision = policy.typed(place())(PRIVATE)

    assert (provision.facts["public-url"], provision.facts["public-host"]) == ("", "")
    assert not [ask for ask in provision.asks if isinstance(ask.request, WebSite)]


def test_garages_host_needs_an_ip_address() -> None:
    named = environment()
    objects = HOSTS["objects"].model_copy(update={"address": "objects.example.org", "public_address": "10.0.0.2"})
    named = named.model_copy(update={"hosts": {**named.hosts, "objects": objects}})

    assert refusal(named, configuration("mastodon")) == [
        ("hosts.objects.address", "should be an IP address: applications reach Garage by it")
    ]


def test_a_host_that_is_none_is_named_when_the_environment_is_read() -> None:
    with pytest.raises(ConfigurationError) as refused:
        environment({"bucket": {"means": "garage", "host": "object"}})

    assert [(mistake.path, mistake.message) for mistake in refused.value.mistakes] == [
        ("policies.bucket.host", 'names "object", which is no host; did you mean "objects"?')
    ]


# Which of a public bucket's objects are shown

GUARDED = PUBLIC.model_copy(
    update={
        "shows": (
            Shown(prefix="open/"),
            Shown(
                prefix="films/",
                permission=Permission(domain="probe.fedi.test", path="/may/{1}/{2}", headers={"Range": "bytes=0-0"}),
            ),
        )
    }
)


def media_site(*, application_on: str) -> str:
    deployment = only({"probe": application_on}).deployment(probing(media=GUARDED))
    return files(deployment.hosts["objects"])["/etc/caddy/sites/media.probe.fedi.test.caddy"]


def test_what_must_be_asked_for_is_shown_only_if_the_applications_site_says_yes() -> None:
    site = media_site(application_on="spare")

    assert (
        "\t\thandle /films/* {\n"
        "\t\t\tforward_auth https://10.0.0.6 {\n"
        "\t\t\t\turi /may/{http.request.uri.path.1}/{http.request.uri.path.2}\n"
        "\t\t\t\theader_up Host probe.fedi.test\n"
        "\t\t\t\theader_up -Authorization\n"
        '\t\t\t\theader_up Range "bytes=0-0"\n'
        "\t\t\t\ttransport http {\n"
        "\t\t\t\t\ttls_server_name probe.fedi.test\n"
        "\t\t\t\t}\n"
        "\t\t\t}\n"
        "\t\t\treverse_proxy 127.0.0.1:3902\n"
        "\t\t}\n"
    ) in site
    assert "\t\thandle /open/* {\n\t\t\treverse_proxy 127.0.0.1:3902\n\t\t}\n" in site


def test_nothing_else_of_it_is_shown_but_what_a_check_puts_there() -> None:
    site = media_site(application_on="objects")

    handled = [line.split()[1] for line in site.splitlines() if line.startswith("\t\thandle ")]
    assert handled == ["/open/*", "/films/*", "/fedikit-check/*", "{"]
    assert site.endswith("\t\thandle {\n\t\t\trespond 404\n\t\t}\n\t}\n}\n")


def test_a_provider_of_s3_must_tell_private_objects_from_others() -> None:
    without = S3Policy.model_validate({**S3, "acl": False, "media": {"fedi-probe": "probe.cdn.example.org"}})

    with pytest.raises(ConfigurationError, match=r"policies\.bucket\.acl: should be true"):
        without.typed(place())(GUARDED)
    told = without.model_copy(update={"acl": True}).typed(place())(GUARDED).facts
    assert (told["acl-public"], told["acl-private"]) == ("public-read", "private")


# What shows that it can be used


def checks_of(deployment: Deployment) -> dict[str, BucketWorks]:
    return {check.bucket: check for check in deployment.checks if isinstance(check, BucketWorks)}


def test_each_bucket_is_tried_from_its_applications_host_with_its_key(deployment: Deployment) -> None:
    checks = checks_of(deployment)

    assert [*checks] == [*BUCKETS]
    assert checks["peertube-private"].public_host is None
    assert checks["peertube"] == BucketWorks(
        application="peertube",
        host="peertube",
        endpoint="http://10.0.0.2:3900",
        region="garage",
        bucket="peertube",
        key_id=SecretRef(name="peertube/bucket-key", format="garage-key-id"),
        key_secret=SecretRef(name="peertube/bucket-key", format="garage-key-secret"),
        public_host="media.peertube.fedi.test",
    )


def test_a_rotated_key_is_the_one_that_is_tried() -> None:
    rotated = environment(secrets={"versions": {"mastodon/bucket-key": 3}}).deployment(configuration(*MEDIA_SERVERS))
    checks = checks_of(rotated)

    for secret, version in [(checks["mastodon"], 3), (checks["peertube"], 1)]:
        assert isinstance(secret.key_id, SecretRef)
        assert (secret.key_id.version, secret.key_secret.version) == (version, version)


def test_a_private_bucket_is_tried_by_nobody_but_the_application() -> None:
    private = only({"probe": "spare"}).deployment(probing(media=PRIVATE))

    assert checks_of(private)["probe"].public_host is None


# Whose turn it is


def test_garages_host_comes_before_those_of_the_applications(deployment: Deployment) -> None:
    assert {name: state.after for name, state in deployment.hosts.items() if state.after} == dict.fromkeys(
        MEDIA_SERVERS, ("objects",)
    )


def test_nobody_waits_for_a_garage_of_his_own() -> None:
    own = only({"probe": "objects"}).deployment(probing(media=PUBLIC))

    assert [state.after for state in own.hosts.values() if state.after] == []


def test_who_must_be_changed_before_garage_does_not_wait_for_it() -> None:
    hosts = {name: {"address": host.address, "host_key": HOST_KEY} for name, host in HOSTS.items()}
    hosts["objects"] |= {"after": ["mastodon"]}
    ordered = environment(hosts=hosts).deployment(configuration(*MEDIA_SERVERS))

    assert {name: state.after for name, state in ordered.hosts.items() if state.after} == {
        "objects": ("mastodon",),
        "peertube": ("objects",),
        "pixelfed": ("objects",),
    }


def test_a_database_comes_first_where_two_hosts_serve_each_other() -> None:
    """Migrations need the database; the bucket may come later."""
    policies = {"bucket": {"means": "garage", "host": "mastodon"}, "postgresql": {"host": "objects"}}
    crossed = environment(policies, {"peertube": "objects"}).deployment(configuration("mastodon", "peertube"))

    assert {name: state.after for name, state in crossed.hosts.items() if state.after} == {"mastodon": ("objects",)}


# A provider who speaks S3


def at_a_provider(**changes: Any) -> Environment:
    return environment({"bucket": S3 | changes})


def test_a_provider_of_s3_brings_no_items_and_no_names() -> None:
    deployment = at_a_provider().deployment(configuration(*MEDIA_SERVERS))

    assert deployment.hosts["objects"].items == ()
    assert not [id for host in deployment.hosts.values() for id in ids(host) if "garage" in id or "bucket:" in id]
    assert [record.name for record in deployment.dns] == [f"{name}.fedi.test" for name in MEDIA_SERVERS]


def test_the_applications_learn_of_the_providers_bucket() -> None:
    told = variables(at_a_provider().deployment(configuration("mastodon")), "mastodon")

    assert {name: told[name] for name in told if name.startswith(("S3_", "AWS_"))} == {
        "S3_ENABLED": "true",
        "S3_BUCKET": "fedi-mastodon",
        "AWS_ACCESS_KEY_ID": "AKIA1",
        "AWS_SECRET_ACCESS_KEY": "<s3/secret-key password 1>",
        "S3_REGION": "eu-1",
        "S3_ENDPOINT": "https://s3.example.org",
        "S3_PROTOCOL": "https",
        "S3_HOSTNAME": "mastodon.cdn.example.org",
        "S3_ALIAS_HOST": "mastodon.cdn.example.org",
        "S3_PERMISSION": "",
        "S3_READ_TIMEOUT": "5",
    }


def test_its_key_is_one_that_somebody_gives() -> None:
    provision = S3Policy.model_validate(S3).typed(place())(PRIVATE)
    secret = SecretRef(name="s3/secret-key", given=True)

    assert provision.facts["key-secret"] == secret
    assert provision.checks == (
        BucketWorks(
            application="probe",
            host="mastodon",
            endpoint="https://s3.example.org",
            region="eu-1",
            bucket="fedi-probe",
            key_id="AKIA1",
            key_secret=secret,
        ),
    )


def test_it_needs_a_media_host_for_every_application_and_all_that_lack_come_at_once() -> None:
    lacking = at_a_provider(media={"fedi-pixelfed": "px.cdn.example.org"})

    assert refusal(lacking, configuration(*MEDIA_SERVERS)) == [
        ("policies.bucket.media.fedi-mastodon", "is missing: mastodon shows what is there"),
        ("policies.bucket.media.fedi-peertube", "is missing: peertube shows what is there"),
    ]
