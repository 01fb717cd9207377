"""What is pending: which kernel runs, whose code is old, and what the host's own lists say."""

from pathlib import Path

import pytest

from fedikit.agent.eyes import Eyes
from fedikit.agent.pending import listed, may_be_restarted, newer_kernel, units_with_old_code
from tests.agent.conftest import Host

KERNEL = "Package: linux-image-{}\nStatus: install ok installed\nSection: kernel\nVersion: {}\n\n"


def kernels(*pairs: tuple[str, str]) -> bytes:
    return ("\n" + "".join(KERNEL.format(*pair) for pair in pairs)).encode()


OLD, NEW = ("6.12.9+deb13-amd64", "6.12.9-1"), ("6.12.43+deb13-amd64", "6.12.43-1")


@pytest.mark.parametrize(
    ("status", "running", "told"),
    [
        (kernels(OLD, NEW), OLD, True),
        (kernels(OLD, NEW), NEW, False),
        (kernels(NEW), OLD, True),
        (kernels((OLD[0], "6.12.9-2")), OLD, True),
        (kernels(OLD, ("6.12.43+deb13-cloud-amd64", "6.12.43-1")), OLD, False),
        (kernels(("amd64", "6.12.43-1")), OLD, False),
        (kernels(), OLD, False),
        (kernels(NEW), ("6.18.44", ""), False),
    ],
)
def test_a_newer_kernel_than_runs_is_told(status: bytes, running: tuple[str, str], told: bool) -> None:
    assert bool(newer_kernel(status, *running)) is told


@pytest.mark.parametrize(
    ("mapped", "is_old"),
    [
        ("7f00-7f01 r-xp 00000000 fe:01 123        /usr/lib/libssl.so.3 (deleted)", True),
        ("7f00-7f01 r-xp 00000000 fe:01 123        /usr/bin/with space (deleted)", True),
        ("7f00-7f01 r-xp 00000000 fe:01 123        /usr/lib/libssl.so.3", False),
        ("7f00-7f01 r--p 00000000 fe:01 123        /usr/share/locale (deleted)", False),
        ("7f00-7f01 r-xp 00000000 00:01 123        /memfd:jit (deleted)", False),
        ("7f00-7f01 rwxs 00000000 00:05 123        /dev/zero (deleted)", False),
    ],
)
def test_only_code_that_is_gone_from_where_packages_put_it_is_old(host: Host, mapped: str, is_old: bool) -> None:
    process(host.root, "1", mapped, "0::/system.slice/app.service")
    assert units_with_old_code(Eyes(str(host.root))) == ({"app.service"} if is_old else set())


@pytest.mark.parametrize(
    ("cgroup", "unit"),
    [
        ("0::/system.slice/system-getty.slice/db@15-main.service", "db@15-main.service"),
        ("0::/system.slice/web.service/libpod-payload-1", "web.service"),
        ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/x.service", ""),
        ("0::/user.slice/session-1.scope", ""),
        ("0::/system.slice/evil name;reboot.service", ""),
        ("0::/elsewhere/system.slice/app.service", ""),
    ],
)
def test_a_process_belongs_to_the_systems_own_service_or_to_none(host: Host, cgroup: str, unit: str) -> None:
    process(host.root, "1", "7f00-7f01 r-xp 00000000 fe:01 123        /usr/lib/a (deleted)", cgroup)
    assert units_with_old_code(Eyes(str(host.root))) == ({unit} if unit else set())


def process(root: Path, number: str, maps: str, cgroup: str) -> None:
    folder = root / "proc" / number
    folder.mkdir(parents=True)
    (folder / "maps").write_text(f"{maps}\n")
    (folder / "cgroup").write_text(f"{cgroup}\n")


def test_nobody_restarts_what_people_are_logged_in_by() -> None:
    units = ("dbus.service", "systemd-logind.service", "user@0.service", "ssh.service", "sshd@1.service", "app.service")
    assert [unit for unit in units if may_be_restarted(unit)] == ["app.service"]


def test_a_host_without_lists_says_nothing_of_newer_packages(host: Host) -> None:
    assert listed(Eyes(str(host.root))) is None


def test_the_hosts_own_lists_tell_what_is_newer(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    (host.root / "var/lib/apt/lists").mkdir(parents=True)
    (host.root / "var/lib/apt/lists/mirror_Packages").touch()
    said = (
        "Inst libc6 [2.41-1] (2.41-2 Debian:13.1/stable, Debian-Security:13/stable-security [amd64])\n"
        "Inst jq [1.7-1] (1.7-2 Debian:13.1/stable [amd64]) []\nInst fresh (1 Debian:13.1/stable [all])\nConf jq (1)\n"
    )
    monkeypatch.setattr(Eyes, "ask", lambda *_: said)
    assert listed(Eyes(str(host.root))) == [
        {"name": "libc6", "was": "2.41-1", "becomes": "2.41-2", "security": True},
        {"name": "jq", "was": "1.7-1", "becomes": "1.7-2", "security": False},
    ]
