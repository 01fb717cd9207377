"""nftables on this host: the one table that is fedikit's, and what other firewalls are at work."""

import hashlib
import json

from .eyes import Eyes
from .hands import Hands
from .trouble import Trouble

TABLE = ("inet", "fedikit")
REPLACED = "table inet fedikit\ndelete table inet fedikit\n"
"""Before a table's text: it takes the place of what is there, if anything is, in one step."""


def listing(eyes: Eyes) -> str:
    """Our table as the kernel has it; empty where there is none."""
    return _asked(eyes, ["nft", "list", "table", *TABLE])


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def load(hands: Hands, rules: bytes) -> None:
    """All of it comes into force at once, or nothing does."""
    hands.run(["nft", "-f", "-"], stdin=rules)


def delete(hands: Hands) -> None:
    if listing(hands):
        hands.run(["nft", "delete", "table", *TABLE])


def rival(eyes: Eyes) -> str:
    """Another firewall that is at work here; empty if there is none."""
    settings = "/etc/ufw/ufw.conf"
    if eyes.exists(settings) and b"\nENABLED=yes" in b"\n" + eyes.read(settings):
        return "ufw"
    if eyes.unit("firewalld.service")["active"]:
        return "firewalld"
    chains = [entry["chain"] for entry in _chains(eyes) if "chain" in entry]
    dropping = [c for c in chains if (c.get("hook"), c.get("policy")) == ("input", "drop") and _table_of(c) != TABLE]
    return " ".join(("nftables' chain", dropping[0]["name"], "of table", *_table_of(dropping[0]))) if dropping else ""


def _table_of(chain: dict[str, str]) -> tuple[str, str]:
    return chain["family"], chain["table"]


def _chains(eyes: Eyes) -> list[dict[str, dict[str, str]]]:
    told = _asked(eyes, ["nft", "-j", "list", "chains"])
    chains: list[dict[str, dict[str, str]]] = json.loads(told)["nftables"] if told else []
    return chains


def _asked(eyes: Eyes, command: list[str]) -> str:
    """What nft prints; nothing where it is not installed yet."""
    try:
        return eyes.ask(command)
    except Trouble as trouble:
        if isinstance(trouble.__cause__, FileNotFoundError):
            return ""
        raise
