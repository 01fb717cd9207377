"""Plans: what would change, host by host and item by item. Making one changes nothing."""

from pathlib import Path
from typing import Literal

from pydantic import PrivateAttr, ValidationError

from fedikit.errors import ConfigurationError, FedikitError, Mistake
from fedikit.model.deployment import Deployment
from fedikit.model.value import HostName, Value
from fedikit.remote.session import Prepared
from fedikit.store import Deb

Purpose = Literal["apply", "remove", "rollback"]
Drift = Literal["restore", "keep"]


class PlannedChange(Value):
    """What would happen to one item; `action` and `reasons` as the agent says them."""

    id: str
    action: Literal["create", "update", "run", "adopt", "delete", "restore", "release", "keep", "blocked"]
    reasons: tuple[str, ...] = ()
    drift: bool = False
    before: str | None = None
    after: str | None = None
    """The texts of a file, to draw a difference with; never of one with secrets."""
    version: str = ""
    title: str = ""
    """What a container image says that it is."""


class ImageParts(Value):
    """What is to be sent of a container image, by SHA-256."""

    reference: str
    manifest: str
    parts: tuple[str, ...]
    size: int = 0
    """All of these together, in bytes."""


class HostPlan(Value):
    """What would change on one host."""

    host: HostName
    changes: tuple[PlannedChange, ...] = ()
    same: int = 0
    basis: str = ""
    """The digest of what the host looked like; it refuses the plan if that has moved."""
    generation: int = 0
    target: int | None = None
    """The generation to go back to, in a rollback."""
    debs: tuple[Deb, ...] = ()
    """The packages to be installed, with what they depend on."""
    images: tuple[ImageParts, ...] = ()
    """The parts of container images that the host lacks."""
    leaving_packages: tuple[str, ...] = ()
    bytes_to_send: int = 0
    kept: tuple[str, ...] = ()
    """Items that left the configuration earlier and were kept."""
    note: str = ""
    """Something the operator should know: an interrupted run, a busy host."""
    last_run: str = ""
    """The last apply that touched the host."""
    unfinished: bool = False
    """An earlier run was interrupted or failed: the host's record of it is completed, or taken away, by an apply."""
    error: str = ""
    """Why the host could not be planned."""
    seconds: float = 0.0

    @property
    def is_noop(self) -> bool:
        stays = all(change.action == "keep" and change.drift for change in self.changes)
        return stays and not self.error and not self.unfinished

    @property
    def is_blocked(self) -> bool:
        return any(change.action == "blocked" for change in self.changes)


class Plan(Value):
    """What would change everywhere. Can be saved; hosts that have moved since refuse it."""

    purpose: Purpose
    deployment: Deployment
    hosts: dict[HostName, HostPlan]
    purge: bool = False
    drift: Drift = "restore"
    to: int | None = None
    seconds: float = 0.0
    _open: dict[str, Prepared] = PrivateAttr(default_factory=dict)

    @property
    def is_noop(self) -> bool:
        return all(host.is_noop for host in self.hosts.values())

    @property
    def has_changes(self) -> bool:
        """Whether there is a host that can be changed."""
        return any(not (host.error or host.is_blocked or host.is_noop) for host in self.hosts.values())

    @property
    def has_errors(self) -> bool:
        return any(host.error or host.is_blocked for host in self.hosts.values())

    def save(self, path: str | Path) -> None:
        """Writes the plan as JSON; it holds no secret."""
        Path(path).write_text(self.model_dump_json(indent=1) + "\n")

    def of(self, deployment: Deployment) -> "Plan":
        """The same plan, of a deployment that still knows its secrets; raises if it is not the planned one."""
        if deployment.digest != self.deployment.digest:
            raise FedikitError("the plan was made of another configuration or environment", hint="plan again")
        return self.model_copy(update={"deployment": deployment})

    def close(self) -> None:
        """Ends the contacts that were kept open for an apply."""
        for prepared in self._open.values():
            prepared.conversation.close()
        self._open.clear()

    def stored_on(self, host: str) -> set[str]:
        """The contents that a host has in its own store, as far as it has told."""
        prepared = self._open.get(host)
        return set(prepared.answer.get("store", ())) if prepared else set()

    def take_contact(self, host: str) -> Prepared | None:
        """The contact on which the host was planned, if its agent still waits."""
        prepared = self._open.pop(host, None)
        if prepared and not prepared.conversation.is_still_waiting():
            prepared.conversation.close()
            return None
        return prepared


def load_plan(path: str | Path) -> Plan:
    """Reads a saved plan; raises ConfigurationError."""
    try:
        return Plan.model_validate_json(Path(path).read_text())
    except (OSError, ValidationError) as error:
        mistake = Mistake("plan", "cannot be read as a saved plan of this version of fedikit")
        raise ConfigurationError(str(path), [mistake], hint="plan again") from error
