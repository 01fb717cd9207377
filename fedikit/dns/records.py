"""The records that a deployment needs, in the forms in which people and programs take them."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from fedikit.model.deployment import Deployment
from fedikit.model.dns import is_below
from fedikit.model.host import DnsRecord


def wanted_records(deployment: Deployment) -> tuple[DnsRecord, ...]:
    """Each record once, by name."""
    return tuple(sorted(set(deployment.dns), key=lambda record: (record.name, record.type, record.address)))


def zone_text(records: Sequence[DnsRecord], ttl: int) -> str:
    """The records as they stand in a zone file (RFC 1035), names with their final dot."""
    width = max((len(record.name) for record in records), default=0) + 1
    return "".join(f"{record.name + '.':<{width}} {ttl} IN {record.type:<4} {record.address}\n" for record in records)


def json_text(records: Sequence[DnsRecord], ttl: int) -> str:
    """The records as JSON: a list of objects with name, type, address and ttl."""
    return json.dumps([record.model_dump() | {"ttl": ttl} for record in records], indent=1)


def octodns_text(records: Sequence[DnsRecord], ttl: int, zones: Sequence[str]) -> str:
    """The records as octoDNS reads them: a file for each zone, and its name above it."""
    import yaml

    grouped: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for record in records:
        zone = zone_of(record.name, zones)
        label = record.name.removesuffix(zone).rstrip(".")
        grouped.setdefault(zone, {}).setdefault(label, []).append(record.model_dump())
    documents = (
        f"# {zone}.yaml\n" + yaml.safe_dump({label: list(_octodns(found, ttl)) for label, found in labels.items()})
        for zone, labels in grouped.items()
    )
    return "---\n".join(documents)


def zone_of(name: str, zones: Sequence[str]) -> str:
    """The smallest of these zones that a name is in, else the domain above it."""
    return max((zone for zone in zones if is_below(name, zone)), key=len, default=name.partition(".")[2])


def _octodns(records: Sequence[dict[str, Any]], ttl: int) -> Iterator[dict[str, Any]]:
    for kind in sorted({record["type"] for record in records}):
        addresses = [record["address"] for record in records if record["type"] == kind]
        yield {"ttl": ttl, "type": kind, "values": addresses}
