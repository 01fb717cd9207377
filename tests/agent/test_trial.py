"""Trials of rules: one of three ends them, and what a killed one left is put right by the next."""

import os
from pathlib import Path

import pytest

from fedikit.agent import trial
from fedikit.agent.hands import Hands
from fedikit.agent.trouble import Trouble


class Kernel(Hands):
    """Knows one table, and notes what is loaded; `broken` rules are not taken."""

    def __init__(self, root: Path, table: str) -> None:
        super().__init__(str(root))
        self.table = table
        self.ran: list[str] = []

    def ask(self, command: list[str]) -> str:
        return self.table

    def run(self, command: list[str], *, stdin: bytes = b"", user: str = "root", seconds: int = 120) -> str:
        self.ran.append(command[0])
        if command[:2] == ["nft", "-f"]:
            text = Path(command[2]).read_text().removeprefix("table inet fedikit\ndelete table inet fedikit\n")
            if "broken" in text:
                raise Trouble("`nft` ended with exit status 1")
            self.table = text
        if command[:2] == ["nft", "delete"]:
            self.table = ""
        return ""


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kernel:
    monkeypatch.setattr(trial, "UNDOING_SECONDS", 0.0)
    return Kernel(tmp_path, "former")


def left(kernel: Kernel) -> list[str]:
    folder = kernel.real(trial.FOLDER)
    return os.listdir(folder) if os.path.isdir(folder) else []


def test_who_comes_first_decides(kernel: Kernel) -> None:
    begun = trial.begin(kernel, 60)
    kernel.table = "new"
    trial.confirm(kernel, begun.token)
    assert trial.is_confirmed(begun, 60)
    assert not trial.undo(kernel, begun)
    assert kernel.table == "new"
    trial.end(kernel, begun)
    assert left(kernel) == []


def test_what_is_undone_cannot_be_confirmed(kernel: Kernel) -> None:
    begun = trial.begin(kernel, 60)
    kernel.table = "new"
    assert trial.undo(kernel, begun)
    assert kernel.table == "former"
    with pytest.raises(Trouble, match="there is no firewall to confirm"):
        trial.confirm(kernel, begun.token)


@pytest.mark.parametrize("stage", [trial.PENDING, trial.UNDONE])
def test_what_was_left_by_a_killed_one_is_put_back(kernel: Kernel, stage: str) -> None:
    begun = trial.begin(kernel, 60)
    os.rename(begun.path + trial.PENDING, begun.path + stage)
    kernel.table = "new"
    trial.end_all(kernel)
    assert (kernel.table, left(kernel)) == ("former", [])


def test_what_was_confirmed_stays_though_its_agent_was_killed(kernel: Kernel) -> None:
    begun = trial.begin(kernel, 60)
    trial.confirm(kernel, begun.token)
    kernel.table = "new"
    trial.end_all(kernel)
    assert (kernel.table, left(kernel)) == ("new", [])


def test_a_host_is_rather_open_than_cut_off(kernel: Kernel) -> None:
    kernel.table = "broken"
    begun = trial.begin(kernel, 60)
    kernel.table = "new"
    assert trial.undo(kernel, begun)
    assert kernel.table == ""


def test_the_timer_is_armed_before_anything_is_changed_and_nothing_is_left_where_it_cannot(kernel: Kernel) -> None:
    trial.begin(kernel, 60)
    assert kernel.ran == ["systemd-run"]
    trial.end_all(kernel)

    class WithoutTimers(Kernel):
        def run(self, command: list[str], *, stdin: bytes = b"", user: str = "root", seconds: int = 120) -> str:
            raise Trouble("there is no command `systemd-run` on this host")

    with pytest.raises(Trouble) as caught:
        trial.begin(WithoutTimers(Path(kernel.root), "former"), 60)
    assert caught.value.message.startswith(
        "nothing would undo it, should it lock the deployer out: there is no command"
    )
    assert left(kernel) == []
