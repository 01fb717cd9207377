"""Secrets are derived from a well-kept master key, and never show."""

import hashlib
import hmac
import json
import os
import re
import subprocess
import sys
from base64 import b64decode, urlsafe_b64decode
from collections import Counter
from pathlib import Path
from typing import get_args

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from pydantic import SecretBytes, SecretStr

from fedikit.errors import SecretError
from fedikit.model import Deployment, File, HostState, Local, Secrets, initial_password
from fedikit.model.item import SecretRef, SecretText
from fedikit.model.secret import SecretFormat
from fedikit.secrets import MasterKey, Vault, secrets_of
from fedikit.secrets.forms import FORMS, _vapid_private

KEY = bytes(range(32))
TEXT = KEY.hex()
PROJECT = Path(__file__).parents[1]


@pytest.fixture
def vault() -> Vault:
    return Vault(MasterKey(SecretBytes(KEY)), {"smtp/password": SecretStr("given by hand")})


def hkdf(label: str, length: int) -> bytes:
    """RFC 5869 with SHA-256 and without salt, written down once more."""
    extracted = hmac.new(bytes(32), KEY, hashlib.sha256).digest()
    stream, block = b"", b""
    for number in range(1, 256):
        block = hmac.new(extracted, block + label.encode() + bytes([number]), hashlib.sha256).digest()
        stream += block
    return stream[:length]


def test_secrets_are_derived_by_hkdf_from_their_label(vault: Vault) -> None:
    hex32 = SecretRef(name="snac/token", format="hex32")
    hex64 = SecretRef(name="snac/token", format="hex64", version=2)
    assert vault.value(hex32) == hkdf("fedikit/snac/token/hex32/1", 16).hex()
    assert vault.value(hex64) == hkdf("fedikit/snac/token/hex64/2", 32).hex()
    assert vault.seal_key("social") == hkdf("fedikit/seal", 32)


def test_a_password_stays_the_same_for_good(vault: Vault) -> None:
    assert vault.value(SecretRef(name="snac/initial-user")) == "veAWwsiQ8qYUmWs3MQTFrWMK"


def test_every_part_of_the_label_makes_another_secret(vault: Vault) -> None:
    formats: tuple[SecretFormat, ...] = ("password", "hex32", "hex64")
    refs = [
        SecretRef(name=name, format=format_, version=version)
        for name in ("a", "b")
        for format_ in formats
        for version in (1, 2)
    ]
    assert len({vault.value(ref)[:24] for ref in refs}) == len(refs)


def test_passwords_have_24_unambiguous_characters_each_as_likely_as_the_other(vault: Vault) -> None:
    passwords = [vault.value(SecretRef(name=f"user/{n}")) for n in range(1000)]
    assert {len(password) for password in passwords} == {24}
    counts = Counter("".join(passwords))
    assert len(counts) == 57
    assert not set("0O1lI") & set(counts)
    mean = 24_000 / 57
    chi_squared = sum((count - mean) ** 2 / mean for count in counts.values())
    assert chi_squared < 94  # 56 degrees of freedom: fair letters are beyond it once in a thousand keys


# What a mark on the master key tells


MARKED = MasterKey(SecretBytes(KEY), is_marked=True)
INITIAL = [initial_password(name) for name in ("mastodon", "snac")]


def test_an_older_key_keeps_its_one_initial_password_until_it_is_rotated(vault: Vault) -> None:
    former = SecretRef(name="initial-user/password")
    assert {vault.value(ref) for ref in INITIAL} == {vault.value(former)}
    assert vault.value(former) == FORMS["password"].spelt(hkdf("fedikit/initial-user/password/password/1", 512))

    together = [ref.model_copy(update={"version": 2}) for ref in INITIAL]
    assert {vault.value(ref) for ref in together} == {vault.value(former.model_copy(update={"version": 2}))}
    alone = [ref.model_copy(update={"version": 2, "alone": True}) for ref in INITIAL]
    assert len({vault.value(ref) for ref in (*alone, *together, former)}) == 4


