"""The visitor: sees services from outside, as a user's machine would, through one DNS server and one trust."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fedikit.verify.certificate import Certificate, Trust, show_certificate
from fedikit.verify.names import addresses_of, at_port
from fedikit.verify.page import Page
from fedikit.verify.words import Unmet, in_words

_REDIRECTS = 3


@dataclass(frozen=True)
class Visitor:
    """Someone with nothing but a DNS server (None: this machine's way), a trust, and seconds of patience.

    Of names in `known`, the visitor knows the addresses, and asks nobody.
    """

    resolver: str | None
    trust: Trust
    patience: float = 5
    known: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def addresses(self, domain: str) -> list[str]:
        """The IP addresses of a name. Raises Unmet if there are none."""
        if domain in self.known:
            return list(self.known[domain])
        return addresses_of(domain, server=self.resolver, patience=self.patience)

    def certificate(self, domain: str, port: int) -> Certificate:
        """The certificate that the domain's server proves to have. Raises Unmet if that is not a valid one."""
        problem = ""
        for address in self.addresses(domain):
            try:
                return show_certificate((address, port), domain=domain, trust=self.trust, patience=self.patience)
            except OSError as error:  # the next address may be better
                problem = in_words(error, at_port(address, port))
        raise Unmet(wanted=f"a certificate for {domain}", seen=problem)

    def get(self, url: str, *, auth: tuple[str, str] | None = None) -> Page:
        """What a page answers; redirects are answers. Raises Unmet if there is none."""
        from fedikit.verify.web import get  # brings httpx, which is slow to import

        return get(url, visitor=self, auth=auth, redirects=0)

    def follow(self, url: str) -> Page:
        """What a page answers at the end of its redirects. Raises Unmet if there is no answer, or no end."""
        from fedikit.verify.web import get

        return get(url, visitor=self, auth=None, redirects=_REDIRECTS)
