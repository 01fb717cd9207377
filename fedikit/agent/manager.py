"""systemd, asked and told over its own socket: a hundredth of the time that its program takes.

Whoever cannot be served so, for there is no such socket, a refusal, or a long wait, uses `systemctl`, which says why.
"""

import re
import sys
from collections.abc import Sequence
from contextlib import suppress

from .dbus import ANSWER, INTERFACE, PATH, SIGNAL, Line, Message, line_to_systemd
from .wire import Reader, Writer

UNIT = "org.freedesktop.systemd1.Unit"
PROPERTIES = "org.freedesktop.DBus.Properties"
OF_ALL_UNITS = {
    "Id", "LoadState", "LoadError", "ActiveState", "SubState", "UnitFileState", "CanReload", "NeedDaemonReload",
    "StateChangeTimestampMonotonic",
}  # fmt: skip
"""The others are of the unit's type."""
NAME = re.compile(r"[A-Za-z0-9:_.@\\-]{1,240}\.(service|socket|timer|path|mount|swap|target|slice|scope)")
SPAN, ENDLESS = "USec", str((1 << 64) - 1)
STARTING_SECONDS = 0.5
"""How long is waited for a unit here; `systemctl` joins in then, which keeps others off should the agent be killed."""
READING_SECONDS = 90.0
"""How long systemd may take to read all of its units."""


def shown(names: Sequence[str], properties: Sequence[str]) -> list[dict[str, str]] | None:
    """These properties of each unit, as far as it has them, in systemd's own words; None if it cannot be asked."""
    if not all(NAME.fullmatch(name) for name in names):
        return None
    with suppress(OSError), line_to_systemd() as systemd:
        return [_shown_of(systemd, name, properties) for name in names]
    return None


def state() -> str:
    """The word for how the whole system is; empty if it cannot be asked."""
    with suppress(OSError), line_to_systemd() as systemd:
        return _value_in(systemd.answer_to(_call(systemd, PATH, "Get", INTERFACE, "SystemState"))) or ""
    return ""


def start(name: str) -> str:
    """How systemd's job to start a unit ended, such as `done`; empty if it has not ended yet, or not begun."""
    if not NAME.fullmatch(name):
        return ""
    with suppress(OSError), line_to_systemd(STARTING_SECONDS) as systemd:
        _tell_audit("start", name)
        systemd.call("ResetFailedUnit", "s", _texts(name))  # whatever it says: only one that failed can forget it
        answer = systemd.ask("StartUnit", "ss", _texts(name, "replace"))
        return _end_of(systemd, Reader(answer.body).text()) if answer.form == ANSWER else ""
    return ""


def enable(names: Sequence[str]) -> bool:
    """Whether these units start at boot from now on, and systemd has read that."""
    if not all(NAME.fullmatch(name) for name in names):
        return False
    body = Writer()
    body.array(4, lambda: _write_texts(body, names))
    body.number(0)  # not until the next boot only
    body.number(0)  # nor in the place of others
    is_done = False
    with suppress(OSError), line_to_systemd() as systemd:
        _tell_audit("enable", *names)
        is_done = systemd.ask("EnableUnitFiles", "asbb", bytes(body.data)).form == ANSWER
    return is_done and reread()


def reread() -> bool:
    """Whether systemd has read all units anew."""
    with suppress(OSError), line_to_systemd(READING_SECONDS) as systemd:
        _tell_audit("daemon-reload")
        return systemd.ask("Reload", "", b"").form == ANSWER
    return False


def _tell_audit(verb: str, *names: str) -> None:
    """For whoever watches what Python does: as it would hear of the program."""
    sys.audit("fedikit.systemd", ["systemctl", verb, *names])


def _texts(*texts: str) -> bytes:
    body = Writer()
    _write_texts(body, texts)
    return bytes(body.data)


def _write_texts(body: Writer, texts: Sequence[str]) -> None:
    for text in texts:
        body.text(text)


def _shown_of(line: Line, name: str, properties: Sequence[str]) -> dict[str, str]:
    """What all units have is asked at once: one that is at rest is loaded anew for each question.

    All is asked before the first answer.
    """
    path, kind = _path_of(name), f"org.freedesktop.systemd1.{name.rpartition('.')[2].capitalize()}"
    whole = _call(line, path, "GetAll", UNIT) if set(properties) & OF_ALL_UNITS else 0
    calls = {each: _call(line, path, "Get", kind, each) for each in properties if each not in OF_ALL_UNITS}
    values = _values_in(line.answer_to(whole)) if whole else {}
    values |= {each: _value_in(line.answer_to(call)) for each, call in calls.items()}
    return {each: _as_shown(each, value) for each in properties if (value := values.get(each)) is not None}


def _call(line: Line, path: str, member: str, *texts: str) -> int:
    return line.call(member, "s" * len(texts), _texts(*texts), interface=PROPERTIES, path=path)


def _value_in(answer: Message) -> str | None:
    return Reader(answer.body).value() if answer.form == ANSWER else None


def _values_in(answer: Message) -> dict[str, str | None]:
    values: dict[str, str | None] = {}
    if answer.form == ANSWER:
        reader = Reader(answer.body)
        size = reader.number()
        reader.align(8)
        end = reader.at + size
        while reader.at < end:
            reader.align(8)
            name = reader.text()
            values[name] = reader.value()
    return values


def _as_shown(name: str, value: str) -> str:
    """A span of time comes as a bare number."""
    if not name.endswith(SPAN):
        return value
    return "infinity" if value == ENDLESS else f"{value}us"


def _path_of(name: str) -> str:
    """The object that a unit is: what is no letter or digit is spelt by its number."""
    return f"{PATH}/unit/" + "".join(
        sign if sign.isalnum() and not (at == 0 and sign.isdigit()) else f"_{ord(sign):02x}"
        for at, sign in enumerate(name)
    )


def _end_of(line: Line, job: str) -> str:
    while True:
        message = line.next()
        if message.form == SIGNAL and message.member == "JobRemoved":
            reader = Reader(message.body)
            reader.number()
            path, _, result = reader.text(), reader.text(), reader.text()
            if path == job:
                return result
