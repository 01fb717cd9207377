"""The doctor: each matter has its line and its remedy, and one dead host hides no other."""

import time
from pathlib import Path
from typing import Any

import pytest

from fedikit.agent import disk_space
from fedikit.display.drawing import lines_of, mimebundle
from fedikit.doctor import examine
from fedikit.doctor.host import HostFindings
from fedikit.doctor.ports import judge_ports
from fedikit.environment.environment import Environment
from fedikit.model.deployment import Deployment
from fedikit.model.host import DirectoryHost, DnsRecord, HostState, Ssh
from fedikit.model.item import File, Image, Unit
from fedikit.plan import make_plan
from fedikit.remote.answer_messages import Facts
from fedikit.remote.sessions import Sessions
from fedikit.remote.wanted_facts import ports_of
from fedikit.results.diagnosis import Finding
from tests.remote.conftest import Staged, staged
from tests.remote.test_door import FACTS

__all__ = ["staged"]
SSH = Ssh(
    address="192.0.2.1",
    host_key="ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOVQdbIsDJHA4QZgvZNgxjWhaO37NI4fy0OP9zcmb7Iw",
)
NOW = 1_700_000_000.0
WELL: dict[str, Any] = {
    **FACTS, "clock": NOW, "is_clock_synchronized": True, "listeners": [],
    "memory": {"total": 4 * 10**9, "available": 10**9, "swap": 0},
    "disks": {"/": {"device": 1, "size": 10**11, "free": 5 * 10**10, "inodes": 10**6, "free_inodes": 10**6}},
}  # fmt: skip
IMAGE = Image(reference="docker.io/example/app:1")


def findings(*items: Any, applications: tuple[str, ...] = (), memory: int = 0, **facts: Any) -> dict[str, Finding]:
    """By matter, what is found of a host that is well but for this."""
    state = HostState(connection=SSH, items=items, applications=applications)
    said = Facts.model_validate_json(Facts.model_validate(WELL | facts, strict=False).model_dump_json())
    found = HostFindings("one", state, said, now=NOW).all(dict.fromkeys(applications, memory))
    return {each.matter: each for each in found}


def test_a_host_that_is_well_has_a_line_for_each_matter_and_no_remedy() -> None:
    found = findings(IMAGE)
    matters = "SSH sudo python3 release disk memory clock DNS systemd containers dpkg".split()
    assert list(found) == matters
    assert {each.state for each in found.values()} == {"well"}
    assert not any(each.remedy for each in found.values())


SMALL = {"device": 1, "size": 10**11, "free": 10**8, "inodes": 10**6, "free_inodes": 10**6}


@pytest.mark.parametrize(
    ("matter", "state", "facts", "seen", "remedy"),
    [
        ("sudo", "obstacle", {"is_root": False}, "does not run as root", "sudo without a password"),
        ("release", "obstacle", {"codename": "bullseye"}, "bullseye", "bookworm or trixie"),
        (
            "release",
            "obstacle",
            {"codename": "noble", "strange_system": "Ubuntu 24.04 LTS"},
            "Ubuntu",
            "Debian 12 or 13",
        ),
        ("disk", "obstacle", {"disks": {"/": SMALL}}, "/: 0.1 of 100.0 GB free", "free some space"),
        ("disk", "note", {"disks": {"/": SMALL | {"free": 9 * 10**9}}}, "9.0 of 100.0 GB", "du -xh"),
        (
            "disk",
            "obstacle",
            {"disks": {"/": SMALL | {"free": 5 * 10**10, "free_inodes": 3}}},
            "3 inodes",
            "small files",
        ),
        ("clock", "obstacle", {"clock": NOW - 4000}, "is 4000 s behind the deployer's", "timedatectl set-ntp true"),
        ("clock", "note", {"clock": NOW + 30}, "is 30 s ahead", "timedatectl"),
        ("clock", "note", {"is_clock_synchronized": False}, "nothing keeps it right", "systemd-timesyncd"),
        ("DNS", "obstacle", {"resolves": False}, "does not find the authority", "/etc/resolv.conf"),
        (
            "systemd",
            "note",
            {"systemd": "degraded", "failed_units": ["a.service"]},
            "a.service",
            "systemctl status a.s",
        ),
        ("systemd", "obstacle", {"systemd": "offline"}, "offline", "boot the machine with systemd"),
        ("dpkg", "note", {"unfinished_packages": ["half"]}, "half", "dpkg --configure -a"),
        ("dpkg", "note", {"dpkg_journal": 1}, "is at work", "wait"),
    ],
)
def test_what_is_wrong_has_a_remedy(matter: str, state: str, facts: dict[str, Any], seen: str, remedy: str) -> None:
    found = findings(**facts)[matter]
    assert (found.state, seen in found.seen, remedy in found.remedy) == (state, True, True), found


