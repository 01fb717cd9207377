"""Whether the new side has room for what comes: said in the plan, before anything is done."""

import json
from typing import Any

import pytest

from fedikit.data.backups import make_backup
from fedikit.data.migration.room import coming_of
from fedikit.display.drawing import lines_of, mimebundle
from fedikit.results.migration import ApplicationMigration, Moved
from fedikit.results.restoring import Amount
from tests.data.migration.scene import APPLICATION, VOLUME, Scene
from tests.data.migration.test_planning import error_of
from tests.data.migration.test_several import BOTH, OTHER, several  # noqa: F401
from tests.data.migration.test_standing import cut
from tests.data.migration.test_what_moves import deployed
from tests.model.test_buckets import S3

FAR_TOO_MUCH = 10**15


def backed_up(scene: Scene, application: str, size: int) -> None:
    """The old side has a backup, of so many bytes as it says."""
    assert make_backup(scene.old.wanted, [application]).succeeded
    for file in scene.old.machine.path(f"/srv/backups/{application}").glob("*/manifest.json"):
        manifest = json.loads(file.read_text())
        manifest["parts"][0]["bytes"] = size
        file.write_text(json.dumps(manifest))


def test_a_plan_says_how_much_comes_and_how_much_room_there_is(scene: Scene) -> None:
    (one,) = scene.plan().applications
    (room,) = one.room
    assert (room.host, room.paths, room.comes, room.needs) == ("there", (VOLUME,), None, 0)
    assert "how much comes is not known yet, " in "\n".join(lines_of(scene.plan()))
    backed_up(scene, APPLICATION, 3_000_000)
    (room,) = scene.plan().applications[0].room
    assert room.comes == 3_000_000
    assert room.comes < room.needs < room.free
    assert "room on there (/srv/mastodon): 3.0 MB come, " in "\n".join(lines_of(scene.plan()))


def test_what_has_no_room_is_refused_before_anything_is_done(scene: Scene) -> None:
    backed_up(scene, APPLICATION, FAR_TOO_MUCH)
    plan = scene.plan()
    error = error_of(plan)
    assert error.startswith(f"there has no room for what comes to {VOLUME}: 1,000,000,067.1 MB are needed there in all")
    assert "1000.0 TB come" in mimebundle(plan)["text/html"]


def test_what_fits_alone_and_not_together_is_refused_for_each(several: Scene) -> None:  # noqa: F811
    backed_up(several, APPLICATION, 1)
    (free,) = (one.room[0].free for one in several.plan().applications if one.application == APPLICATION)
    for name in BOTH:
        backed_up(several, name, free * 6 // 10)
    errors = {one.application: one.error for one in several.plan().applications}
    assert errors.keys() == {APPLICATION, OTHER}
    assert all("there has no room" in error for error in errors.values())


def test_what_was_begun_goes_on_for_some_of_it_is_there_already(scene: Scene) -> None:
    backed_up(scene, APPLICATION, 1)
    cut(scene, "stage")
    backed_up(scene, APPLICATION, FAR_TOO_MUCH)
    plan = scene.plan()
    assert error_of(plan) == ""
    assert plan.applications[0].notes[-1].startswith("there has no room")
    cut(scene, "copy")
    assert scene.plan().applications[0].room == (), "only what has changed since comes still"


# Where parts come to, in the environments of the catalogue

PARTS = (
    Moved(id="postgresql:mastodon", kind="postgresql", there=Amount(bytes=300)),
    Moved(id="bucket:mastodon", kind="bucket", there=Amount(bytes=1000)),
)
MASTODON = ApplicationMigration(application="mastodon", source="elsewhere", target="mastodon", parts=PARTS)
SEVERAL = {"means": "garage", "hosts": ["objects", "spare", "six"], "replication_factor": 2}
SEVERAL |= {"capacities": {"objects": 200, "spare": 100, "six": 100}}
DATABASE, OBJECTS = "/var/lib/postgresql", "/srv/garage-data"


@pytest.mark.parametrize(
    ("policies", "places"),
    [
        ({}, {("mastodon", DATABASE, 300, 600), ("objects", OBJECTS, 1000, 1000)}),
        (
            {"postgresql": {"host": "pixelfed"}, "bucket": SEVERAL},
            {
                ("pixelfed", DATABASE, 300, 600),
                ("objects", OBJECTS, 1000, 1000),
                ("spare", OBJECTS, 500, 500),
                ("six", OBJECTS, 500, 500),
            },
        ),
        ({"bucket": S3}, {("mastodon", DATABASE, 300, 600)}),
    ],
    ids=["own database, one Garage", "shared database, several Garages", "a provider's bucket"],
)
def test_each_part_comes_to_the_hosts_that_keep_it(policies: Any, places: set[tuple[str, str, int, int]]) -> None:
    """A database twice, for the old one goes only once the new one is whole; copies of objects on several hosts."""
    found = set(coming_of(deployed(policies), MASTODON))
    assert {tuple(one) for one in found} == places
