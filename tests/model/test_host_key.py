"""A host's key in the environment is one that can be checked, or a mistake that is told at its path."""

import struct
from base64 import b64encode
from contextlib import suppress

import paramiko
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import ValidationError

from fedikit.errors import HostKeyRefused
from fedikit.model import Ssh
from fedikit.remote.connection import _vouch
from fedikit.remote.leg import Leg

KEYS = {
    "ed25519": ed25519.Ed25519PrivateKey.generate(),
    "rsa": rsa.generate_private_key(65537, 2048),
    **{
        f"ecdsa {curve.name}": ec.generate_private_key(curve)
        for curve in (ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1())
    },
}


def line(name: str) -> str:
    return KEYS[name].public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def joined(*parts: bytes) -> str:
    return b64encode(b"".join(struct.pack(">I", len(part)) + part for part in parts)).decode()


@pytest.mark.parametrize("name", KEYS)
def test_every_type_of_key_that_openssh_makes_is_known(name: str) -> None:
    ssh = Ssh(address="10.0.0.2", host_key=f"{line(name)} root@social")
    assert ssh.host_key == line(name)
    client = paramiko.SSHClient()
    _vouch(client, Leg("social", ssh))
    (known,) = client.get_host_keys()["10.0.0.2"].values()
    assert f"{known.get_name()} {known.get_base64()}" == line(name)


KIND, DATA = line("ed25519").split()
NIST, POINT = "ecdsa-sha2-nistp256", b"\x04" + b"\x01" * 64
BAD = {
    "nothing": "",
    "a type alone": KIND,
    "data alone": DATA,
    "a line of known_hosts": f"10.0.0.2 {KIND} {DATA}",
    "wrong base64": f"{KIND} {DATA[:-4]}!!!!",
    "base64 without its end": f"{KIND} {DATA[:-1]}",
    "truncated": f"{KIND} {b64encode(bytes(20)).decode()}",
    "truncated in the middle": f"{KIND} {DATA[:40]}",
    "dots for the rest": f"{KIND} AAAAC3NzaC1lZDI1NTE5AAAA…",
    "another type inside": f"{KIND} {line('rsa').split()[1]}",
    "another type outside": f"ssh-rsa {DATA}",
    "a short key": f"{KIND} {joined(b'ssh-ed25519', bytes(31))}",
    "more than a key": f"{KIND} {joined(b'ssh-ed25519', bytes(32), b'x')}",
    "a type that is not known": f"ssh-dss {joined(b'ssh-dss', b'1')}",
    "another curve inside": f"{NIST} {joined(NIST.encode(), b'nistp384', POINT)}",
    "a point on no curve": f"{NIST} {joined(NIST.encode(), b'nistp256', POINT)}",
    "a modulus of nothing": f"ssh-rsa {joined(b'ssh-rsa', b'', b'')}",
    "two lines": f"{KIND} {DATA}\n{KIND} {DATA}",
    "an escape sequence": f"{KIND} {DATA} \x1b[2J",
    "a length beyond all": f"{KIND} {b64encode(bytes([255]) * 51).decode()}",
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_what_is_not_a_host_key_is_a_mistake_in_words(text: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Ssh(address="10.0.0.2", host_key=text)
    (mistake,) = caught.value.errors()
    assert mistake["loc"] == ("host_key",)
    assert "ssh_host_ed25519_key.pub" in mistake["msg"]


@pytest.mark.parametrize("text", [text for text in BAD.values() if text])
def test_nothing_raw_comes_out_where_such_a_key_gets_through_all_the_same(text: str) -> None:
    ssh = Ssh(address="10.0.0.2", host_key=line("ed25519")).model_copy(update={"host_key": text})
    with suppress(HostKeyRefused):
        _vouch(paramiko.SSHClient(), Leg("social", ssh))