@pytest.mark.parametrize(
    ("matter", "facts", "seen"),
    [
        ("release", {"codename": "bookworm"}, "bookworm"),
        ("containers", {"has_cgroup2": False}, "control groups of version 2"),
        ("containers", {"has_overlayfs": False}, "overlayfs"),
    ],
)
def test_containers_need_more(matter: str, facts: dict[str, Any], seen: str) -> None:
    assert findings(IMAGE, **facts)[matter].state == "obstacle"
    assert seen in findings(IMAGE, **facts)[matter].seen
    assert matter not in findings(**facts) or findings(**facts)[matter].state == "well"


def test_memory_is_compared_with_what_is_placed_there() -> None:
    assert findings(applications=("a", "b"), memory=2000)["memory"].state == "well"
    found = findings(applications=("a", "b"), memory=3000)["memory"]
    assert (found.state, "should have 6.0 GB (a 3.0, b 3.0)" in found.seen) == ("note", True)


def test_disks_are_told_once_however_many_paths_are_on_them() -> None:
    disk = WELL["disks"]["/"]
    found = findings(disks={"/": disk, "/srv": disk, "/var": disk | {"device": 2}})
    assert found["disk"].seen.startswith("/var: ")


# Ports


def deployment_with_site() -> Deployment:
    site = File(path="/etc/caddy/fedikit/site", content="reverse_proxy 127.0.0.1:3000 {\n}\n")
    state = HostState(connection=SSH, items=(site, Unit(name="caddy.service"), Unit(name="mastodon-web.service")))
    record = DnsRecord(name="m.example.org", type="A", address="192.0.2.1")
    return Deployment(name="home", hosts={"one": state}, dns=(record,))


def test_ports_are_those_of_the_web_and_those_behind_it() -> None:
    assert ports_of(deployment_with_site(), "one") == [80, 443, 3000]


@pytest.mark.parametrize(
    ("port", "program", "unit", "told"),
    [
        (80, "nginx", "nginx.service", "nginx.service listens at 80"),
        (443, "python3", "", "python3 listens at 443"),
        (3000, "", "", "a program unknown listens at 3000"),
        (443, "caddy", "caddy.service", ""),
        (3000, "puma", "mastodon-web.service", ""),
        (9999, "nginx", "nginx.service", ""),
    ],
)
def test_who_listens_there_and_is_not_of_the_deployment_stands_in_the_way(
    port: int, program: str, unit: str, told: str
) -> None:
    deployment = deployment_with_site()
    listener = {"protocol": "tcp", "port": port, "is_local": False, "program": program, "unit": unit}
    facts = Facts.model_validate(WELL | {"listeners": [listener]}, strict=False)
    (found,) = judge_ports("one", deployment.hosts["one"], ports_of(deployment, "one"), facts)
    assert found.state == ("obstacle" if told else "well")
    assert told in found.seen


def test_who_listens_for_the_host_alone_stands_in_the_way_too() -> None:
    deployment = deployment_with_site()
    listener = {"protocol": "tcp", "port": 80, "is_local": True, "program": "nginx", "unit": ""}
    facts = Facts.model_validate(WELL | {"listeners": [listener]}, strict=False)
    (found,) = judge_ports("one", deployment.hosts["one"], [80], facts)
    assert "nginx listens at 80, for the host alone, and is not of this deployment" in found.seen


# All together


@pytest.fixture
def environment(staged: Staged, tmp_path: Path) -> Environment:
    stage = staged("one")
    dead = SSH.model_copy(update={"address": "127.0.0.1", "port": 1})
    return stage.environment.model_copy(update={"hosts": {"dead": dead, **stage.environment.hosts}})


def test_a_dead_host_has_its_reason_and_hides_no_other(environment: Environment) -> None:
    diagnosis = examine.diagnose(environment, environment.empty())
    dead = [each for each in diagnosis.findings if each.host == "dead"]
    assert [(each.matter, each.state) for each in dead] == [("SSH", "obstacle")]
    assert "cannot be reached" in dead[0].seen
    assert dead[0].remedy == (
        "is the machine up? Does its SSH server run, and at that port: hosts.dead.port in the environment"
    )
    assert {each.matter for each in diagnosis.findings if each.host == "one"} > {"release", "disk", "clock", "dpkg"}
    assert not diagnosis.is_clear
    assert "stands in the way" in "\n".join(lines_of(diagnosis)) or "stand in the way" in "\n".join(lines_of(diagnosis))
    assert "→ is the machine up?" in mimebundle(diagnosis)["text/plain"]


