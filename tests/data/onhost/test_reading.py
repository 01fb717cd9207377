"""An application that is read while it is closed for writing: what goes on, what is tried, and how that ends."""

import contextlib
import io
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from fedikit.data.onhost import command, knocking, part
from fedikit.data.onhost.command import Finished
from fedikit.data.onhost.trouble import Trouble
from tests.data.onhost.conftest import Host
from tests.data.onhost.test_closing import traces
from tests.data.standins import systemctl

STOP = ["sidekiq.service", "web.service"]
CLOSE = ("close", "--migration", "m1", "--why", "reading")
WHOLLY = ("close", "--migration", "m1", "--why", "moving")
OPEN = ("open", "--migration", "m1", "--start")
DATABASE = {
    "id": "postgresql:app", "kind": "postgresql", "host": "127.0.0.1", "port": 5432, "user": "app", "name": "app",
    "encrypted": False, "extensions": [],
}  # fmt: skip


class Cut(BaseException):
    """The power fails."""


class World:
    """The host, its database, and what visitors get; `fails` by an act of theirs what it raises."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.takes_writes = True
        self.posts_are_refused = True
        self.fails: dict[str, BaseException] = {}
        self.acts: list[str] = []

    def act(self, name: str) -> None:
        self.acts.append(f"{name} {self.host.state_of('web')} {self.host.state_of('sidekiq')}")
        if name in self.fails:
            raise self.fails.pop(name)

    @property
    def is_read(self) -> bool:
        """Readers get pages of the application; nobody can write, and nothing starts that could."""
        pages = [file.name for file in self.host.places.pages.iterdir()]
        states = self.host.state_of("web"), self.host.state_of("sidekiq")
        return (pages, states, self.takes_writes) == (["example.org.reading.html"], ("active", "inactive"), False)

    @property
    def is_shut(self) -> bool:
        """Nothing of it runs or can, its site says so, and its database is as it was before."""
        pages = [file.name for file in self.host.places.pages.iterdir()]
        states = self.host.state_of("web"), self.host.state_of("sidekiq")
        return (pages, states, self.takes_writes) == (["example.org.html"], ("inactive", "inactive"), True)

    @property
    def is_open(self) -> bool:
        states = self.host.state_of("web"), self.host.state_of("sidekiq")
        return (traces(self.host), states, self.takes_writes) == ([], ("active", "active"), True)

    def noted(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.host.places.state / "closed.json").read_text())
        return found


@pytest.fixture
def world(host: Host, monkeypatch: pytest.MonkeyPatch) -> World:
    """`web` goes on for readers, `sidekiq` does not; both run."""
    world = World(host)

    class Database:
        def __init__(self, *_: object) -> None:
            pass

        def refuse_writes(self) -> None:
            world.takes_writes = False
            world.act("refuse")

        def take_writes(self) -> None:
            world.act("take")
            world.takes_writes = True

    def is_refused(site: str) -> bool:
        world.act(f"post to {site}")
        return world.posts_are_refused

    monkeypatch.setattr(command, "run", systemctl_within(host, monkeypatch, command.run))
    monkeypatch.setitem(part.CLASSES, "postgresql", ("postgresql", "Database"))
    monkeypatch.setattr("fedikit.data.onhost.postgresql.Database", Database, raising=False)
    monkeypatch.setattr(knocking, "is_refused", is_refused)
    host.units(web="active", sidekiq="active")
    host.settings(stop=STOP, reads=["web.service"], domains=["example.org"], parts=[DATABASE])
    host.places.pages.mkdir(parents=True)
    return world


def systemctl_within(
    host: Host, monkeypatch: pytest.MonkeyPatch, run: Callable[..., Finished]
) -> Callable[..., Finished]:
    """The stand-in for systemctl without a process of its own, which would take longer than all else."""
    for name, place in (("HERE", ""), ("UNITS", "units"), ("LOG", "systemctl.log")):
        monkeypatch.setattr(systemctl, name, host.programs / place)

    def run_within(words: Sequence[str], **options: Any) -> Finished:
        if words[0] != "systemctl":
            return run(words, **options)
        monkeypatch.setattr(sys, "argv", list(words))
        with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.redirect_stderr(io.StringIO()):
            status = systemctl.main()
        return Finished(status, said.getvalue().strip(), "")

    return run_within


def test_it_is_read_and_cannot_be_written_to(world: World) -> None:
    closed = world.host.done(*CLOSE)["closed"]
    assert (closed["why"], closed["reads"], closed["running"]) == ("reading", ["web.service"], STOP)
    assert world.is_read
    page = (world.host.places.pages / "example.org.reading.html").read_text()
    assert "It can be read until then" in page


def test_what_could_write_is_down_before_the_database_is_told_and_the_door_is_tried_last(world: World) -> None:
    world.host.done(*CLOSE)
    assert world.acts == ["refuse active inactive", "post to example.org active inactive"]


def test_none_of_its_units_starts_any_more_what_is_read_included(world: World) -> None:
    world.host.done(*CLOSE)
    world.host.units(web="inactive")
    assert (world.host.places.state / "fence").exists()
    assert {path.parent.name for path in world.host.places.units.rglob("fedikit-fence.conf")} == {
        "web.service.d",
        "sidekiq.service.d",
    }


def test_it_is_closed_wholly_before_the_other_side_opens(world: World) -> None:
    """The database takes writes again only when nothing runs that could bring some."""
    since = world.host.done(*CLOSE)["closed"]["since"]
    closed = world.host.done(*WHOLLY)["closed"]
    assert (closed["since"], closed["why"], closed["reads"], closed["running"]) == (since, "moving", [], STOP)
    assert world.is_shut
    assert world.acts[-1] == "take inactive inactive"


def test_what_is_closed_wholly_is_not_read_again(world: World) -> None:
    world.host.done(*WHOLLY)
    assert world.host.done(*CLOSE)["closed"]["why"] == "moving"
    world.host.done("close", "--migration", "m1", "--why", "moved")
    assert world.host.done(*CLOSE)["closed"]["why"] == "moved"
    world.host.units(web="active")
    world.host.done(*CLOSE)
    assert world.is_shut


def test_it_opens_from_either_and_everything_is_as_before(world: World) -> None:
    for how in ((CLOSE,), (CLOSE, WHOLLY), (CLOSE, CLOSE)):
        for words in how:
            world.host.done(*words)
        world.host.done(*OPEN)
        assert world.is_open, how


def unfit(**settings: Any) -> Callable[[World], None]:
    usual = {"stop": STOP, "reads": ["web.service"], "domains": ["example.org"], "parts": [DATABASE]}
    return lambda world: world.host.settings(**usual | settings)


def maria() -> dict[str, Any]:
    return {name: value for name, value in DATABASE.items() if name not in ("encrypted", "extensions")} | {
        "kind": "mariadb"
    }


def volume() -> dict[str, Any]:
    return {"id": "volume:a", "kind": "volume", "path": "/srv/a", "leave_out": []}


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(unfit(reads=[]), id="no unit is for readers"),
        pytest.param(unfit(parts=[maria()]), id="a database that cannot refuse"),
        pytest.param(unfit(parts=[DATABASE, volume()]), id="files that units may write"),
        pytest.param(lambda world: world.host.units(web="inactive"), id="what would be read does not run"),
        pytest.param(lambda world: world.fails.update(refuse=Trouble("no")), id="the database takes writes"),
        pytest.param(lambda world: setattr(world, "posts_are_refused", False), id="the door is open"),
        pytest.param(
            lambda world: world.fails.update({"post to example.org": Trouble("no")}), id="the door does not answer"
        ),
    ],
)
def test_what_cannot_be_shown_to_refuse_writes_is_closed_wholly(world: World, make: Callable[[World], None]) -> None:
    make(world)
    assert world.host.done(*CLOSE)["closed"]["why"] == "moving"
    assert world.is_shut


@pytest.mark.parametrize("act", ["refuse", "post to example.org"])
@pytest.mark.parametrize("then", [CLOSE, WHOLLY, OPEN])
def test_a_power_cut_while_it_is_closed_for_writing(world: World, act: str, then: tuple[str, ...]) -> None:
    """After the boot nothing of it runs; the same again, or another way, comes to its end."""
    world.fails[act] = Cut()
    with pytest.raises(Cut):
        world.host.run(*CLOSE)
    world.host.units(web="inactive", sidekiq="inactive")
    world.host.done(*then)
    assert world.is_open if then == OPEN else world.is_shut


@pytest.mark.parametrize("then", [CLOSE, WHOLLY, OPEN])
def test_a_cut_before_the_database_takes_writes_again_is_made_good(world: World, then: tuple[str, ...]) -> None:
    world.host.done(*CLOSE)
    world.fails["take"] = Cut()
    with pytest.raises(Cut):
        world.host.run(*WHOLLY)
    assert not world.takes_writes
    world.host.done(*then)
    assert world.is_open if then == OPEN else world.is_shut


def test_a_cut_as_it_opens_leaves_nobody_with_a_database_that_refuses(world: World) -> None:
    world.host.done(*CLOSE)
    world.fails["take"] = Cut()
    with pytest.raises(Cut):
        world.host.run(*OPEN)
    world.host.done(*OPEN)
    assert world.is_open


def test_a_close_that_was_killed_goes_on(world: World) -> None:
    world.host.killed("stop 1", *CLOSE)
    world.host.done(*CLOSE)
    assert world.is_read


def test_another_migration_that_takes_its_place_closes_it_wholly(world: World) -> None:
    world.host.done(*CLOSE)
    world.host.done("close", "--migration", "m2", "--why", "moving", "--instead", "m1")
    assert world.is_shut


def test_a_restore_closes_it_wholly_before_data_is_replaced(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    world.host.settings(stop=STOP, domains=["example.org"])
    backup = world.host.done("backup")["result"]["newest"]["id"]
    unfit()(world)
    world.host.done(*CLOSE)
    usual = {"id": "volume:app", "kind": "volume", "path": str(world.host.volume), "leave_out": []}
    unfit(parts=[DATABASE, usual])(world)
    world.host.done("restore", "--backup", backup, "--without-saving", "--migration", "m1")
    assert world.is_shut
    assert world.noted()["restored"] is True


@pytest.mark.parametrize("reads", [["other.service"], [7]])
def test_a_unit_that_is_none_of_its_own_is_refused(world: World, reads: list[object]) -> None:
    unfit(reads=reads)(world)
    assert "is none of stop" in world.host.trouble(*CLOSE)["message"]
