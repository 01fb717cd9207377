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
    """What a file with secrets holds, if it is as it was written; a job's standard input is nowhere on the host."""
    if item["kind"] != "file" or eyes.file_state(item["path"], sealed=True).get("seal") != item["seal"]:
        return ""
    content = eyes.read(item["path"])
    return content.decode(errors="replace") if len(content) <= LARGEST else ""
