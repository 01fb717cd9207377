"""A page: what a web server answered, and to whom."""

from dataclasses import dataclass
from typing import Protocol

from fedikit.verify.certificate import Certificate, Trust


@dataclass(frozen=True)
class Page:
    """The answer of a web server; of the body only what comes first, if it is very long."""

    url: str
    status: int
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")


class Asker(Protocol):
    """Who asks for a page: finds the addresses of names in a way of his own, and trusts whom he trusts."""

    @property
    def trust(self) -> Trust: ...
    @property
    def patience(self) -> float: ...
    def addresses(self, domain: str) -> list[str]: ...
    def certificate(self, domain: str, port: int) -> Certificate: ...
