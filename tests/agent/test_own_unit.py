"""The agent's own unit: asked of systemd by D-Bus, byte by byte as that is, and done without where there is none."""

from pathlib import Path

import pytest

from fedikit.agent import dbus, own_unit
from fedikit.agent.dbus import ANSWER, SIGNAL
from fedikit.agent.wire import Writer
from tests.agent.systemd_socket import Says, SystemdSocket, answer, message, refuse


@pytest.mark.parametrize(
    ("says", "is_done"),
    [
        (lambda call: message(SIGNAL, member="UnitNew", body=b"body") * 3 + answer()(call), True),
        (refuse, False),
        (lambda call: message(ANSWER, serial=call.serial + 1) + refuse(call), False),
    ],
    ids=["signals before", "refused", "another call's answer"],
)
def test_systemd_is_taken_by_its_answer_to_this_very_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: Says, is_done: bool
) -> None:
    begun = SystemdSocket(tmp_path / "private", {"StartTransientUnit": says})
    monkeypatch.setattr(dbus, "PRIVATE", str(tmp_path / "private"))
    assert own_unit._start("fedikit-trial.scope", "words") is is_done
    assert [call.member for call in begun.heard] == ["StartTransientUnit"]
    begun.close()


def test_values_stand_at_multiples_of_their_size() -> None:
    writer = Writer()
    writer.text("ab")
    writer.array(8, lambda: writer.number(7))
    assert bytes(writer.data) == b"\2\0\0\0ab\0\0" + b"\4\0\0\0" + b"\0\0\0\0" + b"\7\0\0\0"


def test_where_no_systemd_runs_there_is_no_unit_and_no_trouble(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(own_unit, "BOOTED", str(tmp_path / "none"))
    assert own_unit.enter("trial") == ""
    monkeypatch.setattr(own_unit, "BOOTED", str(tmp_path))
    monkeypatch.setattr(dbus, "PRIVATE", str(tmp_path / "none"))
    assert own_unit.enter("trial") == ""
    monkeypatch.setattr(own_unit, "JOURNAL", str(tmp_path / "none"))
    own_unit.write_journal("nobody hears it")
