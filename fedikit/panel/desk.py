"""An operator's desk: the files that are theirs, what they chose but did not send yet, their records, and their rights.

Rule: what an operator may do is decided by `permit`, which the runner calls for every order, whoever made it.
"""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from fedikit.environment.environment import Environment
from fedikit.environment.load import as_configuration, load_configuration, load_environment, read_document
from fedikit.errors import ConfigurationError, FedikitError, Mistake
from fedikit.model.configuration import Configuration
from fedikit.model.deployment import Deployment
from fedikit.model.document import parse_json
from fedikit.model.mistake import WHOLE
from fedikit.model.value import Value, digest_of
from fedikit.panel.away import Away
from fedikit.panel.operators import Operator, load_panel
from fedikit.panel.order import Order, Place
from fedikit.runbook.record import Record, list_records, newest_record, write_whole, writing

WANTED = "wanted"
"""The folder of documents that somebody wanted to see the plan of."""
_NOT_THEIRS_TO_MOVE = "to move everything to another provider is the provider's to allow"
_STAMP = "%Y%m%dT%H%M%S.%fZ"
LARGEST_DOCUMENT = 1 << 20
"""Bytes that what an operator chose may have; a configuration has some hundred."""


class Earlier(NamedTuple):
    """A configuration that another took the place of."""

    until: datetime
    document: dict[str, Any]


class Request(Value):
    """What an operator wants done as soon as another agrees."""

    order: Order
    record: str
    """The run that looked, whose plan it is."""
    asked: datetime

    @property
    def who(self) -> str:
        return self.order.place.operator


