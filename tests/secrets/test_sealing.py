"""Sealed secrets: only the environment that they are for opens them, and what was changed on the way is found."""

import hashlib
import hmac
import json
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from pydantic import SecretBytes

from fedikit.errors import SecretError
from fedikit.model.item import SecretRef
from fedikit.model.secret import SecretFormat
from fedikit.secrets import MasterKey
from fedikit.secrets.recipient import public_key, recipient_of
from fedikit.secrets.sealing import opened, seal

MATERIAL = bytes(range(32))
KEY, OTHER = (MasterKey(SecretBytes(material), is_marked=True) for material in (MATERIAL, bytes(32)))
RECIPIENT = "fedikit-recipient-1:SqhxuxvdzbSTvJyvhBLh_n3No3cwSXYNz7VZQpHQbkv9X4OJ"
VALUES = {("mastodon/vapid", "vapid-private"): "s3cret private", ("mastodon/vapid", "vapid-public"): "s3cret public"}
VALUES |= {("mastodon/oidc-client", "password"): "s3cret word"}
FOREIGN = ["mastodon/backup", "mastodon/database", "mastodon/cache", "mastodon/bucket-key", "peertube/secret"]
FOREIGN += ["garage/admin-token", "mastodon", "mail/password"]
LONG_AGO = """{"format": 1, "deployment": "lab", "application": "mastodon",
 "recipient": "fedikit-recipient-1:SqhxuxvdzbSTvJyvhBLh_n3No3cwSXYNz7VZQpHQbkv9X4OJ",
 "secrets": [{"name": "mastodon/vapid", "format": "hex32", "version": 1}],
 "box": "jVdwU876IlUT1vjtEKtLHadhz8zEsHodhSaCyhKk2VZN9wEjyqdEihc2hdfO7RVzjinzK66ih9s48x9HkSha/xHan8Kal5bCRfHH3JtzBdCa\
TQNtk4ZEekySJZxW1xpJDQCPmD6XwF+867cbSN7zk18Je9VoYFoQXu31eIpIjzCs09sEB9eYlkjaAwM="}"""


def refs(values: dict[tuple[str, Any], str]) -> dict[SecretRef, str]:
    return {SecretRef(name=name, format=form, version=3): value for (name, form), value in values.items()}


def sealed(values: dict[tuple[str, Any], str] = VALUES, *, recipient: str = RECIPIENT) -> str:
    return seal(refs(values), application="mastodon", deployment="lab", recipient=recipient)


def plain(text: str, master: MasterKey = KEY) -> dict[tuple[str, SecretFormat], str]:
    secrets = opened(text, master, source="mastodon.sealed").secrets
    return {(each.name, each.format): value.get_secret_value() for each, value in secrets.items()}


def refused(text: str, master: MasterKey = KEY) -> SecretError:
    with pytest.raises(SecretError) as caught:
        opened(text, master, source="mastodon.sealed")
    assert caught.value.hint
    assert "s3cret" not in str(caught.value)
    return caught.value


# The recipient


def test_a_recipient_is_the_x25519_key_that_follows_from_the_master_key() -> None:
    extracted = hmac.new(bytes(32), MATERIAL, hashlib.sha256).digest()
    seed = hmac.new(extracted, b"fedikit/recipient\x01", hashlib.sha256).digest()
    expected = X25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()

    assert recipient_of(KEY) == RECIPIENT
    assert bytes(public_key(f" {RECIPIENT}\n")) == expected


def test_every_slip_in_a_recipient_is_found() -> None:
    for at, was in enumerate(RECIPIENT):
        for becomes in {"A", "b", "7", "-", " ", ""} - {was}:
            with pytest.raises(SecretError):
                sealed(recipient=f"{RECIPIENT[:at]}{becomes}{RECIPIENT[at + 1 :]}")


@pytest.mark.parametrize("text", ["", "age1qqqq", RECIPIENT[:-4], RECIPIENT * 2, "fedikit-key-2:" + "0" * 64])
def test_what_is_no_recipient_is_refused_with_where_one_comes_from(text: str) -> None:
    with pytest.raises(SecretError, match="this is no recipient, or has a slip in it") as caught:
        sealed(recipient=text)
    assert "fedikit secret recipient" in caught.value.hint
    assert "0" * 64 not in str(caught.value)


def test_a_recipient_of_a_newer_fedikit_asks_for_that() -> None:
    with pytest.raises(SecretError, match="does not know such a recipient") as caught:
        sealed(recipient=RECIPIENT.replace("-1:", "-2:"))
    assert caught.value.hint.startswith("install the fedikit")


