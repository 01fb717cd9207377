"""systemd is asked over its own socket, and its program does what cannot be had there."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fedikit.agent import dbus, manager
from fedikit.agent.dbus import ANSWER, SIGNAL
from fedikit.agent.eyes import Eyes
from fedikit.agent.facts import facts_of
from fedikit.agent.hands import Hands
from fedikit.agent.systemd import reread, set_enabled, tell
from fedikit.agent.trouble import Trouble
from fedikit.agent.unit_state import state_of
from fedikit.agent.wire import Reader, Strange, Writer
from tests.agent.conftest import Host
from tests.agent.systemd_socket import Call, Says, SystemdSocket, answer, job_removed, message, refuse, texts

Begin = Callable[..., SystemdSocket]
JOB = "/org/freedesktop/systemd1/job/7"


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Begin]:
    """Begins something that answers as systemd would."""
    begun: list[SystemdSocket] = []

    def begin(**says: Says) -> SystemdSocket:
        begun.append(SystemdSocket(tmp_path / "private", says))
        return begun[0]

    monkeypatch.setattr(dbus, "PRIVATE", str(tmp_path / "private"))
    yield begin
    for one in begun:
        one.close()


class NotingHands(Hands):
    """Hands of which it is only noted what they would run."""

    def __init__(self) -> None:
        super().__init__()
        self.ran: list[str] = []

    def run(self, command: list[str], *, stdin: bytes = b"", user: str = "root", seconds: int = 120) -> str:
        self.ran.append(" ".join(command))
        return ""

    def ask(self, command: list[str]) -> str:
        return "its last words\n" if command[0] == "journalctl" else "ActiveState=from the program\n"


def variant(writer: Writer, kind: str, value: str | int) -> None:
    writer.signature(kind)
    if isinstance(value, str):
        writer.text(value)
    else:
        writer.align(8 if kind == "t" else 4)
        writer.data += value.to_bytes(8 if kind == "t" else 4, "little")


def value(kind: str, what: str | int) -> bytes:
    writer = Writer()
    variant(writer, kind, what)
    return bytes(writer.data)


def unit_properties() -> bytes:
    """What systemd says of a unit, with values of all kinds between those that are asked for."""
    writer = Writer()

    def row(name: str, write: Callable[[], None]) -> None:
        writer.align(8)
        writer.text(name)
        write()

    def commands() -> None:
        writer.signature("a(sasbttttuii)")
        writer.array(8, lambda: writer.text("a command, and more that nobody reads"))

    def rows() -> None:
        row("Id", lambda: variant(writer, "s", "app.service"))
        row("ExecMainPID", lambda: variant(writer, "u", 7))
        row("Conditions", commands)
        row("Job", lambda: (writer.signature("(uo)"), writer.align(8), writer.number(0), writer.text("/"))[0])
        row("Names", lambda: (writer.signature("as"), writer.array(4, lambda: writer.text("app.service")))[0])
        row("InvocationID", lambda: (writer.signature("ay"), writer.array(1, lambda: None))[0])
        row("LoadState", lambda: variant(writer, "s", "error"))
        row(
            "LoadError",
            lambda: (
                writer.signature("(ss)"),
                writer.align(8),
                writer.text("org.Bad"),
                writer.text("it is bad"),
            )[0],
        )
        row("ActiveState", lambda: variant(writer, "s", "active"))
        row("SubState", lambda: variant(writer, "s", "running"))
        row("UnitFileState", lambda: variant(writer, "s", "enabled"))
        row("CanReload", lambda: variant(writer, "b", 1))
        row("NeedDaemonReload", lambda: variant(writer, "b", 0))
        row("StateChangeTimestampMonotonic", lambda: variant(writer, "t", 1_000_000))

    writer.array(8, rows)
    return bytes(writer.data)


def of_type(call: Call) -> bytes:
    """The properties that only units of its type have; one of another type has no such thing."""
    values = {
        "Result": value("s", "success"),
        "NRestarts": value("u", 3),
        "TimeoutStartUSec": value("t", 90_000_000),
        "TimeoutStopUSec": value("t", (1 << 64) - 1),
    }
    return answer(values[call.texts[1]])(call) if call.texts[1] in values else refuse(call)


# What it says


def test_properties_are_told_as_the_program_shows_them(systemd: Begin) -> None:
    heard = systemd(GetAll=answer(unit_properties()), Get=of_type).heard
    eyes = Eyes()
    eyes.look_at_units(["app.service"])
    state = state_of(eyes._unit("app.service"))
    assert (state["active"], state["enabled"], state["can_reload"]) == (True, True, True)
    assert eyes.condition("app.service")["restarts"] == 3
    assert state["broken"] == "it is bad"
    assert not eyes.is_unit_outdated("app.service")
    assert [call.texts[0] for call in heard] == [manager.UNIT, *["org.freedesktop.systemd1.Service"] * 2]


def test_spans_are_told_with_their_unit_and_what_is_not_there_is_left_out(systemd: Begin) -> None:
    systemd(Get=of_type)
    (shown,) = Eyes().shown(["app.service"], ("TimeoutStartUSec", "TimeoutStopUSec", "ExecStop"))
    assert shown == {"TimeoutStartUSec": "90000000us", "TimeoutStopUSec": "infinity"}


def test_how_the_system_is_is_one_word(systemd: Begin, host: Host) -> None:
    systemd(Get=answer(value("s", "degraded")))
    assert manager.state() == "degraded"
    assert facts_of(Eyes(str(host.root)), {"paths": [], "ports": []})["systemd"] != "degraded", "that of this machine"


def test_an_object_is_named_as_systemd_spells_it() -> None:
    assert manager._path_of("a-b@1.service") == f"{dbus.PATH}/unit/a_2db_401_2eservice"
    assert manager._path_of("1.mount").endswith("/_31_2emount")


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"\1a\0\0\0\0\0",
        b"\1?\0",
        b"\0\0",
        b"\1s\0\0\xff\xff\xff\xff",
        b"\xc8" + b"(" * 200 + b"\0",
    ],
)
def test_a_value_that_is_none_is_strange_and_nothing_worse(said: bytes) -> None:
    with pytest.raises(Strange):
        Reader(said).value()


# What it is told


def test_a_unit_is_started_and_its_own_job_awaited(systemd: Begin) -> None:
    others = message(SIGNAL, member="UnitNew") + job_removed("/other/job", "failed")
    begun = systemd(
        StartUnit=lambda call: others + answer(texts(JOB))(call) + others + job_removed(JOB, "done"),
    )
    hands = NotingHands()
    tell(hands, "start", "app.service")
    assert hands.ran == []
    assert [(call.member, *call.texts) for call in begun.heard] == [
        ("ResetFailedUnit", "app.service"),
        ("StartUnit", "app.service", "replace"),
    ]


def test_a_unit_that_does_not_start_is_told_with_its_last_words(systemd: Begin) -> None:
    systemd(StartUnit=lambda call: answer(texts(JOB))(call) + job_removed(JOB, "failed"))
    hands = NotingHands()
    with pytest.raises(Trouble, match=r"^start of app\.service failed$") as caught:
        tell(hands, "start", "app.service")
    assert caught.value.tail == "its last words\n"
    assert hands.ran == [], "it is not started a second time"


def test_units_are_enabled_and_read_anew_once(systemd: Begin) -> None:
    begun = systemd(EnableUnitFiles=answer(), Reload=answer())
    hands = NotingHands()
    set_enabled(hands, ["a.service", "b.timer"], enabled=True)
    assert (hands.ran, [(call.member, call.texts) for call in begun.heard]) == (
        [],
        [("EnableUnitFiles", ("a.service", "b.timer")), ("Reload", ())],
    )


# One line


def test_all_is_said_over_one_line_until_something_may_take_long(
    systemd: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manager, "STARTING_SECONDS", 30)  # on a machine that is busy
    monkeypatch.setattr(dbus, "ANSWERING_SECONDS", 30)
    stale = message(SIGNAL, member="JobRemoved", body=b"strange") + message(SIGNAL, member="UnitNew")
    begun = systemd(
        Get=of_type,
        StartUnit=lambda call: answer(texts(JOB))(call) + job_removed(JOB, "done") + stale,
        Reload=answer(),
    )
    hands = Hands()
    for _ in range(2):
        tell(hands, "start", "app.service")
        assert hands.shown(["app.service"], ("TimeoutStopUSec",)) == [{"TimeoutStopUSec": "infinity"}]
        reread(hands)
    assert begun.lines == 1
    hands.run(["true"])
    reread(hands)
    assert begun.lines == 2
    hands.take_long("to wait for somebody", seconds=1)
    reread(hands)
    assert begun.lines == 3
    assert "UnitNew" not in {call.member for call in begun.heard}


def test_a_line_that_broke_is_not_used_again(systemd: Begin) -> None:
    begun = systemd(Reload=lambda call: b"" if begun.lines == 1 else answer()(call))
    assert (manager.reread(), manager.reread()) == (False, True)
    assert begun.lines == 2


def test_what_was_not_answered_in_time_is_not_taken_for_a_later_answer(
    systemd: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manager, "STARTING_SECONDS", 0.05)
    begun = systemd(StartUnit=answer(texts(JOB)), Get=of_type)
    assert manager.start("app.service") == ""
    assert manager.shown(["app.service"], ("TimeoutStopUSec",)) == [{"TimeoutStopUSec": "infinity"}]
    assert begun.lines == 2


# What the program does instead


def test_one_that_takes_longer_is_waited_for_by_the_program(systemd: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manager, "STARTING_SECONDS", 0.05)
    systemd(StartUnit=answer(texts(JOB)))
    hands = NotingHands()
    tell(hands, "start", "app.service")
    assert hands.ran[-1] == "systemctl start app.service"


def silent(call: Call) -> bytes:
    time.sleep(0.3)
    return b""


GARBAGE = message(ANSWER, serial=1, body=b"\xff" * 64)
BAD: list[dict[str, Says]] = [
    {},  # refuses everything
    dict.fromkeys(("Get", "GetAll", "StartUnit", "ResetFailedUnit", "EnableUnitFiles", "Reload"), lambda _: b""),
    dict.fromkeys(("Get", "GetAll", "StartUnit", "EnableUnitFiles", "Reload"), lambda _: b"\xff" * 4096),
    {"GetAll": lambda call: answer(b"\xff" * 64)(call), "StartUnit": lambda call: answer(b"\xff" * 64)(call)},
    dict.fromkeys(("Get", "GetAll", "StartUnit", "ResetFailedUnit", "EnableUnitFiles", "Reload"), silent),
]


@pytest.mark.parametrize("says", BAD, ids=["refuses", "hangs up", "noise", "strange values", "silent"])
def test_whatever_the_socket_lacks_the_program_does(
    systemd: Begin, says: dict[str, Says], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dbus, "ANSWERING_SECONDS", 0.1)
    monkeypatch.setattr(manager, "STARTING_SECONDS", 0.1)
    monkeypatch.setattr(manager, "READING_SECONDS", 0.1)
    systemd(**says)
    hands = NotingHands()
    tell(hands, "start", "app.service")
    set_enabled(hands, ["app.service"], enabled=True)
    reread(hands)
    assert hands.ran[-3:] == [
        "systemctl start app.service",
        "systemctl --quiet enable app.service",
        "systemctl daemon-reload",
    ]


def test_where_there_is_no_socket_the_program_is_asked() -> None:
    hands = NotingHands()
    assert hands.shown(["app.service"], ("ActiveState",)) == [{"ActiveState": "from the program"}]
    tell(hands, "start", "app.service")
    assert hands.ran == ["systemctl reset-failed app.service", "systemctl start app.service"]


@pytest.mark.parametrize("name", ["app", "*.service", "a/b.service", "a.service\n", "ä.service", ""])
def test_a_name_that_is_none_is_left_to_the_program(systemd: Begin, name: str) -> None:
    heard = systemd(GetAll=answer(unit_properties())).heard
    assert manager.shown([name], ("Id",)) is None
    assert (manager.start(name), manager.enable([name]), heard) == ("", False, [])


def test_in_a_directory_nothing_is_asked_of_this_machine(systemd: Begin, tmp_path: Path) -> None:
    heard = systemd(GetAll=answer(unit_properties()), Reload=answer()).heard
    hands = Hands(str(tmp_path))
    with pytest.raises(Trouble):  # there is no systemctl in it
        Hands.ask(hands, ["/usr/bin/systemctl"])
    ran: list[list[str]] = []
    hands.run = lambda command, **_: ran.append(command) or ""  # type: ignore[assignment, func-returns-value]
    hands.ask = lambda command: ""  # type: ignore[method-assign]
    reread(hands)
    set_enabled(hands, ["app.service"], enabled=True)
    tell(hands, "start", "app.service")
    assert (heard, [command[1] for command in ran]) == ([], ["daemon-reload", "--quiet", "reset-failed", "start"])
