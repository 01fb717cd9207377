"""Whose an item of a plan is: the deployment says it; of a plan without a configuration, the names that items have."""

import re
from collections.abc import Iterable, Sequence
from functools import cache

from fedikit.environment.load import load_catalogue
from fedikit.model.application import Application
from fedikit.results.plan import Plan, PlannedChange

SPELLING = {"gotosocial": "GoToSocial", "mastodon": "Mastodon", "peertube": "PeerTube", "pixelfed": "Pixelfed"}
"""How those who make it write it, where that is not as we do."""


def spelt(application: str) -> str:
    """An application's name as people write it."""
    return SPELLING.get(application, application)


class Owners:
    """Of one plan."""

    def __init__(self, plan: Plan) -> None:
        self._hosts = plan.deployment.hosts

    def of(self, host: str, identity: str) -> tuple[str, ...]:
        """The applications for which an item is there; none if it is known of none."""
        state = self._hosts.get(host)
        if state and identity in state.belongings:
            return state.belongings[identity]
        return self._elsewhere(identity) or _by_name(identity)

    def share(self, host: str, changes: Iterable[PlannedChange]) -> dict[tuple[str, ...], list[PlannedChange]]:
        """The changes of a host by the applications that they are for."""
        found: dict[tuple[str, ...], list[PlannedChange]] = {}
        for change in changes:
            found.setdefault(self.of(host, change.id), []).append(change)
        return found

    def wanted(self, host: str, application: str) -> set[str]:
        """The ids of what shall be on a host for this application alone."""
        state = self._hosts[host]
        return {item.id for item in state.items if state.belongings.get(item.id) == (application,)}

    def are_placed(self, host: str) -> Sequence[str]:
        """The applications that are placed on a host."""
        return self._hosts[host].applications if host in self._hosts else ()

    def _elsewhere(self, identity: str) -> tuple[str, ...]:
        """Whose it is where it moves to."""
        return next((state.belongings[identity] for state in self._hosts.values() if identity in state.belongings), ())


def _by_name(identity: str) -> tuple[str, ...]:
    """A recipe calls everything by its application: `mastodon`, `mastodon-web`, `mastodon migrations`."""
    name = re.sub(r"^[a-z]+:(.*/)?", "", identity)
    found = [known for known in catalogue() if re.match(rf"{re.escape(known)}(?![a-z0-9])", name)]
    return tuple(sorted(found, key=len)[-1:])


@cache
def catalogue() -> dict[str, Application]:  # type: ignore[type-arg]
    """The installed applications."""
    return load_catalogue()
