"""How GoToSocial's stand-in speaks with other servers: over verified HTTPS, at addresses that are allowed, signed.

Signatures are those of the fediverse (draft-cavage-http-signatures-12, RSA and SHA-256), made by Debian's OpenSSL.
"""

import base64
import hashlib
import http.client
import ipaddress
import json
import re
import socket
import ssl
import subprocess
import tempfile
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any

ACTIVITY = "application/activity+json"
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
PORT = 443
_SECONDS = 10
_SIGNED = ("(request-target)", "host", "date", "digest")
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')


class PeerError(Exception):
    """Another server that cannot be asked, or says no."""


@dataclass(frozen=True)
class Signer:
    """An account here that signs what it asks: the address of its public key, and its private one."""

    key_id: str
    private_key: str = field(repr=False)


@dataclass(frozen=True)
class Peers:
    """Other servers; those at private addresses only within the networks that are allowed."""

    allowed: tuple[str, ...]
    authorities: str = AUTHORITIES

    def read(self, url: str, signer: Signer | None = None, *, kind: str = ACTIVITY) -> Any:
        """A document of another server. Raises PeerError."""
        return json.loads(self._ask("GET", url, b"", signer, {"Accept": kind}))

    def deliver(self, url: str, activity: Mapping[str, Any], signer: Signer) -> None:
        """Puts an activity into an inbox. Raises PeerError."""
        self._ask("POST", url, json.dumps(activity).encode(), signer, {"Content-Type": ACTIVITY})

    def _ask(self, method: str, url: str, body: bytes, signer: Signer | None, headers: dict[str, str]) -> bytes:
        place = urllib.parse.urlsplit(url)
        target = place.path + (f"?{place.query}" if place.query else "")
        signature = signed(signer, method, target, place.netloc, body) if signer else {}
        try:
            connection = self._connection(place.hostname or "")
            connection.request(method, target, body or None, {"User-Agent": "gotosocial", **headers, **signature})
            answer = connection.getresponse()
            content = answer.read()
            connection.close()
        except (OSError, http.client.HTTPException) as error:
            raise PeerError(f"{method} {url}: {error}") from error
        if answer.status >= http.client.MULTIPLE_CHOICES:
            raise PeerError(f"{method} {url}: {answer.status} {content[:200]!r}")
        return content

    def _connection(self, host: str) -> http.client.HTTPSConnection:
        context = ssl.create_default_context(cafile=self.authorities)
        plain = socket.create_connection((self._address(host), PORT), _SECONDS)
        connection = http.client.HTTPSConnection(host, timeout=_SECONDS)
        connection.sock = context.wrap_socket(plain, server_hostname=host)
        return connection

    def _address(self, host: str) -> str:
        found = ipaddress.ip_address(socket.gethostbyname(host))
        if found.is_global or any(found in ipaddress.ip_network(network) for network in self.allowed):
            return str(found)
        raise PeerError(f"{host}: dial within blocked / reserved IP range")


def new_key() -> tuple[str, str]:
    """A private key, and the public one, in PEM."""
    private = _openssl("genrsa", "2048").decode()
    return private, _openssl("rsa", "-pubout", given=private.encode()).decode()


def signed(signer: Signer, method: str, target: str, host: str, body: bytes) -> dict[str, str]:
    """The headers that sign a request."""
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    headers = {"host": host, "date": formatdate(usegmt=True), "digest": f"SHA-256={digest}"}
    with tempfile.NamedTemporaryFile("w") as key:
        key.write(signer.private_key)
        key.flush()
        text = _signed_text(_SIGNED, method, target, headers)
        value = base64.b64encode(_openssl("dgst", "-sha256", "-sign", key.name, given=text)).decode()
    words = f'keyId="{signer.key_id}",algorithm="rsa-sha256",headers="{" ".join(_SIGNED)}",signature="{value}"'
    return {**headers, "signature": words}


def key_id_of(signature: str) -> str:
    """The address of the key by which a request says that it is signed; nothing if it is not."""
    return _said(signature).get("keyId", "")


def is_signed(method: str, target: str, headers: Mapping[str, str], body: bytes, public_key: str) -> bool:
    """Whether a request is signed with a key, its body included; header names are in small letters."""
    said = _said(headers.get("signature", ""))
    names = said.get("headers", "").split()
    digest = f"SHA-256={base64.b64encode(hashlib.sha256(body).digest()).decode()}"
    if not {"(request-target)", "host", "date"} <= set(names) or (body and headers.get("digest") != digest):
        return False
    if body and "digest" not in names:
        return False
    text = _signed_text(names, method, target, headers)
    with tempfile.NamedTemporaryFile("w") as key, tempfile.NamedTemporaryFile("wb") as value:
        key.write(public_key)
        key.flush()
        value.write(base64.b64decode(said["signature"]))
        value.flush()
        command = ["openssl", "dgst", "-sha256", "-verify", key.name, "-signature", value.name]
        return subprocess.run(command, input=text, capture_output=True, check=False).returncode == 0


def _said(signature: str) -> dict[str, str]:
    return {found[1]: found[2] for found in _PARAMETER.finditer(signature)}


def _signed_text(names: tuple[str, ...] | list[str], method: str, target: str, headers: Mapping[str, str]) -> bytes:
    known = {"(request-target)": f"{method.lower()} {target}", **headers}
    return "\n".join(f"{name}: {known.get(name, '')}" for name in names).encode()


def _openssl(*words: str, given: bytes = b"") -> bytes:
    return subprocess.run(["openssl", *words], input=given, capture_output=True, check=True).stdout
