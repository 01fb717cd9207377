"""The firewall: what of each host can be reached, and from where; everything else is closed.

What is open follows from what is wanted: each policy says what its means must be reached at, and by whom.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated

from pydantic import Field

from fedikit.model.host import Connection, HostNames, Ssh
from fedikit.model.item import Directory, File, Firewall, Item, Package, Unit
from fedikit.model.policy import CannotFulfil, Opening
from fedikit.model.ssh_server import is_ip_address
from fedikit.model.value import HostName, IpNetwork, Port, Protocol, Written
from fedikit.policies.quadlet import FOLDER
from fedikit.policies.ruleset import KEPT, Rule, ruleset

UNIT = "fedikit-firewall.service"
_BOOT = f"""\
[Unit]
Description=What of this host can be reached (fedikit)
Documentation=man:nft(8)
ConditionPathExists={KEPT}
DefaultDependencies=no
Wants=network-pre.target
Before=network-pre.target shutdown.target
After=nftables.service
Conflicts=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft -f {KEPT}
ExecReload=/usr/sbin/nft -f {KEPT}
ExecStop=-/usr/sbin/nft delete table inet fedikit

[Install]
WantedBy=sysinit.target
"""


class Open(Written):
    """A port that the provider opens, besides those that the deployment needs."""

    port: Port
    """The port."""
    protocol: Protocol = "tcp"
    """The protocol that is spoken there."""
    sources: tuple[IpNetwork, ...] = Field(
        (), alias="from", title="From", description="The networks from which it is reached; everywhere if absent."
    )
    hosts: HostNames = Field((), description="The hosts on which it is open; all if absent.")


class FirewallPolicy(Written):
    """Closes everything on hosts but SSH, what the deployment needs, and what is said here."""

    hosts: HostNames = Field((), description="The hosts that get a firewall; all if absent.")
    ssh_from: tuple[IpNetwork, ...] = Field(
        (),
        title="SSH from",
        description="Networks from which SSH is reached: the deployer's, and that of whoever shall come when it is "
        "gone; everywhere if absent.",
        examples=[["192.0.2.0/24", "2001:db8::/32"]],
    )
    open: tuple[Open, ...] = Field(
        (),
        description="Further ports that are open: of TCP, from everywhere, on all hosts, unless it is said.",
        examples=[[{"port": 9100, "protocol": "udp", "from": ["192.0.2.7/32"], "hosts": ["one"]}]],
    )
    confirm_seconds: Annotated[int, Field(ge=5, le=600)] = Field(
        60,
        description="How long the deployer may take to reach a host by a new connection when its firewall changes; "
        "then the host goes back to the one before.",
    )

    def guards(self, host: str) -> bool:
        """Whether that host gets a firewall."""
        return not self.hosts or host in self.hosts

    def items(self, host: str, openings: Sequence[Opening], hosts: Mapping[HostName, Connection]) -> tuple[Item, ...]:
        """What a host's firewall consists of; raises CannotFulfil if nobody knows the address of who is let in."""
        ssh_port = connection.port if isinstance(connection := hosts[host], Ssh) else 22
        rules = [
            Rule("tcp", ssh_port, self.ssh_from or None, "SSH"),
            *_needed(openings, hosts),
            *(
                Rule(one.protocol, one.port, one.sources or None, "policies.firewall.open")
                for one in self._open_on(host)
            ),
        ]
        firewall = Firewall(
            rules=ruleset(rules),
            ports=tuple(dict.fromkeys(f"{rule.protocol}/{rule.port}" for rule in rules)),
            ssh_port=ssh_port,
            confirm_seconds=self.confirm_seconds,
        )
        boot = File(path=f"/etc/systemd/system/{UNIT}", content=_BOOT)
        return (Package(name="nftables"), Directory(path=FOLDER), boot, firewall, Unit(name=UNIT))

    def _open_on(self, host: str) -> Iterator[Open]:
        return (one for one in self.open if not one.hosts or host in one.hosts)


def _needed(openings: Sequence[Opening], hosts: Mapping[HostName, Connection]) -> Iterator[Rule]:
    """One rule for each port, for all that reach it."""
    found: dict[tuple[Protocol, int], list[Opening]] = {}
    for opening in openings:
        found.setdefault((opening.protocol, opening.port), []).append(opening)
    for (protocol, port), some in found.items():
        what = ", ".join(dict.fromkeys(opening.what for opening in some))
        is_for_all = any(opening.clients is None for opening in some)
        clients = dict.fromkeys((client, opening) for opening in some for client in opening.clients or ())
        addresses = [address for client, opening in clients for address in _addresses(client, opening, hosts)]
        yield Rule(protocol, port, None if is_for_all else tuple(addresses), what)


def _addresses(client: str, opening: Opening, hosts: Mapping[HostName, Connection]) -> tuple[str, ...]:
    """By which a host's packets may come."""
    connection = hosts[client]
    known = dict.fromkeys(text for text in (connection.address, *connection.public_addresses) if is_ip_address(text))
    if not known:
        raise CannotFulfil(
            f"hosts.{client}.address",
            f"should be an IP address: the firewall of {opening.host} lets {client} in by it, at port {opening.port}",
        )
    return tuple(known)
