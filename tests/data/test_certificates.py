"""Certificates carried from one host to another: only those of the application's sites, and past no link."""

import json
import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from fedikit.agent.health import CERTIFICATES
from fedikit.data.certificates import ask_for_certificates, carry_all_certificates, carry_certificates
from fedikit.errors import FedikitError
from fedikit.model.check import TlsIsValid
from fedikit.model.deployment import Deployment
from fedikit.model.item import File, Item, Unit
from fedikit.remote.directory import DirectoryMachine
from tests.remote.conftest import Stage, Staged, staged  # noqa: F401

ISSUER = "acme-v02.example.org-directory"
UNIT = File(
    path="/etc/systemd/system/caddy.service", content="[Service]\nExecStart=/bin/caddy\nExecReload=/bin/caddy\n"
)


def site(domain: str) -> File:
    return File(path=f"/etc/caddy/sites/{domain}.caddy", content=f"{domain} {{\n}}\n")


def pair_of(domain: str, days: int) -> dict[str, str]:
    """A certificate that is valid for so many days, its key, and what Caddy notes of it."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, domain)])
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=90))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(domain)]), critical=False).sign(key, hashes.SHA256())
    )  # fmt: skip
    private = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    return {"crt": made.public_bytes(Encoding.PEM).decode(), "key": private.decode(), "json": json.dumps({"sans": 1})}


def place(machine: DirectoryMachine, domain: str) -> Path:
    return machine.path(f"{CERTIFICATES}/{ISSUER}/{domain}")


def put(machine: DirectoryMachine, domain: str, texts: dict[str, str]) -> dict[str, str]:
    folder = place(machine, domain)
    folder.mkdir(parents=True, exist_ok=True)
    for ending, text in texts.items():
        (folder / f"{domain}.{ending}").write_text(text)
    return texts


def found(machine: DirectoryMachine, domain: str) -> dict[str, str]:
    return {file.suffix[1:]: file.read_text() for file in place(machine, domain).glob("*.*")}


def prepare(machine: DirectoryMachine) -> None:
    """Caddy's user and folders, as its package brings them."""
    with machine.path("/etc/passwd").open("a") as users, machine.path("/etc/group").open("a") as groups:
        users.write(f"caddy:x:{os.getuid()}:{os.getgid()}:caddy:/var/lib/caddy:/bin/false\n")
        groups.write(f"caddy:x:{os.getgid()}:\n")
    for folder in ("/var/lib/caddy", "/etc/caddy/sites"):
        machine.path(folder).mkdir(parents=True)


class Pair:
    """Two environments with a host each, `old` and `new`, which have the same sites."""

    def __init__(self, staged: Staged) -> None:  # noqa: F811
        self.old, self.new = staged("a", name="old"), staged("b", name="new")
        self.items: Sequence[Item] = [site("example.org"), UNIT, Unit(name="caddy.service")]
        for stage, host in ((self.old, "a"), (self.new, "b")):
            prepare(stage[host])
            assert stage.apply(**{host: self.items}).succeeded

    def deployment(self, stage: Stage, host: str, *domains: str) -> Deployment:
        checks = tuple(TlsIsValid(application="snac", domain=domain) for domain in domains)
        return stage.wants(**{host: self.items}).model_copy(update={"checks": checks})

    def carry(self, *domains: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        names = domains or ("example.org",)
        old, new = self.deployment(self.old, "a", *names), self.deployment(self.new, "b", *names)
        return tuple(carry_certificates(old, "a", new, "b", "snac"))  # type: ignore[return-value]


@pytest.fixture
def pair(staged: Staged) -> Pair:  # noqa: F811
    return Pair(staged)


def test_a_certificate_comes_with_its_key_as_caddy_would_keep_it(pair: Pair) -> None:
    texts = put(pair.old["a"], "example.org", pair_of("example.org", 60))
    assert pair.carry() == (("example.org",), ())
    assert found(pair.new["b"], "example.org") == texts
    folder = place(pair.new["b"], "example.org")
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}
    assert {above.stat().st_mode & 0o777 for above in (folder, *list(folder.parents)[:5])} == {0o700}
    assert pair.carry() == (("example.org",), ())


