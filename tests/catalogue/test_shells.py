"""The applications that live in a login shell."""

import inspect

import pytest

from fedikit.catalogue import hello
from fedikit.catalogue.cowsay import Cowsay
from fedikit.catalogue.hello import Hello
from fedikit.model import Application, Context, Example, LoginShell, Settings


@pytest.mark.parametrize(
    ("application", "command", "prints"),
    [(Hello(), ("hello",), "Hello, world!"), (Cowsay(), ("/usr/games/cowsay", "moo"), "< moo >")],
)
def test_they_ask_for_a_login_shell_and_know_what_it_shall_print(
    application: Application[Settings], command: tuple[str, ...], prints: str, context: Context
) -> None:
    requests = application.typed_requests(context)(application.settings(enable=True))

    assert requests == {
        "shell": LoginShell(packages=(application.name,), examples=(Example(command=command, prints=prints),))
    }


def test_an_application_can_be_written_in_twenty_lines() -> None:
    assert len(inspect.getsource(hello).splitlines()) <= 20
