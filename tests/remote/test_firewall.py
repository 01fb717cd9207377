"""A firewall on trial, over a host that is a directory: kept when confirmed anew, undone by whoever is left if not."""

import json
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import fedikit.remote.session
from fedikit.errors import ConnectionFailed, FedikitError, HostError
from fedikit.model import Directory, File, Firewall, Job
from fedikit.model.host import Connection
from fedikit.model.item import Item
from fedikit.policies.ruleset import KEPT, Rule, ruleset
from fedikit.remote.contact import Contact
from fedikit.remote.event_messages import Confirmed, Unconfirmed
from fedikit.remote.session import Session
from fedikit.remote.transport import open_contact
from fedikit.results.plan import Plan
from tests.remote.conftest import Stage, Staged, tree_of
from tests.remote.nftables import furnish

ELSEWHERE = "203.0.113.0/24"


def firewall(*rules: Rule, seconds: int = 1, ssh_from: tuple[str, ...] | None = None) -> Firewall:
    """One that takes less time than is allowed to people."""
    text = ruleset([Rule("tcp", 22, ssh_from, "SSH"), *rules])
    doors = ("tcp/22", *(f"{rule.protocol}/{rule.port}" for rule in rules))
    return Firewall(rules=text, ports=doors).model_copy(update={"confirm_seconds": seconds})


def items(wall: Firewall) -> list[Item]:
    return [Directory(path="/etc/fedikit"), wall]


OPEN, OTHER = firewall(), firewall(Rule("tcp", 80, None, "web sites"))
LOCKED = firewall(ssh_from=(ELSEWHERE,))


