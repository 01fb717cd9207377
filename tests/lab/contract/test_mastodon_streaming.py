"""Streaming of Mastodon's contract image over a PostgreSQL that takes encrypted connections only, as shared ones do."""

import datetime
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.lab.contract.conftest import (
    Program,
    Stored,
    ask_postgresql,
    free_port,
    postgresql_cluster,
)
from tests.lab.contract.mastodon import Browser, Servers, create_user, set_up, start_web

STREAM = "/api/v1/streaming/user"


@pytest.fixture(scope="module")
def encrypted() -> Iterator[dict[str, str]]:
    """A PostgreSQL cluster with a certificate of its own, which refuses who does not encrypt."""
    with postgresql_cluster(put_certificate) as place:
        yield place


def put_certificate(home: Path) -> list[str]:
    """Also says that nobody else is let in; gives what the server has to be told of it."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "database")])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
    (home / "server.crt").write_bytes(made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (home / "server.key").write_bytes(text)
    (home / "server.key").chmod(0o600)
    (home / "access").write_text("hostssl all all 127.0.0.1/32 scram-sha-256\n")
    files = {"hba_file": "access", "ssl_cert_file": "server.crt", "ssl_key_file": "server.key"}
    return ["-l", *(word for setting, file in files.items() for word in ("-c", f"{setting}={home}/{file}"))]


@pytest.fixture
def servers(
    make_program: Callable[..., Program],
    debian_python: str,
    encrypted: dict[str, str],
    redis_server: dict[str, str],
    storage: Stored,
) -> Servers:
    database = {**encrypted, "dbname": "postgres"}
    ask_postgresql(database, "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    return Servers(make_program, debian_python, database, redis_server, storage)


def start_streaming(program: Program, **more: str) -> Browser:
    port = free_port()
    program.start("mastodon_streaming", "node", "./streaming/index.js", says="Listening", PORT=str(port), **more)
    return Browser(port)


@pytest.mark.parametrize(
    ("mode", "status"),
    [({"DB_SSLMODE": "no-verify"}, 200), ({}, 500), ({"DB_SSLMODE": "disable"}, 500), ({"DB_SSLMODE": "require"}, 500)],
)
def test_streaming_encrypts_only_when_told_and_then_verifies_unless_told(
    servers: Servers, mode: dict[str, str], status: int
) -> None:
    program = set_up(servers.mastodon())
    visitor = start_web(program)
    visitor.sign_in(create_user(program))
    bearer = {"Authorization": f"Bearer {visitor.token()}"}
    browser = start_streaming(program, **mode)
    assert browser.ask("GET", STREAM, headers=bearer)[0] == status
    assert browser.ask("GET", "/api/v1/streaming/health")[:2] == (200, "OK")


def test_a_stream_is_for_who_has_a_token(servers: Servers) -> None:
    browser = start_streaming(set_up(servers.mastodon()), DB_SSLMODE="no-verify")
    assert browser.ask("GET", STREAM)[:2] == (401, '{"error": "Missing access token"}')
    assert browser.ask("GET", STREAM, headers={"Authorization": "Bearer unknown"})[0] == 401
    assert browser.ask("GET", "/api/v1/streaming/nothing")[0] == 400


def test_streaming_is_healthy_without_its_servers(servers: Servers) -> None:
    away = {"DB_PORT": str(free_port()), "REDIS_PASSWORD": "wrong"}
    assert start_streaming(servers.mastodon(), **away).ask("GET", "/api/v1/streaming/health")[0] == 200
