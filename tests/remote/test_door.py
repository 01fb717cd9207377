"""A host may say anything: whatever it is, it is that host's failure, in words that harm no terminal."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from fedikit.apply import apply_plan
from fedikit.display.drawing import lines_of, mimebundle
from fedikit.errors import AgentFailed, FedikitError, HostError, visible
from fedikit.model.deployment import Deployment
from fedikit.model.host import DirectoryHost, HostState
from fedikit.model.item import File
from fedikit.plan import make_plan
from fedikit.remote import bootstrap, lines, session
from fedikit.remote.answer_messages import Answer
from fedikit.remote.contact import End
from fedikit.remote.event_messages import Done, ItemEvent
from fedikit.remote.messages import read_message
from fedikit.remote.session import Session
from fedikit.remote.spoken import MOST_PARTS, Message
from fedikit.status import read_status

HARMFUL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
MANY = settings(
    max_examples=3_000, deadline=None, database=None, derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)  # fmt: skip
SOME = settings(MANY, max_examples=400)
ITEM = File(path="/etc/a", content="a\n")
BASIS = "0" * 64
ANSWER = {
    "event": "answer", "changes": [{"id": ITEM.id, "action": "create"}], "same": 0, "basis": BASIS, "generation": 0,
    "unfinished": False, "kept": [], "last_run": None, "contents": [],
}  # fmt: skip
STATUS = {
    "event": "status", "generation": 1, "generations": [], "items": {}, "last_run": None, "busy": "", "notes": [],
    "neighbours": [], "disk": {"size": 1000, "free": 500},
    "python": "3.13.5", "codename": "trixie", "architecture": "amd64",
    "backups": {"app": {"record": "{}", "journal": "{}", "since": 1}},
}  # fmt: skip
FACTS = {
    "event": "facts", "codename": "trixie", "architecture": "amd64", "python": "3.13.5", "is_root": True,
    "clock": 1.7e9, "is_clock_synchronized": None, "memory": {"total": 4, "available": 2, "swap": 0},
    "disks": {"/": {"device": 1, "size": 10, "free": 5, "inodes": 0, "free_inodes": 0}},
    "listeners": [{"protocol": "tcp", "port": 80, "is_local": False, "program": "nginx", "unit": "nginx.service"}],
    "systemd": "running", "failed_units": [], "kernel": "6.12.0", "has_cgroup2": True, "has_overlayfs": True,
    "unfinished_packages": [], "dpkg_journal": 0, "resolves": None,
}  # fmt: skip
MOVES = {"added": [ITEM.id], "changed": [], "removed": [], "counts": {"added": 1, "changed": 0, "removed": 0}}
GENERATION = {"number": 1, "time": "", "run": "r", "note": "n", "who": "w", "items": 1, "moves": MOVES}
PART = {"id": "volume:/srv/app", "kind": "volume", "bytes": 10, "added": 5, "counts": {"files": 1}, "version": ""}
MANIFEST: dict[str, Any] = {
    "id": "20261127T023000Z-1a2b3c4d", "reason": "schedule", "started": "2026-11-27T02:30:00Z",
    "ended": "2026-11-27T02:31:00Z", "images": {"app": "app:1"}, "parts": [PART],
}  # fmt: skip
RESTORE = {
    "backup": MANIFEST, "parts": [{"id": PART["id"], "kind": "volume", "was": None, "becomes": None, "absent": True}],
    "stop": ["app.service"], "after": ["feeds"], "bytes": 10, "free": 100, "interrupted": "", "notes": ["n"],
}  # fmt: skip
HEALTH = {
    "units": [
        {"name": "a.service", "state": "failed", "seconds": 1.5, "restarts": 2, "reasons": ["inactive → active"]}
    ],
    "drift": [{"id": ITEM.id, "reasons": ["content"]}],
    "disks": [{"place": "/", "size": 1000, "free": 5}],
    "certificates": {"a.example": "no certificate"},
}
UPGRADABLE = {
    "event": "upgradable", "basis": BASIS, "generation": 1, "busy": "", "codename": "trixie", "architecture": "amd64",
    "dpkg_status": "", "store": [], "ours": ["jq"], "held": [], "pinned": [], "old_ours": ["jq.service"],
    "old_others": [], "reboot": "", "boot": "ab-12",
    "listed": [{"name": "jq", "was": "1", "becomes": "2", "security": True}],
}  # fmt: skip
EVENTS = [
    {"event": "item", "phase": "start", "id": ITEM.id, "action": "create"},
    {"event": "item", "phase": "end", "id": ITEM.id, "action": "create", "seconds": 0.1, "failed": False},
    {"event": "alive"},
    {"event": "noted"},
    {"event": "unconfirmed", "token": "0" * 32, "seconds": 60},
    {"event": "confirmed"},
    {"event": "done", "generation": 1, "seconds": 0.2},
    {"event": "trouble", "code": "failed", "message": "m", "tail": "t", "hint": "h", "item": "file:/x"},
    ANSWER,
    STATUS,
    FACTS,
    STATUS | {"health": HEALTH, "generations": [GENERATION]},
    UPGRADABLE,
    {"event": "step", "name": "volume:/srv/app", "phase": "end", "failed": False, "seconds": 1.5, "bytes": 10},
    {"event": "backups", "backups": [MANIFEST], "record": "{}"},
    {"event": "backed_up", "result": {"newest": MANIFEST, "last": None, "check": None}},
    {"event": "restorable", "basis": BASIS, "plan": RESTORE},
    {"event": "restored", "restored": {"backup": MANIFEST["id"], "before": "", "seconds": 1.0, "differences": []}},
]


class Babbling:
    """A contact that says what it was told to, whatever it is asked."""

    def __init__(self, said: bytes) -> None:
        self._said = bootstrap.MARK + said

    def write(self, data: bytes) -> None:
        """Takes everything."""

    def read(self, seconds: float) -> bytes:
        piece, self._said = self._said[:65536], self._said[65536:]
        return piece

    def close(self) -> None:
        """Nothing has to be closed."""

    def end(self) -> End:
        return End(1, "\x1b]0;title\x07 said on standard error")


@pytest.fixture(scope="module")
def one() -> Deployment:
    """A deployment with one host, and another beside it that says what it should."""
    return Deployment(
        name="trial",
        hosts={
            name: HostState(connection=DirectoryHost(path="/nowhere"), items=(ITEM,) if name == "bad" else ())
            for name in ("bad", "good")
        },
    )


def saying(monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    """What the host `bad` says; the host `good` has nothing to change."""
    good = json.dumps(ANSWER | {"changes": []}).encode() + b"\n"
    monkeypatch.setattr(session, "open_contact", lambda host, _: Babbling(said if host == "bad" else good))


# What is generated: messages with the right names and odd values, out of order, cut, nested, or no messages at all.

NAMES = sorted({name for message in EVENTS for name in message} | {"before", "after", "images", "dpkg_status", "store"})
ODD_TEXT = st.text(max_size=6) | st.sampled_from(
    ["\x1b[31mred", "\x1b]52;c;aGk=\x07", "a\nb", "\u202eevil", "[link=x]y[/link]", "\x00", "é" * 20, "../../x", "-o"]
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | ODD_TEXT | st.sampled_from([BASIS, 10**400, -1, ""])
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES) | ODD_TEXT, inner, max_size=4),
    max_leaves=3,
)


@st.composite
def a_message(draw: st.DrawFn) -> bytes:
    message: dict[str, Any] = dict(draw(st.sampled_from(EVENTS)))
    for name in draw(st.lists(st.sampled_from(sorted(message)) | st.sampled_from(NAMES), max_size=2)):
        message[name] = draw(VALUES)
    for name in draw(st.lists(st.sampled_from(sorted(message)), max_size=1)):
        del message[name]
    return json.dumps(message).encode()


LINES = a_message() | VALUES.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=60)
CONVERSATIONS = st.lists(LINES | st.sampled_from([json.dumps(event).encode() for event in EVENTS]), max_size=5).map(
    lambda parts: b"\n".join(parts) + b"\n"
)


def texts_in(value: object) -> Iterator[str]:
    if isinstance(value, BaseModel):
        value = value.model_dump()
    match value:
        case str():
            yield value
        case dict():
            yield from (text for pair in value.items() for part in pair for text in texts_in(part))
        case list() | tuple():
            yield from (text for part in value for text in texts_in(part))


def harmless(value: object) -> bool:
    return not any(HARMFUL.search(text) for text in texts_in(value))


@MANY
@given(said=CONVERSATIONS)
def test_whatever_is_said_is_understood_or_is_that_hosts_failure(said: bytes) -> None:
    heard: list[Message] = []
    failure = HostError("bad", "")
    with pytest.MonkeyPatch.context() as patch:
        saying(patch, said)
        try:
            with Session("bad", DirectoryHost(path="/nowhere")) as speaking:
                heard.append(speaking.ask({"op": "plan"}, Answer))
                heard.append(speaking.follow(heard.append))
        except HostError as error:
            failure = error
    assert failure.host == "bad"
    assert not HARMFUL.search(failure.text)
    assert all(isinstance(message, Answer | ItemEvent | Done) and harmless(message) for message in heard)


@SOME
@given(said=CONVERSATIONS, after=CONVERSATIONS)
def test_plans_and_reports_of_a_babbling_host_can_be_shown_and_the_others_finish(
    one: Deployment, said: bytes, after: bytes
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        saying(patch, json.dumps(ANSWER).encode() + b"\n" + after if len(said) % 2 else said)
        plan = make_plan(one)
        report = apply_plan(plan)
        status = read_status(one)
    assert plan.hosts["good"].error == ""
    assert report.hosts["good"].outcome == "same"
    for shown in (plan, report, status):
        assert not any(HARMFUL.search(line) for line in lines_of(shown))
        assert "<a " not in mimebundle(shown)["text/html"]


@SOME
@given(said=st.dictionaries(st.sampled_from(sorted(HEALTH)), VALUES, max_size=2), kind=ODD_TEXT)
def test_whatever_a_host_says_of_its_health_can_be_shown_or_is_its_failure(
    one: Deployment, said: dict[str, Any], kind: str
) -> None:
    health = HEALTH | said | {"certificates": {kind: kind}}
    with pytest.MonkeyPatch.context() as patch:
        status = STATUS | {"health": health, "generations": [GENERATION], "disk": {"size": 1, "free": 1}}
        saying(patch, json.dumps(status).encode() + b"\n")
        shown = read_status(one, limit=["bad"], health=True)
    assert not any(HARMFUL.search(line) for line in lines_of(shown))


# Cases that were attacks


@pytest.mark.parametrize("field", ["codename", "architecture"])
def test_what_would_be_a_setting_of_apt_is_refused(field: str) -> None:
    evil = 'amd64"; APT::Update::Pre-Invoke { "id >/tmp/x"; }; APT::Foo "x'
    with pytest.raises(AgentFailed, match=f"spoke nonsense: answer.{field}"):
        read_message("bad", json.dumps(ANSWER | {field: evil}).encode())


@pytest.mark.parametrize(
    "change",
    [
        {"id": ITEM.id, "action": '[link="><img/src="x"/onerror="alert(1)">]z[/link]'},
        {"id": "carpet:x", "action": "create"},
        {"id": ITEM.id, "action": "create", "surprise": 1},
        {"id": ITEM.id},
        {"id": ITEM.id, "action": "create", "reasons": "absent"},
    ],
)
def test_a_change_that_no_agent_would_name_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(AgentFailed, match="spoke nonsense"):
        read_message("bad", json.dumps(ANSWER | {"changes": [change]}).encode())


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(AgentFailed, match="spoke nonsense"):
        read_message("bad", b'{"event":"answer","changes":' + b"[" * 100_000 + b"]" * 100_000 + b"}")


def test_what_a_host_says_is_not_repeated_where_it_is_refused() -> None:
    with pytest.raises(AgentFailed) as refused:
        read_message("bad", json.dumps(ANSWER | {"secret\x1b[31m": "p4ssword", "same": "p4ssword"}).encode())
    assert "p4ssword" not in refused.value.text
    assert "secret" not in refused.value.text


def test_words_of_a_host_are_shown_with_their_control_characters_written_out() -> None:
    said = ANSWER | {
        "busy": "ev\x1b[31mil\u202e",
        "changes": [{"id": ITEM.id, "action": "update", "before": "a\r\x9b1mb\n\tc"}],
    }
    answer = read_message("bad", json.dumps(said).encode())
    assert isinstance(answer, Answer)
    assert answer.busy == "ev\\x1b[31mil\\u202e"
    assert answer.changes[0].before == "a\\x0d\\x9b1mb\n\tc"


@pytest.mark.parametrize("harmless", ["plain", "zwei\nZeilen\tmit Tab", "日本語 é ñ 👍"])
def test_ordinary_words_stay_as_they_are(harmless: str) -> None:
    assert visible(harmless) == harmless


def test_a_line_without_an_end_is_refused(one: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "LINE_BYTES", 100_000)
    saying(monkeypatch, b"x" * 300_000)
    plan = make_plan(one)
    assert "a line without an end" in plan.hosts["bad"].error
    assert plan.hosts["good"].is_noop


def test_more_parts_than_a_host_can_have_are_refused() -> None:
    changes = [{"id": ITEM.id, "action": "create"}] * (MOST_PARTS + 1)
    with pytest.raises(AgentFailed, match=r"spoke nonsense: answer\.changes"):
        read_message("bad", json.dumps(ANSWER | {"changes": changes}).encode())


def test_a_flood_of_events_comes_to_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "MOST_MESSAGES", 500)
    said = json.dumps(ANSWER) + "\n" + 600 * (json.dumps(EVENTS[0]) + "\n")
    saying(monkeypatch, said.encode())
    with Session("bad", DirectoryHost(path="/nowhere")) as speaking:
        speaking.ask({"op": "plan"}, Answer)
        with pytest.raises(AgentFailed, match="does not come to an end"):
            speaking.follow(lambda _: None)


def test_a_host_is_reached_anew_at_most_once(monkeypatch: pytest.MonkeyPatch) -> None:
    reached: list[str] = []
    unconfirmed = json.dumps({"event": "unconfirmed", "token": "0" * 32, "seconds": 60}) + "\n"
    saying(monkeypatch, f"{json.dumps(ANSWER)}\n{2 * unconfirmed}".encode())
    monkeypatch.setattr(Session, "_confirm", lambda _, change: reached.append(change.token))
    with Session("bad", DirectoryHost(path="/nowhere")) as speaking:
        speaking.ask({"op": "plan"}, Answer)
        with pytest.raises(AgentFailed, match="spoke out of turn: Unconfirmed"):
            speaking.follow(lambda _: None)
    assert reached == ["0" * 32]


@pytest.mark.parametrize("odd", [{"token": "../x"}, {"token": "0" * 31}, {"seconds": 0}, {"seconds": 10**6}])
def test_an_odd_wish_to_be_reached_anew_is_refused(odd: dict[str, Any]) -> None:
    wish = {"event": "unconfirmed", "token": "0" * 32, "seconds": 60}
    with pytest.raises(AgentFailed, match=r"spoke nonsense: unconfirmed\."):
        read_message("bad", json.dumps(wish | odd).encode())


def test_a_dpkg_status_that_unpacks_without_end_is_refused(one: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    import zlib
    from base64 import b64encode

    from fedikit.remote import needs

    monkeypatch.setattr(needs, "STATUS_BYTES", 1 << 20)
    bomb = b64encode(zlib.compress(bytes(1 << 22))).decode()
    asks = {"packages": {"jq": ""}, "dpkg_status": bomb, "codename": "trixie", "architecture": "amd64"}
    saying(monkeypatch, json.dumps(ANSWER | asks).encode() + b"\n")
    assert "dpkg status of more than 1 MiB" in make_plan(one).hosts["bad"].error


def test_a_host_does_not_choose_which_registry_is_asked(
    one: Deployment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FEDIKIT_CACHE", str(tmp_path))
    image = {"reference": "evil.example/x/y:1", "manifest": BASIS, "config": BASIS, "layers": [BASIS]}
    saying(monkeypatch, json.dumps(ANSWER | {"target": 1, "images": [image], "contents": [BASIS]}).encode() + b"\n")
    assert "nobody was asked for it" in make_plan(one).hosts["bad"].error


# Silence


class Silent(Babbling):
    """Says something, and then nothing."""

    def read(self, seconds: float) -> bytes:
        if self._said:
            return super().read(seconds)
        time.sleep(min(seconds, 0.05))
        raise TimeoutError


def test_a_host_that_never_answers_is_given_up_after_its_patience(
    one: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "open_contact", lambda *_: Silent(b""))
    error = make_plan(one).hosts["bad"].error
    assert "said nothing for 60 s; nothing was changed there" in error
    assert "hosts.bad.patience" in error


def test_a_host_that_falls_silent_at_its_work_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    said = json.dumps(ANSWER) + "\n" + json.dumps(EVENTS[0]) + "\n"
    monkeypatch.setattr(session, "open_contact", lambda *_: Silent(said.encode()))
    with Session("bad", DirectoryHost(path="/nowhere")) as speaking:
        speaking.ask({"op": "plan"}, Answer)
        with pytest.raises(FedikitError, match="said nothing for 60 s; the host goes on by itself"):
            speaking.follow(lambda _: None)


class Alive(Babbling):
    """Says something, and then that it is alive, for ever; a second passes each time."""

    def __init__(self, said: bytes, passing: list[float]) -> None:
        super().__init__(said)
        self._passing = passing

    def read(self, seconds: float) -> bytes:
        self._passing[0] += 0 if self._said else 1
        return super().read(seconds) or b'{"event":"alive"}\n'


@pytest.mark.parametrize(
    ("told", "longest"), [("", session.LONGEST_ITEM_SECONDS), ('{"event":"alive","longest":20000.0}\n', 20000)]
)
def test_an_agent_that_is_alive_is_waited_for_as_long_as_it_says_that_its_command_may_take(
    monkeypatch: pytest.MonkeyPatch, told: str, longest: float
) -> None:
    said = json.dumps(ANSWER) + "\n" + json.dumps(EVENTS[0]) + "\n" + told
    clock = [0.0]
    monkeypatch.setattr(session, "open_contact", lambda *_: Alive(said.encode(), clock))
    monkeypatch.setattr(session.time, "monotonic", lambda: clock[0])
    with Session("bad", DirectoryHost(path="/nowhere")) as speaking:
        speaking.ask({"op": "plan"}, Answer)
        with pytest.raises(FedikitError, match=f"no step ended within {longest:.0f} s; the host goes on by itself"):
            speaking.follow(lambda _: None)
    assert longest < clock[0] < longest + 70


def test_an_agent_that_is_still_looking_says_so_before_it_answers(
    one: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    saying(monkeypatch, b'{"event":"alive"}\n' * 3 + json.dumps(ANSWER).encode() + b"\n")
    assert make_plan(one).hosts["bad"].error == ""
