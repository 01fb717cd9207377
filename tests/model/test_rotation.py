"""Rotation: the environment raises the version of a secret, and everything that uses it follows."""

from typing import Any

import pytest

from fedikit.environment import Environment
from fedikit.errors import ConfigurationError
from fedikit.model import Bucket, Database, Deployment, File, Job, SecretRef, SecretText, SignsIn
from fedikit.model.item import Item, content_of
from tests.model.example import MEDIA_SERVERS, configuration, environment, only, refusal

ALL = configuration(*MEDIA_SERVERS)


def with_versions(versions: dict[str, Any]) -> Environment:
    return environment(secrets={"versions": versions})


def uses(deployment: Deployment, name: str) -> dict[str, set[int]]:
    """Each item that uses a secret, with the versions of it there."""
    items = [item for host in deployment.hosts.values() for item in host.items]
    found = {item.id: {ref.version for ref in secrets_in(item) if ref.name == name} for item in items}
    return {id: versions for id, versions in found.items() if versions}


def secrets_in(item: Item) -> list[SecretRef]:
    content = content_of(item)
    return [part for part in content.parts if isinstance(part, SecretRef)] if isinstance(content, SecretText) else []


@pytest.mark.parametrize(
    ("name", "users"),
    [
        ("mastodon/database", {"database:postgresql/mastodon", "file:/etc/fedikit/mastodon.secrets.env"}),
        ("pixelfed/cache", {"file:/etc/redis/redis-pixelfed.conf", "file:/etc/fedikit/pixelfed.secrets.env"}),
        (
            "peertube/bucket-key",
            {"bucket:peertube", "bucket:peertube-private", "file:/etc/fedikit/peertube.secrets.env"},
        ),
        ("garage/admin-token", {"file:/etc/fedikit/garage/admin-token"}),
        ("mastodon/vapid", {"file:/etc/fedikit/mastodon.secrets.env"}),
        ("pixelfed/initial-user", {"job:pixelfed owner password"}),
    ],
)
def test_all_that_use_a_secret_get_its_new_version(name: str, users: set[str]) -> None:
    assert uses(environment().deployment(ALL), name) == {user: {1} for user in users}
    assert uses(with_versions({name: 3}).deployment(ALL), name) == {user: {3} for user in users}


def initial_passwords(versions: dict[str, int]) -> dict[str, tuple[int, bool]]:
    """By its name: the version of each application's initial password, and whether it was rotated alone."""
    deployment = with_versions(versions).deployment(ALL)
    refs = {ref for host in deployment.hosts.values() for item in host.items for ref in secrets_in(item) if ref.family}
    return {ref.name: (ref.version, ref.alone) for ref in refs}


def test_initial_passwords_are_rotated_one_by_one_or_all_at_once() -> None:
    names = [f"{name}/initial-user" for name in ("mastodon", "peertube", "pixelfed")]
    mastodon, *others = names

    assert initial_passwords({}) == dict.fromkeys(names, (1, False))
    assert initial_passwords({mastodon: 2}) == {mastodon: (2, True), **dict.fromkeys(others, (1, False))}
    assert initial_passwords({"initial-user/password": 3}) == dict.fromkeys(names, (3, False))
    both = {"initial-user/password": 3, mastodon: 2}
    assert initial_passwords(both) == {mastodon: (2, True), **dict.fromkeys(others, (3, False))}


def test_every_kind_of_item_with_a_secret_was_among_them() -> None:
    items = [item for host in environment().deployment(ALL).hosts.values() for item in host.items if secrets_in(item)]

    assert {type(item) for item in items} == {File, Job, Database, Bucket}


def test_a_new_version_is_another_deployment_and_changes_nothing_else() -> None:
    before, after = environment().deployment(ALL), with_versions({"mastodon/database": 2}).deployment(ALL)

    assert before.digest != after.digest
    changed = {
        item.id
        for host in before.hosts
        for item, other in zip(before.hosts[host].items, after.hosts[host].items, strict=True)
        if item != other
    }
    assert changed == {"database:postgresql/mastodon", "file:/etc/fedikit/mastodon.secrets.env"}


