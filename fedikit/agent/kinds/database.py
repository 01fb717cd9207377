"""Databases, each with the one user who owns it; PostgreSQL's and MariaDB's behind one kind.

A database notes in its entry, as `SEAL:VERIFIER`, the seal of the password that was set last and the seal of what the
server keeps of it: so a new password is seen, and one that was changed by hand.
"""

import time
from typing import TYPE_CHECKING, Any

from ..engines import ENGINES
from ..eyes import ABSENT, Eyes, State
from ..hands import Hands
from ..trouble import Trouble
from ..work import Work
from .kind import Kind

if TYPE_CHECKING:
    from ..leaving import Departure

Item = dict[str, Any]
ANSWER_SECONDS = 30
POLL_SECONDS = 0.25


class DatabaseKind(Kind):
    def observe(self, eyes: Eyes, item: Item) -> State:
        engine = ENGINES[item["engine"]]
        if not engine.is_installed(eyes):
            return {"type": "absent", "server": "is not installed"} if engine.has_data(eyes) else ABSENT
        if obstacle := engine.obstacle(eyes):
            return {"type": "absent", "server": "is another than applications look for", "why": obstacle}
        state = engine.look(eyes, item)
        if state is None:
            why = _why_silent(eyes, item)
            return {"type": "absent", "server": "does not answer", **({"why": why} if why else {})}
        return state if state["type"] == "database" or state["user"] else ABSENT

    def differences(self, item: Item, state: State, done: str) -> list[str]:
        engine = ENGINES[item["engine"]]
        if state == ABSENT:
            return ["absent"]
        if "server" in state:
            return [f"{engine.title} {state['server']}"]
        return engine.differences(item, state) + _about_password(item, state, done)

    def conflict(self, item: Item, state: State) -> str:
        if state == ABSENT or "server" in state:
            return str(state.get("why", ""))
        return ENGINES[item["engine"]].conflict(item, state)

    def converge(self, hands: Hands, item: Item, work: Work) -> None:
        engine = ENGINES[item["engine"]]
        state = _await_answer(hands, item)
        if conflict := engine.conflict(item, state):
            raise Trouble(conflict)
        is_password_owed = not state["verifier"] or _about_password(item, state, work.done)
        password = _password(item, work) if is_password_owed else None
        is_ours = _is_ours(state, work)
        if password is not None or engine.differences(item, state):
            engine.make(hands, item, state, password=password, is_ours=is_ours)
            state = _await_answer(hands, item)
        if differences := engine.differences(item, state):
            raise Trouble(f"is not as wanted after {engine.title} was told: {', '.join(differences)}")
        _drop_former_users(hands, item, work)
        work.entry["done"] = f"{item['seal']}:{state['verifier']}"

    def remove(self, hands: Hands, item: Item, work: Work) -> str:
        engine = ENGINES[item["engine"]]
        if not engine.is_installed(hands):
            is_left = engine.has_data(hands)
            return f"{engine.title} is not installed any more; what is left lies in {engine.data}" if is_left else ""
        state = engine.look(hands, item)
        if state is None:
            if not engine.remains(hands):
                return ""  # it never held anything
            state = _await_answer(hands, item)
        if _is_foreign(item, state, work):
            return "was not made by fedikit, and stays"
        engine.drop(hands, item)
        if not work.prior.get("user"):
            engine.drop_user(hands, item)
        is_there = _await_answer(hands, item)["user"]
        return f"its user {item['user']} was there before or owns other things, and stays" if is_there else ""

    def reason_it_cannot_go(self, departure: "Departure", item: Item, state: State) -> str:
        has_data = bool(ENGINES[item["engine"]].remains(departure.eyes))
        if state.get("server") == "does not answer" and has_data:
            return "its server does not answer: start it, and do the same again"
        if "server" in state and not departure.is_purged(item["engine"]):
            return "its server is not installed any more, and its data are not fedikit's to delete"
        return ""

    def users(self, item: Item) -> set[str]:
        """None of the host's: its user is the server's."""
        return set()


KIND = DatabaseKind()


def _why_silent(eyes: Eyes, item: Item) -> str:
    """Why a server that runs does not answer: waiting for it, or a restart, would not help."""
    engine = ENGINES[item["engine"]]
    words = engine.silence(eyes)
    return f"{engine.title} runs, and does not let its administrator in: {words}" if words else ""


def _about_password(item: Item, state: State, done: str) -> list[str]:
    noted_seal, _, noted_verifier = done.partition(":")
    if not noted_seal:
        return ["its password is not known"] if state["verifier"] else []
    if noted_seal != item["seal"]:
        return ["password changed"]
    if not state["verifier"] or noted_verifier == state["verifier"]:
        return []
    return ["password was changed by hand on the host"]


def _password(item: Item, work: Work) -> bytes:
    password = work.content(item)
    if not password or any(not 32 < byte < 127 for byte in password):
        raise Trouble(
            "its password has other characters than printable ASCII, or none",
            hint="give one of letters and digits",
        )
    return password


def _is_ours(state: State, work: Work) -> bool:
    """Whether fedikit made the database, or is about to; what else was there is noted as such.

    While its server was not running nobody could see it. One that was certainly absent, and is there without our mark,
    was being made when an agent was killed.
    """
    if state["type"] == "absent" or state["ours"]:
        return True
    if "server" in work.prior:
        work.entry["prior"] = state
    return bool(work.prior["type"] == "absent")


def _is_foreign(item: Item, state: State, work: Work) -> bool:
    """Whether a database is there that is not ours to drop."""
    if state["type"] == "absent" or work.prior["type"] != "absent":
        return bool(state["type"] != "absent")
    is_doubtful = "server" in work.prior or bool(ENGINES[item["engine"]].conflict(item, state))
    return is_doubtful and not state["ours"]


def _drop_former_users(hands: Hands, item: Item, work: Work) -> None:
    """Those whom the database had before its user got another name."""
    for former in work.entry.get("was", ()):
        if former["user"] != item["user"] and not work.prior.get("user"):
            ENGINES[item["engine"]].drop_user(hands, former)


def _await_answer(hands: Hands, item: Item) -> State:
    """What there is, as soon as the server answers."""
    engine = ENGINES[item["engine"]]
    if not engine.is_installed(hands):
        raise Trouble(
            f"there is no {engine.title} on this host", hint=f"list the package {engine.package} before the database"
        )
    if obstacle := engine.obstacle(hands):
        raise Trouble(obstacle)
    deadline = time.monotonic() + ANSWER_SECONDS
    while (state := engine.look(hands, item)) is None:
        if time.monotonic() > deadline:
            raise Trouble(
                f"{engine.title} ({engine.unit}) did not answer within {ANSWER_SECONDS} s",
                tail=_why_silent(hands, item) or hands.journal_of(engine.unit),
                hint=f"journalctl --unit '{engine.unit}'",
            )
        time.sleep(POLL_SECONDS)
    return state
