"""A conversation with the agent of one host: request, answer, order, events."""

import itertools
import json
import os
import pwd
import secrets
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from fedikit.agent.channel import pack
from fedikit.errors import AgentFailed, ConnectionFailed, HostBusy, HostError, ItemFailed, StalePlan
from fedikit.model.host import Connection
from fedikit.remote import bootstrap
from fedikit.remote.payload import Freight
from fedikit.remote.transport import Contact, explain_end, open_contact

Message = dict[str, Any]
UNTOUCHED = "nothing was changed there"
UNKNOWN = "nothing was changed there, unless it had got its whole order by then: in that case it goes on by itself"
GOES_ON = "the host goes on by itself"
PATIENCE_SECONDS = 100
"""How long after its answer an agent may be given an order; it gives up waiting a little later."""


class Conversation:
    """One contact with one host. Use as a context manager, or close it."""

    def __init__(self, host: str, connection: Connection) -> None:
        self.host = host
        self._contact: Contact = open_contact(host, connection)
        self._lines = self._contact.lines()
        self._answered_at = 0.0
        self._if_lost = UNTOUCHED

    def __enter__(self) -> "Conversation":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._contact.close()

    def ask(self, request: Message) -> Message:
        """Sends the request and returns the agent's answer; raises a HostError."""
        message = pack(request | {"agent": bootstrap.fingerprint()})
        self._write([b"%s " % bootstrap.fingerprint().encode(), message])
        line = next(self._lines, b"")
        if line == bootstrap.ASKS_FOR_AGENT:
            self._write([b"%d\n" % len(bootstrap.archive()), bootstrap.archive()])
            line = next(self._lines, b"")
        self._answered_at = time.monotonic()
        return self._understand(line)

    def is_still_waiting(self) -> bool:
        """Whether the agent can still be given an order."""
        return time.monotonic() - self._answered_at < PATIENCE_SECONDS

    def order(self, order: Message, blobs: Iterator[bytes]) -> None:
        """Tells the agent to do what it answered; then its events can be read."""
        self._write(itertools.chain([pack(order)], blobs))
        self._if_lost = UNKNOWN

    def follow(self, hear: Callable[[Message], None]) -> Message:
        """Hands on the agent's events until it is done; returns its last one, raises a HostError."""
        for line in self._lines:
            message = self._understand(line)
            if message["event"] == "done":
                return message
            self._if_lost = GOES_ON
            hear(message)
        raise self._end()

    def _write(self, pieces: Iterable[bytes]) -> None:
        """Sends all; if the agent takes no more, what it said last tells why."""
        try:
            for piece in pieces:
                self._contact.write(piece)
        except ConnectionFailed as error:
            for line in self._lines:
                self._understand(line)
            raise self._end() from error

    def _end(self) -> HostError:
        return explain_end(self.host, self._contact, if_lost=self._if_lost)

    def _understand(self, line: bytes) -> Message:
        if not line.endswith(b"\n"):
            raise self._end()
        try:
            message: Message = json.loads(line)
        except ValueError as error:
            raise AgentFailed(self.host, f"the agent spoke nonsense: {line[:80]!r}") from error
        if message["event"] == "trouble":
            raise as_error(self.host, message)
        return message


class Prepared:
    """A host that has answered: the open conversation, what it wants sent, and the answer."""

    def __init__(self, conversation: Conversation, freight: Freight, answer: dict[str, Any]) -> None:
        self.conversation = conversation
        self.freight = freight
        self.answer = answer


def as_error(host: str, trouble: Message) -> HostError:
    """The agent's trouble, at its place in the error tree."""
    text, hint = trouble["message"], trouble["hint"]
    match trouble["code"]:
        case "busy":
            return HostBusy(host, text, hint=hint or "wait for it to end, then plan again")
        case "stale":
            return StalePlan(host, text, hint=hint)
        case "agent":
            return AgentFailed(host, text, hint=hint)
        case _ if trouble["item"]:
            return ItemFailed(host, trouble["item"], text, tail=trouble["tail"], hint=hint)
        case _:
            return HostError(host, text, hint=hint)


def deployer_name() -> str:
    """Who is at work here, for the host's lock and records."""
    return f"{user_name()}@{socket.gethostname()}"


def user_name() -> str:
    """Who runs this, as the system knows it, whatever the environment's variables say; a number if it has no name."""
    number = os.getuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def new_run() -> str:
    """A name for one apply: sorts by time, UTC."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
