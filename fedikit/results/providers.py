"""Buckets at providers that a plan has applications leave, as their hosts have them written down for backups.

Where an application is not backed up, nothing says which bucket it used.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple
from urllib.parse import urlsplit

from fedikit.model.data import BucketPart, application_of
from fedikit.model.ssh_server import is_ip_address
from fedikit.results.plan import Plan, PlannedChange


class BucketLeft(NamedTuple):
    """Where an application on that host had what it is to look for in another bucket."""

    host: str
    endpoint: str
    part: BucketPart


def buckets_left(plan: Plan) -> Iterator[BucketLeft]:
    """All that a plan leaves; what it says of hosts of the deployment is told by what leaves those."""
    for host, planned in plan.hosts.items():
        state = plan.deployment.hosts[host]
        for change in planned.changes:
            data = state.data.get(application_of(change.id.partition(":")[2]))
            used = _buckets_in(change) if data else {}
            for part in data.parts if data else ():
                endpoint, bucket = used.get(part.id, ("", ""))
                if isinstance(part, BucketPart) and endpoint and (endpoint, bucket) != (part.endpoint, part.bucket):
                    yield BucketLeft(host, endpoint, part)


def _buckets_in(change: PlannedChange) -> dict[str, tuple[str, str]]:
    """By their ids, the S3 APIs and names of a provider's buckets in what a host has written down; it may lie."""
    found = {}
    with suppress(ValueError, TypeError, KeyError, AttributeError):
        for part in json.loads(change.before or "{}")["parts"]:
            if "endpoint" in part and not is_ip_address(urlsplit(part["endpoint"]).hostname or ""):
                found[str(part["id"])] = (str(part["endpoint"]), str(part["bucket"]))
    return found
