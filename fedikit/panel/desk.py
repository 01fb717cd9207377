"""An operator's desk: the files that are theirs, what they chose but did not send yet, and their records."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from fedikit.environment.environment import Environment
from fedikit.environment.load import as_configuration, load_configuration, load_environment
from fedikit.errors import ConfigurationError, FedikitError, Mistake
from fedikit.model.configuration import Configuration
from fedikit.model.deployment import Deployment
from fedikit.model.mistake import WHOLE
from fedikit.model.value import digest_of
from fedikit.panel.away import Away
from fedikit.panel.documents import LARGEST_DOCUMENT, is_too_large, keep, keep_group, mark_of, read_group
from fedikit.panel.operators import Operator, load_panel
from fedikit.panel.order import Order, Place, Request
from fedikit.panel.rights import NotAllowed, Rights
from fedikit.runbook.record import Record, list_records, newest_record, writing

WANTED = "wanted"
"""The folder of documents that somebody wanted to see the plan of."""
_STAMP = "%Y%m%dT%H%M%S.%fZ"


class Earlier(NamedTuple):
    """A configuration that another took the place of."""

    until: datetime
    document: dict[str, Any]


@dataclass(frozen=True)
class Desk:
    """Where somebody works. Its folder is made when something is first kept there."""

    place: Place
    folder: Path
    """For drafts, and what was wanted before."""
    records: Path
    operator: Operator | None
    """What `panel.toml` says of them; None for the provider."""

    @classmethod
    def at(cls, place: Place) -> "Desk":
        """The desk of a place. Raises ConfigurationError if `panel.toml` is wrong, NotAllowed if they are not in it."""
        if not place.panel:
            records = Path("runs").absolute()
            return cls(place, records / ".panel", records, None)
        panel = load_panel(place.panel)
        operator = panel.operators.get(place.operator)
        if operator is None:
            raise NotAllowed(f"{place.operator} is not an operator here", hint="the provider's panel.toml names them")
        files = {"configuration": operator.configuration, "environment": operator.environment}
        folder = Path(panel.state) / "operators" / place.operator
        return cls(place.model_copy(update=files), folder, folder / "runs", operator)

    @property
    def who(self) -> str:
        return self.place.operator

    @property
    def configuration(self) -> Path:
        return Path(self.place.configuration)

    @property
    def environment(self) -> Path:
        return Path(self.place.environment)

    @cached_property
    def hosting(self) -> Environment:
        """The provider's environment, as it was when first asked for."""
        return load_environment(self.environment)

    @property
    def away(self) -> Away:
        """What was brought of another provider's."""
        return Away(self.folder / "away", lambda: self.hosting)

    @property
    def rights(self) -> Rights:
        """What they may do."""
        return Rights(self.operator, self.saved, self.request, lambda: self.away.file)

    # What is chosen

    def saved(self) -> dict[str, Any]:
        """The configuration's document as it is in the file; empty if there is none yet."""
        return read_group(self.configuration) if self.configuration.exists() else {}

    def draft(self) -> dict[str, Any]:
        """What was chosen last, sent or not. Raises ConfigurationError if it cannot be read."""
        return read_group(self._draft) if self._draft.exists() else self.saved()

    def set_draft_aside(self) -> Path:
        """Begins anew where the draft cannot be read; returns where it is kept."""
        aside = self.folder / "draft.damaged.json"
        with writing(aside):
            self._draft.replace(aside)
        return aside

    def keep_draft(self, document: Mapping[str, Any]) -> None:
        """Keeps what was chosen, so that a closed page loses nothing. Who keeps one last wins."""
        if is_too_large(document):
            raise FedikitError(f"what was entered is larger than {LARGEST_DOCUMENT} bytes, and is not kept")
        if document == self.saved():
            self._draft.unlink(missing_ok=True)
        else:
            keep_group(self._draft, document)

    def keep_wanted(self, document: Mapping[str, Any]) -> Path:
        """A file that holds this document and never another, for a run that only looks."""
        file = self.folder / WANTED / f"{digest_of(document)[:16]}.json"
        keep_group(file, document)
        return file

    def save(self, document: Mapping[str, Any]) -> None:
        """Makes it the configuration; the one before is kept."""
        if self.configuration.exists() and document != self.saved():
            before = self.folder / "earlier" / f"{datetime.now(UTC):{_STAMP}}.json"
            keep_group(before, self.saved())
        keep_group(self.configuration.resolve(), document)
        self._draft.unlink(missing_ok=True)

    def deployment(self, document: Mapping[str, Any]) -> Deployment:
        """What the document comes to here. Raises ConfigurationError with every mistake in it."""
        return self.hosting.deployment(as_configuration(document, "configuration"))

    def mistakes(self, document: Mapping[str, Any]) -> tuple[Mistake, ...]:
        """What is wrong with a document, and what of it this operator may not change."""
        if is_too_large(document):
            return (Mistake(WHOLE, f"is larger than {LARGEST_DOCUMENT} bytes"),)
        try:
            self.deployment(document)
        except ConfigurationError as error:
            return (*error.mistakes, *self.rights.forbidden(document))
        return tuple(self.rights.forbidden(document))

    def chosen(self) -> Configuration:
        """The configuration in the file."""
        return load_configuration(self.configuration)

    # What another must agree to

    def ask(self, order: Order, record: Path) -> None:
        """Asks the others; a request before it is forgotten."""
        request = Request(order=order, record=str(record), asked=datetime.now(UTC))
        keep(self._request, request.model_dump_json(indent=1))

    def request(self) -> Request | None:
        """What this operator asked for; None if that cannot be read."""
        try:
            return Request.model_validate_json(self._request.read_bytes())
        except (OSError, ValidationError):
            return None

    def forget_request(self) -> None:
        self._request.unlink(missing_ok=True)

    def others(self) -> list["Desk"]:
        """The desks of those to whom this operator's agreement is worth something."""
        if not self.place.panel:
            return []
        operators = load_panel(self.place.panel).operators
        names = [name for name, operator in operators.items() if self.who in operator.approved_by]
        return [Desk.at(self.place.model_copy(update={"operator": name})) for name in names]

    # What was done

    def runs(self) -> list[Record]:
        """The records of all runs, oldest first. Raises FedikitError if their folder cannot be read."""
        return list_records(self.records)

    def newest_run(self) -> Record | None:
        """The record of the newest run."""
        return newest_record(self.records)

    def earlier(self) -> list[Earlier]:
        """What was chosen before, the newest first; what cannot be read is left out."""
        found = sorted((self.folder / "earlier").glob("*.json"), reverse=True)
        return [earlier for file in found if (earlier := _earlier(file))]

    # What moves

    def marks(self) -> tuple[object, ...]:
        """What is another one when the configuration or the draft was written again."""
        return tuple(mark_of(file) for file in (self.configuration, self._draft))

    def mark_of_request(self) -> object:
        """What is another one when something else was asked for."""
        return mark_of(self._request)

    @property
    def _request(self) -> Path:
        return self.folder / "request.json"

    @property
    def _draft(self) -> Path:
        return self.folder / "draft.json"


def _earlier(file: Path) -> Earlier | None:
    try:
        return Earlier(datetime.strptime(file.stem, _STAMP).replace(tzinfo=UTC), read_group(file))
    except (ValueError, ConfigurationError):
        return None
