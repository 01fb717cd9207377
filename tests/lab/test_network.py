"""Subnets and names of a lab, without a lab."""

from ipaddress import IPv4Network

import pytest

from fedikit.errors import FedikitError
from fedikit_lab.network import Network, bridge_name, free_number, subnet_of


def test_every_lab_has_a_subnet_of_its_own() -> None:
    assert [str(subnet_of(number)) for number in (1, 254)] == ["10.77.1.0/24", "10.77.254.0/24"]
    assert Network("bridge", 7).address(11) == "10.77.7.11"


@pytest.mark.parametrize("lab", ["a", "0123456789abcdef" * 8])
def test_a_bridge_has_a_name_that_linux_allows(lab: str) -> None:
    assert len(bridge_name(lab)) <= 15


def test_different_labs_have_different_bridges() -> None:
    assert len({bridge_name(str(number)) for number in range(200)}) == 200


@pytest.mark.parametrize(
    ("preferred", "known", "number"),
    [
        (5, [], 5),
        (5, ["10.77.5.0/24"], 6),
        (5, ["10.77.5.64/26", "10.77.6.9/32"], 7),
        (254, ["10.77.254.0/24"], 1),
        (5, ["192.168.5.0/24", "172.16.0.0/12"], 5),
        (5, ["10.0.0.0/8"], 5),
    ],
)
def test_a_subnet_is_free_when_no_network_here_has_any_of_it(preferred: int, known: list[str], number: int) -> None:
    assert free_number(preferred, [IPv4Network(network) for network in known]) == number


@pytest.mark.parametrize("known", [[IPv4Network("10.77.0.0/16")], [subnet_of(number) for number in range(1, 255)]])
def test_a_machine_full_of_labs_says_so(known: list[IPv4Network]) -> None:
    with pytest.raises(FedikitError, match=r"every subnet of 10\.77\.0\.0/16 is in use"):
        free_number(1, known)
