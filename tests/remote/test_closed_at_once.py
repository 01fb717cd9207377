"""An application that comes by a migration is closed with the first apply, which nobody else's apply undoes."""

import pytest

from fedikit.apply import apply_plan
from fedikit.data.migration.staging import staged as at_rest
from fedikit.model.deployment import Deployment
from fedikit.plan import make_plan, make_rollback
from fedikit.remote.payload import Closing
from fedikit.remote.sessions import Sessions
from fedikit.results.report import Report
from fedikit.status import read_status
from tests.remote.conftest import Stage
from tests.remote.test_closed import STATE, is_running, items, wanted

CLOSING = Closing("m1", {"one": ["snac"]})


@pytest.fixture
def new(stage: Stage) -> Stage:
    """A host to which nothing has come yet."""
    for folder in ("/etc/fedikit/data", "/srv"):
        stage["one"].path(folder).mkdir(parents=True, exist_ok=True)
    stage["one"].program("migrate", "#!/bin/sh\n")
    return stage


def come(stage: Stage) -> Report:
    """The first apply of a migration, with the application at rest."""
    deployment: Deployment = at_rest(wanted(stage, *items()), ["snac"])
    with Sessions(deployment, closing=CLOSING) as sessions:
        return apply_plan(make_plan(deployment, sessions=sessions), sessions=sessions)


def test_whoever_applies_starts_nothing_of_what_came_and_is_told_why(new: Stage) -> None:
    assert come(new).succeeded
    plan = make_plan(wanted(new, *items()))
    assert plan.hosts["one"].note.startswith("snac is closed since ")
    assert " by the migration m1, and nothing of it is started: " in plan.hosts["one"].note
    assert new.bring(wanted(new, *items())).succeeded
    assert (is_running(new, "snac.service"), is_running(new, "other.service")) == (False, True)
    status = read_status(new.environment, health=True).hosts["one"]
    assert status.closed[0].startswith("snac is closed since ")
    assert status.health
    assert {unit.name: unit.state for unit in status.health.units}["snac.service"] == "closed"


def test_what_runs_there_already_is_not_closed_by_an_apply(new: Stage) -> None:
    assert new.bring(wanted(new, *items())).succeeded
    assert come(new).succeeded
    assert not new["one"].path(STATE).exists()


def test_a_way_back_closes_nothing(new: Stage) -> None:
    assert new.bring(wanted(new, *items("2"))).succeeded
    deployment = wanted(new, *items())
    with Sessions(deployment, closing=CLOSING) as sessions:
        assert apply_plan(make_rollback(deployment, sessions=sessions), sessions=sessions).succeeded
    assert not new["one"].path(STATE).exists()
