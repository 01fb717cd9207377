"""What nftables is to load: one table of our own, replaced as a whole; no other is touched.

Hosts send what they like, and answers come back; of what comes by itself only that is let in which networks need, and
what the rules name. Nothing is said of packets that only pass through.
"""

import ipaddress
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from fedikit.model.value import Protocol
from fedikit.policies.quadlet import FOLDER

KEPT = f"{FOLDER}/firewall.nft"
"""The rules that are in force after a start of the host: those that were confirmed."""
_REPLACED = """\
# What of this host can be reached from elsewhere. Written by fedikit.
table inet fedikit
delete table inet fedikit
"""
_ALWAYS = (
    "ct state established,related accept",
    'iifname "lo" accept',
    "icmp type { destination-unreachable, time-exceeded, parameter-problem, echo-request } accept",
    "icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem, echo-request, "
    "mld-listener-query, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } accept",
    "udp sport 67 udp dport 68 accept",
    "ip6 saddr fe80::/10 udp sport 547 udp dport 546 accept",
)
"""Answers, the host itself, and what networks need: errors on the way, sizes of packets, neighbours and routers of
IPv6, and the answers of DHCP."""


_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Rule(NamedTuple):
    """A port that is open."""

    protocol: Protocol
    port: int
    sources: Sequence[str] | None
    """Addresses and networks from which it is reached; everywhere if None."""
    what: str


def ruleset(rules: Sequence[Rule]) -> str:
    """The file that nft loads."""
    lines = [*_ALWAYS, *(line for rule in rules for line in _lines(rule))]
    body = "".join(f"\t\t{line}\n" for line in lines)
    chain = f"\tchain input {{\n\t\ttype filter hook input priority filter; policy drop;\n{body}\t}}\n"
    return f"{_REPLACED}table inet fedikit {{\n{chain}}}\n"


def _lines(rule: Rule) -> Iterator[str]:
    end = f"{rule.protocol} dport {rule.port} accept  # {rule.what}"
    if rule.sources is None:
        yield end
        return
    networks = dict.fromkeys(ipaddress.ip_network(text) for text in rule.sources)
    for version, word in ((4, "ip"), (6, "ip6")):
        some = [network for network in networks if network.version == version]
        if any(network.prefixlen == 0 for network in some):
            yield f"meta nfproto ipv{version} {end}"
        elif some:
            apart = (_spelt(network) for network in some if not _lies_in_another(network, some))
            yield f"{word} saddr {{ {', '.join(apart)} }} {end}"


def _lies_in_another(network: _Network, others: Sequence[_Network]) -> bool:
    """nft takes no two that overlap."""
    return any(
        network != other and network.prefixlen >= other.prefixlen and network.overlaps(other) for other in others
    )


def _spelt(network: _Network) -> str:
    return str(network.network_address if network.prefixlen == network.max_prefixlen else network)
