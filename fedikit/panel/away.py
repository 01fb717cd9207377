"""The way to another provider: the file of theirs that an operator brought, and how far a move there has come.

What is brought lies in a folder by the name of that provider's environment, with the journal of the migration; so
nothing is forgotten of a move that was begun, whatever other file is brought meanwhile.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from fedikit.data.migration.journal import FOLDER, Journal, place_of, read_journal
from fedikit.environment.environment import Environment
from fedikit.environment.load import load_environment
from fedikit.errors import FedikitError
from fedikit.model.host import DirectoryHost
from fedikit.panel.documents import mark_of
from fedikit.runbook.record import write_whole, writing
from fedikit.runbook.work import at_work
from fedikit.setup.invitation import ENVIRONMENT, unpack_invitation

CURRENT = ".current"
DRAFT = ".draft"
Stage = Literal["brought", "under-way", "there", "coming-back"]


@dataclass(frozen=True)
class Away:
    """Where the files of other providers lie."""

    folder: Path
    left: Callable[[], Environment]
    """Gives the environment of the provider who may be left; raises ConfigurationError where it cannot be read."""

    @property
    def name(self) -> str:
        """What the other provider's environment is called; empty where nobody brought a file."""
        try:
            return (self.folder / CURRENT).read_text("utf-8").strip()
        except (OSError, ValueError):
            return ""

    @property
    def file(self) -> Path | None:
        """The other provider's environment; None where nobody brought one, or it was forgotten."""
        file = self.folder / self.name / ENVIRONMENT
        return file if self.name and file.is_file() else None

    @cached_property
    def other(self) -> Environment | None:
        """What that file says, as it was when first asked for. Raises ConfigurationError if it cannot be read."""
        return load_environment(self.file) if self.file else None

    @property
    def journal(self) -> Journal | None:
        """How far the move has come; None before it begins, and after a way back has ended."""
        return read_journal(self._journal) if self._journal else None

    @property
    def stage(self) -> Stage:
        """Where services are: here, in between, there, or on their way back."""
        return stage_of(self.journal)

    @property
    def provider_there(self) -> str:
        """The name of the provider that everything has moved to; empty while it is here, or in between."""
        return self.name if self.stage == "there" else ""

    def keep(self, content: bytes) -> None:
        """Keeps what somebody brought, in the place of what was brought before. Raises ConfigurationError."""
        draft = self.folder / DRAFT
        with self._nobody_else_at_it():
            with writing(draft):
                self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                shutil.rmtree(draft, ignore_errors=True)
            environment = unpack_invitation(content, draft, takes_directories=self._is_trial)
            try:
                self._require_another(environment)
                with writing(draft):
                    self._put(draft, environment.name)
            finally:
                shutil.rmtree(draft, ignore_errors=True)

    def forget(self) -> None:
        """Deletes what was brought, with all keys; how far a move has come stays known."""
        with self._nobody_else_at_it():
            if file := self.file:
                with writing(file):
                    _clear(file.parent)

    @property
    def marks(self) -> tuple[object, ...]:
        """What is another one when something else was brought, or a move went on."""
        journals = self.folder / self.name / FOLDER
        return tuple(mark_of(path) for path in (self.folder / CURRENT, self.file, journals))

    @property
    def _journal(self) -> Path | None:
        return place_of(self.folder / self.name, self.left().name, self.name) if self.name else None

    @property
    def _is_trial(self) -> bool:
        """Whether what is left is on no machines either."""
        return all(isinstance(host, DirectoryHost) for host in self.left().hosts.values())

    def _put(self, draft: Path, name: str) -> None:
        """Cut off in between, nothing is brought."""
        place = self.folder / name
        (self.folder / CURRENT).unlink(missing_ok=True)
        place.mkdir(mode=0o700, exist_ok=True)
        _clear(place)
        for file in draft.iterdir():
            os.replace(file, place / file.name)
        write_whole(self.folder / CURRENT, name)

    def _require_another(self, environment: Environment) -> None:
        if environment.name == self.left().name:
            words = f'the new provider calls itself "{environment.name}", as this one does'
            raise FedikitError(words, hint="ask for a file with another name")
        if (there := self.provider_there) and environment.name != there:
            words = f"everything is with {there}, and goes nowhere else from here"
            raise FedikitError(words, hint=f"bring the file of {there} to come back, or ask there to move on")

    @contextmanager
    def _nobody_else_at_it(self) -> Iterator[None]:
        """No run works with what is there, and no move is halfway."""
        with at_work(self.file, "somebody", "another file") if self.file else nullcontext():
            self._require_nothing_under_way()
            yield

    def _require_nothing_under_way(self) -> None:
        journal = self.journal
        is_over = journal is not None and journal.direction == "there" and "afterwards" in journal.done
        if stage_of(journal) != "brought" and not is_over:
            words = "a move has begun, and takes the file that it began with"
            raise FedikitError(words, hint="go on with it, or go back")


def stage_of(journal: Journal | None) -> Stage:
    """Where services are by a journal."""
    if journal is None:
        return "brought"
    if journal.direction == "back":
        return "coming-back"
    if "verify" in journal.done:
        return "there"
    return "under-way" if journal.closed_at is not None or journal.has_begun else "brought"


def _clear(folder: Path) -> None:
    """Takes away what was brought: its files. What is known of a move, and who is at work, is hidden there."""
    for path in folder.iterdir():
        if path.is_file() and not path.name.startswith("."):
            path.unlink()
