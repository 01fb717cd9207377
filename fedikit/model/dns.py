"""A DNS server that takes updates: where it is, for which zones, and by which key."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from fedikit.model.value import DomainName, IpAddress, Port, SecretReference, Written

USUAL_TTL = 3600
ZoneName = Annotated[
    str,
    Field(
        max_length=253,
        pattern=r"^([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?\.)*[a-z]([a-z0-9-]{0,61}[a-z0-9])?$",
        description="A domain name in lower case, without a final dot.",
    ),
]


def _different(zones: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(zones)) < len(zones):
        raise ValueError("should name each zone once")
    return zones


class DnsServer(Written):
    """The server that `fedikit dns --apply` brings the names to, by signed updates (RFC 2136, TSIG)."""

    server: IpAddress
    """The IP address of the zones' primary server."""
    port: Port = 53
    """The port at which it answers."""
    zones: Annotated[tuple[DomainName, ...], Field(min_length=1), AfterValidator(_different)]
    """The zones that may be updated there."""
    key_name: ZoneName
    """The name of the key, as the server knows it."""
    algorithm: Literal["hmac-sha256", "hmac-sha384", "hmac-sha512"] = "hmac-sha256"
    """The algorithm of the key."""
    key: SecretReference
    """Where the key is, in base64: file:PATH, command:COMMAND or env:NAME."""
    ttl: Annotated[int, Field(ge=30, le=604800)] = USUAL_TTL
    """For how many seconds others may remember a record."""

    def zone_of(self, name: str) -> str:
        """The smallest of these zones that the name is in; empty if it is in none."""
        return max((zone for zone in self.zones if is_below(name, zone)), key=len, default="")


def is_below(name: str, zone: str) -> bool:
    """Whether a name is the zone's own, or below it."""
    return name == zone or name.endswith(f".{zone}")
