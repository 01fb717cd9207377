"""Secrets are taken out of troubles on the host, whoever applies, removes or goes back; lines are never cut."""

import pytest

from fedikit.agent.trouble import last_lines
from fedikit.apply import apply_plan
from fedikit.model.item import File, Item, Job, SecretRef, SecretText
from fedikit.plan import make_plan, make_removal, make_rollback
from tests.remote.conftest import Stage

PASSWORD = SecretRef(name="app/password")
ENV = File(path="/etc/app.env", content=SecretText(parts=("PASSWORD=", PASSWORD, "\nPORT=3\n")), mode="0600")
TELLTALE = "#!/bin/sh\nread line <{env}\necho the $line is wrong, base64 or not >&2\nexit 1\n"


@pytest.fixture
def telltale(stage: Stage) -> Stage:
    """A host with a program that fails, and repeats what stands in the file with the secret."""
    stage["one"].program("telltale", TELLTALE.format(env=stage["one"].path("/etc/app.env")))
    stage["one"].program("fine", "#!/bin/sh\n")
    return stage


def password_of(stage: Stage) -> str:
    return stage["one"].path("/etc/app.env").read_text().splitlines()[0].removeprefix("PASSWORD=")


def assert_redacted(stage: Stage, password: str, error: str) -> None:
    assert "the PASSWORD=••• is wrong" in error
    records = [path.read_text() for path in stage["one"].path("/var/lib/fedikit").rglob("*.json")]
    assert not [text for text in [error, *records] if password in text]


def test_in_an_apply(telltale: Stage) -> None:
    error = telltale.apply(one=[ENV, Job(name="tell", run=("telltale",))]).hosts["one"].error
    assert_redacted(telltale, password_of(telltale), error)


def test_in_a_removal_which_knows_no_configuration(telltale: Stage) -> None:
    assert telltale.apply(one=[ENV, Job(name="tell", run=("fine",), undo=("telltale",))]).succeeded
    password = password_of(telltale)
    telltale.key_file.unlink()
    error = apply_plan(make_removal(telltale.environment)).hosts["one"].error
    assert_redacted(telltale, password, error)


def test_in_a_rollback_which_knows_no_configuration(telltale: Stage) -> None:
    job: Item = Job(name="tell", run=("fine",), undo=("telltale",))
    assert telltale.apply(one=[ENV]).succeeded
    assert telltale.apply(one=[ENV, job]).succeeded
    error = apply_plan(make_rollback(telltale.environment)).hosts["one"].error
    assert_redacted(telltale, password_of(telltale), error)


def test_where_another_secret_is_missing(telltale: Stage) -> None:
    other = File(path="/etc/b", content=SecretText(parts=(SecretRef(name="mail/password", given=True),)))
    plan = make_plan(telltale.wants(one=[ENV, other]))
    assert "the secret mail/password is not given" in plan.hosts["one"].error
    error = telltale.apply(one=[ENV, Job(name="tell", run=("telltale",))]).hosts["one"].error
    assert_redacted(telltale, password_of(telltale), error)


def test_nothing_is_cut_in_the_middle_of_a_line() -> None:
    text = "first line\nsecond line\nthird line"
    assert last_lines(text, 100) == text
    assert last_lines(text, 15) == "third line"
    assert last_lines("x" * 50, 10) == "x" * 10
