"""An environment that goes by another name: what its hosts hold follows, taken over where it is kept, or by a verb."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fedikit.agent import ledger, renaming
from fedikit.agent.lock import beginning_of
from fedikit.display.drawing import lines_of
from fedikit.errors import ConfigurationError, FedikitError
from fedikit.model.item import Directory, File, Item
from fedikit.plan import make_plan
from fedikit.remote import session
from fedikit.renaming import make_renaming, rename
from fedikit.results.renaming import Renaming
from fedikit.status import read_status
from tests.remote.conftest import Stage, Staged, tree_of
from tests.remote.test_identity import ENV_OF_APP

A = File(path="/etc/a", content="a\n")
DATA = Directory(path="/srv/data", data=True)
ITEMS: tuple[Item, ...] = (A, DATA, ENV_OF_APP)


def deployments(stage: Stage, host: str = "one") -> list[str]:
    folder = stage[host].path("/var/lib/fedikit/deployments")
    return sorted(os.listdir(folder)) if folder.is_dir() else []


def states(renaming: Renaming) -> dict[str, str]:
    return {name: host.state for name, host in renaming.hosts.items()}


# What is kept is taken over


def test_what_is_kept_is_taken_over_by_the_new_name_and_the_plan_says_from_whom(staged: Staged) -> None:
    old = staged("one", name="lab")
    old.apply(one=ITEMS)
    old["one"].path("/srv/data/picture").write_text("x")
    old.remove()
    new = staged("one", name="prod")
    plan = new.plan(one=ITEMS)
    (line,) = [line for line in lines_of(plan, width=1000) if "directory" in line]
    assert "taken over from lab, is there already" in line
    assert new.apply(one=ITEMS).succeeded
    assert new["one"].path("/srv/data/picture").read_text() == "x"
    assert deployments(new) == ["prod"]


def test_who_took_it_over_has_it_alone_and_can_purge_it(staged: Staged) -> None:
    old = staged("one", name="lab")
    before = tree_of(old["one"])
    old.apply(one=ITEMS)
    old.remove()
    new = staged("one", name="prod")
    new.apply(one=ITEMS)
    assert old.remove(purge=True).hosts["one"].outcome == "same"
    assert new["one"].path("/srv/data").is_dir()
    assert new.remove(purge=True).succeeded
    assert tree_of(new["one"]) == before
    assert not new["one"].path("/var/lib/fedikit").exists()


def test_what_the_new_name_does_not_want_stays_with_the_old_one(staged: Staged) -> None:
    old, other = staged("one", name="lab"), Directory(path="/srv/other", data=True)
    old.apply(one=[DATA, other])
    old.remove()
    new = staged("one", name="prod")
    new.apply(one=[DATA])
    assert read_status(old.environment).hosts["one"].items == {other.id: "kept"}
    assert old.remove(purge=True).succeeded
    assert not new["one"].path("/srv/other").exists()
    assert new["one"].path("/srv/data").is_dir()


@pytest.mark.parametrize("difference", ["domain", "master key"])
def test_data_that_is_taken_over_remembers_what_it_is_known_by(staged: Staged, difference: str) -> None:
    old = staged("one", name="lab")
    old.bring(old.wants({"app": "old.example"}, one=ITEMS))
    old.remove()
    new = staged("one", name="prod", **({"key": "6" * 64} if difference == "master key" else {}))
    wanted = new.wants({"app": "new.example" if difference == "domain" else "old.example"}, one=ITEMS)
    (words,) = make_plan(wanted).hosts["one"].refused
    assert difference in words


# A verb renames


@pytest.fixture
def old(staged: Staged) -> Stage:
    """A running deployment on two hosts, under its old name."""
    old = staged("one", "two", name="lab")
    assert old.apply(one=ITEMS, two=[A]).succeeded
    assert old.apply(one=[*ITEMS, File(path="/etc/b", content="b\n")], two=[A]).succeeded
    return old


@pytest.fixture
def new(old: Stage, staged: Staged) -> Stage:
    return staged("one", "two", name="prod")


def test_the_plan_of_a_new_name_says_how_to_rename(new: Stage) -> None:
    assert new.plan(one=ITEMS).hosts["one"].note == "if this environment was called lab before: fedikit rename lab"


def test_a_renamed_deployment_is_as_wanted_and_can_go_back(old: Stage, new: Stage) -> None:
    before = tree_of(new["one"])
    planned = make_renaming(new.environment, "lab")
    assert states(planned) == {"one": "ready", "two": "ready"}
    assert deployments(new) == ["lab"]
    assert states(rename(new.environment, planned)) == {"one": "done", "two": "done"}
    assert deployments(new) == deployments(new, "two") == ["prod"]
    assert tree_of(new["one"]) == before
    assert new.plan(one=[*ITEMS, File(path="/etc/b", content="b\n")], two=[A]).is_noop
    (note,) = read_status(new.environment).hosts["one"].notes
    assert note.note == "renamed lab to prod"
    assert new.rollback(to=1).succeeded
    assert new.remove(purge=True).succeeded
    assert not new["one"].path("/srv/data").exists()


def test_a_renaming_says_what_it_would_do(new: Stage) -> None:
    assert lines_of(make_renaming(new.environment, "lab")).__next__() == "one  ~ lab becomes prod, with 4 items"


def test_nothing_is_renamed_where_both_names_are_at_work(old: Stage, new: Stage) -> None:
    assert new.apply(two=[File(path="/etc/c", content="c\n")]).succeeded
    planned = make_renaming(new.environment, "lab")
    assert states(planned) == {"one": "ready", "two": "both"}
    with pytest.raises(FedikitError, match="nothing was done"):
        rename(new.environment, planned)
    assert deployments(new) == ["lab"]
    assert deployments(new, "two") == ["lab", "prod"]


def test_nothing_is_renamed_while_a_host_is_down_unless_it_is_left_out(old: Stage, new: Stage) -> None:
    new["two"].root.rename(new.folder / "gone")
    new["two"].root.write_text("nothing answers here")
    planned = make_renaming(new.environment, "lab")
    assert planned.hosts["two"].error
    assert planned.is_refused
    assert states(rename(new.environment, make_renaming(new.environment, "lab", limit=["one"]))) == {"one": "done"}


def test_a_name_that_nobody_knows_is_refused(new: Stage) -> None:
    planned = make_renaming(new.environment, "elsewhere")
    assert states(planned) == {"one": "nothing", "two": "nothing"}
    assert planned.is_refused


@pytest.mark.parametrize("name", ["prod", "../lab", "", "LAB"])
def test_a_name_that_is_the_same_or_none_is_a_mistake(new: Stage, name: str) -> None:
    with pytest.raises(ConfigurationError):
        make_renaming(new.environment, name)


def test_both_names_that_appear_after_the_plan_are_refused_by_the_host(old: Stage, new: Stage) -> None:
    planned = make_renaming(new.environment, "lab")
    assert new.apply(one=[File(path="/etc/c", content="c\n")]).succeeded
    done = rename(new.environment, planned)
    assert "has deployments of both names" in done.hosts["one"].error
    assert done.hosts["two"].state == "done"
    assert deployments(new) == ["lab", "prod"]


# Cut off


class Killed(BaseException):
    """As by a signal that nobody can catch."""


STEPS: list[tuple[Any, str]] = [
    (renaming, "lock"),
    (ledger.Ledger, "note"),
    (renaming.os, "rename"),
    (renaming, "flush_folder"),
]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("place", "step"), STEPS, ids=lambda part: part if isinstance(part, str) else "")
def test_a_host_that_is_killed_at_any_step_has_one_of_both_names_and_goes_on(
    old: Stage, new: Stage, monkeypatch: pytest.MonkeyPatch, place: Any, step: str, when: str
) -> None:
    real: Callable[..., Any] = getattr(place, step)

    def cut(*given: Any, **options: Any) -> Any:
        if when == "after":
            real(*given, **options)
        raise Killed

    monkeypatch.setattr(place, step, cut)
    about = {"who": "tester", "run": "r1", "time": "2026-11-27T12:00:00Z"}
    with pytest.raises(Killed):
        renaming.rename(str(new["one"].path("/var/lib/fedikit")), "lab", "prod", about)
    monkeypatch.undo()
    assert deployments(new) in (["lab"], ["prod"])
    assert states(rename(new.environment, make_renaming(new.environment, "lab"))) == {"one": "done", "two": "done"}
    assert new.plan(one=[*ITEMS, File(path="/etc/b", content="b\n")], two=[A]).is_noop


def test_a_deployer_that_is_killed_between_two_hosts_goes_on(
    old: Stage, new: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = make_renaming(new.environment, "lab")
    opened = session.open_contact

    def cut(host: str, connection: Any) -> Any:
        if host == "two":
            raise Killed
        return opened(host, connection)

    monkeypatch.setattr(session, "open_contact", cut)
    with pytest.raises(Killed):
        rename(new.environment, planned)
    monkeypatch.setattr(session, "open_contact", opened)
    assert (deployments(new), deployments(new, "two")) == (["prod"], ["lab"])
    again = make_renaming(new.environment, "lab")
    assert states(again) == {"one": "done", "two": "ready"}
    assert states(rename(new.environment, again)) == {"one": "done", "two": "done"}


def test_a_host_at_work_is_waited_for(old: Stage, new: Stage) -> None:
    beginning = beginning_of(os.getpid())
    command = {"pid": os.getpid(), "name": "migration", "began": beginning}
    lock = new["one"].path("/var/lib/fedikit/lock")
    lock.write_text(json.dumps({"who": "somebody", "run": "r1", "command": command}))
    planned = make_renaming(new.environment, "lab")
    assert "migration is at work" in planned.hosts["one"].busy
    assert planned.is_refused


def test_an_interrupted_apply_goes_on_under_the_new_name(old: Stage, new: Stage) -> None:
    record: Path = old["one"].path("/var/lib/fedikit/deployments/lab/last-run.json")
    record.write_text(json.dumps({**json.loads(record.read_text()), "state": "running"}))
    rename(new.environment, make_renaming(new.environment, "lab"))
    plan = new.plan(one=[*ITEMS, File(path="/etc/b", content="b\n")], two=[A])
    assert "was interrupted; applying again completes it" in plan.hosts["one"].note
