"""Facts as the agent tells them, of a directory that stands for a host: the kernel's files are written by hand."""

from typing import Any

import pytest

from fedikit.agent import facts as agent_facts
from fedikit.agent import listeners
from fedikit.agent.eyes import Eyes
from fedikit.agent.facts import facts_of
from fedikit.remote.answer_messages import Facts
from fedikit.remote.directory import DirectoryMachine
from fedikit.remote.session import Session
from tests.remote.conftest import Staged, staged

__all__ = ["staged"]
HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
ROW = "   0: {local} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000     0        0 {inode} 1 0 100\n"


@pytest.fixture
def machine(staged: Staged) -> DirectoryMachine:
    return staged("one")["one"]


def write(machine: DirectoryMachine, path: str, text: str) -> None:
    place = machine.path(path)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)


def listening(machine: DirectoryMachine, *sockets: tuple[str, str, int], kind: str = "tcp") -> None:
    """Sockets as the kernel lists them: address and port in hex, state, inode."""
    rows = "".join(ROW.format(local=local, state=state, inode=inode) for local, state, inode in sockets)
    write(machine, f"/proc/net/{kind}", HEAD + rows)


def process(machine: DirectoryMachine, number: int, name: str, group: str, inode: int) -> None:
    write(machine, f"/proc/{number}/comm", f"{name}\n")
    write(machine, f"/proc/{number}/cgroup", f"0::{group}\n")
    held = machine.path(f"/proc/{number}/fd")
    held.mkdir()
    (held / "3").symlink_to(f"socket:[{inode}]")


def facts(machine: DirectoryMachine, **request: Any) -> Facts:
    asked = {"op": "facts", "deployment": "stage", "paths": ["/"], "ports": [80, 443, 3000], **request}
    with Session("one", machine.connection) as session:
        return session.ask(asked, Facts)


def test_what_cannot_be_seen_is_left_out(machine: DirectoryMachine) -> None:
    said = facts(machine)
    assert (said.codename, said.memory.total, said.listeners, said.is_clock_synchronized) == ("trixie", 0, (), None)
    assert said.resolves is None
    assert said.disks["/"].size > said.disks["/"].free > 0


def test_memory_is_told_in_bytes(machine: DirectoryMachine) -> None:
    write(machine, "/proc/meminfo", "MemTotal:  4000 kB\nMemFree: 1 kB\nMemAvailable: 2000 kB\nSwapTotal: 500 kB\n")
    memory = facts(machine).memory
    assert (memory.total, memory.available, memory.swap) == (4_096_000, 2_048_000, 512_000)


def test_who_listens_is_told_with_program_and_unit_and_who_only_speaks_is_not(machine: DirectoryMachine) -> None:
    listening(machine, ("00000000:0050", "0A", 11), ("0100007F:0BB8", "0A", 12), ("00000000:01BB", "01", 13),
              ("00000000:1F90", "0A", 14))  # fmt: skip
    listening(machine, ("00000000000000000000000001000000:01BB", "0A", 15), kind="tcp6")
    listening(machine, ("00000000:01BB", "07", 16), kind="udp")
    process(machine, 700, "nginx", "/system.slice/nginx.service", 11)
    process(machine, 701, "puma", "/system.slice/mastodon-web.service/libpod-payload-1", 12)
    told = {(each.protocol, each.port, each.is_local): (each.program, each.unit) for each in facts(machine).listeners}
    assert told == {
        ("tcp", 80, False): ("nginx", "nginx.service"),
        ("tcp", 3000, True): ("puma", "mastodon-web.service"),
        ("tcp", 443, True): ("", ""),
        ("udp", 443, False): ("", ""),
    }


def test_where_no_port_matters_the_kernel_is_not_asked_for_its_long_lists(
    machine: DirectoryMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(listeners.kernel, "text", lambda path, root="": asked.append(path) or "")
    request: dict[str, Any] = {"paths": [], "ports": []}
    eyes = Eyes(str(machine.path("/")))
    assert facts_of(eyes, request)["listeners"] == []
    assert not any(path.startswith("/proc/net/") for path in asked)
    facts_of(eyes, {**request, "ports": [80]})
    assert "/proc/net/tcp" in asked


@pytest.mark.parametrize(("is_brief", "told"), [(False, True), (True, None)])
def test_a_brief_answer_leaves_out_what_takes_long(
    monkeypatch: pytest.MonkeyPatch, machine: DirectoryMachine, is_brief: bool, told: bool | None
) -> None:
    monkeypatch.setattr(agent_facts, "_synchronized", lambda eyes: True)
    said = facts_of(Eyes(str(machine.path("/"))), {"paths": [], "ports": [], "brief": is_brief})
    assert said["is_clock_synchronized"] is told


def test_packages_that_dpkg_has_not_ended_with_are_named(machine: DirectoryMachine) -> None:
    stanza = "Package: {}\nStatus: install ok {}\nVersion: 1\n\n"
    states = {"a": "installed", "half": "half-configured", "unpacked": "unpacked", "gone": "config-files"}
    write(machine, "/var/lib/dpkg/status", "".join(stanza.format(name, state) for name, state in states.items()))
    write(machine, "/var/lib/dpkg/updates/0001", stanza.format("cut", "half-installed"))
    said = facts(machine)
    assert said.unfinished_packages == ("half", "unpacked", "cut")
    assert said.dpkg_journal == 1


def test_what_the_kernel_has_for_containers(machine: DirectoryMachine) -> None:
    assert (facts(machine).has_cgroup2, facts(machine).has_overlayfs) == (False, False)
    write(machine, "/sys/fs/cgroup/cgroup.controllers", "cpu memory\n")
    write(machine, "/proc/filesystems", "nodev\tsysfs\nnodev\toverlay\n")
    assert (facts(machine).has_cgroup2, facts(machine).has_overlayfs) == (True, True)


def test_a_name_is_looked_up_from_there(machine: DirectoryMachine) -> None:
    assert facts(machine, resolve="localhost").resolves is True
    assert facts(machine, resolve="nowhere.invalid").resolves is False


def test_an_unreadable_kernel_is_no_failure(machine: DirectoryMachine) -> None:
    write(machine, "/proc/meminfo", "MemTotal: lots of kB\n")
    write(machine, "/proc/net/tcp", HEAD + "nonsense\n")
    machine.path("/proc/5").mkdir()
    assert facts(machine).memory.total == 0
