"""A port of a host leads back to the deployer, as long as it is wanted, and nobody else is let through."""

import socket
import subprocess
import time
from collections.abc import Callable

import pytest

from fedikit.errors import ConnectionFailed
from fedikit.model.host import DirectoryHost, Local
from fedikit.model.ssh_server import JumpHost
from fedikit.remote.forward import reverse_forward
from tests.remote.ssh_servers import Server, saying


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("keys") / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return str(path)


def heard_at(port: int) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as line:
        return line.recv(100)


def again_and_again(look: Callable[[], object]) -> None:
    """For two seconds: what was closed at one end takes a moment to be so at the other."""
    for _ in range(100):
        look()
        time.sleep(0.02)


def test_the_port_leads_to_the_deployer_over_jump_hosts_and_is_gone_afterwards(key: str) -> None:
    with Server() as hop, Server() as host, saying(b"at the deployer") as here:
        jump = JumpHost(address="127.0.0.1", port=hop.port, host_key=hop.host_key, identity_file=key)
        with reverse_forward("social", host.reached(identity_file=key, jump=jump), ("127.0.0.1", here)) as forward:
            assert forward.port != here
            assert heard_at(forward.port) == b"at the deployer"
            assert host.lent[0].getsockname()[0] == "127.0.0.1", "nobody beyond the host gets there"
            forward.require()
        with pytest.raises(ConnectionRefusedError):
            again_and_again(lambda: heard_at(forward.port))


def test_a_server_that_lends_no_port_is_told_with_what_to_change(key: str) -> None:
    with (
        Server(lends=False) as host,
        pytest.raises(
            ConnectionFailed, match=r"social: its SSH server lets no port of the host's lead to the deployer"
        ) as raised,
        reverse_forward("social", host.reached(identity_file=key), ("127.0.0.1", 9)),
    ):
        pass
    assert "AllowTcpForwarding" in raised.value.hint


def test_a_host_that_is_lost_meanwhile_is_told(key: str) -> None:
    with Server() as host, reverse_forward("social", host.reached(identity_file=key), ("127.0.0.1", 9)) as forward:
        for transport in host.transports:
            transport.close()
        with pytest.raises(ConnectionFailed, match=r"social: the connection by which it reads .* broke"):
            again_and_again(forward.require)


def test_a_host_that_does_not_let_us_in_is_told(key: str) -> None:
    with (
        Server(takes=False) as host,
        pytest.raises(ConnectionFailed, match=r"social: opens no way back to the deployer: .*Permission denied"),
        reverse_forward("social", host.reached(identity_file=key), ("127.0.0.1", 9)),
    ):
        pass


@pytest.mark.parametrize("connection", [DirectoryHost(path="/srv/one"), Local()])
def test_what_is_on_this_machine_gets_the_port_itself(connection: DirectoryHost | Local) -> None:
    with reverse_forward("one", connection, ("127.0.0.1", 1234)) as forward:
        assert forward.port == 1234
        forward.require()
