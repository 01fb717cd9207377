"""The lab's `acme` machine: Pebble as its ACME authority, and the DNS server that every machine asks."""

import http.client
import json
import ssl
from dataclasses import dataclass
from pathlib import Path

from fedikit.errors import HostError
from fedikit_lab.authority import Certificate, issue
from fedikit_lab.furnish import place_file, place_link

NAME = "acme"
HOST = "acme.lab"
DIRECTORY_PORT = 14000
_MANAGEMENT_PORT = 15000
_DNS_MANAGEMENT_PORT = 8055
PORTS = (DIRECTORY_PORT, _MANAGEMENT_PORT, _DNS_MANAGEMENT_PORT, 53)
_SECONDS = 10
_CONFIGURATION = {
    "pebble": {
        "listenAddress": f"0.0.0.0:{DIRECTORY_PORT}",
        "managementListenAddress": f"0.0.0.0:{_MANAGEMENT_PORT}",
        "certificate": "/etc/pebble/certificate.pem",
        "privateKey": "/etc/pebble/key.pem",
        "httpPort": 80,
        "tlsPort": 443,
    }
}
_PEBBLE_UNIT = """\
[Unit]
Description=Pebble, the lab's ACME authority
After=lab-dns.service

[Service]
Environment=PEBBLE_VA_NOSLEEP=1 PEBBLE_WFE_NONCEREJECT=0
ExecStart=/usr/bin/pebble -config /etc/pebble/pebble.json -dnsserver 127.0.0.1:53
"""
_DNS_UNIT = f"""\
[Unit]
Description=The lab's DNS

[Service]
ExecStart=/usr/bin/pebble-challtestsrv -dns01 :53 -management :{_DNS_MANAGEMENT_PORT} \
    -defaultIPv4 "" -defaultIPv6 "" -http01 "" -https01 "" -tlsalpn01 "" -doh ""
"""


@dataclass(frozen=True)
class Acme:
    """The services of a running `acme` machine, as the deployer reaches them over the lab's bridge."""

    address: str
    authority: Certificate
    """Signs the certificate that Pebble shows to its clients."""

    def furnish(self, layer: Path) -> None:
        """Puts both services into the machine's read-only layer."""
        shown = issue(self.authority, (HOST, NAME), self.address)
        place_file(layer / "etc/pebble/certificate.pem", shown.certificate)
        place_file(layer / "etc/pebble/key.pem", shown.key, mode=0o600)
        place_file(layer / "etc/pebble/pebble.json", json.dumps(_CONFIGURATION, indent=2))
        units = layer / "etc/systemd/system"
        for name, content in (("lab-dns.service", _DNS_UNIT), ("pebble.service", _PEBBLE_UNIT)):
            place_file(units / name, content)
            place_link(units / "multi-user.target.wants" / name, f"../{name}")

    def directory(self) -> dict[str, object]:
        """Pebble's ACME directory, fetched as a client does."""
        answer: dict[str, object] = json.loads(self._fetch(DIRECTORY_PORT, "/dir"))
        return answer

    def issuing_root(self) -> str:
        """The root (PEM) of the certificates that Pebble issues; a new one at each start of Pebble."""
        return self._fetch(_MANAGEMENT_PORT, "/roots/0")

    def set_name(self, name: str, address: str) -> None:
        """Makes the lab's DNS answer one name with one address; an earlier answer is forgotten."""
        host = f"{name.rstrip('.')}."
        self._tell_dns("/clear-a", {"host": host})
        self._tell_dns("/add-a", {"host": host, "addresses": [address]})

    def _fetch(self, port: int, path: str) -> str:
        trust = ssl.create_default_context(cadata=self.authority.certificate)
        connection = http.client.HTTPSConnection(self.address, port, timeout=_SECONDS, context=trust)
        return self._ask(connection, "GET", path)

    def _tell_dns(self, path: str, order: dict[str, object]) -> None:
        connection = http.client.HTTPConnection(self.address, _DNS_MANAGEMENT_PORT, timeout=_SECONDS)
        self._ask(connection, "POST", path, json.dumps(order))

    def _ask(self, connection: http.client.HTTPConnection, method: str, path: str, body: str = "") -> str:
        try:
            connection.request(method, path, body)
            response = connection.getresponse()
            answer = response.read().decode()
        except (OSError, http.client.HTTPException) as error:
            raise HostError(NAME, f"port {connection.port} did not answer {method} {path}: {error}") from error
        finally:
            connection.close()
        if response.status != http.client.OK:
            raise HostError(NAME, f"port {connection.port} answered {method} {path} with {response.status}")
        return answer
