"""What a plan of a migration says of what does not fit, before anything is done."""

from pathlib import Path

import pytest

from fedikit.apply import apply_plan
from fedikit.data.migration.sides import load_sides, pairs_of
from fedikit.display.drawing import lines_of
from fedikit.errors import ConfigurationError, FedikitError, SeveralFiles
from fedikit.model.host import DirectoryHost
from fedikit.plan import make_removal
from fedikit.results.migration import PHASES, MigrationPlan
from tests.data.migration.scene import APPLICATION, VOLUME, Scene
from tests.remote.conftest import tree_of


def error_of(plan: MigrationPlan) -> str:
    """Why the application cannot be carried over."""
    (one,) = plan.applications
    assert plan.has_errors == bool(one.error)
    assert plan.has_changes != plan.has_errors
    return one.error


def test_a_plan_says_what_travels_and_changes_nothing(scene: Scene) -> None:
    before = tree_of(scene.new.machine)
    plan = scene.plan()
    assert error_of(plan) == ""
    assert plan.left == PHASES
    (one,) = plan.applications
    assert [part.id for part in one.parts] == [f"volume:{VOLUME}"]
    assert one.notes == ("it has no backup yet: the first copy makes one, of all of it",)
    assert tree_of(scene.new.machine) == before
    assert scene.old.serves
    assert not scene.sides.journal.exists()
    drawn = "\n".join(lines_of(plan))
    assert "mastodon  here of old  → there of new" in drawn
    assert "the old side is closed: from here on nobody can write" in drawn


def test_another_version_of_an_application_is_no_place_for_its_data(scene: Scene) -> None:
    scene.new.images = {"web": "example.org/mastodon:4.4"}
    assert error_of(scene.plan()) == (
        "web is example.org/mastodon:4.3 in old and example.org/mastodon:4.4 in new: "
        "migrate one version, upgrade afterwards"
    )


def test_what_one_side_only_has_is_named(scene: Scene) -> None:
    scene.new.parts = [VOLUME, "/srv/more"]
    assert error_of(scene.plan()) == "volume:/srv/more: it is on one of the sides only"


def test_what_is_there_already_is_not_replaced(scene: Scene) -> None:
    """Neither what runs there, nor what somebody removed and kept; only once it is purged there is room."""
    assert scene.new.stage.bring(scene.new.wanted).succeeded
    assert "there has it already, and not by this migration" in error_of(scene.plan())
    environment = scene.new.stage.environment
    assert apply_plan(make_removal(environment)).succeeded
    assert "fedikit remove --purge" in error_of(scene.plan())
    assert apply_plan(make_removal(environment, purge=True)).succeeded
    assert error_of(scene.plan()) == ""


def test_a_host_that_cannot_be_asked_is_named(scene: Scene, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full/of").write_text("something else")
    scene.new.stage.environment.hosts["there"] = DirectoryHost(path=str(tmp_path / "full"))
    assert error_of(scene.plan()).startswith("there cannot be asked: ")


@pytest.mark.parametrize("side", ["old", "new"])
def test_what_is_not_backed_up_on_either_side_does_not_travel(scene: Scene, side: str) -> None:
    getattr(scene, side).is_backed_up = False
    with pytest.raises(FedikitError) as caught:
        scene.plan()
    host = {"old": "here", "new": "there"}[side]
    assert f"mastodon: its data on {host} of {side} is not backed up (policies.backup)" in caught.value.message
    assert "docs/data.md" in caught.value.hint


def test_an_application_on_two_hosts_has_no_one_place_to_go(scene: Scene) -> None:
    wanted = scene.new.wanted
    twice = wanted.model_copy(update={"hosts": {**wanted.hosts, "two": wanted.hosts["there"]}})
    with pytest.raises(FedikitError, match=r"on several hosts of new \(there, two\), each with data of its own"):
        pairs_of(scene.old.wanted, twice)
    with pytest.raises(FedikitError, match=f"{APPLICATION}: it is on several hosts of new"):
        pairs_of(twice, scene.old.wanted)


def test_two_environments_of_one_name_could_not_be_told_apart(scene: Scene) -> None:
    scene.new = scene.old
    with pytest.raises(ConfigurationError, match='both environments are called "old"'):
        scene.plan()


def test_the_mistakes_of_all_three_files_come_at_once(tmp_path: Path) -> None:
    for name in ("old.toml", "new.toml", "configuration.json"):
        (tmp_path / name).write_text("{")
    with pytest.raises(SeveralFiles) as caught:
        load_sides(tmp_path / "old.toml", tmp_path / "new.toml", tmp_path / "configuration.json")
    for name in ("old.toml", "new.toml", "configuration.json"):
        assert name in str(caught.value)
