"""Waiting for certificates, which come after an apply: until then, Caddy refuses to speak for a name."""

import socket
import ssl
import time

from fedikit_lab import Lab

SECONDS = 60


def await_certificates(lab: Lab, names: dict[str, str]) -> None:
    """Returns when the machine of each name shows a certificate for it that the lab's authority has signed."""
    trust, deadline = ssl.create_default_context(cadata=lab.acme_root()), time.monotonic() + SECONDS
    for name, machine in names.items():
        while not _has_certificate(name, lab[machine].address, trust):
            assert time.monotonic() < deadline, f"{machine} has no certificate for {name} after {SECONDS} s"
            time.sleep(0.2)


def _has_certificate(name: str, address: str, trust: ssl.SSLContext) -> bool:
    try:
        with socket.create_connection((address, 443), timeout=5) as way, trust.wrap_socket(way, server_hostname=name):
            return True
    except OSError:
        return False
