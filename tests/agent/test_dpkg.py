"""apt and dpkg are called as we mean it, whatever an administrator told them, and disturb nobody at work with them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fedikit.agent import dpkg
from fedikit.agent.blobs import Blobs
from fedikit.agent.hands import Hands
from fedikit.agent.packages import dispensable, end_interrupted, leave, mark_automatic, parse_status, purge_remains
from fedikit.agent.trouble import Trouble
from tests.agent.conftest import Host

ADMINISTRATORS = """\
APT::Default-Release "bookworm";
APT::Solver "aspcud";
APT::Get::AutomaticRemove "true";
APT::Get::Download-Only "true";
APT::Install-Suggests "true";
Dir::Etc::preferences "/etc/apt/pins";
DPkg::Options { "--force-confnew"; "--path-exclude=/usr/share/doc/*"; };
DPkg::Post-Invoke { "etckeeper post-install"; };
"""
HOLDER = """
import fcntl, sys, time
file = open(sys.argv[1], "w")
fcntl.lockf(file, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(float(sys.argv[2]))
"""
DPKG = "Package: dpkg\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n\n"
STANZA = "Package: {}\nStatus: {}\nArchitecture: {}\nMulti-Arch: same\nVersion: 1\nMaintainer: J\udcfcrg\n{}\n"


class Noting(Hands):
    """Hands that note commands, which fail the first `failing` times; and whether somebody was disturbed."""

    def __init__(self, host: Host, failing: int = 0) -> None:
        super().__init__(str(host.root))
        self.commands: list[list[str]] = []
        self.failing = failing
        self.disturbed = False

    def run(self, command: list[str], *, stdin: bytes = b"", user: str = "root", seconds: int = 120) -> str:
        self.commands.append(command)
        self.disturbed |= any(dpkg._holder_of(self, path) for path in dpkg.LOCKS)
        if len(self.commands) <= self.failing:
            raise Trouble("dpkg frontend lock was locked by another process")
        return ""


def stanza(name: str, architecture: str = "amd64", status: str = "install ok installed", depends: str = "") -> str:
    return STANZA.format(name, status, architecture, f"Depends: {depends}\n" if depends else "")


def has(host: Host, *stanzas: str) -> None:
    text = DPKG + "".join(stanzas)
    (host.root / "var/lib/dpkg/status").write_bytes(text.encode(errors="surrogateescape"))


def held(host: Host, name: str, seconds: float) -> subprocess.Popen[str]:
    """Somebody else's lock, for so long."""
    command = [sys.executable, "-c", HOLDER, str(host.root / "var/lib/dpkg" / name), str(seconds)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "held\n"
    return process


# What an administrator told them


def test_what_apt_conf_says_does_not_touch_our_calls_but_hooks_stay(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text(ADMINISTRATORS)
    environment = {**os.environ, "APT_CONFIG": str(tmp_path / "theirs")}
    command = ["apt-config", *dpkg.apt_options(str(tmp_path)), "dump"]
    said = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    lines = said.splitlines()
    for word in ("bookworm", "aspcud", "AutomaticRemove", "Download-Only", 'confnew"', "path-exclude", "/etc/apt/pins"):
        assert [line for line in lines if word in line and "refuse" not in line] == []
    assert [line for line in lines if line.startswith("DPkg::Options:: ")] == [
        f'DPkg::Options:: "{option}";' for option in dpkg.DPKG_OPTIONS
    ]
    assert 'DPkg::Post-Invoke:: "etckeeper post-install";' in lines
    assert f'Dir::State::lists "{tmp_path}/lists";' in lines


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """With a configuration file and documentation."""
    tree = tmp_path / "tree"
    for path, text in (("etc/app.conf", "new\n"), ("usr/share/doc/app/README", "read\n")):
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(text)
    (tree / "DEBIAN").mkdir()
    control = "Package: app\nVersion: 2\nArchitecture: all\nMaintainer: us\nDescription: an app\n"
    (tree / "DEBIAN/control").write_text(control)
    (tree / "DEBIAN/conffiles").write_text("/etc/app.conf\n")
    built = tmp_path / "app.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", tree, built], check=True, capture_output=True)
    return built


@pytest.mark.skipif(os.geteuid() != 0, reason="dpkg wants to be root")
@pytest.mark.parametrize("ours", [True, False], ids=["ours", "plain"])
def test_what_dpkg_cfg_says_does_not_touch_our_calls(tmp_path: Path, package: Path, ours: bool) -> None:
    """The control shows that it would."""
    root = tmp_path / "root"
    for folder in ("var/lib/dpkg/info", "var/lib/dpkg/updates", "etc"):
        (root / folder).mkdir(parents=True)
    (root / "var/lib/dpkg/status").touch()
    (root / "etc/app.conf").write_text("edited\n")
    (tmp_path / ".dpkg.cfg").write_text("path-exclude=/usr/share/doc/*\nforce-confnew\n")
    command = dpkg.DPKG if ours else ["dpkg"]
    environment = {**os.environ, "HOME": str(tmp_path)}
    options = [f"--root={root}", "--force-script-chrootless", "--install", str(package)]
    subprocess.run([*command, *options], env=environment, check=True, capture_output=True)
    assert (root / "usr/share/doc/app/README").exists() == ours
    assert (root / "etc/app.conf").read_text() == ("edited\n" if ours else "new\n")


# Locks


@pytest.mark.parametrize("lock", ["lock", "lock-frontend"])
@pytest.mark.parametrize("act", ["configure", "remove", "purge", "mark"])
def test_whoever_is_at_work_with_packages_is_waited_for(
    host: Host, monkeypatch: pytest.MonkeyPatch, lock: str, act: str
) -> None:
    monkeypatch.setattr(dpkg, "POLL_SECONDS", 0.01)
    (host.home / "store").mkdir(parents=True)
    has(host, stanza("app", status=f"install ok {'unpacked' if act == 'configure' else 'installed'}"))
    if act == "purge":
        has(host, stanza("app", status="deinstall ok config-files"))
    hands = Noting(host)
    acts = {
        "configure": lambda: end_interrupted(hands, {"app"}),
        "remove": lambda: leave(hands, {"app"}, set(), ours=set(), purge=False),
        "purge": lambda: purge_remains(hands, {"app"}),
        "mark": lambda: mark_automatic(hands, ["app"], Blobs(str(host.home / "store"))),
    }
    with held(host, lock, 0.2):
        acts[act]()
    assert hands.commands
    assert not hands.disturbed


def test_one_that_is_at_work_for_too_long_is_named(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dpkg, "LOCK_SECONDS", 0.1)
    has(host, stanza("app"))
    hands = Noting(host)
    with held(host, "lock", 60) as other:
        with pytest.raises(Trouble, match=rf"\(process {other.pid}\) is at work with packages") as caught:
            leave(hands, {"app"}, set(), ours=set(), purge=False)
        other.kill()
    assert "python" in caught.value.message
    assert hands.commands == []


def test_who_comes_between_looking_and_doing_is_waited_for_too(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["", "one", "one", ""])
    monkeypatch.setattr(dpkg, "holder_of_locks", lambda _: next(answers))
    monkeypatch.setattr(dpkg, "POLL_SECONDS", 0.01)
    hands = Noting(host, failing=1)
    dpkg.run(hands, ["dpkg", "--purge", "app"])
    assert len(hands.commands) == 2


def test_what_fails_for_another_reason_fails_at_once(host: Host) -> None:
    hands = Noting(host, failing=1)
    with pytest.raises(Trouble):
        dpkg.run(hands, ["dpkg", "--purge", "app"])
    assert len(hands.commands) == 1


# Other architectures, and bytes that are no text


def test_packages_are_removed_by_architecture_and_those_of_another_stay(host: Host) -> None:
    lib = stanza("libapp"), stanza("libapp", "i386")
    for order in (lib, lib[::-1]):
        has(host, *order)
        hands = Noting(host)
        leave(hands, {"libapp"}, set(), ours=set(), purge=True)
        assert hands.commands[-1][-2:] == ["--purge", "libapp:amd64"]


def test_what_is_needed_by_another_architectures_packages_is_not_ours(host: Host) -> None:
    has(host, stanza("libapp"), stanza("libapp", "i386"), stanza("wine", "i386", depends="libapp"))
    assert dispensable(parse_status(Hands(str(host.root)).dpkg_status), {"libapp"}) == {"libapp"}


@pytest.mark.parametrize("words", ["Multi-Arch: foreign", "Multi-Arch: allowed"])
def test_what_serves_other_architectures_is_needed_by_them(host: Host, words: str) -> None:
    has(host, stanza("app").replace("Multi-Arch: same", words), stanza("wine", "i386", depends="app"))
    assert dispensable(parse_status(Hands(str(host.root)).dpkg_status), {"app"}) == set()


def test_a_package_is_known_by_the_hosts_architecture(host: Host) -> None:
    has(host, stanza("libapp", "i386").replace("Version: 1", "Version: 9"), stanza("libapp"))
    assert Hands(str(host.root)).package("libapp") == {"installed": True, "version": "1"}
    has(host, stanza("libapp", "i386"))
    assert Hands(str(host.root)).package("libapp") == {"installed": False}
    assert Hands(str(host.root)).package("libapp:i386")["installed"]


def test_what_a_killed_dpkg_noted_is_of_one_architecture(host: Host) -> None:
    has(host, stanza("libapp", "i386"), stanza("libapp"))
    updates = host.root / "var/lib/dpkg/updates"
    updates.mkdir()
    text = stanza("libapp", status="install ok unpacked")
    (updates / "0001").write_bytes(text.encode(errors="surrogateescape"))
    hands = Hands(str(host.root))
    assert hands.package("libapp") == {"installed": False, "unfinished": True}
    assert hands.package("libapp:i386")["installed"]


def test_only_the_hosts_own_remains_are_purged(host: Host) -> None:
    has(host, stanza("libapp", "i386", "deinstall ok config-files"), stanza("app", status="deinstall ok config-files"))
    hands = Noting(host)
    purge_remains(hands, {"app", "libapp"})
    assert hands.commands == [[*dpkg.DPKG, "--purge", "app:amd64"]]


def test_bytes_that_are_no_text_do_not_stop_a_plan_or_a_removal(host: Host) -> None:
    has(host, stanza("app"), stanza("j\udcfc"))
    assert host.actions(host.file("/etc/a", "1\n")) == {"file:/etc/a": "create"}
    hands = Noting(host)
    leave(hands, {"app"}, set(), ours=set(), purge=False)
    assert hands.commands[-1][-1] == "app:amd64"
