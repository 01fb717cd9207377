"""What every application may know in these tests."""

import pytest

from fedikit.model import Context, Person


@pytest.fixture
def context() -> Context:
    person = {"displayName": "Testy McTestface", "username": "test", "email": "test@fediversity.test"}
    return Context(domain="fediversity.test", initial_user=Person.model_validate(person))
