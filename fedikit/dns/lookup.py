"""Where the names of a deployment lead now, as the environment's resolver says, or this machine finds them."""

from collections.abc import Sequence
from threading import Thread

from fedikit.dns.records import wanted_records
from fedikit.model.deployment import Deployment
from fedikit.model.dns import USUAL_TTL
from fedikit.remote.hosts import names_of_hosts, side_by_side
from fedikit.results.names import NameFound, NamesFound
from fedikit.verify.names import addresses_of
from fedikit.verify.words import Unmet

AT_A_TIME = 64
PATIENCE = 3.0
"""Seconds for one name; all are asked side by side."""


def look_up_names(deployment: Deployment, *, limit: Sequence[str] = (), ttl: int = USUAL_TTL) -> NamesFound:
    """Looks all names up; one that is not found, or leads elsewhere, is told, not raised.

    `limit`: only names that lead to these hosts.
    """
    addresses = {
        address
        for host in names_of_hosts(deployment, limit)
        for address in deployment.hosts[host].connection.public_addresses
    }
    records = tuple(record for record in wanted_records(deployment) if not limit or record.address in addresses)
    names = list(dict.fromkeys(record.name for record in records))

    def look(name: str) -> NameFound:
        wanted = tuple(record.address for record in records if record.name == name)
        found, problem = _found_in_time(name, deployment.network.dns)
        return NameFound(name=name, wanted=wanted, found=found, problem=problem)

    found = side_by_side(names, look, at_a_time=AT_A_TIME)
    return NamesFound(names=tuple(found.values()), records=records, ttl=ttl)


def _found_in_time(name: str, server: str | None) -> tuple[tuple[str, ...], str]:
    """The addresses of a name, or why there are none: this machine's own resolver may take as long as it likes."""
    found: list[tuple[tuple[str, ...], str]] = []

    def ask() -> None:
        try:
            found.append((tuple(addresses_of(name, server=server, patience=PATIENCE)), ""))
        except Unmet as unmet:
            found.append(((), unmet.seen))

    asking = Thread(target=ask, daemon=True)  # nobody can end a thread that hangs in a foreign call
    asking.start()
    asking.join(PATIENCE + 1)
    return found[0] if found else ((), "no answer in time")