def test_one_that_is_valid_for_longer_stays(pair: Pair) -> None:
    put(pair.old["a"], "example.org", pair_of("example.org", 20))
    newer = put(pair.new["b"], "example.org", pair_of("example.org", 80))
    assert pair.carry() == ((), ())
    assert found(pair.new["b"], "example.org") == newer
    older = put(pair.new["b"], "example.org", pair_of("example.org", 10))
    assert pair.carry() == (("example.org",), ())
    assert found(pair.new["b"], "example.org") != older


def test_what_is_missing_or_over_is_said(pair: Pair) -> None:
    assert pair.carry() == ((), ("example.org",))
    put(pair.old["a"], "example.org", pair_of("example.org", -1))
    assert pair.carry() == ((), ("example.org",))


def test_caddy_asks_at_once_for_what_a_site_lacks_and_for_nothing_else(pair: Pair) -> None:
    machine, deployment = pair.new["b"], pair.deployment(pair.new, "b", "example.org", "other.example")
    told = told_to_systemd(machine)
    assert ask_for_certificates(deployment, "snac") == ("example.org",), "the other is no site of this host"
    assert told() == ["reload caddy.service"]
    put(machine, "example.org", pair_of("example.org", -1))
    assert ask_for_certificates(deployment, "snac") == ("example.org",)
    put(machine, "example.org", pair_of("example.org", 60))
    assert ask_for_certificates(deployment, "snac") == ()
    assert len(told()) == 2


def told_to_systemd(machine: DirectoryMachine) -> Callable[[], list[str]]:
    """What the host's systemctl is told from now on, but for what it is asked."""
    program, log = machine.path("/usr/bin/systemctl"), machine.path("/told")
    real = program.rename(program.with_name("systemctl.real"))
    program.write_text(f'#!/bin/sh\necho "$*" >>{log}\nexec {real} "$@"\n')
    program.chmod(0o755)
    return lambda: [line.replace("-- ", "") for line in log.read_text().splitlines() if not line.startswith("show")]


def test_a_site_that_is_not_held_is_neither_shown_nor_taken(pair: Pair) -> None:
    for domain in ("example.org", "other.example"):
        put(pair.old["a"], domain, pair_of(domain, 60))
    assert pair.carry("example.org", "other.example") == (("example.org",), ("other.example",))
    assert not place(pair.new["b"], "other.example").exists()


def test_a_site_that_only_the_source_holds_is_refused_by_the_target(pair: Pair) -> None:
    put(pair.old["a"], "example.org", pair_of("example.org", 60))
    pair.new.apply(b=[UNIT])
    with pytest.raises(FedikitError, match=r"has no web site example\.org"):
        pair.carry()
    assert not pair.new["b"].path(CERTIFICATES).exists()


def test_a_key_of_another_or_a_name_of_another_is_refused(pair: Pair) -> None:
    wrong = pair_of("example.org", 60) | {"key": pair_of("example.org", 60)["key"]}
    for texts in (wrong, pair_of("other.example", 60), {"crt": "x", "key": "y", "json": "z"}):
        put(pair.old["a"], "example.org", texts)
        with pytest.raises(FedikitError, match="what is none") as caught:
            pair.carry()
        assert texts["key"].strip() not in caught.value.text
    assert not pair.new["b"].path(CERTIFICATES).exists()


