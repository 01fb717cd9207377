"""Mail: through the provider's relay, or not at all."""

from typing import Any

import pytest

from fedikit.model import MailRelay, SecretRef
from fedikit.model.text import filled
from fedikit.policies import MailPolicy
from tests.model.example import place

RELAY = MailRelay(domain="probe.fedi.test")
PASSWORD = SecretRef(name="mail/password", given=True)
SOMEWHERE = {"host": "smtp.example.org", "user": "fedi"}


def told(**written: Any) -> dict[str, Any]:
    """What the policy tells, and nothing more."""
    provision = MailPolicy.model_validate(written).typed(place())(RELAY)
    assert (provision.items, provision.asks, provision.ports) == ((), (), {})
    assert set(provision.facts) == set(RELAY.FACTS)
    return dict(provision.facts)


def test_without_a_relay_there_is_no_mail_and_no_password_is_asked_for() -> None:
    assert told() == {
        "host": "",
        "port": "587",
        "user": "",
        "password": "",
        "sender": "noreply@probe.fedi.test",
        "encryption": "starttls",
        "authentication": "none",
        "enabled": "no",
    }


def test_with_a_relay_its_password_is_one_that_somebody_gives() -> None:
    facts = told(**SOMEWHERE, port=465, encryption="tls", sender="fedi@example.org")

    assert facts == {
        "host": "smtp.example.org",
        "port": "465",
        "user": "fedi",
        "password": PASSWORD,
        "sender": "fedi@example.org",
        "encryption": "tls",
        "authentication": "plain",
        "enabled": "yes",
    }


@pytest.mark.parametrize("written", [{"host": "smtp.example.org"}, {"user": "fedi"}])
def test_a_relay_where_nobody_signs_in_needs_no_password(written: dict[str, str]) -> None:
    assert told(**written)["password"] == ""


@pytest.mark.parametrize("encryption", ["none", "starttls", "tls"])
def test_each_application_has_its_own_word_for_how_the_connection_is_protected(encryption: str) -> None:
    facts = {("mail", name): fact for name, fact in told(**SOMEWHERE, encryption=encryption).items()}

    assert filled(RELAY.by_encryption(none="none!", starttls="starttls!", tls="tls!"), facts) == f"{encryption}!"


@pytest.mark.parametrize(("written", "word"), [({}, "log"), (SOMEWHERE, "smtp")])
def test_each_application_has_its_own_word_for_whether_there_is_mail(written: dict[str, str], word: str) -> None:
    facts = {("mail", name): fact for name, fact in told(**written).items()}

    assert filled(RELAY.if_enabled("smtp", "log"), facts) == word