@pytest.fixture
def stage(staged: Staged, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """A machine whose rules hold for new connections of the deployer, and for those only."""
    stage = staged("one")
    furnish(stage["one"])

    def contact(host: str, connection: Connection) -> Contact:
        if ELSEWHERE in table(stage):
            raise ConnectionFailed(host, "cannot be reached: timed out")
        return open_contact(host, connection)

    monkeypatch.setattr(fedikit.remote.session, "open_contact", contact)
    monkeypatch.setattr(fedikit.remote.session, "AGAIN_SECONDS", 0.05)
    return stage


def table(stage: Stage) -> str:
    """What is in force."""
    place = stage["one"].path("/run/nft")
    return place.read_text() if place.exists() else ""


def plain(wall: Firewall) -> str:
    """Its table as a kernel would tell of it."""
    lines = [line.split("  #")[0].rstrip() for line in wall.rules.splitlines()]
    return "".join(f"{line}\n" for line in lines[3:])


def reasons(plan: Plan) -> list[str]:
    return [word for change in plan.hosts["one"].changes if change.id == OPEN.id for word in change.reasons]


def kept(stage: Stage) -> str:
    return stage["one"].path(KEPT).read_text()


# Confirmed


def test_rules_are_in_force_and_kept_once_the_host_was_reached_anew(stage: Stage) -> None:
    before = tree_of(stage["one"])
    report = stage.apply(one=items(OPEN))
    assert report.succeeded, report
    assert (table(stage), kept(stage)) == (plain(OPEN), OPEN.rules)
    assert stage.plan(one=items(OPEN)).is_noop
    assert not stage["one"].path("/run/fedikit-firewall").exists()
    assert stage.apply(one=items(OTHER)).succeeded
    assert (table(stage), kept(stage)) == (plain(OTHER), OTHER.rules)
    assert stage.rollback().succeeded
    assert (table(stage), kept(stage)) == (plain(OPEN), OPEN.rules)
    assert stage.remove().succeeded
    assert (table(stage), tree_of(stage["one"])) == ("", before)


def test_a_plan_shows_the_rules_and_changes_none(stage: Stage) -> None:
    stage.apply(one=items(OPEN))
    plan = stage.plan(one=items(OTHER))
    (change,) = plan.hosts["one"].changes
    assert (change.before, change.after) == (OPEN.rules, OTHER.rules)
    assert table(stage) == plain(OPEN)


# Undone


def test_rules_that_lock_the_deployer_out_are_undone_and_planned_again(stage: Stage) -> None:
    stage.apply(one=items(OPEN))
    report = stage.apply(one=items(LOCKED))
    assert report.hosts["one"].outcome == "failed"
    assert "did not reach this host by a new connection within 1 s" in report.hosts["one"].error
    assert "the rules from before are back in force" in report.hosts["one"].error
    assert (table(stage), kept(stage)) == (plain(OPEN), OPEN.rules)
    plan = stage.plan(one=items(LOCKED))
    assert reasons(plan) == ["rules"]
    assert "failed at firewall:fedikit" in plan.hosts["one"].note
    assert stage.apply(one=items(OPEN)).succeeded
    assert table(stage) == plain(OPEN)


def test_the_first_firewall_is_undone_to_none(stage: Stage) -> None:
    assert not stage.apply(one=items(LOCKED)).succeeded
    assert table(stage) == ""
    assert not stage["one"].path(KEPT).exists()
    assert reasons(stage.plan(one=items(LOCKED))) == ["absent"]
    assert stage.remove().succeeded
    assert not stage["one"].path("/var/lib/fedikit").exists()


def test_rules_that_nft_refuses_change_nothing(stage: Stage) -> None:
    stage.apply(one=items(OPEN))
    broken = OTHER.model_copy(update={"rules": OTHER.rules.replace("tcp dport 80", "nonsense")})
    report = stage.apply(one=items(broken))
    assert "`nft` ended with exit status 1" in report.hosts["one"].error
    assert table(stage) == plain(OPEN)
    assert not stage["one"].path("/run/fedikit-firewall").exists()


def test_without_a_timer_nothing_is_tried(stage: Stage) -> None:
    stage["one"].path("/usr/bin/systemd-run").unlink()
    report = stage.apply(one=items(OPEN))
    words = "nothing would undo it, should it lock the deployer out: there is no command `systemd-run` on this host"
    assert words in report.hosts["one"].error
    assert table(stage) == ""


Act = Callable[[], object]


@pytest.fixture
def on_trial(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Callable[[Firewall, Act], str]:
    """Applies a firewall, and acts in the place of confirming it; returns the token of the trial."""

    def begin(wall: Firewall, act: Act) -> str:
        tokens: list[str] = []

        def confirm(session: Session, change: Unconfirmed) -> None:
            tokens.append(change.token)
            assert table(stage) == plain(wall)
            act()

        with monkeypatch.context() as patch:
            patch.setattr(Session, "_confirm", confirm)
            assert not stage.apply(one=items(wall)).succeeded
        return tokens[0]

    return begin


def be_gone() -> None:
    raise FedikitError("the deployer was killed")


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def confirm(stage: Stage, token: str) -> None:
    with Session("one", stage["one"].connection) as session:
        session.ask({"op": "confirm", "deployment": "stage", "token": token}, Confirmed)


def test_a_deployer_that_is_gone_confirms_nothing_and_later_is_too_late(
    stage: Stage, on_trial: Callable[[Firewall, Act], str]
) -> None:
    token = on_trial(OTHER, be_gone)
    until(lambda: table(stage) == "")
    with pytest.raises(HostError, match="there is no firewall to confirm: it has been undone, or confirmed already"):
        confirm(stage, token)
    assert not stage["one"].path(KEPT).exists()


def test_the_timer_undoes_it_where_the_agent_was_killed(stage: Stage, on_trial: Callable[[Firewall, Act], str]) -> None:
    on_trial(OTHER, lambda: kill_agents(stage))
    until(lambda: table(stage) == "")
    assert stage.apply(one=items(OPEN)).succeeded


def test_what_was_never_confirmed_is_nothing_to_go_back_to(
    stage: Stage, on_trial: Callable[[Firewall, Act], str]
) -> None:
    on_trial(firewall(Rule("tcp", 81, None, "web sites"), seconds=20), lambda: kill_agents(stage))
    assert "dport 81" in table(stage)
    assert not stage.apply(one=items(LOCKED)).succeeded
    assert table(stage) == ""


def test_a_token_is_no_path(stage: Stage) -> None:
    secret = stage["one"].path("/etc/x.pending")
    secret.write_text("x")
    with pytest.raises(HostError, match="there is no firewall to confirm"):
        confirm(stage, "../../etc/x")
    assert secret.exists()


def kill_agents(stage: Stage) -> None:
    """All that work in this machine's directory, and nobody else."""
    root = stage["one"].root
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            words = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
            environment = (entry / "environ").read_bytes() if b"exec(r.read(" in words else b""
            if f"PATH={root}/usr/bin".encode() in environment:
                os.kill(int(entry.name), signal.SIGKILL)


# Told beforehand


def test_what_was_changed_by_somebody_else_is_made_good(stage: Stage) -> None:
    stage.apply(one=items(OPEN))
    stage["one"].path("/run/nft").write_text(plain(OTHER))
    assert reasons(stage.plan(one=items(OPEN))) == ["was changed by somebody else"]
    stage["one"].path("/run/nft").unlink()
    assert reasons(stage.plan(one=items(OPEN))) == ["is not in force"]
    assert stage.apply(one=items(OPEN)).succeeded
    assert table(stage) == plain(OPEN)
    stage["one"].path(KEPT).write_text(OTHER.rules)
    assert reasons(stage.plan(one=items(OPEN))) == ["is not kept for the next start"]
    assert stage.apply(one=items(OPEN)).succeeded
    assert kept(stage) == OPEN.rules


CHAIN = {"family": "inet", "table": "filter", "name": "input", "hook": "input", "policy": "drop"}


@pytest.mark.parametrize(
    ("path", "text", "rival"),
    [
        ("/etc/ufw/ufw.conf", "# ufw\nENABLED=yes\n", "ufw"),
        ("/run/chain.json", json.dumps({"chain": CHAIN}), "nftables' chain input of table inet filter"),
    ],
)
def test_another_firewall_is_refused_in_words(stage: Stage, path: str, text: str, rival: str) -> None:
    place = stage["one"].path(path)
    place.parent.mkdir(exist_ok=True)
    place.write_text(text)
    plan = stage.plan(one=items(OPEN))
    assert plan.hosts["one"].is_blocked
    assert reasons(plan) == [
        f"{rival} closes ports here too, and a packet must pass both: take that out of force, "
        "or leave this host out of policies.firewall.hosts"
    ]


def test_another_firewall_that_is_seen_only_once_nft_is_there_is_refused_before_anything_is_loaded(
    stage: Stage,
) -> None:
    nft, hidden = stage["one"].path("/usr/bin/nft"), stage["one"].path("/usr/bin/nft.hidden")
    stage["one"].path("/run/chain.json").write_text(json.dumps({"chain": CHAIN}))
    stage["one"].program("bring-nft", '#!/bin/sh\n[ -e "${0%/*}/nft" ] || /bin/mv "${0%/*}/nft.hidden" "${0%/*}/nft"\n')
    nft.rename(hidden)
    report = stage.apply(one=[Job(name="nft", run=("/usr/bin/bring-nft",)), *items(OPEN)])
    assert "nftables' chain input of table inet filter closes ports here too" in report.hosts["one"].error
    assert table(stage) == ""


@pytest.mark.parametrize("chain", [{**CHAIN, "policy": "accept"}, {**CHAIN, "hook": "forward"}, {"name": "plain"}])
def test_other_tables_that_do_not_fight_are_left_alone(stage: Stage, chain: dict[str, Any]) -> None:
    stage["one"].path("/run/chain.json").write_text(json.dumps({"chain": {"family": "ip", "table": "x", **chain}}))
    assert stage.apply(one=items(OPEN)).succeeded


def test_ufw_that_is_installed_and_off_is_no_rival(stage: Stage) -> None:
    folder = stage["one"].path("/etc/ufw")
    folder.mkdir()
    (folder / "ufw.conf").write_text("ENABLED=no\n")
    assert stage.apply(one=items(OPEN)).succeeded


def listening(stage: Stage, **tables: list[tuple[str, str, int]]) -> None:
    """Fills /proc: by table, local addresses as the kernel writes them, the state, and a socket's number."""
    folder = stage["one"].path("/proc/net")
    folder.mkdir(parents=True)
    for name, sockets in tables.items():
        rows = [f" 0: {local} 0:0 {state} 0:0 00:0 0 0 0 {inode} 1 x" for local, state, inode in sockets]
        (folder / name).write_text("\n".join(["  sl  local_address", *rows, ""]))
    for process, (name, inode) in {"7": ("sshd", 11), "8": ("node\x1b exporter", 12)}.items():
        fd = stage["one"].path(f"/proc/{process}/fd")
        fd.mkdir(parents=True)
        (fd / "3").symlink_to(f"socket:[{inode}]")
        (fd.parent / "comm").write_text(f"{name}\n")


def test_a_plan_names_what_would_be_cut_off_and_an_ssh_elsewhere(stage: Stage) -> None:
    everywhere, six, loop, loop6 = "00000000", "0" * 32, "0100007F", "00000000000000000000000001000000"
    listening(
        stage,
        tcp=[(f"{everywhere}:08AE", "0A", 11), (f"{loop}:0CEA", "0A", 13), (f"{everywhere}:0050", "0A", 14),
             (f"{everywhere}:1F90", "01", 15)],
        tcp6=[(f"{six}:238C", "0A", 12), (f"{loop6}:238D", "0A", 12)],
        udp=[(f"{everywhere}:1389", "07", 99), (f"{everywhere}:C350", "07", 98)],
    )  # fmt: skip
    assert reasons(stage.plan(one=items(OTHER))) == [
        "absent",
        "closes port 2222 (tcp), where sshd listens",
        "closes port 5001 (udp), where something listens",
        "closes port 9100 (tcp), where node\\x1b exporter listens",
        "SSH listens at 2222 here, and is let in at 22",
    ]


# Two deployments


def test_a_second_deployment_is_refused_its_own_and_told_of_the_first(stage: Stage, staged: Staged) -> None:
    stage.apply(one=items(OPEN))
    second = staged("one", name="second")
    plan = second.plan(one=items(OTHER))
    assert plan.hosts["one"].is_blocked
    assert reasons(plan) == [
        "belongs to the deployment stage: let that one's environment open what this one needs "
        "(policies.firewall.open), and leave this host out of policies.firewall.hosts here"
    ]
    told = second.plan(one=[File(path="/etc/b", content="b\n")]).hosts["one"]
    assert told.note == (
        "the deployment stage has a firewall here: from elsewhere only that is reached which "
        "policies.firewall of its environment opens"
    )
    assert second.apply(one=[File(path="/etc/b", content="b\n")]).succeeded
    assert second.remove().succeeded
    assert table(stage) == plain(OPEN)
