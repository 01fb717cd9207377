"""Who is signed in. A session is a random token in a cookie, and its hash in a file, which outlives the server.

A session ends when it is signed out, when it was idle or there for too long, and when the operator's name,
password or second factor changes: at the next look at it.
"""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from fedikit.panel.operators import PanelFile
from fedikit.panel.server.files import JsonFile

_NOTED_SECONDS = 30
"""How often the file is told that somebody is still there."""


class Credentials(Protocol):
    """What the sessions ask of their place."""

    @property
    def panel(self) -> PanelFile: ...

    def credentials_of(self, name: str) -> str | None: ...


@dataclass(frozen=True)
class Session:
    """Somebody's session; `key` is the hash of its token."""

    key: str
    operator: str


class Sessions:
    """The sessions of a panel."""

    def __init__(self, file: JsonFile, premises: Credentials, clock: Callable[[], float]) -> None:
        self._file = file
        self._premises = premises
        self._clock = clock
        self._seen: dict[str, float] = {}

    def begin(self, operator: str) -> str:
        """Begins a session; returns its token."""
        token = secrets.token_urlsafe(32)
        now = self._clock()
        entry = {
            "operator": operator,
            "started": now,
            "seen": now,
            "credentials": self._premises.credentials_of(operator),
        }
        with self._file.changing() as sessions:
            for key in [key for key in sessions if not self._holds(key, sessions[key])]:
                del sessions[key]
            sessions[_key(token)] = entry
        return token

    def find(self, token: str) -> Session | None:
        """The session with this token, if it goes on."""
        return self._find(_key(token)) if token else None

    def goes_on(self, session: Session) -> bool:
        return self._find(session.key) is not None

    def touch(self, session: Session) -> None:
        """Notes that somebody does something."""
        now = self._clock()
        self._seen[session.key] = now
        entry = self._file.read().get(session.key)
        if entry and now - entry["seen"] > _NOTED_SECONDS:
            with self._file.changing() as sessions:
                if session.key in sessions:
                    sessions[session.key]["seen"] = now

    def end(self, session: Session) -> None:
        with self._file.changing() as sessions:
            sessions.pop(session.key, None)
        self._seen.pop(session.key, None)

    def end_all(self, operator: str) -> None:
        """Ends every session of an operator."""
        with self._file.changing() as sessions:
            for key in [key for key, entry in sessions.items() if entry["operator"] == operator]:
                del sessions[key]

    def _find(self, key: str) -> Session | None:
        entry = self._file.read().get(key)
        return Session(key, entry["operator"]) if entry and self._holds(key, entry) else None

    def _holds(self, key: str, entry: dict[str, Any]) -> bool:
        panel, now = self._premises.panel, self._clock()
        seen = max(entry["seen"], self._seen.get(key, 0))
        return (
            0 <= now - entry["started"] < panel.session_hours * 3600
            and now - seen < panel.idle_minutes * 60
            and entry["credentials"] is not None
            and entry["credentials"] == self._premises.credentials_of(entry["operator"])
        )


def _key(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
