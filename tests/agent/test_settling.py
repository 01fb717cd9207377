"""Units that were just started are waited for until they are idle, and no longer than that."""

from pathlib import Path

import pytest

from fedikit.agent import settling
from fedikit.agent.eyes import Eyes
from fedikit.agent.settling import Settling

IDLE, WORKING = "S", "R"


class Group:
    """A control group with one process, as the kernel shows it; time passes only by waiting."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "app"
        self.folder.mkdir()
        (self.folder / "cgroup.procs").write_text("7\n")
        self.state = IDLE
        self.per_second = 0
        self.now = 0.0
        self.use(0)

    def use(self, microseconds: int) -> None:
        self.used = microseconds
        (self.folder / "cpu.stat").write_text(f"usage_usec {microseconds}\nuser_usec 0\n")

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.use(self.used + int(self.per_second * seconds))


@pytest.fixture
def group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Group:
    group = Group(tmp_path)
    monkeypatch.setattr(settling, "GROUPS", str(tmp_path))
    monkeypatch.setattr(settling, "stat_of", lambda process: [group.state])
    monkeypatch.setattr(settling.time, "sleep", group.pass_time)
    monkeypatch.setattr(settling.time, "monotonic", lambda: group.now)
    return group


class Shown(Eyes):
    def shown(self, names: object, properties: object) -> list[dict[str, str]]:
        return [{"ControlGroup": "/app"}, {"ControlGroup": ""}, {}]


def waited(group: Group, meanwhile: float = 0.0) -> float:
    """How long units are waited for when something else was done since they were started."""
    units = Settling(Shown(), ["a.service", "b.target", "c.service"])
    group.pass_time(meanwhile)
    began = group.now
    units.wait()
    return group.now - began


def test_what_is_idle_is_waited_for_a_moment(group: Group) -> None:
    assert waited(group) == pytest.approx(0.2, abs=0.051)


@pytest.mark.parametrize(("meanwhile", "seconds"), [(0.1, 0.1), (0.3, 0.0), (60.0, 0.0)])
def test_what_was_idle_while_something_else_was_done_is_waited_for_less(
    group: Group, meanwhile: float, seconds: float
) -> None:
    group.per_second = 10_000
    assert waited(group, meanwhile) == pytest.approx(seconds, abs=0.051)


def test_what_loaded_its_program_meanwhile_is_given_all_the_time(group: Group) -> None:
    units = Settling(Shown(), ["a.service"])
    group.pass_time(0.3)
    group.use(100_000)
    units.wait()
    assert group.now - 0.3 == pytest.approx(0.2, abs=0.051)


@pytest.mark.parametrize(("per_second", "state"), [(500_000, IDLE), (0, WORKING)])
@pytest.mark.parametrize("meanwhile", [0.0, 10.0])
def test_what_does_not_come_to_rest_is_waited_for_three_seconds(
    group: Group, per_second: int, state: str, meanwhile: float
) -> None:
    group.per_second, group.state = per_second, state
    assert waited(group, meanwhile) == pytest.approx(3.0, abs=0.051)


def test_what_vanished_is_waited_for_half_a_second(group: Group) -> None:
    units = Settling(Shown(), ["a.service"])
    (group.folder / "cpu.stat").unlink()
    units.wait()
    assert group.now == pytest.approx(0.5)
