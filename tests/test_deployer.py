"""Who is at work is whom the system knows, whatever the environment's variables say."""

import os
import pwd
import socket

import pytest

from fedikit.remote.session import deployer_name, user_name


@pytest.mark.parametrize("variable", ["LOGNAME", "USER", "LNAME", "USERNAME"])
def test_variables_do_not_tell_who_it_is(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "somebody-else")
    assert user_name() == pwd.getpwuid(os.getuid()).pw_name
    assert deployer_name() == f"{user_name()}@{socket.gethostname()}"


def test_a_user_without_a_name_goes_by_the_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 4_123_456)
    assert user_name() == "4123456"