def test_a_marked_key_has_one_for_each_application() -> None:
    vault = Vault(MARKED, {})
    refs = [ref.model_copy(update={"version": version}) for ref in INITIAL for version in (1, 2)]
    assert len({vault.value(ref) for ref in refs}) == 4
    assert vault.value(INITIAL[0]) == vault.value(SecretRef(name="mastodon/initial-user"))


def test_what_was_given_for_all_is_everybodys_unless_one_was_given_apart() -> None:
    given = {"initial-user/password": SecretStr("for all"), "snac/initial-user": SecretStr("for snac")}
    vault = Vault(MARKED, given)
    assert [vault.value(ref) for ref in INITIAL] == ["for all", "for snac"]
    assert vault.value(INITIAL[0].model_copy(update={"version": 2, "alone": True})) == "for all"


def test_what_lies_elsewhere_for_all_is_everybodys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEDIKIT_TEST_ALL", "for all")
    monkeypatch.setenv("FEDIKIT_TEST_SNAC", "for snac")
    vault = vault_of({"initial-user/password": "env:FEDIKIT_TEST_ALL", "snac/initial-user": "env:FEDIKIT_TEST_SNAC"})
    assert [vault.value(ref) for ref in INITIAL] == ["for all", "for snac"]


def test_seals_are_under_a_key_of_each_host_where_the_master_key_is_marked(vault: Vault) -> None:
    marked = Vault(MARKED, {})
    assert marked.seal_key("one") == hkdf("fedikit/seal/one", 32)
    assert marked.seal("text", "one") != marked.seal("text", "two")
    assert vault.seal("text", "one") == vault.seal("text", "two")


def test_a_mark_is_read_wherever_the_key_comes_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = f"fedikit-key-2:{TEXT}"
    (tmp_path / "key").write_text(f"{text}\n")
    (tmp_path / "key").chmod(0o600)
    monkeypatch.setenv("FEDIKIT_TEST_KEY", text)
    for reference in ("file:key", "command:cat key", "env:FEDIKIT_TEST_KEY"):
        key = MasterKey.load(reference, base=tmp_path)
        assert key.is_marked
        assert key.derive("x", 9) == hkdf("x", 9)
    monkeypatch.setenv("FEDIKIT_TEST_KEY", TEXT)
    assert not MasterKey.load("env:FEDIKIT_TEST_KEY", base=tmp_path).is_marked
    monkeypatch.setenv("FEDIKIT_TEST_KEY", f"fedikit-key-3:{TEXT}")
    with pytest.raises(SecretError, match="not one that this version of fedikit knows"):
        MasterKey.load("env:FEDIKIT_TEST_KEY", base=tmp_path)


# The forms that each software wants


SHAPES: dict[SecretFormat, str] = {
    "password": r"[A-HJ-NP-Za-km-z2-9]{24}",
    "hex32": r"[0-9a-f]{32}",
    "hex64": r"[0-9a-f]{64}",
    "hex128": r"[0-9a-f]{128}",
    "letters32": r"[A-Za-z0-9]{32}",
    "laravel-key": r"base64:[A-Za-z0-9+/]{43}=",
    "vapid-private": r"[A-Za-z0-9_-]{43}=",
    "vapid-public": r"[A-Za-z0-9_-]{87}=",
    "garage-key-id": r"GK[0-9a-f]{24}",
    "garage-key-secret": r"[0-9a-f]{64}",
    "garage-node-id": r"[0-9a-f]{64}",
    "garage-node-key": r"[0-9a-f]{128}",
}


@pytest.mark.parametrize(("format_", "shape"), SHAPES.items(), ids=list(SHAPES))
def test_a_secret_has_the_form_that_its_software_wants(format_: SecretFormat, shape: str, vault: Vault) -> None:
    values = {vault.value(SecretRef(name=f"probe/{n}", format=format_)) for n in range(50)}

    assert len(values) == 50
    assert [value for value in values if not re.fullmatch(shape, value)] == []


def test_every_form_has_a_shape_here() -> None:
    assert set(SHAPES) == set(FORMS) == set(get_args(SecretFormat))


