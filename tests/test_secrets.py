"""Secrets are derived from a well-kept master key, and never show."""

import hashlib
import hmac
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from pydantic import SecretBytes, SecretStr

from fedikit.errors import SecretError
from fedikit.model.item import SecretFormat, SecretRef, SecretText
from fedikit.secrets import MasterKey, Vault

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
    assert vault.seal_key() == hkdf("fedikit/seal", 32)


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


def test_what_the_operator_gave_wins(vault: Vault) -> None:
    assert vault.value(SecretRef(name="smtp/password")) == "given by hand"
    assert Vault(None, {"a": SecretStr("b")}).value(SecretRef(name="a")) == "b"


def test_a_text_is_filled_with_its_secrets(vault: Vault) -> None:
    text = SecretText(parts=("PASSWORD=", SecretRef(name="smtp/password"), "\n"))
    assert vault.text(text) == "PASSWORD=given by hand\n"
    assert vault.text("plain") == "plain"


def test_a_seal_tells_contents_apart_only_with_the_key(vault: Vault) -> None:
    expected = hmac.new(vault.seal_key(), b"text", hashlib.sha256).hexdigest()
    assert vault.seal("text") == expected
    assert vault.seal("text") != vault.seal("Text")
    other = Vault(MasterKey(SecretBytes(bytes(32))), {})
    assert other.seal("text") != expected


def test_without_a_master_key_the_error_says_how_to_make_one() -> None:
    vault = Vault(None, {})
    for ask in (lambda: vault.value(SecretRef(name="snac/token")), vault.seal_key, lambda: vault.seal("x")):
        with pytest.raises(SecretError, match="needs a master key") as caught:
            ask()
        assert "fedikit secret init --environment FILE" in caught.value.hint


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
