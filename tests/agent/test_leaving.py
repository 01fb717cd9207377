"""What leaves is held against what others hold, use, or had before; and what the plan says is what happens."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.agent.conftest import Host, Item
from tests.agent.truth import said_and_done

Make = Callable[[Host], list[Item]]
STANZA = "Package: {}\nStatus: {} ok installed\nVersion: 1\n{}\n"


def gone(host: Host, **request: Any) -> dict[str, tuple[str, str]]:
    """Takes everything of a deployment away; returns the plan's lines, which were true."""
    return said_and_done(host, forget=True, **request)


def ledger_of(host: Host, deployment: str) -> dict[str, Any]:
    ledger: dict[str, Any] = json.loads((host.home / f"deployments/{deployment}/ledger.json").read_text())
    return ledger


def write_ledger(host: Host, deployment: str, **fields: Any) -> None:
    """Another deployment, by its record alone."""
    folder = host.home / "deployments" / deployment
    folder.mkdir(parents=True, exist_ok=True)
    entries = {
        item["id"]: {"item": item, "state": state, "prior": {"type": "absent"}, "done": None}
        for item, state in fields.pop("holds", ())
    }
    (folder / "ledger.json").write_text(json.dumps({"entries": entries, **fields}))


def package(name: str) -> Item:
    return {"id": f"package:{name}", "kind": "package", "name": name, "version": None}


def user(name: str, home: str) -> Item:
    plain = {"comment": "", "shell": "/bin/sh", "groups": [], "system": False, "authorized_keys": []}
    return {"id": f"user:{name}", "kind": "user", "name": name, "home": home, **plain}


# Another deployment


HELD: dict[str, Make] = {
    "file": lambda host: [host.file("/etc/a", "a\n")],
    "symlink": lambda host: [host.symlink("/etc/l", "a")],
    "directory": lambda host: [host.directory("/etc/d")],
    "data": lambda host: [host.directory("/srv/data", data=True)],
    "job": lambda host: [host.job("make", "true", undo=["rm", f"{host.root}/srv/live"])],
}


@pytest.mark.parametrize("state", ["held", "making", "kept"])
@pytest.mark.parametrize("purge", [False, True])
@pytest.mark.parametrize("kind", HELD)
def test_what_another_deployment_holds_is_released_and_not_touched(
    host: Host, kind: str, purge: bool, state: str
) -> None:
    (item,) = HELD[kind](host)
    host.apply(item)
    (host.root / "srv/live").write_text("live")
    write_ledger(host, "prod", holds=[(item, state)])
    before = host.tree()
    assert gone(host, purge=purge) == {item["id"]: ("release", "is held by the deployment prod")}
    assert host.tree() == before
    assert item["id"] in ledger_of(host, "prod")["entries"]


def test_what_is_only_kept_is_released_when_it_is_purged_and_another_deployment_holds_it(host: Host) -> None:
    data, other = host.directory("/srv/data", data=True), host.directory("/srv/other", data=True)
    host.apply(data, other)
    host.remove()
    kept = ledger_of(host, "test")
    host.apply(data, deployment="prod")
    (host.root / "srv/data/picture").write_text("x")
    assert ledger_of(host, "test")["entries"].keys() == {other["id"]}
    (host.home / "deployments/test/ledger.json").write_text(json.dumps(kept))  # as cut off before it was handed over
    assert gone(host, purge=True)[data["id"]] == ("release", "is held by the deployment prod")
    assert host.text("/srv/data/picture") == "x"


def test_what_a_deployment_has_left_and_kept_may_be_taken_over_by_another(host: Host) -> None:
    host.apply(host.file("/etc/a", "a\n"))
    assert host.actions(host.file("/etc/a", "b\n"), deployment="prod") == {"file:/etc/a": "blocked"}
    (host.root / "etc/a").write_text("edited\n")
    host.remove()
    assert said_and_done(host, host.file("/etc/a", "b\n"), deployment="prod") == {
        "file:/etc/a": ("update", "content, taken over from test")
    }
    assert gone(host, purge=True) == {}
    assert host.text("/etc/a") == "b\n"
    gone(host, deployment="prod")
    assert not (host.root / "etc/a").exists()


def test_who_holds_a_thing_last_takes_it_back_to_what_it_was_before_fedikit(host: Host) -> None:
    data = host.directory("/srv/data", data=True)
    for order in (("test", "prod"), ("prod", "test")):
        host.apply(data, deployment="test")
        host.apply(data, deployment="prod")
        gone(host, deployment=order[0], purge=True)
        gone(host, deployment=order[1], purge=True)
        assert not (host.root / "srv/data").exists()
        assert not host.home.exists()


def test_a_file_in_a_data_directory_of_another_deployment_stays(host: Host) -> None:
    (host.root / "srv/data").mkdir()
    host.apply(host.file("/srv/data/a.conf", "a\n"))
    write_ledger(host, "prod", holds=[(host.directory("/srv/data", data=True), "held")])
    told = gone(host, purge=True)
    assert told["file:/srv/data/a.conf"] == ("release", "is held by the deployment prod: it lies in /srv/data")
    assert host.text("/srv/data/a.conf") == "a\n"


def test_a_tree_in_which_another_deployment_has_something_is_not_deleted(host: Host) -> None:
    host.apply(host.directory("/srv/data", data=True))
    (host.root / "srv/data/mine").write_text("x")
    write_ledger(host, "prod", holds=[(host.file("/srv/data/b.conf", "b\n"), "held")])
    told = gone(host, purge=True)
    assert told["directory:/srv/data"] == (
        "release",
        "is held by the deployment prod: file:/srv/data/b.conf lies in it",
    )
    assert host.text("/srv/data/mine") == "x"


