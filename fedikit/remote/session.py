"""A session with the agent of one host: request, answer, order, events."""

import itertools
import os
import pwd
import secrets
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, TypeVar

from fedikit.agent.channel import pack
from fedikit.errors import AgentFailed, ConnectionFailed, HostBusy, HostError, ItemFailed, StalePlan
from fedikit.model.host import Connection, DirectoryHost, Ssh
from fedikit.remote import bootstrap
from fedikit.remote.contact import Contact, explain_end
from fedikit.remote.event_messages import Alive, Confirmed, Done, ItemEvent, Trouble, Unconfirmed
from fedikit.remote.greeting import Greeting, await_agent, refuse_unfit
from fedikit.remote.lines import Lines, TooLong
from fedikit.remote.messages import MISTRUST, read_message
from fedikit.remote.spoken import Message
from fedikit.remote.transport import open_contact

M = TypeVar("M", bound=Message)
E = TypeVar("E", bound=Message)
UNTOUCHED = "nothing was changed there"
UNKNOWN = "nothing was changed there, unless it had got its whole order by then: in that case it goes on by itself"
GOES_ON = "the host goes on by itself"
ORDER_SECONDS = 100
"""How long after its answer an agent may be given an order; it gives up waiting a little later."""
LONGEST_ITEM_SECONDS = 2000.0
"""How long the agent may work on an item without saying that it takes longer."""
MOST_MESSAGES = 200_000
MOST_LAST_LINES = 100
MOST_LOOKS = 10_000
"""How often an agent may say that it is still looking."""
OPERATOR = "FEDIKIT_OPERATOR"
"""The variable that names whom this user works for."""
AGAIN_SECONDS = 0.5
"""How long is waited before a host is tried to be reached anew once more."""
LOOK = "see what it does: fedikit status"


