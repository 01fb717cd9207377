"""The diagnosis: what was looked at on each host and on the deployer, what was seen, and what to do about it."""

from typing import Literal

from fedikit.model.value import Value

DEPLOYER = "(deployer)"
"""Where findings about the machine that fedikit runs on stand."""


class Finding(Value):
    """One matter on one host."""

    host: str
    matter: str
    state: Literal["well", "note", "obstacle"]
    """A note does not stand in the way of an apply; an obstacle does."""
    seen: str
    remedy: str = ""


class Diagnosis(Value):
    """All findings, host by host."""

    findings: tuple[Finding, ...]

    @property
    def obstacles(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.state == "obstacle")

    @property
    def is_clear(self) -> bool:
        """Whether nothing stands in the way."""
        return not self.obstacles
