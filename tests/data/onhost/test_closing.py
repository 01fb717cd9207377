"""A closed application: its door, its fence, backups and restores meanwhile, and how it is opened again."""

import errno
import json
from pathlib import Path
from typing import Any

import pytest

from fedikit.data.onhost import closing, door, fence
from fedikit.data.onhost.fence import DROP_IN
from tests.data.onhost.conftest import Host, fill

STOP = ["sidekiq.service", "web.service"]
CLOSE = ("close", "--migration", "m1")
OPEN = ("open", "--migration", "m1")
RESTORE = ("restore", "--migration", "m1", "--backup")


@pytest.fixture
def app(host: Host) -> Host:
    """`web` runs, `sidekiq` was off before; its web site is example.org."""
    host.units(web="active", sidekiq="inactive")
    host.settings(stop=STOP, domains=["example.org"])
    host.places.pages.mkdir(parents=True)
    return host


def fences(host: Host) -> list[Path]:
    return [*host.places.units.rglob(DROP_IN), *host.places.state.glob("fence"), *host.places.units.glob("*.d")]


def page(host: Host) -> Path:
    return host.places.pages / "example.org.html"


def traces(host: Host) -> list[Path]:
    """All that closing leaves, as long as it is closed."""
    return [
        *fences(host),
        *host.places.pages.iterdir(),
        *(host.places.state / name for name in ("closed.json", "opening.json") if (host.places.state / name).exists()),
    ]


def is_shut(host: Host) -> bool:
    """Nothing of it can start, and its site says so."""
    fenced = {path.parent.name for path in host.places.units.rglob(DROP_IN)} == {f"{unit}.d" for unit in STOP}
    return fenced and page(host).exists() and {host.state_of("web"), host.state_of("sidekiq")} == {"inactive"}


def test_closing_says_why_at_the_door_and_keeps_every_unit_down(app: Host) -> None:
    closed = app.done(*CLOSE)["closed"]
    assert is_shut(app)
    assert (closed["migration"], closed["running"], closed["units"]) == ("m1", ["web.service"], STOP)
    assert "example.org is being moved" in page(app).read_text()
    assert page(app).stat().st_mode & 0o777 == 0o644
    assert "migration m1" in (app.places.state / "fence").read_text()


def test_what_is_closed_is_closed_again_and_what_ran_is_still_known(app: Host) -> None:
    since = app.done(*CLOSE)["closed"]["since"]
    again = app.done("close", "--migration", "m2", "--why", "moved", "--instead", "m1")["closed"]
    assert (again["since"], again["migration"], again["running"]) == (since, "m2", ["web.service"])
    assert "has moved" in page(app).read_text()
    assert is_shut(app)


def test_nothing_is_let_go_as_long_as_it_is_closed(app: Host) -> None:
    """Whoever waits for that backup waits for no more than it takes."""
    app.settings(keep={"daily": 1, "weekly": 0, "monthly": 0})
    for _ in range(2):
        app.done("backup")
        app.let_pass(days=2)
    app.done(*CLOSE)
    app.done("backup")
    assert len(app.backups()) == 3
    app.done(*OPEN)
    app.done("backup")
    assert len(app.backups()) == 2


@pytest.mark.parametrize("call", ["daemon-reload 1", "stop 1", "stop 2", "start 1", "start 2"])
def test_a_close_that_was_killed_goes_on(app: Host, call: str) -> None:
    app.killed(call, *CLOSE)
    assert page(app).exists()
    assert app.done(*CLOSE)["closed"]["running"] == ["web.service"]
    assert is_shut(app)


def test_the_door_is_shut_and_the_fence_stands_before_anything_is_stopped(app: Host) -> None:
    app.killed("stop 1", *CLOSE)
    assert app.state_of("web") == "active"
    assert page(app).exists()
    assert len(list(app.places.units.rglob(DROP_IN))) == len(STOP)


def test_opening_starts_what_ran_and_leaves_nothing(app: Host) -> None:
    app.done(*CLOSE)
    opened = app.done(*OPEN, "--start")["opened"]
    assert (opened["was_closed"], opened["running"]) == (True, ["web.service"])
    assert (app.state_of("web"), app.state_of("sidekiq")) == ("active", "inactive")
    assert traces(app) == []
    assert app.done(*OPEN, "--start")["opened"] == {"was_closed": False}