def test_one_place_is_one_place_whatever_it_is_called(host: Host) -> None:
    """The same directory by way of a symbolic link, and as another kind."""
    (host.root / "srv/real").mkdir()
    (host.root / "srv/link").symlink_to("real")
    host.apply(host.file("/srv/link/a", "a\n"))
    write_ledger(host, "prod", holds=[(host.symlink("/srv/real/a", "b"), "held")])
    told = gone(host)
    assert told["file:/srv/link/a"] == ("release", "is held by the deployment prod: it is its symlink")
    assert (host.root / "srv/real/a").read_text() == "a\n"


def test_a_user_in_whose_name_another_deployment_works_stays(host: Host) -> None:
    worker = user("worker", "/home/worker")
    with (host.root / "etc/passwd").open("a") as file:
        file.write("worker:x:990:990::/home/worker:/bin/sh\n")
    write_ledger(host, "test", holds=[(worker, "held")])
    write_ledger(host, "prod", holds=[(host.job("feed", "true", user="worker"), "held")])
    assert gone(host, purge=True) == {worker["id"]: ("release", "is held by the deployment prod: job:feed needs it")}


def test_packages_are_left_to_who_asks_for_them_and_to_nobody_else(host: Host) -> None:
    status = host.root / "var/lib/dpkg/status"
    status.write_text(
        status.read_text()
        + STANZA.format("app", "install", "Depends: libapp\n")
        + STANZA.format("libapp", "install", "")
    )
    debs = {name: {"version": "1", "sha256": "0" * 64} for name in ("app", "libapp")}
    absent = {"installed": False}
    write_ledger(host, "test", holds=[(package("app"), "held")], debs=debs)
    write_ledger(host, "prod", holds=[(package("app"), "held")])
    entries = ledger_of(host, "test")["entries"]
    entries["package:app"]["prior"] |= absent
    write_ledger(host, "test", entries=entries, debs=debs)

    answer = host.plan(forget=True, purge=True)
    assert answer["changes"][0]["reasons"] == ["is held by the deployment prod"]
    assert answer["leaving_packages"] == []
    gone(host, purge=True)
    assert ledger_of(host, "prod")["debs"] == debs, "who stays remembers what fedikit brought"
    answer = host.plan(forget=True, purge=True, deployment="prod")
    assert answer["leaving_packages"] == ["app", "libapp"]


# Packages that somebody else wants


@pytest.mark.parametrize(
    ("fields", "marks", "reason"),
    [
        ({"libapp": "hold"}, "Package: libapp\nAuto-Installed: 1\n", "is on hold: apt-mark unhold lets it go"),
        ({}, "", "was installed by hand since, with apt"),
        ({"other": "install"}, "Package: libapp\nAuto-Installed: 1\n", "is needed by other"),
    ],
    ids=["held", "manual", "needed"],
)
def test_a_package_that_somebody_else_wants_stays_and_the_plan_says_why(
    host: Host, fields: dict[str, str], marks: str, reason: str
) -> None:
    status, states = host.root / "var/lib/dpkg/status", host.root / "var/lib/apt/extended_states"
    text = STANZA.format("app", "install", "Depends: libapp\n")
    text += STANZA.format("libapp", fields.get("libapp", "install"), "Provides: app-engine\n")
    text += STANZA.format("other", "install", "Depends: app-engine (>= 1) | none\n") if "other" in fields else ""
    status.write_text(status.read_text() + text)
    states.parent.mkdir()
    states.write_text(marks)
    debs = {name: {"version": "1", "sha256": "0" * 64} for name in ("app", "libapp")}
    write_ledger(host, "test", holds=[(package("app"), "held")], debs=debs, automatic=["libapp"])
    answer = host.plan(forget=True, purge=True)
    assert answer["leaving_packages"] == ["app"]
    assert answer["staying_packages"] == {"libapp": reason}


# What was there before


def test_data_that_was_there_before_is_kept_and_the_plan_says_so(host: Host) -> None:
    (host.root / "srv/data").mkdir(mode=0o700)
    (host.root / "srv/data/picture").write_text("x")
    before = host.tree()
    host.apply(host.directory("/srv/data", data=True))
    assert gone(host, purge=True) == {"directory:/srv/data": ("keep", "was there before fedikit")}
    assert host.tree() == before
    assert not host.home.exists()


@pytest.mark.parametrize("purge", [False, True])
def test_the_plan_of_a_removal_is_what_happens(host: Host, purge: bool) -> None:
    (host.root / "etc/motd").write_text("mine\n")
    (host.root / "srv/old").mkdir()
    host.apply(
        host.directory("/srv/old", data=True),
        host.directory("/srv/data", data=True),
        host.directory("/etc/app"),
        host.file("/etc/app/a.conf", "a\n"),
        host.file("/etc/motd", "ours\n"),
        host.file("/etc/edited", "ours\n"),
        host.symlink("/etc/app/b", "a.conf"),
    )
    (host.root / "etc/edited").write_text("by hand\n")
    told = gone(host, purge=purge)
    assert told["file:/etc/edited"][0] == ("delete" if purge else "keep")
    assert told["directory:/srv/data"][0] == ("delete" if purge else "keep")
    assert told["directory:/srv/old"] == ("keep", "was there before fedikit")