def test_limit_leaves_others_alone(environment: Environment) -> None:
    diagnosis = examine.diagnose(environment, environment.empty(), limit=["one"])
    assert "dead" not in {each.host for each in diagnosis.findings}


def test_a_host_that_speaks_nonsense_is_a_finding(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examine, "wanted_facts", lambda *_: {"paths": [None], "ports": []})
    (found,) = [each for each in examine.diagnose(environment, environment.empty(), limit=["one"]).findings
                if each.host == "one"]  # fmt: skip
    assert (found.matter, found.state) == ("agent", "obstacle")


def test_the_deployers_own_keys_are_looked_at(environment: Environment, tmp_path: Path) -> None:
    key = tmp_path / "id_ed25519"
    key.touch(mode=0o644)
    host = SSH.model_copy(update={"identity_file": str(key)})
    deployment = Deployment(name="home", hosts={"one": HostState(connection=host, items=())})

    def seen() -> Finding:
        (found,) = [each for each in examine.examine_deployer(deployment) if each.matter == "SSH key"]
        return found

    assert (seen().state, seen().remedy) == ("obstacle", f"chmod 600 {key}")
    key.chmod(0o600)
    assert seen().state == "well"
    key.unlink()
    assert "no such file" in seen().seen


def wanting(environment: Environment, host: str) -> Deployment:
    empty = environment.empty()
    address = empty.hosts[host].connection.public_addresses[0]
    items = {host: empty.hosts[host].model_copy(update={"items": (File(path="/etc/a", content="a\n"),)})}
    record = DnsRecord(name="nowhere.invalid", type="A", address=address)
    return empty.model_copy(update={"hosts": {host: items[host]}, "dns": (record,)})


def test_what_would_fail_is_said_before_a_plan_is_applied_and_names_the_record(environment: Environment) -> None:
    deployment = wanting(environment, "one")
    (found,) = examine.foresee(make_plan(deployment)).obstacles
    assert (found.matter, found.host) == ("name", "one")
    assert "nowhere.invalid. 3600 IN A 127.0.0.1" in found.remedy


def test_what_hosts_told_with_their_plan_is_not_asked_again(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = wanting(environment, "one")
    with Sessions(deployment, foreseeing=True) as sessions:
        plan = make_plan(deployment, sessions=sessions)
        asked = examine.foresee(plan)
        monkeypatch.setattr(examine, "Session", None)
        assert set(sessions.told) == {"one"}
        assert sessions.told["one"].facts.disks.keys() == {"/", "/var/lib/fedikit", "/tmp"}
        assert examine.foresee(plan, sessions=sessions).findings == asked.findings


def test_which_applications_there_are_is_looked_up_once_however_many_hosts_there_are(
    staged: Staged, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = staged("one", "two", "three").environment
    asked: list[None] = []
    monkeypatch.setattr(examine, "load_catalogue", lambda: asked.append(None) or {})
    diagnosis = examine.diagnose(environment, environment.empty())
    assert {finding.host for finding in diagnosis.findings} >= {"one", "two", "three"}
    assert len(asked) == 1


def test_a_host_that_cannot_tell_with_its_plan_is_asked_by_itself(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = wanting(environment, "one")
    connection = deployment.hosts["one"].connection
    assert isinstance(connection, DirectoryHost)
    (Path(connection.path) / "usr/bin/dpkg").unlink()
    with Sessions(deployment, foreseeing=True) as sessions:
        plan = make_plan(deployment, sessions=sessions)
        assert (plan.has_changes, sessions.told) == (True, {})
        assert "there is no command `dpkg`" in str(examine.foresee(plan, sessions=sessions))


def test_a_plan_in_which_nothing_changes_asks_for_no_facts(environment: Environment) -> None:
    empty = environment.empty()
    with Sessions(empty, foreseeing=True) as sessions:
        plan = make_plan(empty, limit=["one"], sessions=sessions)
        assert (plan.is_noop, sessions.told) == (True, {})


def test_where_nothing_would_change_nobody_is_asked(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = make_plan(environment.empty(), limit=["one"])
    monkeypatch.setattr(examine, "Session", None)
    monkeypatch.setattr(examine, "look_up_names", None)
    start = time.monotonic()
    assert examine.foresee(plan).findings == ()
    assert time.monotonic() - start < 0.05


def test_a_disk_tells_its_inodes(tmp_path: Path) -> None:
    assert disk_space.disk_at(str(tmp_path), "/not/there/yet")["size"] > 0
