"""A contact: one run of the agent on a host, bytes in, bytes out; and what its end means."""

from typing import Literal, NamedTuple, Protocol

from fedikit.errors import AgentFailed, ConnectionFailed


class End(NamedTuple):
    """How a contact ended."""

    status: int | None
    """Exit status; negative: killed by a signal; None: unknown, the connection is lost."""
    words: str = ""
    """Standard error."""
    lacks: Literal["", "python3", "sudo"] = ""
    """What the host has not, without which no agent can start."""


class Contact(Protocol):
    """A running agent."""

    def write(self, data: bytes) -> None: ...
    def read(self, seconds: float) -> bytes:
        """What comes next, as much as there is; nothing at the end. Raises TimeoutError after so many seconds."""

    def close(self) -> None: ...
    def end(self) -> End:
        """How it ended; to be asked when there is nothing more to read."""


def explain_end(host: str, end: End, *, if_lost: str) -> AgentFailed | ConnectionFailed:
    """Why a contact ended without an answer; `if_lost` says what that means for the host if the connection was lost."""
    tail = end.words.strip().splitlines()[-1] if end.words.strip() else ""
    if end.status is None:
        return ConnectionFailed(
            host, f"the connection was lost; {if_lost}", hint="see the host's state: fedikit status"
        )
    if end.status < 0:
        return AgentFailed(host, "the agent was killed", hint="do the same again")
    if end.lacks == "python3":
        return ConnectionFailed(
            host, "there is no python3 on it", hint="install it there once: apt-get install python3"
        )
    if end.lacks == "sudo":
        return ConnectionFailed(
            host,
            f"no way to become root: {tail or 'sudo is not there'}",
            hint="let the login user use sudo without a password",
        )
    return AgentFailed(host, f"the agent ended with exit status {end.status}: {tail or 'it said nothing'}")
