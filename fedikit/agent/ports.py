"""Which port a unit fell over: one that its journal complains of, and that somebody else listens at."""

import re

from .kernel import described
from .listeners import listeners

PORTS = re.compile(r"(?<![\d.])(\d{2,5})(?![\d.])")
ABOUT_PORTS = re.compile(r"in use|EADDRINUSE|\bbind|\blisten", re.IGNORECASE)


def taken_ports(journal: str, unit: str) -> str:
    """Which of the ports that a unit's journal complains of others listen at, and who; empty if none is."""
    holders = [one for one in listeners("", _complained_of(journal)) if one.protocol == "tcp" and one.holder.process]
    strangers = [one for one in holders if one.holder.unit != unit]
    words = [f"port {one.port} is taken by {described(int(one.holder.process))}" for one in strangers]
    return "; ".join(dict.fromkeys(words))


def _complained_of(journal: str) -> set[int]:
    lines = filter(ABOUT_PORTS.search, journal.splitlines())
    return {int(number) for line in lines for number in PORTS.findall(line)}
