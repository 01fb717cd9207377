"""A lab's network: one bridge that leads nowhere, and a route that keeps its addresses on this machine.

The kernel is the register of who has which subnet: a lab has the one that its bridge has. Nothing is
forwarded, and no machine has a route to anything but its lab.
"""

import hashlib
import ipaddress
import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fedikit.errors import FedikitError
from fedikit_lab.lock import held_lock
from fedikit_lab.tool import run_tool

ACME_NUMBER = 2
FIRST_MACHINE_NUMBER = 11
_LABS = ipaddress.IPv4Network("10.77.0.0/16")
_CLAIM_LOCK = Path("/run/fedikit-lab.lock")
_BLACKHOLE_METRIC = "4000000000"  # worse than any other route: it rules only while the bridge does not


@dataclass(frozen=True)
class Network:
    """The subnet 10.77.NUMBER.0/24 behind a lab's bridge."""

    bridge: str
    number: int

    @property
    def subnet(self) -> ipaddress.IPv4Network:
        return subnet_of(self.number)

    def address(self, machine_number: int) -> str:
        """The address of one machine of the lab."""
        return str(self.subnet[machine_number])


def subnet_of(number: int) -> ipaddress.IPv4Network:
    """The subnet of one lab on this machine."""
    return ipaddress.IPv4Network((int(_LABS.network_address) + (number << 8), 24))


def bridge_name(lab: str) -> str:
    """The bridge of a lab; Linux allows an interface 15 characters."""
    return f"fedikit-{hashlib.sha256(lab.encode()).hexdigest()[:7]}"


def claim_network(lab: str, preferred: int | None = None) -> Network:
    """The network of a lab, up; an existing one is kept. Its packets cannot leave this machine.

    A free subnet is searched from the preferred number on. Raises FedikitError when none is free.
    """
    bridge = bridge_name(lab)
    with held_lock(_CLAIM_LOCK, seconds=30):
        number = _number_of(bridge)
        if number is None:
            number = free_number(preferred or _usual_number(lab), _known_subnets())
        _keep_inside(subnet_of(number))
        _raise_bridge(bridge, number)
    return Network(bridge, number)


def release_network(lab: str) -> None:
    """Takes a lab's bridge away; the route that keeps its addresses on this machine stays."""
    bridge = bridge_name(lab)
    with held_lock(_CLAIM_LOCK, seconds=30):
        if _has_interface(bridge):
            run_tool("ip", "link", "delete", bridge)


def drop_interface(container: str) -> None:
    """Takes a dead container's end of the bridge away: the kernel does so too, but when it has time."""
    with suppress(FedikitError):  # most often it has gone already
        run_tool("ip", "link", "delete", "dev", f"vb-{container}")


def free_number(preferred: int, known: Iterable[ipaddress.IPv4Network]) -> int:
    """The first free lab number from the preferred one on; networks wider than a lab's range do not count."""
    taken = [subnet for subnet in known if subnet.prefixlen >= _LABS.prefixlen and subnet.overlaps(_LABS)]
    for number in (1 + (preferred - 1 + step) % 254 for step in range(254)):
        if not any(subnet.overlaps(subnet_of(number)) for subnet in taken):
            return number
    raise FedikitError(f"every subnet of {_LABS} is in use here", hint="take labs down: fedikit lab down")


def _usual_number(lab: str) -> int:
    """Where a lab looks first, so that it tends to get the same addresses each time."""
    return 1 + hashlib.sha256(lab.encode()).digest()[0] % 254


def _keep_inside(subnet: ipaddress.IPv4Network) -> None:
    """The first of all steps: without a bridge, packets for the lab end here and not at some gateway."""
    run_tool("ip", "route", "replace", "blackhole", str(subnet), "metric", _BLACKHOLE_METRIC)


def _raise_bridge(bridge: str, number: int) -> None:
    """Each step holds when done again, so that an interrupted one is completed."""
    if not _has_interface(bridge):
        mac = f"02:fe:d1:00:00:{number:02x}"  # fixed: else it changes with the machines, and they lose sight
        run_tool("ip", "link", "add", "name", bridge, "address", mac, "type", "bridge")
    for setting, value in _SETTINGS.items():
        path = Path("/proc/sys/net") / setting.format(bridge=bridge)
        if path.exists():
            path.write_text(value)
    run_tool("ip", "address", "replace", f"{subnet_of(number)[1]}/24", "dev", bridge)
    run_tool("ip", "link", "set", bridge, "up")


_SETTINGS = {
    "ipv4/conf/{bridge}/forwarding": "0",  # even where this machine is a router
    "ipv6/conf/{bridge}/disable_ipv6": "1",
    "ipv4/neigh/{bridge}/retrans_time_ms": "50",  # a machine that boots is noticed at once
}


def _has_interface(name: str) -> bool:
    return (Path("/sys/class/net") / name).exists()


def _number_of(bridge: str) -> int | None:
    """The number of the subnet that the bridge already has."""
    if not _has_interface(bridge):
        return None
    interfaces = json.loads(run_tool("ip", "-json", "-4", "address", "show", "dev", bridge))
    found = (address["local"] for interface in interfaces for address in interface.get("addr_info", []))
    return next((int(address.split(".")[2]) for address in found), None)


def _known_subnets() -> Iterator[ipaddress.IPv4Network]:
    """Every network that this machine has a way to, but for the routes that a lab left behind."""
    routes: list[dict[str, Any]] = json.loads(run_tool("ip", "-json", "-4", "route", "show", "table", "all"))
    for route in routes:
        if route["dst"] != "default" and route.get("type") != "blackhole":
            yield ipaddress.IPv4Network(route["dst"])
