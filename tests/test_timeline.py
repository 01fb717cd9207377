"""The timeline of `make bench`: what each host was at, and when."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType

import pytest

from fedikit.events import HostFinished, ItemFinished, ItemStarted, Progress, StepFinished
from tests.pages import PROJECT


@pytest.fixture(scope="module")
def services() -> ModuleType:
    spec = spec_from_file_location("services", PROJECT / "bench/services.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(sys.modules, "services", module)  # dataclasses look there
        spec.loader.exec_module(module)
    return module


def test_spans_are_by_host_and_the_longest_come_first(services: ModuleType) -> None:
    now = [0.0]
    timeline = services.Timeline(lambda: now[0])
    at = {
        1.0: StepFinished(step="plan", seconds=1.0),
        2.0: Progress(what="sending", done=1, total=9, host="home"),
        3.0: Progress(what="sending", done=9, total=9, host="home"),
        3.1: ItemStarted(host="home", item="image:a/b:v1", action="create"),
        5.1: ItemFinished(host="home", item="image:a/b:v1", action="create", seconds=2.0),
        5.11: ItemStarted(host="home", item="package:a", action="create"),
        5.12: ItemStarted(host="home", item="package:b", action="create"),
        5.18: ItemFinished(host="home", item="package:a", action="create", seconds=0.1),
        5.19: ItemFinished(host="home", item="package:b", action="create", seconds=0.1),
        5.2: ItemStarted(host="home", item="job:a migrations", action="run"),
        9.2: ItemFinished(host="home", item="job:a migrations", action="run", seconds=4.0),
        9.5: HostFinished(host="home", outcome="changed", seconds=8.5),
    }
    for moment, event in at.items():
        now[0] = moment
        timeline(event)

    seconds = {"boot": 1, "apply": 9.5, "verify": 1, "total": 11.5}
    spans = [vars(span) for span in timeline.spans["home"]]
    text = services.text_of({"seconds": seconds, "finished": timeline.finished, "hosts": {"home": spans}})
    assert [" ".join(line.split()) for line in text.splitlines()] == [
        "services: 11.5 s from nothing to the last check: machines 1.0 s, plan and apply 9.5 s, checks 1.0 s",
        "home, done after 9.5 s: migrations 4.0 s, images 2.0 s, sending 1.0 s, packages 0.1 s",
        "5.2 → 9.2 4.0 s migrations job:a migrations",
        "3.1 → 5.1 2.0 s images image:a/b:v1",
        "2.0 → 3.0 1.0 s sending what the host lacks",
        "5.1 → 5.2 0.1 s packages package:a, package:b",
    ]
