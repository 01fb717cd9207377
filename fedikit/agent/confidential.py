"""What of this host's contents is secret, so that it can be taken out of what the deployer is told."""

from collections.abc import Iterable
from typing import Any

from .eyes import Eyes

Item = dict[str, Any]
LARGEST = 1 << 20
"""How large a file with secrets may be for them to be looked for in it."""


def secrets_known(eyes: Eyes, items: Iterable[Item], sent: dict[str, str]) -> set[str]:
    """The secrets in these items: in what the deployer sent, and in files that still hold what it sent earlier."""
    found: set[str] = set()
    for item in items:
        if "seal" in item:
            text = sent.get(item["id"]) or _text_of(eyes, item)
            found |= {text[start:end] for start, end in item.get("spans", [[0, len(text)]])}
    return found - {""}


def _text_of(eyes: Eyes, item: Item) -> str:
    """What a file with secrets holds, unless it is known to be another than was written.

    Without a master key that cannot be told. A job's standard input is nowhere on the host.
    """
    state = eyes.file_state(item["path"], sealed=True) if item["kind"] == "file" else {}
    if state.get("type") != "file" or state["seal"] not in (None, item["seal"]):
        return ""
    content = eyes.read(item["path"])
    return content.decode(errors="replace") if len(content) <= LARGEST else ""