@pytest.mark.parametrize("version", [1, 2, 7])
def test_the_halves_of_a_vapid_pair_fit_together(version: int, vault: Vault) -> None:
    private, public = (
        urlsafe_b64decode(vault.value(SecretRef(name="mastodon/vapid", format=half, version=version)))
        for half in ("vapid-private", "vapid-public")
    )

    key = ec.derive_private_key(int.from_bytes(private, "big"), ec.SECP256R1())
    assert public == key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    assert (len(private), len(public), public[0]) == (32, 65, 4)


def test_the_key_of_a_garage_node_is_a_seed_and_the_id_that_belongs_to_it(vault: Vault) -> None:
    key, id_ = (
        vault.value(SecretRef(name="garage/node-one", format=half)) for half in ("garage-node-key", "garage-node-id")
    )

    seed = bytes.fromhex(key[:64])
    assert key[64:] == id_ == Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw().hex()


def test_a_small_private_key_keeps_its_leading_zeros() -> None:
    small = urlsafe_b64decode(_vapid_private(bytes(47) + b"\x05"))

    assert small == (6).to_bytes(32, "big")


def test_a_laravel_key_has_32_bytes(vault: Vault) -> None:
    value = vault.value(SecretRef(name="pixelfed/app-key", format="laravel-key"))

    assert len(b64decode(value.removeprefix("base64:"))) == 32


def test_the_halves_of_a_garage_key_are_of_one_derivation_and_tell_nothing_of_each_other(vault: Vault) -> None:
    id_, secret = (vault.value(SecretRef(name="a/key", format=half)) for half in ("garage-key-id", "garage-key-secret"))

    assert id_ == f"GK{hkdf('fedikit/a/key/garage-key/1', 12).hex()}"
    assert secret == hkdf("fedikit/a/key/garage-key/1", 44)[12:].hex()


# Secrets that somebody else made


GIVEN = SecretRef(name="mail/password", given=True)


def vault_of(given: dict[str, str]) -> Vault:
    """The vault of a deployment with these secrets elsewhere, and no master key."""
    host = HostState(connection=Local(), items=())
    return Vault.of(Deployment(name="home", hosts={"here": host}, secrets=Secrets(master_key="env:NONE", given=given)))


def test_a_given_secret_comes_from_a_file_a_command_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mail password"
    path.write_text("s3cret word\n")
    path.chmod(0o600)
    monkeypatch.setenv("FEDIKIT_TEST_SECRET", "s3cret word")

    for reference in (f"file:{path}", f"command:cat '{path}'", "env:FEDIKIT_TEST_SECRET"):
        assert vault_of({"mail/password": reference}).value(GIVEN) == "s3cret word"


def ssh_key() -> str:
    """A private key as ssh-keygen writes it."""
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()


def test_a_given_secret_may_be_the_lines_of_a_private_key(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(ssh_key())
    (tmp_path / "key").chmod(0o600)

    read = vault_of({"backup/ssh-key": f"file:{tmp_path}/key"}).value(SecretRef(name="backup/ssh-key", given=True))

    assert read == (tmp_path / "key").read_text().rstrip("\n")


def test_a_given_secret_goes_before_a_derived_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEDIKIT_TEST_SECRET", "older than fedikit")

    vault = vault_of({"mastodon/database": "env:FEDIKIT_TEST_SECRET"})

    assert vault.value(SecretRef(name="mastodon/database")) == "older than fedikit"


def test_what_the_operator_wrote_goes_before_what_the_provider_keeps_elsewhere() -> None:
    host = HostState(connection=Local(), items=())
    deployment = Deployment(name="home", hosts={"here": host}, secrets=Secrets(given={"mail/password": "env:NONE"}))

    assert Vault.of(deployment.with_given({"mail/password": SecretStr("mine")})).value(GIVEN) == "mine"


def test_a_missing_one_says_where_to_put_it(vault: Vault) -> None:
    with pytest.raises(SecretError, match="mail/password is not given, and cannot be derived") as caught:
        vault.value(GIVEN)

    assert caught.value.hint == ('tell where it is in the environment: [secrets.given] "mail/password" = "file:PATH"')


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("file:missing", "missing cannot be read: No such file"),
        ("file:open", "may be read by others"),
        ("file:lines", "is not one line of text, and no private key of OpenSSH's"),
        ("file:key", "is not one line of text, and no private key of OpenSSH's"),
        ("file:empty", "is not one line of text"),
        ("env:FEDIKIT_NOT_SET", "is not one line of text"),
        ("command:false", "the secret mail/password's command `false` ended with 1"),
    ],
)
def test_one_that_is_not_where_it_should_be_is_an_error_that_shows_no_contents(
    reference: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_off = ssh_key().replace("\n-----END", "\nhunter2!\n-----END")
    for name, content in {"open": "hunter2", "lines": "hunter2\nhunter3", "empty": "", "key": cut_off}.items():
        (tmp_path / name).write_text(content)
        (tmp_path / name).chmod(0o644 if name == "open" else 0o600)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SecretError, match=re.escape(message)) as caught:
        vault_of({"mail/password": reference}).value(GIVEN)
    assert "hunter" not in str(caught.value)
    assert caught.value.hint