def test_opening_leaves_it_to_others_to_start_it(app: Host) -> None:
    app.done(*CLOSE)
    app.done(*OPEN)
    assert app.state_of("web") == "inactive"
    assert traces(app) == []


@pytest.mark.parametrize("call", ["daemon-reload 1", "reset-failed 1", "start 1"])
def test_an_opening_that_was_killed_goes_on(app: Host, call: str) -> None:
    app.done(*CLOSE)
    app.killed(call, *OPEN, "--start")
    app.done(*OPEN, "--start")
    assert app.state_of("web") == "active"
    assert traces(app) == []


def test_while_it_is_closed_it_is_backed_up_and_a_restore_starts_nothing(app: Host) -> None:
    app.settings(stop=STOP, domains=["example.org"], after=[_after(app)])
    app.done(*CLOSE)
    backup = app.done("backup")["result"]["newest"]["id"]
    fill(app.volume, ["new"])
    _, events = app.run(*RESTORE, backup)
    assert [event["name"] for event in events if event.get("phase") == "start"][-1] == "volume:app"
    assert not (app.volume / "new").exists()
    assert is_shut(app)
    assert not (app.root / "after").exists()
    app.done(*OPEN, "--start")
    assert app.state_of("web") == "active"
    assert not (app.root / "after").exists(), "the doors are open before that begins: it may take hours"
    app.done("follow")
    assert (app.root / "after").exists()


def _after(app: Host) -> dict[str, Any]:
    return {"name": "feeds", "run": ["touch", str(app.root / "after")], "deadline": 9}


def test_what_follows_a_restore_is_owed_where_others_start_it(app: Host) -> None:
    app.settings(stop=STOP, domains=["example.org"], after=[_after(app)])
    app.done(*CLOSE)
    backup = app.done("backup")["result"]["newest"]["id"]
    app.done(*RESTORE, backup)
    app.done(*OPEN)
    assert not (app.root / "after").exists()
    assert app.done("follow")["followed"] == ["feeds"]
    assert (app.root / "after").exists()
    assert app.done("follow")["followed"] == []


def test_what_follows_a_restore_does_not_run_when_nothing_was_restored(app: Host) -> None:
    app.settings(stop=STOP, domains=["example.org"], after=[_after(app)])
    app.done(*CLOSE)
    app.done(*OPEN, "--start")
    assert not (app.root / "after").exists()


@pytest.mark.parametrize("call", ["stop 1", "restore 1", "ls 2"])
def test_a_restore_that_was_killed_while_it_is_closed_goes_on_and_opens_nothing(app: Host, call: str) -> None:
    backup = app.done("backup")["result"]["newest"]["id"]
    app.done(*CLOSE)
    app.killed(call, *RESTORE, backup)
    assert "what is there is half of it" in app.trouble(*OPEN, "--start")["message"]
    app.done(*RESTORE, backup)
    assert is_shut(app)
    app.done(*OPEN, "--start")
    assert app.state_of("web") == "active"


def test_what_a_restore_that_was_cut_off_had_stopped_runs_once_it_is_opened(app: Host) -> None:
    backup = app.done("backup")["result"]["newest"]["id"]
    app.killed("restore 1", "restore", "--backup", backup)
    assert app.done(*CLOSE)["closed"]["running"] == ["web.service"]
    app.done("restore", "--backup", backup)
    assert is_shut(app)
    app.done(*OPEN, "--start")
    assert app.state_of("web") == "active"


def test_a_restore_that_others_end_leaves_the_fence_of_a_closed_application(app: Host) -> None:
    backup = app.done("backup")["result"]["newest"]["id"]
    app.done(*CLOSE)
    app.done(*RESTORE, backup, "--leave-down")
    assert is_shut(app)


def test_a_unit_that_starts_in_spite_of_the_fence_is_trouble(app: Host) -> None:
    (app.programs / "folder").write_text(str(app.root / "elsewhere"))
    assert app.trouble(*CLOSE)["message"] == "sidekiq.service starts although it must not now"


def test_no_door_is_said_before_anything_is_stopped(app: Host) -> None:
    app.places.pages.rmdir()
    trouble = app.trouble(*CLOSE)
    assert "etc/caddy/closed is not there" in trouble["message"]
    assert app.state_of("web") == "active"
    assert fences(app) == []


