"""What somebody at the panel wants done, as a value: the runner decides whether they may."""

from typing import Annotated, Any, Literal

from pydantic import Field

from fedikit.model.value import Value


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
    runbook: Literal["deploy", "verify", "remove", "rollback"]
    dry_run: bool = True
    document: dict[str, Any] | None = None
    """What the configuration shall be; as it is if absent."""
    purge: bool = False
    consent: tuple[str, ...] = ()
    to: int | None = None
    """The generation to go back to."""
    agreed: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    """The digest of the plan that was looked at."""
    confirmed: str = ""
    """The domain, as it was typed by who means to destroy data."""
    approver: str = ""
    """The other operator who agreed."""

    @property
    def changes_hosts(self) -> bool:
        return self.runbook != "verify" and not self.dry_run