def test_the_secrets_of_a_deployment_are_named_once_and_pairs_by_both_halves() -> None:
    halves = [SecretRef(name="a/key", format=half) for half in ("garage-key-id", "garage-key-secret")]
    file = File(path="/etc/probe", content=SecretText(parts=(halves[0], " ", halves[1], halves[0], GIVEN)))
    state = HostState(connection=Local(), items=(file,))

    assert secrets_of(Deployment(name="home", hosts={"here": state})) == (*halves, GIVEN)


def test_what_the_operator_gave_wins(vault: Vault) -> None:
    assert vault.value(SecretRef(name="smtp/password")) == "given by hand"
    assert Vault(None, {"a": SecretStr("b")}).value(SecretRef(name="a")) == "b"


def test_a_text_is_filled_with_its_secrets(vault: Vault) -> None:
    text = SecretText(parts=("PASSWORD=", SecretRef(name="smtp/password"), "\n"))
    assert vault.text(text) == "PASSWORD=given by hand\n"
    assert vault.text("plain") == "plain"


def test_a_seal_tells_contents_apart_only_with_the_key(vault: Vault) -> None:
    expected = hmac.new(vault.seal_key("one"), b"text", hashlib.sha256).hexdigest()
    assert vault.seal("text", "one") == expected
    assert vault.seal("text", "one") != vault.seal("Text", "one")
    other = Vault(MasterKey(SecretBytes(bytes(32))), {})
    assert other.seal("text", "one") != expected


def test_without_a_master_key_the_error_says_to_restore_it() -> None:
    vault = Vault(None, {})
    asks = (
        lambda: vault.value(SecretRef(name="snac/token")),
        lambda: vault.seal_key("one"),
        lambda: vault.seal("x", "one"),
    )
    for ask in asks:
        with pytest.raises(SecretError, match="needs a master key") as caught:
            ask()
        assert caught.value.hint.startswith("restore its copy; a new one is for a new environment: fedikit secret init")


def test_nothing_shows_a_secret(vault: Vault) -> None:
    shown = f"{vault!r} {vault} {vars(vault)} {vars(vars(vault)['_master'])}"
    assert "given by hand" not in shown
    for key in (KEY.hex(), repr(KEY)[2:-1]):
        assert key not in shown


def test_a_created_key_is_private_and_can_be_loaded(tmp_path: Path) -> None:
    created = MasterKey.create(tmp_path / "master.key")
    assert (tmp_path / "master.key").stat().st_mode & 0o777 == 0o600
    loaded = MasterKey.load("file:master.key", base=tmp_path)
    assert created.derive("label", 32) == loaded.derive("label", 32)


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    MasterKey.create(tmp_path / "master.key")
    before = (tmp_path / "master.key").read_bytes()
    with pytest.raises(SecretError, match="exists already"):
        MasterKey.create(tmp_path / "master.key")
    assert (tmp_path / "master.key").read_bytes() == before


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "master key"
    path.write_text(TEXT)
    for mode in (0o640, 0o604, 0o660, 0o700):
        path.chmod(mode)
        with pytest.raises(SecretError, match="may be read by others") as caught:
            MasterKey.load("file:master key", base=tmp_path)
        assert caught.value.hint == f"chmod 600 '{path}'"
    path.chmod(0o400)
    assert MasterKey.load("file:master key", base=tmp_path).derive("x", 4)


