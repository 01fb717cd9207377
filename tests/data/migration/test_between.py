"""What hosts have while applications of the catalogue move, and what cannot move at once."""

from typing import Any

import pytest

from fedikit.data.migration.between import Between
from fedikit.data.migration.meeting import meeting_troubles
from fedikit.data.migration.moves import before, what_moves
from fedikit.environment.environment import Environment
from fedikit.errors import ConfigurationError, Mistake
from fedikit.model.configuration import Configuration
from fedikit.model.deployment import Deployment
from fedikit.model.host import HostState
from tests.data.migration.test_what_moves import BACKUP, SHARED
from tests.model.example import configuration, environment
from tests.results.test_moves import plan_between

HOSTS = ("mastodon", "pixelfed")
SWAPPED = {"mastodon": "pixelfed", "pixelfed": "mastodon"}
BOTH = configuration(*HOSTS)


def deployed(policies: Any = None, **placed: str) -> Deployment:
    return environment(BACKUP | (policies or {}), placed).deployment(BOTH)


class Narrow(Environment):
    """One whose hosts have room for one application."""

    def deployment(self, configuration: Configuration) -> Deployment:
        if self.placement["mastodon"] == self.placement["pixelfed"]:
            raise ConfigurationError("environment lab", [Mistake("hosts", "has room for one")])
        return super().deployment(configuration)


def between(old: Deployment, policies: Any = None, **placed: str) -> tuple[Between, dict[str, list[str]]]:
    """What moves, and what stands against it, by application."""
    return between_in(environment(BACKUP | (policies or {}), placed), old)


def between_in(provider: Environment, old: Deployment) -> tuple[Between, dict[str, list[str]]]:
    plan = plan_between(old, provider.deployment(BOTH))
    pairs = what_moves(plan).pairs
    moving = Between(pairs, before(provider, pairs).deployment(BOTH), plan.deployment, provider, BOTH)
    return moving, {pair.application: list(meeting_troubles(pair, moving, plan)) for pair in pairs}


def units(state: HostState) -> dict[str, bool]:
    """By unit, whether it is to run."""
    return {item.name: bool(item.active) for item in state.items if item.kind == "unit"}


def test_an_exchange_leaves_each_host_with_what_serves_there_until_it_is_closed() -> None:
    moving, troubles = between(deployed(), **SWAPPED)
    assert troubles == {"mastodon": [], "pixelfed": []}
    old, new = deployed(), moving.while_they_serve()
    for host in HOSTS:
        other = SWAPPED[host]
        serving = units(old.hosts[host])
        assert serving.items() <= units(new.hosts[host]).items()
        comes = set(moving.target.hosts[host].data[other].stop)
        assert not any(units(new.hosts[host])[unit] for unit in comes)
    then = moving.once_closed()
    for host in HOSTS:
        wanted = {item.id: item for item in moving.target.hosts[host].items if item.id != "unit:caddy.service"}
        there = {item.id: item for item in then.hosts[host].items}
        assert wanted.items() <= there.items(), "what comes is as it shall be in the end"
        assert {item.id for item in old.hosts[host].items} <= there.keys(), "nothing has left yet"
        assert set(then.hosts[host].data) == {*HOSTS}


def test_a_host_that_is_left_and_keeps_the_database_lets_the_other_in_once_it_is_closed() -> None:
    shared = {"postgresql": {"host": "mastodon"}}
    moving, troubles = between(deployed(shared), shared, mastodon="spare")
    assert troubles == {"mastodon": []}
    assert "mastodon" not in moving.staged
    assert moving.busy == ["mastodon"]
    state = moving.at_rest_once_closed().hosts["mastodon"]
    (access,) = (item for item in state.items if item.id == "file:/etc/postgresql/clients/mastodon.conf")
    assert access in moving.target.hosts["mastodon"].items
    assert access.id not in {item.id for item in moving.source.hosts["mastodon"].items}
    assert set(moving.source.hosts["mastodon"].data["mastodon"].stop) <= set(units(state))


def test_who_comes_to_the_host_of_its_database_is_set_up_there_once_it_is_closed() -> None:
    """Set up before, the server would let it in at the new place only."""
    moving, troubles = between(deployed(SHARED), SHARED, mastodon="pixelfed")
    assert troubles == {"mastodon": []}
    assert moving.staged == []
    assert [pair.application for pair in moving.others] == ["mastodon"]


@pytest.mark.parametrize(
    ("old", "new", "placed", "whose"),
    [
        (SHARED, {}, {"mastodon": "pixelfed"}, "mastodon"),
        (SHARED, {"postgresql": {"host": "spare"}}, {"mastodon": "pixelfed"}, "mastodon"),
        ({}, {"postgresql": {"host": "spare"}}, {"pixelfed": "mastodon"}, "mastodon"),
    ],
    ids=["its database is where it comes to", "its database leaves where it comes to", "another comes where one stays"],
)
def test_what_is_in_use_is_not_touched_before_it_is_closed(old: Any, new: Any, placed: Any, whose: str) -> None:
    _, troubles = between(deployed(old), new, **placed)
    assert any("do it in two moves: the new placement first" in words for words in troubles[whose])
    _, troubles = between(deployed(old), old, **placed)
    assert not any(troubles.values()), "the first of both"


def test_where_a_host_has_no_room_for_both_a_third_one_is_named() -> None:
    provider = environment(BACKUP, SWAPPED)
    narrow = Narrow(**{name: getattr(provider, name) for name in Environment.model_fields})
    _, troubles = between_in(narrow, deployed())
    for host, (words, *more) in troubles.items():
        assert (
            words
            == f"it cannot stay on {host} until it has moved (hosts: has room for one): move it to a third host first"
        )
        assert not more
