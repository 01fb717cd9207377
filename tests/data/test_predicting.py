"""What a rehearsal predicts: what it measured, and the pace of units as their host knows it."""

import json

from fedikit.data.migration.predicting import predict
from fedikit.data.migration.sides import Pair
from fedikit.model.data import ApplicationData
from fedikit.model.deployment import Deployment
from fedikit.results.migration import Phase, PhaseDone
from tests.data.scene import Scene, settings_of
from tests.remote.conftest import Stage, stage, staged  # noqa: F401

MEASURED: dict[Phase, float] = {"close": 1.0, "differences": 8.0, "start": 2.0}
UNITS = ["mastodon-sidekiq.service", "mastodon-web.service"]


def predicted(stage: Stage, pace: dict[str, dict[str, float]]) -> list[PhaseDone]:  # noqa: F811
    scene = Scene(stage, [])
    scene.wanted = scene.wants(settings_of("mastodon", stop=UNITS))
    assert stage.bring(scene.wanted).succeeded
    scene.sign("pace", json.dumps(pace))
    return list(predict(with_jobs(scene.wanted), [Pair("mastodon", "one", "two")], MEASURED))


def with_jobs(deployment: Deployment) -> Deployment:
    data = {"mastodon": ApplicationData(folder="data", parts=(), jobs=("mastodon migrations", "mastodon owner"))}
    state = deployment.hosts["one"].model_copy(update={"data": data})
    return deployment.model_copy(update={"hosts": {"one": state}})


def test_what_units_took_the_last_time_is_added_to_what_was_measured(stage: Stage) -> None:  # noqa: F811
    pace = {UNITS[0]: {"start": 3.0, "stop": 5.0}, UNITS[1]: {"start": 4.0, "stop": 0.5}}
    found = {one.phase: one.seconds for one in predicted(stage, pace)}
    jobs = 2 * 4.0
    assert found == {"close": 1 + 5.5, "differences": 8, "open": 1, "start": 2 + 7 + jobs}


def test_a_unit_that_never_stopped_is_named(stage: Stage) -> None:  # noqa: F811
    first = predicted(stage, {UNITS[0]: {"start": 3.0}, UNITS[1]: {"start": 1.0, "stop": 0.5}})[0]
    assert first.seconds == 1.5
    assert "what it takes to stop mastodon-sidekiq.service, not stopped since the host booted" in first.detail


def test_hosts_are_at_it_side_by_side(stage: Stage) -> None:  # noqa: F811
    """The one that has most to do counts, where the applications come to different ones."""
    scene = Scene(stage, [])
    names = ("mastodon", "pixelfed")
    scene.wanted = scene.wants(*(settings_of(name, stop=[f"{name}.service"]) for name in names))
    assert stage.bring(scene.wanted).succeeded
    scene.sign("pace", json.dumps({"mastodon.service": {"start": 3.0}, "pixelfed.service": {"start": 5.0}}))
    data = {name: ApplicationData(folder="data", parts=()) for name in names}
    state = scene.wanted.hosts["one"].model_copy(update={"data": data})
    left = scene.wanted.model_copy(update={"hosts": {"one": state}})
    for targets, longest in ((("two", "three"), 5.0), (("two", "two"), 8.0)):
        pairs = [Pair(name, "one", target) for name, target in zip(names, targets, strict=True)]
        assert list(predict(left, pairs, MEASURED))[-1].seconds == MEASURED["start"] + longest