def test_units_and_domains_that_came_since_are_closed_too_and_all_are_opened(app: Host) -> None:
    app.done(*CLOSE)
    app.units(queue="active")
    app.settings(stop=["queue.service"], domains=["example.com"])
    closed = app.done(*CLOSE)["closed"]
    assert closed["units"] == ["queue.service", *STOP]
    assert app.state_of("queue") == "inactive"
    assert {file.name for file in app.places.pages.iterdir()} == {"example.org.html", "example.com.html"}
    app.done(*OPEN)
    assert traces(app) == []


def test_what_was_written_down_and_cannot_be_read_is_said(app: Host) -> None:
    app.done(*CLOSE)
    (app.places.state / "closed.json").write_text(json.dumps({"format": 2}))
    assert "closed.json cannot be read" in app.trouble(*OPEN)["message"]


@pytest.mark.parametrize("domain", ["../passwd", "a/b", "", ".", "A.example", "x\n", 7])
def test_a_domain_that_is_none_is_refused(app: Host, domain: object) -> None:
    app.settings(stop=STOP, domains=[domain])
    assert "is no domain" in app.trouble(*CLOSE)["message"]


def test_the_pace_of_units_is_what_systemd_remembers(app: Host) -> None:
    """In microseconds since the host booted; 0 is what has not been, and a stop before the last start counts too."""
    began, up, going, down = (
        f"{name}TimestampMonotonic" for name in ("InactiveExit", "ActiveEnter", "ActiveExit", "InactiveEnter")
    )
    moments = {
        "web.service": {began: 9_000_000, up: 9_250_000, going: 4_000_000, down: 6_500_000},
        "sidekiq.service": {began: 1_000_000, up: 0, going: 0, down: 0},
    }
    for unit, told in moments.items():
        (app.programs / f"{unit}.json").write_text(json.dumps(told))
    assert app.done("pace")["units"] == [
        {"unit": "sidekiq.service", "start": None, "stop": None},
        {"unit": "web.service", "start": 0.25, "stop": 2.5},
    ]


def test_what_another_migration_closed_is_that_ones(app: Host) -> None:
    app.done(*CLOSE)
    refused = app.trouble("close", "--migration", "m2")
    assert "by the migration m1, which is another" in refused["message"]
    assert "fedikit migrate --instead m1" in refused["hint"]
    assert "which is another" in app.trouble("open", "--migration", "m2", "--start")["message"]
    assert is_shut(app)
    assert app.done("close", "--migration", "m2", "--instead", "m1")["closed"]["migration"] == "m2"
    assert "the migration m2, which is another" in app.trouble(*OPEN)["message"], "the first one can do nothing more"


def test_what_a_migration_has_not_closed_it_does_not_replace(app: Host) -> None:
    backup = app.done("backup")["result"]["newest"]["id"]
    restore = (*RESTORE, backup)
    fill(app.volume, ["new"])
    assert "is not closed by the migration m1" in app.trouble(*restore)["message"]
    app.done(*CLOSE)
    app.done(*restore)
    assert not (app.volume / "new").exists()
    app.killed("start 1", *OPEN, "--start")
    fill(app.volume, ["new"])
    assert "is not closed by the migration m1" in app.trouble(*restore)["message"], "somebody may have written to it"
    assert app.done(*CLOSE)["closed"]["restored"] is False
    assert (app.volume / "new").exists()


def test_what_a_migration_holds_closed_nobody_else_restores(app: Host) -> None:
    """It would be taken for what was copied, and served."""
    backup = app.done("backup")["result"]["newest"]["id"]
    fill(app.volume, ["new"])
    app.done(*CLOSE)
    trouble = app.trouble("restore", "--backup", backup)
    assert "is closed by the migration m1, and restored by that alone" in trouble["message"]
    assert "--back" in trouble["hint"]
    assert (app.volume / "new").exists()


def test_on_a_full_disk_nothing_is_closed_and_what_is_closed_opens(app: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, text: str, *, mode: int = 0o600) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    with monkeypatch.context() as patched:
        patched.setattr(closing, "write_whole", full)
        assert "No space left on device" in app.trouble(*CLOSE)["message"]
    assert traces(app) == []
    assert app.state_of("web") == "active"
    app.done(*CLOSE)
    for module in (closing, fence, door):
        monkeypatch.setattr(module, "write_whole", full)
    app.done(*OPEN, "--start")
    assert app.state_of("web") == "active"
    assert traces(app) == []
