"""SSH servers: where one answers, and with which keys. What a host and a jump host on the way to it have in common."""

import ipaddress
import re
from typing import Annotated, Any

from pydantic import AfterValidator, Discriminator, Field, Tag

from fedikit.model.host_key import HostKey
from fedikit.model.value import HostName, Line, Port, UnixName, Written

_NAME = re.compile(r"([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?\.)*[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?")
_ALONE = "should be an address alone, such as social.example.org or 192.0.2.1"


def is_ip_address(text: str) -> bool:
    """Whether it is an IPv4 or IPv6 address, not a name."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _address(text: str) -> str:
    """The address in its one spelling: small letters, no brackets, no final dot."""
    name, percent, zone = text.strip().partition("%")
    plain = name.lower() + percent + zone  # the names of interfaces know capitals
    if "://" in plain or "/" in plain:
        raise ValueError(f"{_ALONE}: without ssh:// before it or a path after it")
    if "@" in plain:
        raise ValueError(f"{_ALONE}: who logs in is a key of its own, user")
    if re.fullmatch(r"\[.*\]:[0-9]*|[^:]*:[0-9]+", plain):
        raise ValueError(f"{_ALONE}: the port is a key of its own, port")
    plain = plain.removeprefix("[").removesuffix("]") if plain.startswith("[") else plain.removesuffix(".")
    if is_ip_address(plain):
        return str(ipaddress.ip_address(plain))
    if ":" in plain:
        raise ValueError("should be a name or an IP address, and is no whole IPv6 address")
    if re.fullmatch(r"[0-9.]+", plain):
        raise ValueError("should be a name or an IP address, and is no whole IPv4 address")
    if len(plain) > 253 or not _NAME.fullmatch(plain):
        raise ValueError("should be a name or an IP address: letters, digits, dashes and dots")
    return plain


Address = Annotated[str, AfterValidator(_address)]
"""An IP address or a name, in its one spelling."""


def _kind_of_jump(jump: Any) -> str:
    return "table" if isinstance(jump, dict | SshServer) else "name"


class SshServer(Written):
    """Where SSH answers, and how to log in there."""

    address: Address
    """The IP address or name at which SSH answers."""
    port: Port = Field(22, description="The port at which SSH answers.")
    user: UnixName = Field("root", description="Who logs in; anyone but root needs sudo without a password.")
    host_key: HostKey = Field(
        description="The host's public key; a host that shows another key is refused.",
        examples=["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHw9…"],
    )
    identity_file: Line | None = None
    """The private key to log in with, relative to the environment's file; the SSH agent's keys if absent."""
    jump: (
        Annotated[Annotated[HostName, Tag("name")] | Annotated["JumpHost", Tag("table")], Discriminator(_kind_of_jump)]
        | None
    ) = Field(None, title="Jump host")
    """The host over which SSH goes: the name of another host here, or a table with keys as these; none if absent."""
    connect_seconds: Annotated[int, Field(ge=1, le=600)] = 10
    """How many seconds it may take until an SSH server answers."""
    login_seconds: Annotated[int, Field(ge=1, le=600)] = 60
    """How many seconds it may take to log in, and then until the login's shell does something for us."""

    @property
    def where(self) -> str:
        """As people write it."""
        address = f"[{self.address}]" if ":" in self.address else self.address
        return f"{self.user}@{address}:{self.port}"


class JumpHost(SshServer):
    """A machine that SSH goes over, and where nothing is done."""

    user: UnixName = Field("root", description="Who logs in there; needs no rights but to go on from there.")


SshServer.model_rebuild()
