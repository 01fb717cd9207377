"""Plans: what would change, host by host and item by item. Making one changes nothing."""

from typing import Literal

from pydantic import Field

from fedikit.errors import FedikitError
from fedikit.model.check import Check
from fedikit.model.deployment import Deployment
from fedikit.model.item import class_of
from fedikit.model.value import HostName, Value, digest_of
from fedikit.results.upgrade import Upgrade, upgrades_in

Purpose = Literal["apply", "remove", "rollback"]
Drift = Literal["restore", "keep"]


class Question(Value):
    """What hosts are asked: what would change if this were done."""

    purpose: Purpose
    purge: bool = False
    """Whether data that left the configuration goes too."""
    drift: Drift = "restore"
    """What becomes of files that somebody edited."""
    to: int | None = None
    """The generation to go back to, in a rollback; before the last apply if not given."""
    consent: tuple[str, ...] = ()
    """What may become another, by its new name, though other servers or data know it by the old one."""


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
    data: bool = False
    """Whether people's data is in it."""
    title: str = ""
    """What a container image says that it is."""

    @property
    def bears_data(self) -> bool:
        """Whether people's data goes where it goes."""
        kind = class_of(self.id)
        return kind.is_store or (kind.may_bear_data and self.data)


class PlannedDeb(Value):
    """A Debian package to be installed; where it comes from is never part of a plan, Debian's signed lists say it."""

    name: str
    version: str
    sha256: str
    size: int = 0


class ImageParts(Value):
    """What is to be sent of a container image, by SHA-256."""

    reference: str
    manifest: str
    parts: tuple[str, ...]
    size: int = 0
    """All of these together, in bytes."""


class Promise(Value):
    """What a generation promised to its users, by the checks that were kept with it; or why there are none."""

    checks: tuple[Check, ...] = ()
    lack: str = ""
    is_forged: bool = False
    """Whether the host shows others than it was given."""


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
    debs: tuple[PlannedDeb, ...] = ()
    """The packages to be installed, with what they depend on."""
    images: tuple[ImageParts, ...] = ()
    """The parts of container images that the host lacks."""
    leaving_packages: tuple[str, ...] = ()
    staying_packages: dict[str, str] = Field(default_factory=dict)
    """Packages that fedikit brought and nobody here asks for any more, and why they stay."""
    bytes_to_send: int = 0
    kept: tuple[str, ...] = ()
    """Items that left the configuration earlier and were kept."""
    note: str = ""
    """Something the operator should know: an interrupted run, a busy host."""
    at_rest: tuple[str, ...] = ()
    """The applications that are closed there."""
    last_run: str = ""
    """The last apply that touched the host."""
    unfinished: bool = False
    """An earlier run was interrupted or failed: the host's record of it is completed, or taken away, by an apply."""
    refused: tuple[str, ...] = ()
    """Why it is not to be changed, though it could be: what people or data know it by would be another."""
    people: tuple[str, ...] = ()
    """What becomes of initial users who are none any more, in a sentence each."""
    promise: Promise | None = None
    """In a rollback, what is checked when the host is back; nothing if it goes back to nothing."""
    error: str = ""
    """Why the host could not be planned."""
    seconds: float = 0.0

    @property
    def is_noop(self) -> bool:
        stays = all(change.action == "keep" and change.drift for change in self.changes)
        return stays and not self.error and not self.unfinished

    @property
    def is_blocked(self) -> bool:
        return bool(self.refused) or any(change.action == "blocked" for change in self.changes)

    @property
    def may_lose_data(self) -> bool:
        """Whether data is destroyed, or met by an older version of what wrote it."""
        is_destroyed = any(change.action == "delete" and change.bears_data for change in self.changes)
        return is_destroyed or any(upgrade.is_backwards for upgrade in self.upgrades)

    @property
    def upgrades(self) -> tuple[Upgrade, ...]:
        """Software in containers of which another version comes than runs there."""
        leaving = self._images("delete", "release", "keep")
        return upgrades_in(leaving, self._images("create", "adopt"))

    def _images(self, *actions: str) -> list[str]:
        """The references of images that meet one of these fates."""
        images = (change for change in self.changes if class_of(change.id).has_image)
        return [change.id.partition(":")[2] for change in images if change.action in actions]

    @property
    def is_changeable(self) -> bool:
        """Whether there is something to do there that can be done."""
        return not (self.error or self.is_blocked or self.is_noop)


_DECISIVE = {"changes", "basis", "generation", "target", "debs", "leaving_packages", "unfinished", "refused", "error"}
"""What of a host's plan makes it this plan, and not another."""


class Plan(Question):
    """What would change everywhere. Can be saved; hosts that have moved since refuse it."""

    deployment: Deployment
    hosts: dict[HostName, HostPlan]
    moves: tuple[str, ...] = ()
    """Data that stays behind while what it belongs to begins elsewhere without it: a sentence each."""
    seconds: float = 0.0

    @property
    def is_noop(self) -> bool:
        return all(host.is_noop for host in self.hosts.values())

    @property
    def has_changes(self) -> bool:
        """Whether there is a host that can be changed."""
        return not self.is_refused and any(host.is_changeable for host in self.hosts.values())

    @property
    def is_refused(self) -> bool:
        """Whether nothing is to be changed anywhere: data would be lost or no longer known, or half be rolled back."""
        is_halved = self.purpose == "rollback" and any(host.is_blocked for host in self.hosts.values())
        return is_halved or any(host.refused for host in self.hosts.values())

    @property
    def has_errors(self) -> bool:
        return any(host.error or host.is_blocked for host in self.hosts.values())

    @property
    def may_lose_data(self) -> bool:
        return any(host.may_lose_data for host in self.hosts.values())

    @property
    def promises(self) -> dict[HostName, Promise]:
        """What the hosts that go back promised."""
        return {name: host.promise for name, host in self.hosts.items() if host.promise and host.is_changeable}

    @property
    def unpromised(self) -> tuple[str, ...]:
        """Where nothing is to be checked after a rollback, and why, in a line each."""
        return tuple(f"{name}: {promise.lack}" for name, promise in self.promises.items() if promise.lack)

    @property
    def has_forgeries(self) -> bool:
        """Whether a host shows other checks than it was given."""
        return any(promise.is_forged for promise in self.promises.values())

    @property
    def digest(self) -> str:
        """SHA-256 over what is wanted, how hosts looked, and what would be done; equal while nothing moves."""
        question = self.question.model_dump(mode="json")
        hosts = {name: host.model_dump(mode="json", include=_DECISIVE) for name, host in self.hosts.items()}
        return digest_of([question, self.deployment.digest, hosts, self.moves])

    @property
    def question(self) -> Question:
        """What the hosts were asked."""
        return Question(**{name: getattr(self, name) for name in Question.model_fields})

    def of(self, deployment: Deployment) -> "Plan":
        """The same plan, of a deployment that still knows its secrets; raises if it is not the planned one."""
        if deployment.digest != self.deployment.digest:
            raise FedikitError("the plan was made of another configuration or environment", hint="plan again")
        return self.model_copy(update={"deployment": deployment})
