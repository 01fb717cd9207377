"""Ports at 127.0.0.1 at which what applications bring listens."""

import hashlib
from typing import ClassVar

from pydantic import Field

from fedikit.model.policy import Place, Policy, Provision
from fedikit.model.resource import LocalPort
from fedikit.model.value import Port, Written

FIRST, COUNT = 6400, 500


class PortPolicy(Written, Policy[LocalPort]):
    """Allots ports: upstream's usual one, or, where there is none, one that its name alone decides.

    So what is added later moves nothing; two that meet are refused when planning, and the provider allots another.
    """

    fulfils: ClassVar = LocalPort
    allotted: dict[str, Port] = Field(
        default_factory=dict,
        title="Allotted",
        description="By the name of what listens there, another port than usual.",
        examples=[{"mastodon-web": 3100}],
    )

    def provide(self, request: LocalPort, place: Place) -> Provision:
        port = self.allotted.get(request.name) or request.usually or _by_name(request.name)
        return Provision(items=(), facts={"number": str(port)})


def _by_name(name: str) -> int:
    return FIRST + int.from_bytes(hashlib.sha256(name.encode()).digest()[:4]) % COUNT
