"""What an operator may do.

Rule: `permit` decides it, which the runner calls for every order, whoever made it.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fedikit.errors import FedikitError, Mistake
from fedikit.panel.documents import LARGEST_DOCUMENT, differences, is_too_large
from fedikit.panel.operators import Operator
from fedikit.panel.order import Order, Request

_NOT_THEIRS_TO_MOVE = "to move everything to another provider is the provider's to allow"


class NotAllowed(FedikitError):
    """The provider did not give this operator the right to do it."""


@dataclass(frozen=True)
class Rights:
    """The rights of one operator, over what is theirs now: each of these is asked for when it matters."""

    operator: Operator | None
    """What `panel.toml` says of them; None for the provider, who may do everything."""
    saved: Callable[[], Mapping[str, Any]]
    """Gives the configuration's document as it is in the file."""
    request: Callable[[], Request | None]
    """Gives what they asked others to agree to."""
    brought: Callable[[], Path | None]
    """Gives the file of another provider's that they brought."""

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
        for path in sorted(differences(self.saved(), document)):
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
            if is_too_large(order.document):
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
        elif self.brought() is None:
            yield "nobody has brought the new provider's file yet"