def test_nothing_is_sealed_to_a_point_that_is_no_key() -> None:
    point = bytes(32)
    code = urlsafe_b64encode(point + hashlib.sha256(b"fedikit-recipient-1:" + point).digest()[:4]).decode()
    with pytest.raises(SecretError, match="nothing can be sealed to this recipient"):
        sealed(recipient=f"fedikit-recipient-1:{code}")


# The file


def test_what_was_sealed_is_opened_by_the_key_that_it_is_for() -> None:
    assert plain(sealed()) == VALUES
    assert plain(LONG_AGO) == {("mastodon/vapid", "hex32"): "abc"}


def test_a_file_says_in_clear_what_is_in_it_and_no_value() -> None:
    text = sealed()
    told = json.loads(text)
    assert "s3cret" not in text
    assert (told["deployment"], told["application"], told["recipient"]) == ("lab", "mastodon", RECIPIENT)
    assert told["secrets"][1] == {"name": "mastodon/vapid", "format": "vapid-public", "version": 3}
    assert sealed() != text  # each box has a key of its own


def test_another_key_does_not_open_it_and_is_told_how_it_would() -> None:
    error = refused(sealed(), OTHER)
    assert error.message == "mastodon.sealed is sealed to another master key than this environment's"
    assert error.hint.endswith(f"fedikit secret seal --to {recipient_of(OTHER)}")


@pytest.mark.parametrize("becomes", ["A", "a", "1", "/", " ", '"', "\\", "}", "\x00", "é", ""])
def test_a_byte_that_was_changed_anywhere_is_found_or_means_nothing(becomes: str) -> None:
    text = sealed()
    for at in range(len(text)):
        changed = f"{text[:at]}{becomes}{text[at + 1 :]}"
        found = plain_or_why(changed)
        if isinstance(found, str):
            assert "s3cret" not in found
        else:  # a space, or a bit that base64 does not use
            assert found == VALUES
            assert {**json.loads(changed), "box": ""} == {**json.loads(text), "box": ""}


def plain_or_why(text: str) -> dict[tuple[str, SecretFormat], str] | str:
    try:
        return plain(text)
    except SecretError as error:
        return str(error)


@pytest.mark.parametrize("length", [0, 1, 100, -3])
def test_a_file_that_was_cut_off_is_damaged(length: int) -> None:
    assert "is damaged" in refused(sealed()[:length]).message


def changed(**parts: Any) -> str:
    return json.dumps(json.loads(sealed()) | parts)


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "7",
        "[" * 100_000,
        " " * (1 << 21),
        changed(more=1),
        changed(format="1"),
        changed(deployment="other"),
        changed(secrets=[]),
        changed(secrets=json.loads(sealed())["secrets"][::-1]),
        changed(secrets=json.loads(sealed())["secrets"][:2]),
        changed(box=b64encode(bytes(200)).decode()),
        changed(box=""),
        json.dumps(json.loads(sealed()) | {"box": json.loads(LONG_AGO)["box"]}),
    ],
)
def test_what_does_not_belong_together_is_damaged(text: str) -> None:
    assert refused(text).message == "mastodon.sealed is damaged, or no file of sealed secrets"


def test_a_file_of_a_newer_fedikit_asks_for_that() -> None:
    error = refused(json.dumps({"format": 2, "anything": ["else"]}))
    assert error.message == "mastodon.sealed is sealed in a form (2) that is newer than this fedikit"
    assert error.hint.startswith("install the fedikit")


@pytest.mark.parametrize("name", FOREIGN)
def test_another_provider_chooses_nothing_but_the_applications_own_secrets(name: str) -> None:
    error = refused(sealed({(name, "password"): "s3cret"}))
    assert error.message == f"mastodon.sealed holds what mastodon does not bring along: {name}"


@pytest.mark.parametrize("value", ["", "s3cret\nMORE=1", "s3cret\x00", "s3cret\x1b[2J"])
def test_a_value_that_would_break_out_of_its_line_is_damage(value: str) -> None:
    assert "is damaged" in refused(sealed({("mastodon/vapid", "password"): value})).message


def test_a_secret_that_is_in_a_file_twice_is_damage() -> None:
    twice = {SecretRef(name="mastodon/vapid", version=version): "s3cret" for version in (1, 2)}
    assert "is damaged" in refused(seal(twice, application="mastodon", deployment="lab", recipient=RECIPIENT)).message


def test_the_check_of_a_recipient_is_of_its_key() -> None:
    told = urlsafe_b64decode(RECIPIENT.partition(":")[2])
    assert told[32:] == hashlib.sha256(b"fedikit-recipient-1:" + told[:32]).digest()[:4]
