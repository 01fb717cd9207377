"""Names: what a DNS server, or this machine's own way, says that they lead to."""

import ipaddress
import socket

from fedikit.verify.words import Unmet

_PORT = 53


def addresses_of(domain: str, *, server: str | None, patience: float) -> list[str]:
    """The IP addresses of a name, IPv4 first, as a DNS server says (None: as this machine finds them).

    The server is an IP address, with a port if need be: `10.0.0.1`, `10.0.0.1:8053`, `[fd00::1]:8053`.
    An IP address is its own. Raises Unmet if there are none.
    """
    if is_address(domain):
        return [domain]
    found = _ask_machine(domain) if server is None else _ask_server(domain, server, patience)
    if not found:
        raise Unmet(wanted=f"an address of {domain}", seen="none")
    return found


def is_address(text: str) -> bool:
    """Whether a text is an IP address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def at_port(address: str, port: int) -> str:
    """An address and a port, as people write them."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _ask_machine(domain: str) -> list[str]:
    try:
        answers = socket.getaddrinfo(domain, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise Unmet(wanted=f"an address of {domain}", seen=error.strerror or str(error)) from error
    return list(dict.fromkeys(str(answer[4][0]) for answer in answers))


def _ask_server(domain: str, server: str, patience: float) -> list[str]:
    import dns.exception  # slow to import, and few commands need it
    import dns.resolver

    resolver = dns.resolver.Resolver(configure=False)
    address, resolver.port = _address_and_port(server)
    resolver.nameservers = [address]
    resolver.lifetime = patience
    found: list[str] = []
    try:
        for kind in ("A", "AAAA"):
            answer = resolver.resolve(f"{domain}.", kind, raise_on_no_answer=False)
            found += sorted(str(record) for record in answer)
    except dns.resolver.NXDOMAIN:
        raise Unmet(wanted=f"an address of {domain}", seen=f"{server} knows no such name") from None
    except dns.exception.Timeout:
        raise Unmet(wanted=f"an address of {domain}", seen=f"no answer from the DNS server {server}") from None
    except dns.exception.DNSException as error:
        raise Unmet(wanted=f"an address of {domain}", seen=str(error)) from error
    return found


def _address_and_port(server: str) -> tuple[str, int]:
    address, colon, port = server.rpartition(":")
    if colon and port.isdigit() and is_address(address.strip("[]")) and not is_address(server):
        return address.strip("[]"), int(port)
    return server, _PORT
