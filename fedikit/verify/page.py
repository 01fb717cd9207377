"""A page: what a web server answered."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Page:
    """The answer of a web server; of the body only what comes first, if it is very long."""

    url: str
    status: int
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")
