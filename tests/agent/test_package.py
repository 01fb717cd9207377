"""Packages: what apt would do is looked at before it does it, and what a dpkg was interrupted in is ended for ours."""

from pathlib import Path

import pytest

from fedikit.agent.blobs import Blobs
from fedikit.agent.hands import Hands
from fedikit.agent.packages import end_interrupted, install, marked_manual, parse_status, used_by
from fedikit.agent.trouble import Trouble
from tests.agent.conftest import Host

OURS = "Package: app\nStatus: install ok {}\nVersion: 1\n\n"
THEIRS = "Package: vendor\nStatus: install ok {}\nVersion: 1\n\n"


class Apt(Hands):
    """Hands that note commands, and answer simulations."""

    def __init__(self, root: Path, simulated: str = "") -> None:
        super().__init__(str(root))
        self.simulated = simulated
        self.commands: list[list[str]] = []

    def run(self, command: list[str], *, stdin: bytes = b"", user: str = "root", seconds: int = 120) -> str:
        self.commands.append(command)
        return self.simulated if "--simulate" in command else ""


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ("Remv vendor [1]", "vendor would be removed"),
        ("Remv app [1]", "app would be removed"),
        ("Inst vendor [1] (2 local)", "vendor would be replaced"),
        ("Conf vendor (1 local)", "vendor would be set up"),
    ],
)
def test_nothing_is_installed_if_apt_would_touch_others(host: Host, step: str, words: str) -> None:
    hands = Apt(host.root, f"Inst app (1 local)\n{step}\nConf app (1 local)\n")
    (host.home / "store").mkdir(parents=True)
    with pytest.raises(Trouble, match=words) as caught:
        install(hands, [], Blobs(str(host.home / "store")), ours={"app"})
    assert "nothing was installed" in caught.value.message
    assert ["--simulate" in command for command in hands.commands] == [True]


def test_apt_is_forbidden_to_remove_also_after_its_simulation(host: Host) -> None:
    hands = Apt(host.root, "Inst app (1 local)\nConf app (1 local)\n")
    (host.home / "store").mkdir(parents=True)
    install(hands, [], Blobs(str(host.home / "store")), ours={"app"})
    simulation, real = hands.commands
    assert [word for word in real if word != "--no-remove"] == [word for word in simulation if word != "--simulate"]
    assert "--no-remove" in real


def test_only_packages_of_ours_are_configured_when_dpkg_was_interrupted(host: Host) -> None:
    status = host.root / "var/lib/dpkg/status"
    status.write_text(OURS.format("unpacked") + THEIRS.format("half-configured"))
    hands = Apt(host.root)
    end_interrupted(hands, {"app"})
    assert [command[-2:] for command in hands.commands] == [["--configure", "app"], ["--triggers-only", "--pending"]]
    status.write_text(OURS.format("installed") + THEIRS.format("unpacked"))
    hands = Apt(host.root)
    end_interrupted(hands, {"app"})
    assert hands.commands == []


def test_what_apt_calls_automatic_is_read_from_its_marks(host: Host) -> None:
    marks = host.root / "var/lib/apt/extended_states"
    marks.parent.mkdir()
    marks.write_text("Package: a\nArchitecture: amd64\nAuto-Installed: 1\n\nPackage: b\nAuto-Installed: 0\n")
    hands = Hands(str(host.root))
    assert [marked_manual(hands, name) for name in ("a", "b", "c")] == [False, True, True]


def test_what_a_server_may_use_are_also_alternatives_and_recommendations() -> None:
    text = (
        b"Package: server\nStatus: install ok installed\nDepends: net-a | net-b\nRecommends: extra\n\n"
        b"Package: net-a\nStatus: install ok installed\n\nPackage: extra\nStatus: install ok installed\n\n"
        b"Package: net-b\nStatus: install ok installed\nDepends: tables\n\n"
        b"Package: tables\nStatus: install ok installed\n\nPackage: other\nStatus: install ok installed\n"
    )
    users = used_by(parse_status(text), {"server"})
    assert users == {"net-a": "server", "net-b": "server", "extra": "server", "tables": "net-b"}
