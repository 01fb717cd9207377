"""Scripts that policies bring to hosts: files here, for the standard library of a host's own Python."""

from functools import cache
from pathlib import Path


@cache
def script(name: str) -> str:
    """The text of one of them."""
    return Path(__file__).with_name(name).read_text("utf-8")
