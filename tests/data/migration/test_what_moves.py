"""Which applications of the catalogue move with their data, by what hosts would say between two environments."""

from typing import Any

import pytest

from fedikit.data.migration.moves import before, hosts_that_keep, shares_data, what_moves
from fedikit.data.migration.sides import Pair
from fedikit.model.deployment import Deployment
from tests.model.example import configuration, environment
from tests.model.test_buckets import S3
from tests.results.test_moves import plan_between

BACKUP = {"backup": {"repository": "/srv/backups"}}
SHARED = {"postgresql": {"host": "pixelfed"}}
TO_SPARE = Pair("mastodon", "mastodon", "spare")
STAYS = Pair("mastodon", "mastodon", "mastodon")


def provider(policies: Any = None, placed: str = "mastodon") -> Any:
    return environment(BACKUP | (policies or {}), {"mastodon": placed})


def deployed(policies: Any = None, placed: str = "mastodon") -> Deployment:
    return provider(policies, placed).deployment(configuration("mastodon"))


USUAL = deployed()


@pytest.mark.parametrize(
    ("old", "new", "pair"),
    [
        (USUAL, deployed(placed="spare"), TO_SPARE),
        (USUAL, deployed(SHARED), STAYS),
        (USUAL, deployed({"bucket": S3}), STAYS),
        (deployed(SHARED), deployed(SHARED, "spare"), TO_SPARE),
        (deployed(SHARED), USUAL, STAYS),
        (USUAL, deployed(SHARED, "spare"), TO_SPARE),
    ],
    ids=["host", "database", "bucket", "host beside a shared database", "own database", "host and database"],
)
def test_what_an_apply_would_part_from_its_data_moves(old: Deployment, new: Deployment, pair: Pair) -> None:
    moving = what_moves(plan_between(old, new))
    assert (moving.pairs, moving.errors) == ([pair], {})
    assert moving.consent


def test_nothing_moves_where_data_stays_with_its_application() -> None:
    assert what_moves(plan_between(USUAL, deployed(BACKUP))).pairs == []


def test_a_server_that_keeps_what_it_has_is_told_of_another_user_only_once_the_first_is_closed() -> None:
    source, target = (
        before(provider(SHARED, "spare"), [TO_SPARE]).deployment(configuration("mastodon")),
        deployed(SHARED, "spare"),
    )
    assert hosts_that_keep(TO_SPARE, source, target) >= {"pixelfed"}
    assert shares_data(TO_SPARE, source, target)
    bucket = deployed({"bucket": S3}), deployed({"bucket": S3}, "spare")
    assert shares_data(TO_SPARE, *bucket), "a provider's bucket is the same from everywhere"
    assert not shares_data(STAYS, USUAL, USUAL)


def test_what_was_not_backed_up_where_it_is_cannot_move() -> None:
    old = environment().deployment(configuration("mastodon"))
    moving = what_moves(plan_between(old, deployed(placed="spare")))
    assert list(moving.errors) == ["mastodon"]
    assert "set policies.backup" in moving.errors["mastodon"]
