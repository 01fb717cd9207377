"""How hard passwords are to guess; the figures are what go-password-validator 0.3.0 gave when it was run."""

import pytest

from fedikit.model import Limits, Person
from fedikit.model.strength import strength

PERSON = Person.model_validate({"displayName": "Alice", "username": "alice", "email": "alice@fedi.test"})


@pytest.mark.parametrize(
    ("password", "bits"),
    [
        ("", 0.0),
        ("password", 37.603518),
        ("abcdefghijklmnop1234567890", 46.529325),
        ("qwertyuiop asdfghjkl", 24.770982),
        ("aaaaaaaaaaaa", 9.400879),
        ("ababab abcabc", 59.450356),
        ("correct horse battery staple", 138.717497),
        ("Großmutter`s 7 Söhne!", 143.262830),
    ],
)
def test_runs_and_repetitions_make_no_password_stronger(password: str, bits: float) -> None:
    assert strength(password) == pytest.approx(bits, abs=1e-5)


def test_a_password_that_is_too_easy_to_guess_is_refused_if_the_application_says_so() -> None:
    told = [mistake.path for mistake in Limits(password_bits=60).mistakes("app", PERSON, "password1234")]

    assert told == ["initialUser.password"]
    assert not list(Limits().mistakes("app", PERSON, "password1234"))
    assert not list(Limits(password_bits=60).mistakes("app", PERSON, "correct horse battery staple"))
    assert not list(Limits(password_bits=60).mistakes("app", PERSON, None))
