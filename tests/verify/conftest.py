"""A small internet on the loopback interface: a DNS server, an authority for certificates, web sites."""

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from pydantic import SecretBytes, SecretStr

from fedikit.events import Tell, tell_nobody
from fedikit.model.check import Check
from fedikit.model.host import Local
from fedikit.secrets import MasterKey, Vault
from fedikit.verify import CheckResult, Shell, Stand, Verdict, verify
from fedikit.verify.standpoint import Send, stand_at

DOMAIN = "social.example"


class NameServer:
    """A DNS server for the names in `records`, which maps them to addresses; silent if `is_silent`."""

    def __init__(self) -> None:
        self.records: dict[str, list[str]] = {DOMAIN: ["127.0.0.1"]}
        self.is_silent = False
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.socket.getsockname()[1]}"

    def serve(self) -> None:
        while True:
            request, asker = self.socket.recvfrom(4096)
            if not request:
                return
            if not self.is_silent:
                self.socket.sendto(self.answer(dns.message.from_wire(request)).to_wire(), asker)

    def answer(self, question: dns.message.Message) -> dns.message.Message:
        answer = dns.message.make_response(question)
        answer.flags |= dns.flags.AA | dns.flags.RA
        name = question.question[0].name
        known = self.records.get(str(name).rstrip("."))
        if known is None:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        kind = "A" if question.question[0].rdtype == 1 else "AAAA"
        addresses = [address for address in known or [] if (":" in address) == (kind == "AAAA")]
        if addresses:
            answer.answer.append(dns.rrset.from_text(name, 60, "IN", kind, *addresses))
        return answer

    def stop(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", self.socket.getsockname())


@dataclass
class Authority:
    """Signs certificates."""

    folder: Path
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    name: x509.Name = field(default_factory=lambda: x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test CA")]))

    @property
    def pem(self) -> Path:
        path = self.folder / "ca.pem"
        if not path.exists():
            usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
            certificate = (
                self._builder(self.name, self.key, days=(-10, 100))
                .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
                .add_extension(usage, critical=True)
                .sign(self.key, hashes.SHA256())
            )
            path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return path

    def context(self, domain: str = DOMAIN, days: tuple[float, float] = (-1, 90)) -> ssl.SSLContext:
        """For a server that has a certificate for a domain, valid between two days from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        certificate = (
            self._builder(x509.Name([]), key, days)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(domain)]), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(identifier, critical=False)
            .sign(self.key, hashes.SHA256())
        )
        no_password = serialization.NoEncryption()
        private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, no_password)
        path = self.folder / f"{domain}.pem"
        path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, days: tuple[float, float]
    ) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + timedelta(days=days[0]))
            .not_valid_after(now + timedelta(days=days[1]))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )


@dataclass
class Seen:
    """A request as a site saw it."""

    path: str
    host: str
    sni: str
    authorization: str


Answer = tuple[int, dict[str, str], bytes]


class Site(ThreadingHTTPServer):
    """A web site whose pages are functions of what was asked."""

    daemon_threads = True

    def __init__(self, context: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), _handler())
        self.pages: dict[str, Callable[[Seen], Answer]] = {}
        self.seen: list[Seen] = []
        self.asked_names: dict[socket.socket, str] = {}
        if context:
            context.sni_callback = self._note_name
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def url(self, path: str = "/", domain: str = DOMAIN) -> str:
        return f"https://{domain}:{self.server_port}{path}"

    def page(self, path: str, body: str = "", status: int = 200, **headers: str) -> None:
        """Makes a page that always answers the same."""
        self.pages[path] = lambda seen: (status, headers, body.encode())

    def _note_name(self, connection: ssl.SSLSocket | ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        assert isinstance(connection, ssl.SSLSocket)
        self.asked_names[connection] = name or ""

    def handle_error(self, request: object, client_address: object) -> None:
        """A visitor that does not trust us hangs up, which is what he should do."""


def _handler() -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        server: Site

        def do_GET(self) -> None:
            name = self.server.asked_names.get(self.connection, "")
            seen = Seen(self.path, self.headers["Host"], name, self.headers.get("Authorization", ""))
            self.server.seen.append(seen)
            missing: Callable[[Seen], Answer] = lambda seen: (404, {}, b"")  # noqa: E731
            status, headers, body = self.server.pages.get(self.path, missing)(seen)
            self.send_response(status)
            for header, value in headers.items():
                self.send_header(header, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(ConnectionError, ssl.SSLError):
                self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            """Says nothing."""

    return Handler


@pytest.fixture
def names() -> Iterator[NameServer]:
    server = NameServer()
    thread = Thread(target=server.serve)
    thread.start()
    yield server
    server.stop()
    thread.join()
    server.socket.close()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def open_site(authority: Authority) -> Iterator[Callable[..., Site]]:
    """Opens sites, with a certificate of the authority or, for `context=None`, without TLS."""
    opened: list[tuple[Site, Thread]] = []

    def open_one(**choice: ssl.SSLContext | None) -> Site:
        site = Site(choice["context"] if choice else authority.context())
        thread = Thread(target=site.serve_forever, args=(0.02,))
        thread.start()
        opened.append((site, thread))
        return site

    yield open_one
    for site, thread in opened:
        site.shutdown()
        thread.join()
        site.server_close()


@pytest.fixture
def site(open_site: Callable[..., Site]) -> Site:
    return open_site()


@pytest.fixture
def free_port() -> int:
    """A port where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def stand_here(host: str) -> AbstractContextManager[Send]:
    """Every host stands where this machine does."""
    return stand_at(host, Local())


def no_shell(host: str, command: tuple[str, ...], user: str | None) -> str:
    raise AssertionError("no shell is wanted here")


class Verifier:
    """Verifies checks in the small internet."""

    def __init__(self, resolver: str, trust: Path) -> None:
        self.resolver: str | None = resolver
        self.trust: Path | str | None = trust
        self.vault = Vault(MasterKey(SecretBytes(bytes(32))), {"given": SecretStr("right pässword")})
        self.shell: Shell = no_shell
        self.stand: Stand = stand_here

    def __call__(self, *checks: Check, workers: int = 8, tell: Tell = tell_nobody) -> Verdict:
        return verify(
            checks,
            resolver=self.resolver,
            trust=self.trust,
            vault=self.vault,
            shell=self.shell,
            stand=self.stand,
            workers=workers,
            tell=tell,
        )

    def one(self, check: Check) -> CheckResult:
        (result,) = self(check).results
        return result

    def seen(self, check: Check) -> str:
        """What a check says that fails."""
        result = self.one(check)
        assert not result.passed, result.detail
        return result.detail

    def held(self, check: Check) -> str:
        """What a check says that holds."""
        result = self.one(check)
        assert result.passed, result.detail
        return result.detail


@pytest.fixture
def verifier(names: NameServer, authority: Authority) -> Verifier:
    return Verifier(names.address, authority.pem)
