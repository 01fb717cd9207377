"""The old side's master key, which the migration reads the backups by: lost in any phase, or another one."""

from pathlib import Path

import pytest

from fedikit.data.migration.planning import make_migration
from fedikit.errors import FedikitError
from fedikit.events import Event, StepStarted
from fedikit.model.item import Image, Item, Unit
from fedikit.results.migration import Phase
from tests.data.migration.scene import Scene
from tests.data.migration.test_phases import never_both, require_one_serves

OTHER = "8" * 64


@pytest.mark.parametrize(("phase", "key"), [("secrets", ""), ("close", OTHER)])
def test_a_key_that_is_lost_in_a_phase_has_the_old_side_serve(scene: Scene, phase: Phase, key: str) -> None:
    file = scene.old.stage.key_file
    right = file.read_text()

    def tell(event: Event) -> None:
        if event == StepStarted(step=phase):
            lose(file, key)

    report = scene.migrate(tell)
    assert report.error
    assert "Traceback" not in report.error
    assert report.advice.startswith("old serves")
    assert (scene.old.serves, scene.old.is_closed, scene.new.serves) == (True, False, False)
    file.write_text(right)
    file.chmod(0o600)
    assert scene.migrate(never_both(scene)).error == ""
    require_one_serves(scene, scene.new, "the first words")


@pytest.mark.parametrize("key", ["", OTHER])
def test_without_the_key_nothing_is_begun(scene: Scene, key: str) -> None:
    """Another key would seal other secrets to the new side than those that the data rests on."""
    file = scene.old.stage.key_file
    lose(file, key)
    assert "key" in said_of(scene)
    assert not scene.sides.journal.exists()


def test_an_old_side_with_container_images_is_asked_though_none_is_in_the_store(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, usual = Image(reference="example.org/app:1"), scene.old._items

    def watching(item: Item) -> Item:
        return item.model_copy(update={"restart_on": (image.id,)}) if isinstance(item, Unit) else item

    monkeypatch.setattr(scene.old, "_items", lambda name: [image, *map(watching, usual(name))])
    assert not make_migration(scene.sides).has_errors
    lose(scene.old.stage.key_file, OTHER)
    assert "another master key" in said_of(scene)


def lose(file: Path, another: str) -> None:
    """It is gone, or another has its place."""
    if another:
        file.write_text(f"{another}\n")
    else:
        file.unlink()


def said_of(scene: Scene) -> str:
    try:
        plan = make_migration(scene.sides)
    except FedikitError as error:
        return error.headline
    assert plan.has_errors
    return "; ".join(one.error for one in plan.applications)