class NotAllowed(FedikitError):
    """The provider did not give this operator the right to do it."""


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

    # What is chosen

    def saved(self) -> dict[str, Any]:
        """The configuration's document as it is in the file; empty if there is none yet."""
        return _document(self.configuration) if self.configuration.exists() else {}

    def draft(self) -> dict[str, Any]:
        """What was chosen last, sent or not. Raises ConfigurationError if it cannot be read."""
        return _document(self._draft) if self._draft.exists() else self.saved()

    def set_draft_aside(self) -> Path:
        """Begins anew where the draft cannot be read; returns where it is kept."""
        aside = self.folder / "draft.damaged.json"
        with writing(aside):
            self._draft.replace(aside)
        return aside

    def keep_draft(self, document: Mapping[str, Any]) -> None:
        """Keeps what was chosen, so that a closed page loses nothing. Who keeps one last wins."""
        if _is_too_large(document):
            raise FedikitError(f"what was entered is larger than {LARGEST_DOCUMENT} bytes, and is not kept")
        if document == self.saved():
            self._draft.unlink(missing_ok=True)
        else:
            self._keep(self._draft, document)

    def keep_wanted(self, document: Mapping[str, Any]) -> Path:
        """A file that holds this document and never another, for a run that only looks."""
        file = self.folder / WANTED / f"{digest_of(document)[:16]}.json"
        self._keep(file, document)
        return file

    def save(self, document: Mapping[str, Any]) -> None:
        """Makes it the configuration; the one before is kept."""
        if self.configuration.exists() and document != self.saved():
            before = self.folder / "earlier" / f"{datetime.now(UTC):{_STAMP}}.json"
            self._keep(before, self.saved())
        self._keep(self.configuration.resolve(), document)
        self._draft.unlink(missing_ok=True)

    def deployment(self, document: Mapping[str, Any]) -> Deployment:
        """What the document comes to here. Raises ConfigurationError with every mistake in it."""
        return self.hosting.deployment(as_configuration(document, "configuration"))

    def mistakes(self, document: Mapping[str, Any]) -> tuple[Mistake, ...]:
        """What is wrong with a document, and what of it this operator may not change."""
        if _is_too_large(document):
            return (Mistake(WHOLE, f"is larger than {LARGEST_DOCUMENT} bytes"),)
        try:
            self.deployment(document)
        except ConfigurationError as error:
            return (*error.mistakes, *self.forbidden(document))
        return tuple(self.forbidden(document))

    def chosen(self) -> Configuration:
        """The configuration in the file."""
        return load_configuration(self.configuration)

    # What they may

    def may_change(self, path: str) -> bool:
        """Whether they may change the setting at a dotted path."""
        return self.operator is None or self.operator.may_change(path)

    @property
    def may_purge(self) -> bool:
        return self.operator is None or self.operator.may_purge

    @property
    def may_leave(self) -> bool:
        """Whether they may move everything to another provider: who may not change all of it may not move it."""
        return self.operator is None or (self.operator.may_leave and not self.operator.is_restricted)

    @property
    def approvers(self) -> tuple[str, ...]:
        """Of whom one must agree to each change; nobody must if empty."""
        return self.operator.approved_by if self.operator else ()

    def forbidden(self, document: Mapping[str, Any]) -> Iterator[Mistake]:
        """What differs from the file though they may not change it."""
        for path in sorted(_differences(self.saved(), document)):
            if not self.may_change(path):
                yield Mistake(path, "is not yours to change; ask your provider")

    def permit(self, order: Order) -> None:
        """Raises NotAllowed, with every reason, unless this operator may have that done."""
        if reasons := [*self._reasons_against(order)]:
            raise NotAllowed("this is not allowed:\n" + "\n".join(f"  {reason}" for reason in reasons))

    def require_may_leave(self) -> None:
        """Raises NotAllowed unless they may bring another provider's file, and move there."""
        if not self.may_leave:
            raise NotAllowed(f"this is not allowed:\n  {_NOT_THEIRS_TO_MOVE}")

    def _reasons_against(self, order: Order) -> Iterator[str]:
        if order.document is not None:
            yield from map(str, self.forbidden(order.document))
            if _is_too_large(order.document):
                yield f"the configuration is larger than {LARGEST_DOCUMENT} bytes"
        if (order.purge or order.consent) and not self.may_purge:
            yield "to destroy data, or to leave it behind, is the provider's"
        if order.runbook == "remove":
            yield from self._not_theirs_to_remove()
        if order.runbook == "rollback" and self.operator and self.operator.is_restricted:
            yield "a generation may hold what others changed: choose the settings of that time instead"
        if order.runbook == "restore":
            yield from self._not_theirs_to_restore(order)
        if order.runbook == "migrate":
            yield from self._not_theirs_to_move(order)
        if order.changes_hosts:
            yield from self._reasons_against_changing(order)

    def _reasons_against_changing(self, order: Order) -> Iterator[str]:
        if not order.agreed:
            yield "a plan must be looked at first"
        if order.takes_the_domain and order.confirmed != self.saved().get("domain"):
            is_move = order.runbook == "migrate"
            yield f"to {'move everything' if is_move else 'destroy or replace data'} takes the domain, typed"
        if self.approvers and not self._is_agreed(order):
            yield f"one of these must agree: {', '.join(self.approvers)}"

    def _is_agreed(self, order: Order) -> bool:
        """Whether another agreed to the very thing that was asked for."""
        request = self.request()
        asked = request.order.model_copy(update={"approver": order.approver}) if request else None
        return order.approver in self.approvers and order == asked

    def _not_theirs_to_remove(self) -> Iterator[str]:
        for name, settings in self.saved().items():
            if isinstance(settings, dict) and settings.get("enable") and not self.may_change(f"{name}.enable"):
                yield f"{name} is not theirs to remove"

    def _not_theirs_to_restore(self, order: Order) -> Iterator[str]:
        """One backup of one application is restored, and only by who may switch the application off, too."""
        if not order.application or not order.backup:
            yield "a restore names one application and its backup"
        elif not self.may_change(f"{order.application}.enable"):
            yield f"{order.application} is not theirs to restore"

    def _not_theirs_to_move(self, order: Order) -> Iterator[str]:
        """What is moved is all that is deployed, as it is, to where the kept file leads."""
        if not self.may_leave:
            yield _NOT_THEIRS_TO_MOVE
        elif order.document is not None:
            yield "a move takes everything along as it is, and changes nothing"
        elif self.away.file is None:
            yield "nobody has brought the new provider's file yet"

    # What another must agree to

    def ask(self, order: Order, record: Path) -> None:
        """Asks the others; a request before it is forgotten."""
        request = Request(order=order, record=str(record), asked=datetime.now(UTC))
        _write(self._request, request.model_dump_json(indent=1))

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
        return tuple(_mark(file) for file in (self.configuration, self._draft))

    def mark_of_request(self) -> object:
        """What is another one when something else was asked for."""
        return _mark(self._request)

    @property
    def _request(self) -> Path:
        return self.folder / "request.json"

    @property
    def _draft(self) -> Path:
        return self.folder / "draft.json"

    @staticmethod
    def _keep(file: Path, document: Mapping[str, Any]) -> None:
        _write(file, json.dumps(document, indent=2, ensure_ascii=False))


def _write(file: Path, text: str) -> None:
    with writing(file):
        os.makedirs(file.parent, mode=0o700, exist_ok=True)
    write_whole(file, text)


def _mark(file: Path) -> tuple[int, int] | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino


def _is_too_large(document: Mapping[str, Any]) -> bool:
    return len(json.dumps(document)) > LARGEST_DOCUMENT


def _earlier(file: Path) -> Earlier | None:
    try:
        return Earlier(datetime.strptime(file.stem, _STAMP).replace(tzinfo=UTC), _document(file))
    except (ValueError, ConfigurationError):
        return None


def _document(file: Path) -> dict[str, Any]:
    document = read_document(file, parse_json)
    if not isinstance(document, dict):
        raise ConfigurationError(str(file), [Mistake(WHOLE, "must be a group of settings")])
    return dict(document)


def _differences(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """The dotted paths at which two documents differ; a list is one thing."""
    if not (isinstance(before, Mapping) and isinstance(after, Mapping)):
        if before != after:
            yield path
        return
    for key in before.keys() | after.keys():
        inner = f"{path}.{key}" if path else key
        yield from _differences(before.get(key, {}), after.get(key, {}), inner)
