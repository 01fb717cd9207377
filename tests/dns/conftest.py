"""A real BIND on loopback, as anybody: one zone that takes updates signed by a key."""

import base64
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import dns.rcode
import dns.resolver
import dns.tsig
import dns.update
import pytest

from fedikit.environment.environment import Environment
from fedikit.model.deployment import Deployment
from fedikit.model.dns import DnsServer
from fedikit.model.host import DirectoryHost, DnsRecord

ZONE = "example.org"
OPTIONS = """
options {{ directory "{folder}"; pid-file none; session-keyfile none; recursion no; dnssec-validation no;
  listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; notify no; allow-query {{ any; }}; }};
controls {{ }};
key "{name}" {{ algorithm hmac-sha256; secret "{secret}"; }};
zone "{zone}" {{ type primary; file "{folder}/zone"; allow-update {{ key "{name}"; }}; }};
zone "closed.example" {{ type primary; file "{folder}/closed"; }};
"""
TEXT = "$TTL 300\n@ IN SOA ns.{zone}. root.{zone}. 1 300 300 300 300\n@ IN NS ns.{zone}.\nns IN A 127.0.0.1\n"


@dataclass(frozen=True)
class Bind:
    """The server, and what somebody else does there with the same key."""

    folder: Path
    port: int
    secret: str
    name: str = "fedikit-key"

    def described(self, **fields: object) -> DnsServer:
        key = self.folder / "dns.key"
        usual = {"server": "127.0.0.1", "port": self.port, "zones": (ZONE,), "key_name": self.name, "ttl": 60}
        return DnsServer.model_validate({**usual, "key": f"file:{key}", **fields})

    def environment(self, name: str = "home", **fields: object) -> Environment:
        host = DirectoryHost(path=str(self.folder / "machine"), address="192.0.2.1")
        return Environment(name=name, hosts={"one": host}, dns=self.described(**fields))

    def ask(self, name: str, kind: str) -> list[str]:
        answer = dns.query.udp(dns.message.make_query(f"{name}.", kind), "127.0.0.1", port=self.port, timeout=5)
        return sorted(str(record).rstrip(".") for rrset in answer.answer for record in rrset)

    def set(self, name: str, kind: str, *values: str, ttl: int = 60) -> None:
        """What somebody does by hand; nothing there any more if there are no values."""
        update = dns.update.UpdateMessage(f"{ZONE}.")
        update.delete(f"{name}.", kind)
        for value in values:
            update.add(f"{name}.", ttl, kind, value)
        update.use_tsig(dns.tsig.Key(f"{self.name}.", self.secret, "hmac-sha256"))
        assert dns.query.tcp(update, "127.0.0.1", port=self.port, timeout=5).rcode() == dns.rcode.NOERROR


def wanting(environment: Environment, *records: tuple[str, str]) -> Deployment:
    """The deployment that wants these names to lead to these addresses."""
    wanted = (
        DnsRecord(name=name, type="AAAA" if ":" in address else "A", address=address) for name, address in records
    )
    return environment.empty().model_copy(update={"dns": tuple(wanted)})


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bind]:
    named = shutil.which("named", path=f"{os.environ['PATH']}:/usr/sbin")
    if named is None:
        pytest.skip("needs BIND (Debian's bind9)")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    folder = tmp_path_factory.mktemp("bind")
    bind = Bind(folder, port, base64.b64encode(secrets.token_bytes(32)).decode())
    values = {"folder": folder, "port": port, "secret": bind.secret, "name": bind.name, "zone": ZONE}
    (folder / "named.conf").write_text(OPTIONS.format(**values))
    (folder / "zone").write_text(TEXT.format(zone=ZONE))
    (folder / "closed").write_text(TEXT.format(zone="closed.example"))
    (folder / "dns.key").write_text(f"{bind.secret}\n")
    (folder / "dns.key").chmod(0o600)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([named, "-g", "-c", str(folder / "named.conf"), "-n", "1"], stderr=log)
    try:
        _await(bind, process)
        yield bind
    finally:
        process.terminate()
        process.wait(20)


def _await(bind: Bind, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        try:
            bind.ask(f"ns.{ZONE}", "A")
        except (OSError, dns.exception.DNSException):
            time.sleep(0.05)
        else:
            return
    pytest.fail(f"BIND does not answer: {(bind.folder / 'log').read_text()[-2000:]}")


@pytest.fixture
def bind(running: Bind) -> Bind:
    """The server with nothing in its zone but what a zone needs."""
    for name in ("snac", "old", "media", "_fedikit", "www"):
        for kind in ("A", "AAAA", "CNAME", "TXT"):
            running.set(f"{name}.{ZONE}", kind)
    return running