class Session:
    """One contact with one host. Use as a context manager, or close it."""

    def __init__(self, host: str, connection: Connection) -> None:
        self.host = host
        self._connection = connection
        self._deployment = ""
        self._root = os.path.abspath(connection.path) if isinstance(connection, DirectoryHost) else ""
        self._patience = connection.patience
        self._login_seconds = connection.login_seconds if isinstance(connection, Ssh) else connection.patience
        self._contact: Contact = open_contact(host, connection)
        self._lines = Lines(self._contact.read)
        self._greeting: Greeting | None = None
        self._answered_at = 0.0
        self._if_lost = UNTOUCHED

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._contact.close()

    def ask(self, request: dict[str, Any], answer: type[M]) -> M:
        """Sends the request and returns the agent's answer, which is of that kind; raises a HostError."""
        self._deployment = request.get("deployment", "")
        root = {"root": self._root} if self._root else {}
        message = pack(request | root | {"agent": bootstrap.fingerprint()})
        self._write([bootstrap.program(), b"%s " % bootstrap.fingerprint().encode(), message])
        line = self._line()
        if asked := bootstrap.ASKS_FOR_AGENT.fullmatch(line):
            archive = bootstrap.archive(asked[1].decode())
            self._write([b"%d\n" % len(archive), archive])
            line = self._line()
        said = self._answer(line, answer)
        self._answered_at = time.monotonic()
        return said

    def is_still_waiting(self) -> bool:
        """Whether the agent can still be given an order."""
        return time.monotonic() - self._answered_at < ORDER_SECONDS

    def order(self, order: dict[str, Any], blobs: Iterator[bytes]) -> None:
        """Tells the agent to do what it answered; then its events can be read."""
        self._write(itertools.chain([pack(order)], blobs))
        self._if_lost = UNKNOWN

    def follow(self, hear: Callable[[ItemEvent], None]) -> Done:
        """Hands on what the agent does to items until it is done; returns its last word, raises a HostError."""
        return self.follow_until(Done, hear, ItemEvent)

    def follow_until(self, end: type[M], hear: Callable[[E], None], events: type[E]) -> M:
        """Hands on the agent's events of one kind until it says what is its last word; raises a HostError.

        An agent may be alive without an event for as long as its command may take, which it tells. Once, it may
        ask to be reached by a new connection.
        """
        quiet_since, longest, is_asked_anew = time.monotonic(), LONGEST_ITEM_SECONDS, False
        for _ in range(MOST_MESSAGES):
            match self._understand(self._line(), Message):
                case end() as last:
                    return last
                case events() as event:
                    self._if_lost, quiet_since, longest = GOES_ON, time.monotonic(), LONGEST_ITEM_SECONDS
                    hear(event)
                case Alive() as alive:
                    self._if_lost = GOES_ON
                    if alive.longest:
                        quiet_since, longest = time.monotonic(), max(LONGEST_ITEM_SECONDS, alive.longest)
                    if time.monotonic() - quiet_since > longest + self._patience:
                        raise AgentFailed(self.host, f"no step ended within {longest:.0f} s; {GOES_ON}", hint=LOOK)
                case Unconfirmed() as change if not is_asked_anew:
                    self._if_lost, is_asked_anew = GOES_ON, True
                    self._confirm(change)
                case other:
                    raise self._out_of_turn(other)
        raise AgentFailed(self.host, f"the agent does not come to an end; {GOES_ON}", hint=LOOK)

    # Inside

    def _confirm(self, change: Unconfirmed) -> None:
        """Tells the host by a new connection that it can still be reached; else it undoes the change by itself."""
        deadline = time.monotonic() + change.seconds
        while time.monotonic() < deadline:
            try:
                with Session(self.host, self._connection) as anew:
                    anew.ask({"op": "confirm", "deployment": self._deployment, "token": change.token}, Confirmed)
                return
            except ConnectionFailed:
                time.sleep(AGAIN_SECONDS)
            except HostError:
                return  # it is too late, or not to be trusted: what the agent says next tells what became of it

    def _answer(self, line: bytes, kind: type[M]) -> M:
        """What the agent answers; it may say before that it is still looking."""
        for _ in range(MOST_LOOKS):
            if not line.startswith(b'{"event":"alive"'):
                break
            self._understand(line, Alive)
            line = self._line()
        return self._understand(line, kind)

    def _write(self, pieces: Iterable[bytes]) -> None:
        """Sends all; if the agent takes no more, what it said last tells why."""
        try:
            for piece in pieces:
                self._contact.write(piece)
        except ConnectionFailed as error:
            for _ in range(MOST_LAST_LINES):
                if not (line := self._line()):
                    break
                self._understand(line, Alive)
            raise self._end() from error

    def _line(self) -> bytes:
        """The next line of the agent's; the host is given its time, and no more."""
        if self._greeting is None:
            self._greeting = self._greeted()
        try:
            return self._lines.next(self._patience)
        except TimeoutError:
            raise ConnectionFailed(
                self.host,
                f"said nothing for {self._patience} s; {self._if_lost}",
                hint=f"if it is that slow, give it more time: hosts.{self.host}.patience in the environment",
            ) from None
        except TooLong:
            raise AgentFailed(self.host, "the agent spoke a line without an end", hint=MISTRUST) from None

    def _greeted(self) -> Greeting:
        try:
            return await_agent(self.host, self._lines.next, self._login_seconds)
        except TimeoutError:
            raise ConnectionFailed(
                self.host,
                f"let us in, but no agent started within {self._login_seconds} s; {UNTOUCHED}",
                hint="does a start file of the login user's shell wait for something? "
                f"If it is that slow, give it more time: hosts.{self.host}.login_seconds in the environment",
            ) from None

    def _end(self) -> HostError:
        printed = self._greeting.last_words if self._greeting and self._greeting.has_ended else ""
        return explain_end(self.host, self._contact.end(), if_lost=self._if_lost, printed=printed)

    def _understand(self, line: bytes, kind: type[M]) -> M:
        if not line.endswith(b"\n"):
            raise self._end()
        refuse_unfit(self.host, line)
        message = read_message(self.host, line)
        if isinstance(message, Trouble):
            raise as_error(self.host, message)
        if not isinstance(message, kind):
            raise self._out_of_turn(message)
        return message

    def _out_of_turn(self, message: Message) -> AgentFailed:
        return AgentFailed(self.host, f"the agent spoke out of turn: {type(message).__name__}", hint=MISTRUST)


def as_error(host: str, trouble: Trouble) -> HostError:
    """The agent's trouble, at its place in the error tree."""
    text, hint = trouble.message, trouble.hint
    match trouble.code:
        case "busy":
            return HostBusy(host, text, hint=hint or "wait for it to end, then plan again")
        case "stale":
            return StalePlan(host, text, hint=hint)
        case "agent":
            return AgentFailed(host, text, hint=hint)
        case _ if trouble.item:
            return ItemFailed(host, trouble.item, text, tail=trouble.tail, hint=hint)
        case _:
            return HostError(host, text, hint=hint)


def deployer_name() -> str:
    """Who is at work here, for the host's lock and records: this user, and for which operator of the panel."""
    operator = os.environ.get(OPERATOR, "")
    return f"{user_name()}@{socket.gethostname()}" + (f" for {operator}" if operator else "")


def user_name() -> str:
    """Who runs this, as the system knows it, whatever the environment's variables say; a number if it has no name."""
    number = os.getuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def new_run() -> str:
    """A name for one apply: sorts by time, UTC."""
    now = datetime.now(UTC)
    return f"{now:%Y%m%dT%H%M%SZ}-{now.microsecond:05x}{secrets.token_hex(1)}"
