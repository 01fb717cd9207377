"""What of this host's contents is secret, so that it can be taken out of what the deployer is told."""

from collections.abc import Iterable
from typing import Any

from .eyes import Eyes
from .kinds import kind_of

Item = dict[str, Any]


def secrets_known(eyes: Eyes, items: Iterable[Item], sent: dict[str, str]) -> set[str]:
    """The secrets in these items: in what the deployer sent, and in files that still hold what it sent earlier."""
    found: set[str] = set()
    for item in items:
        if "seal" in item:
            text = sent.get(item["id"]) or kind_of(item).secret_text(eyes, item)
            found |= {text[start:end] for start, end in item.get("spans", [[0, len(text)]])}
    return found - {""}
