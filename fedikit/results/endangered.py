"""Applications whose data another version of them is about to meet: pure, from a plan and its deployment."""

from collections.abc import Iterator
from typing import NamedTuple

from fedikit.model.data import settings_file
from fedikit.results.plan import HostPlan, Plan


class Endangered(NamedTuple):
    """An application on a host of which another version comes.

    lack    why no backup of it is made first; empty if one is
    """

    host: str
    application: str
    lack: str

    @property
    def words(self) -> str:
        """What is to be known of it before somebody says yes."""
        place = f"{self.application} on {self.host}"
        if self.lack:
            return f"! no backup of {place} is made first: {self.lack}"
        return f"{place} is backed up first; should its new version fail, version and data go back"


def endangered_by(plan: Plan) -> list[Endangered]:
    """Those of a plan that puts another version in the place of one that runs; none of what is rolled back."""
    if plan.purpose != "apply":
        return []
    upgraded = [host for host in plan.hosts.values() if host.is_changeable and host.upgrades]
    return [one for host in upgraded for one in _on_host(plan, host)]


def _on_host(plan: Plan, host: HostPlan) -> Iterator[Endangered]:
    state = plan.deployment.hosts[host.host]
    kept = {item.id for item in state.items}
    coming = {change.id for change in host.changes if change.action == "create"}
    images = (f"image:{upgrade.repository}:{upgrade.becomes}" for upgrade in host.upgrades)
    for name in dict.fromkeys(name for image in images for name in state.belongings.get(image, ())):
        settings = f"file:{settings_file(name)}"
        comes_now = "what makes backups comes with this very plan" if settings in coming else ""
        yield Endangered(host.host, name, comes_now if settings in kept else "policies.backup is missing, or skips it")