def test_both_halves_of_a_pair_share_a_version() -> None:
    deployment = with_versions({"mastodon/vapid": 2, "mastodon/bucket-key": 4}).deployment(configuration("mastodon"))
    refs = {ref for host in deployment.hosts.values() for item in host.items for ref in secrets_in(item)}

    assert {(ref.format, ref.version) for ref in refs if ref.name in ("mastodon/vapid", "mastodon/bucket-key")} == {
        ("vapid-private", 2),
        ("vapid-public", 2),
        ("garage-key-id", 4),
        ("garage-key-secret", 4),
    }


def test_a_check_that_signs_in_follows() -> None:
    rotated = only({"snac": "spare"}).model_copy(
        update={"secrets": with_versions({"initial-user/password": 2}).secrets}
    )

    (check,) = (check for check in rotated.deployment(configuration("snac")).checks if isinstance(check, SignsIn))
    assert check.secret.version == 2


# What has no version


PERMANENT = [
    "mastodon/encryption-deterministic-key",
    "mastodon/encryption-key-derivation-salt",
    "mastodon/encryption-primary-key",
    "peertube/administrator",
    "peertube/root",
    "peertube/secret",
    "pixelfed/app-key",
]


def test_these_never_change() -> None:
    refs = {
        ref for host in environment().deployment(ALL).hosts.values() for item in host.items for ref in secrets_in(item)
    }

    assert sorted(ref.name for ref in refs if ref.permanent) == PERMANENT


def test_versions_of_what_never_changes_are_refused_all_at_once() -> None:
    assert refusal(with_versions(dict.fromkeys(PERMANENT, 2)), ALL) == [
        (f'secrets.versions."{name}"', "must never change: what rests on it would be lost") for name in PERMANENT
    ]
    assert with_versions(dict.fromkeys(PERMANENT, 1)).deployment(ALL) == with_versions({}).deployment(ALL).model_copy(
        update={"secrets": with_versions(dict.fromkeys(PERMANENT, 1)).secrets}
    )


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("mastodon/databse", 'is no secret here; did you mean "mastodon/database"?'),
        ("Mastodon/Cache", 'is no secret here; did you mean "mastodon/cache"?'),
        ("garage/token", 'is no secret here; did you mean "garage/admin-token"?'),
    ],
)
def test_a_version_of_no_secret_is_refused(name: str, said: str) -> None:
    assert refusal(with_versions({name: 2}), configuration("mastodon")) == [(f'secrets.versions."{name}"', said)]


def test_versions_of_applications_that_rest_are_let_be() -> None:
    resting = with_versions({"peertube/database": 2, "pixelfed/app-key": 2, "mastodon/cache": 2})

    assert uses(resting.deployment(configuration("mastodon")), "mastodon/cache")


@pytest.mark.parametrize(
    "name", ["initial-user/password", "garage/admin-token", "garage/rpc", "mail/password", "s3/secret-key"]
)
def test_versions_of_what_applications_share_are_let_be_when_nobody_needs_it(name: str) -> None:
    nothing = configuration("mastodon").model_copy(update={"enable": False})

    assert with_versions({name: 2}).deployment(nothing).hosts["objects"].items == ()


def test_a_version_is_a_number_from_one() -> None:
    with pytest.raises(ValueError, match=r"secrets\.versions\.mastodon/database"):
        with_versions({"mastodon/database": 0})


def test_the_names_in_all_mistakes_lead_into_the_file() -> None:
    with pytest.raises(ConfigurationError, match=r'secrets\.versions\."mastodon/secret": is no secret here'):
        with_versions({"mastodon/secret": 2}).deployment(configuration("mastodon"))
