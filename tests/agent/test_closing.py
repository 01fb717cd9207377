"""Applications that are closed before anything of them is made: as the program of backups reads it, and only once."""

import json
from pathlib import Path
from typing import Any

import pytest

from fedikit.data.onhost.closing import read_closed
from tests.agent.conftest import Host, Item

CLOSING = {"app": {"migration": "m1", "units": ["web.service", "queue.service"], "domains": ["example.org"]}}
OTHERS = '{"format": 1, "migration": "m0", "since": "2026-11-27T19:01:24Z", "why": "moved"}'


def state(host: Host) -> Path:
    return host.root / "var/lib/fedikit-data/app"


def settings(host: Host) -> list[Item]:
    """What says that an application is backed up here."""
    return [host.directory("/etc/fedikit/data"), host.file("/etc/fedikit/data/app.json", "{}")]


def come(host: Host, *items: Item, **request: Any) -> dict[str, Any]:
    """The last word of an apply with which an application comes."""
    (host.root / "etc/fedikit").mkdir(exist_ok=True)
    return host.apply(*items, *settings(host), **{"closing": CLOSING, **request})[-1]


def test_it_is_closed_before_anything_is_made_as_the_program_would_note_it(host: Host) -> None:
    assert come(host, host.job("look", f"test -e {state(host)}/closed.json"))["event"] == "done"
    closed = read_closed(state(host))
    assert closed
    assert (closed.migration, closed.why, closed.running, closed.restored) == ("m1", "moving", [], False)
    assert (closed.units, closed.domains) == (["web.service", "queue.service"], ["example.org"])
    for folder in (state(host), state(host).parent):
        assert folder.stat().st_mode & 0o777 == 0o700


def test_what_fails_half_way_is_closed_and_says_so_to_whoever_plans(host: Host) -> None:
    assert come(host, host.job("obstacle", "false"))["event"] == "trouble"
    resting = {"app": ["unit:web.service"]}
    (words,) = host.plan(*settings(host), resting=resting)["closed"]
    assert words.startswith("app is closed since ")
    assert " by the migration m1, and nothing of it is started: " in words


@pytest.mark.parametrize("file", ["closed.json", "opening.json"])
def test_what_is_noted_already_stays_as_it_is(host: Host, file: str) -> None:
    state(host).mkdir(parents=True)
    (state(host) / file).write_text(OTHERS)
    assert come(host)["event"] == "done"
    assert [(path.name, path.read_text()) for path in state(host).iterdir()] == [(file, OTHERS)]


def test_nothing_is_noted_of_what_is_not_backed_up_here_nor_by_a_plan_or_a_way_back(host: Host) -> None:
    assert come(host, closing={"../app": CLOSING["app"], "other": CLOSING["app"]})["event"] == "done"
    host.plan(*settings(host), host.file("/srv/a", "1"), closing=CLOSING)
    host.apply(*settings(host), host.file("/srv/a", "1"))
    assert host.apply(op="rollback", closing=CLOSING)[-1]["event"] == "done"
    assert not state(host).parent.exists()


def test_where_others_could_write_nothing_is_made(host: Host) -> None:
    state(host).mkdir(parents=True)
    state(host).chmod(0o777)
    told = come(host, host.file("/srv/a", "1"))
    assert told["message"] == "others could write to /var/lib/fedikit-data/app"
    assert not (host.root / "srv/a").exists()


def test_it_leaves_with_what_keeps_it_though_that_was_never_made(host: Host) -> None:
    undo = ["rm", "-r", str(state(host).parent)]
    obstacle = host.job("obstacle", "false")
    assert come(host, obstacle, host.job("app backup state", "true", undo=undo))["event"] == "trouble"
    assert json.loads((state(host) / "closed.json").read_text())["migration"] == "m1"
    assert host.remove()[-1]["event"] == "done"
    assert not state(host).exists()