def test_a_key_that_another_user_owns_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "master.key"
    path.write_text(TEXT)
    path.chmod(0o600)
    as_somebody(monkeypatch, tmp_path, path)
    with pytest.raises(SecretError, match=r"master\.key belongs to another user"):
        MasterKey.load("file:master.key", base=tmp_path)


@pytest.mark.parametrize(("mode", "is_refused"), [(0o777, True), (0o772, True), (0o1777, False), (0o755, False)])
def test_a_key_below_a_folder_that_others_may_write_is_refused(mode: int, is_refused: bool, tmp_path: Path) -> None:
    path = tmp_path / "open" / "closed" / "master.key"
    path.parent.mkdir(parents=True)
    path.write_text(TEXT)
    path.chmod(0o600)
    (tmp_path / "link").symlink_to(path)
    (tmp_path / "open").chmod(mode)
    for reference in (f"file:{path}", "file:link"):
        if is_refused:
            with pytest.raises(SecretError, match="open, where other users may write") as caught:
                MasterKey.load(reference, base=tmp_path)
            assert caught.value.hint.startswith(f"chmod go-w {tmp_path}/open")
        else:
            assert MasterKey.load(reference, base=tmp_path).derive("x", 4)


def as_somebody(monkeypatch: pytest.MonkeyPatch, *places: Path) -> None:
    """Another user runs this than the one whom these places belong to; root's are as good as one's own."""
    stranger = os.geteuid() + 4321
    if os.geteuid() == 0:
        for place in places:
            os.chown(place, stranger + 1, -1)
    monkeypatch.setattr(os, "geteuid", lambda: stranger)


def test_a_key_may_come_from_a_command_or_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a key").write_text(TEXT + "\n")
    monkeypatch.setenv("FEDIKIT_TEST_KEY", TEXT)
    for reference in ("command:cat 'a key'", "env:FEDIKIT_TEST_KEY"):
        assert MasterKey.load(reference, base=tmp_path).derive("x", 9) == hkdf("x", 9)


BAD_REFERENCES = {
    "file:missing": "No such file",
    "file:binary": "is no text",
    "file:short": "not 64 or more hexadecimal digits",
    "file:odd": "not 64 or more hexadecimal digits",
    "env:FEDIKIT_NOT_SET": "empty or not there",
    "command:false": "ended with 1",
    "command:ls missing": "cannot access 'missing'",
    "command:no-such-command": "cannot run",
    "command:": "cannot run",
    "command:cat 'short": "No closing quotation",
    "command:echo hunter2; cat key": "not 64 or more hexadecimal digits",  # no shell reads it
    "master.key": "no way to name the master key",
}


@pytest.mark.parametrize(("reference", "message"), BAD_REFERENCES.items())
def test_a_bad_reference_is_an_error_that_shows_no_contents(reference: str, message: str, tmp_path: Path) -> None:
    for name, content in {"short": b"hunter2", "odd": b"a" * 65, "binary": b"hunter2\xff"}.items():
        (tmp_path / name).write_bytes(content)
        (tmp_path / name).chmod(0o600)
    with pytest.raises(SecretError, match=message) as caught:
        MasterKey.load(reference, base=tmp_path)
    assert "hunter2" not in str(caught.value).replace(reference, "").replace(reference[8:], "")
    assert caught.value.__cause__ is None or isinstance(caught.value.__cause__, OSError | ValueError | IndexError)


def test_a_command_that_hangs_ends_at_the_deadline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fedikit.secrets.reading._COMMAND_DEADLINE", 0.2)
    with pytest.raises(SecretError, match="within"):
        MasterKey.load("command:sleep 30", base=tmp_path)


def test_the_room_opens_without_its_slow_library() -> None:
    code = "import json, sys, fedikit.secrets; print(json.dumps(sorted(sys.modules)))"
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=30, env=environment)
    assert "cryptography" not in json.loads(answer.stdout)
