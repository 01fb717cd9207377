"""What one run notes: its events and what hosts answered, in the folder of its record. No secret stands there."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from fedikit.errors import FedikitError
from fedikit.events import Event
from fedikit.runbook.guidance import show_note
from fedikit.runbook.record import EventLog, as_line, write_whole
from fedikit.secrets.redaction import Leak, find_leaks, scrub


class Notes:
    """The notes of a run; without a folder, they last as long as the run does."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.told: list[dict[str, Any]] = []
        """Every event so far, as it stands in the record."""
        self._log = EventLog(folder / "events.ndjson") if folder else None
        self._hidden: frozenset[str] = frozenset()

    def hide(self, secrets: Iterable[str]) -> None:
        """Keeps these out of what is noted from now on."""
        self._hidden |= frozenset(secrets)

    def scrubbed(self, text: str) -> str:
        """The text without secrets."""
        return scrub(text, self._hidden) if self._hidden else text

    def take(self, event: Event) -> Event:
        """Notes an event, and gives it without secrets."""
        event = self._scrubbed_event(event)
        self.told.append(as_line(event))
        if self._log:
            self._log(event)
        return event

    def keep(self, name: str, text: str) -> None:
        """A file of the record; a full disk costs that, but not the run."""
        if self.folder:
            try:
                write_whole(self.folder / name, self.scrubbed(text))
            except FedikitError as error:
                show_note(f"{error.message}; the run goes on")

    def keep_picture(self, name: str, content: bytes | None) -> None:
        """A picture for the record, if there is one."""
        if self.folder and content:
            try:
                (self.folder / name).write_bytes(content)
            except OSError as error:
                show_note(f"the picture is not kept in the record: {error}; the run goes on")

    def leaks(self) -> list[Leak]:
        """Where a secret has slipped into the record."""
        return find_leaks([self.folder], self._hidden) if self.folder else []

    def _scrubbed_event(self, event: Event) -> Event:
        texts = {name: self.scrubbed(value) for name, value in vars(event).items() if isinstance(value, str)}
        return replace(event, **texts) if self._hidden else event  # type: ignore[arg-type]