def test_a_link_that_caddys_user_could_have_made_leads_nowhere(pair: Pair) -> None:
    """As root, who can give files to others: Caddy's folder belongs to another user there."""
    if os.getuid():
        pytest.skip("only root can give a folder away")
    texts = put(pair.old["a"], "example.org", pair_of("example.org", 60))
    machine, elsewhere = pair.new["b"], pair.new["b"].path("/srv/elsewhere")
    elsewhere.mkdir(parents=True)
    own = machine.path("/var/lib/caddy")
    os.chown(own, 12345, 12345)
    (own / ".local").symlink_to("/srv/elsewhere")
    os.chown(own / ".local", 12345, 12345, follow_symlinks=False)
    with pytest.raises(FedikitError):
        pair.carry()
    assert list(elsewhere.rglob("*")) == []
    shown = pair.old["a"].path("/var/lib/caddy")
    os.chown(shown, 12345, 12345)
    key = place(pair.old["a"], "example.org") / "example.org.key"
    key.unlink()
    pair.old["a"].path("/srv").mkdir(exist_ok=True)
    pair.old["a"].path("/srv/secret").write_text(texts["key"])
    key.symlink_to(pair.old["a"].path("/srv/secret"))
    assert pair.carry() == ((), ("example.org",))


def test_keys_lie_nowhere_else(pair: Pair) -> None:
    texts = put(pair.old["a"], "example.org", pair_of("example.org", 60))
    pair.carry()
    secret = texts["key"].splitlines()[1].encode()
    for machine in (pair.old["a"], pair.new["b"]):
        files = [file for file in machine.root.rglob("*") if file.is_file() and not file.is_symlink()]
        assert [file.name for file in files if secret in file.read_bytes()] == ["example.org.key"]


def test_each_site_goes_from_where_it_is_to_where_it_shall_be(staged: Staged) -> None:  # noqa: F811
    """What is on one host of the old side may be on several of the new one."""
    old, new = staged("a", name="old"), staged("b", "c", name="new")
    here: list[Item] = [site("example.org"), site("media.example.org")]
    there: dict[str, Sequence[Item]] = {"b": [site("example.org")], "c": [site("media.example.org")]}
    for machine in (old["a"], new["b"], new["c"]):
        prepare(machine)
    assert old.apply(a=here).succeeded
    assert new.apply(**there).succeeded
    texts = {domain: put(old["a"], domain, pair_of(domain, 60)) for domain in ("example.org", "media.example.org")}
    checks = tuple(TlsIsValid(application="snac", domain=domain) for domain in texts)
    leaving, coming = (one.model_copy(update={"checks": checks}) for one in (old.wants(a=here), new.wants(**there)))
    assert set(carry_all_certificates(leaving, coming, "snac").domains) == set(texts)
    assert found(new["b"], "example.org") == texts["example.org"]
    assert found(new["c"], "media.example.org") == texts["media.example.org"]
    assert not place(new["b"], "media.example.org").exists()


@pytest.mark.parametrize(
    ("line", "folders"),
    [
        ("", ["acme-v02.api.letsencrypt.org-directory"]),
        ("\tacme_ca https://acme-v02.example.org/directory\n", [ISSUER]),
        ("\tacme_ca https://CA.example.net/acme/v2/\n", ["ca.example.net-acme-v2"]),
        ("\tacme_ca https://ca.example.net:14000/dir\n", ["ca.example.net-14000-dir", "ca.example.net14000-dir"]),
    ],
)
def test_it_is_found_whichever_authority_the_new_side_asks(pair: Pair, line: str, folders: list[str]) -> None:
    """Caddy looks in no folder but that of whom it asks, and would serve nothing until names lead there."""
    texts = put(pair.old["a"], "example.org", pair_of("example.org", 60))
    there = pair.new["b"].path(CERTIFICATES)
    pair.items = [*pair.items, File(path="/etc/caddy/Caddyfile", content=f"{{\n{line}}}\n")]
    assert pair.carry() == (("example.org",), ())
    assert sorted(folder.name for folder in there.iterdir()) == folders
    for folder in folders:
        kept = {file.suffix[1:]: file.read_text() for file in (there / folder / "example.org").iterdir()}
        assert (kept["crt"], kept["key"]) == (texts["crt"], texts["key"])
        assert json.loads(kept["json"])["sans"] == (1 if folder == ISSUER else ["example.org"])
    again = {file: file.stat().st_ino for file in there.rglob("*.crt")}
    put(pair.old["a"], "example.org", pair_of("example.org", 30))
    assert pair.carry() == ((), ())
    assert {file: file.stat().st_ino for file in there.rglob("*.crt")} == again, "a shorter one does not replace it"
