"""Where services are: what the deployment and its checks say of it, never a password."""

import pytest

from fedikit.results.services import services_of
from tests.model.example import configuration, only


def test_each_application_has_its_address_its_user_and_the_command_for_the_password() -> None:
    deployment = only({"mastodon": "mastodon"}).deployment(configuration("mastodon"))
    (service,) = services_of(deployment).all
    assert (service.application, service.username, service.email) == ("mastodon", "test", "test@fedi.test")
    assert service.address == "https://mastodon.fedi.test"
    assert service.password == "fedikit secret show mastodon/initial-user"


def test_a_login_shell_says_what_it_offers_and_where() -> None:
    deployment = only({"hello": "spare"}).deployment(configuration("hello"))
    (service,) = services_of(deployment).all
    assert (service.address, service.password) == ("", "")
    assert service.commands
    assert all(command.endswith("(on spare)") for command in service.commands)


@pytest.mark.parametrize(("limit", "count"), [((), 1), (("spare",), 1), (("mastodon",), 0)])
def test_only_what_is_on_the_hosts_in_question(limit: tuple[str, ...], count: int) -> None:
    deployment = only({"hello": "spare"}).deployment(configuration("hello"))
    assert len(services_of(deployment, limit).all) == count
