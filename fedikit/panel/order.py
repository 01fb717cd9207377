"""What somebody at the panel wants done, as a value: the runner decides whether they may."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from fedikit.model.value import Value

LOOKS = ("verify", "backup")
"""Runbooks that change nothing of what is there: no plan of theirs has to be agreed to."""


class Place(Value):
    """Whose work it is, and on which files."""

    configuration: str
    environment: str
    panel: str = ""
    """The path of `panel.toml`; empty for the provider, who may do everything."""
    operator: str = ""
    """The operator in it."""


class Order(Value):
    """One run of a runbook."""

    place: Place
    runbook: Literal["deploy", "verify", "remove", "rollback", "backup", "restore", "migrate"]
    dry_run: bool = True
    document: dict[str, Any] | None = None
    """What the configuration shall be; as it is if absent."""
    purge: bool = False
    consent: tuple[str, ...] = ()
    to: int | None = None
    """The generation to go back to."""
    application: Annotated[str, Field(pattern=r"^[a-z0-9-]{0,63}$")] = ""
    """The one whose data is put back."""
    backup: Annotated[str, Field(pattern=r"^([0-9]{8}T[0-9]{6}Z-[0-9a-f]{8})?$")] = ""
    """The name of the backup that it is put back from."""
    rehearse: bool = False
    """Of a move to another provider, all but the switch."""
    back: bool = False
    """The way back from there."""
    agreed: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    """The digest of the plan that was looked at."""
    confirmed: str = ""
    """The domain, as it was typed by who means to destroy data, or to move it all."""
    approver: str = ""
    """The other operator who agreed."""

    @property
    def changes_hosts(self) -> bool:
        return self.runbook not in LOOKS and not self.dry_run

    @property
    def takes_the_domain(self) -> bool:
        """Whether it is so much that who wants it types the domain."""
        moves = self.runbook == "migrate" and not self.rehearse
        return self.purge or bool(self.consent) or self.runbook == "restore" or moves


class Request(Value):
    """What an operator wants done as soon as another agrees."""

    order: Order
    record: str
    """The run that looked, whose plan it is."""
    asked: datetime

    @property
    def who(self) -> str:
        return self.order.place.operator
