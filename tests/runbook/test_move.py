"""The runbook of moves: over hosts that are directories, and from its notebook on."""

import json
from pathlib import Path

import pytest

from fedikit.display.drawing import summary_of
from fedikit.errors import FedikitError
from fedikit.runbook import run_runbook
from fedikit.runbook.go import offer
from fedikit.runbook.parameters import MoveParameters
from fedikit.runbook.session import Run
from fedikit.runbook.summary import NothingDone
from tests.data.migration.move_scene import House
from tests.remote.conftest import Staged, staged  # noqa: F401
from tests.runbook.test_migrate import files, record  # noqa: F401


@pytest.fixture
def house(staged: Staged) -> House:  # noqa: F811
    house = House(staged)
    house.placed = "two"
    return house


def planned(parameters: MoveParameters, house: House, record: Path) -> Run:  # noqa: F811
    run = Run(parameters, record=record)
    with run.step("plan"):
        run.require_answers(house.plan())
    return run


def test_the_move_that_was_agreed_to_is_done_and_its_phases_are_steps(house: House, record: Path) -> None:  # noqa: F811
    plan, dry = house.plan(), MoveParameters()
    assert isinstance(planned(dry, house, record).move(plan, house.sides), NothingDone)
    assert offer(plan, dry, record)
    assert summary_of(plan).plain == "1 application within house."
    other = planned(MoveParameters(dry_run=False, agreed="0" * 64), house, record)
    with pytest.raises(FedikitError, match="no longer what was agreed to"):
        other.move(plan, house.sides)
    assert house.journal is None

    agreed = MoveParameters(dry_run=False, agreed=plan.digest)
    report = planned(agreed, house, record).move(house.plan(), house.sides)
    assert not isinstance(report, NothingDone)
    assert (house.one.serves, house.two.serves) == (False, True)
    assert json.loads((record / "migrated.json").read_text())["compared"] == {"mastodon": []}
    events = [json.loads(line) for line in (record / "events.ndjson").read_text().splitlines()]
    steps = [event["step"] for event in events if event["event"] == "StepStarted"]
    assert steps[-1] == "leave"


def test_the_notebook_does_nothing_where_all_data_is_where_it_is_to_be(files: dict[str, str], tmp_path: Path) -> None:  # noqa: F811
    (tmp_path / "here").mkdir()
    asked = {"configuration": files["configuration"], "environment": files["old"], "dry_run": False}
    result = run_runbook("move", asked, timeout=120)
    assert result.has_succeeded, result.reason
    assert not (tmp_path / ".fedikit-migrations" / "here-to-here.json").exists()
