"""Texts with holes: what an application cannot know itself is filled in by what a policy tells."""

import pytest

from fedikit.model import (
    Container,
    MountedFile,
    OneOffJob,
    PostgresDatabase,
    SecretRef,
    SecretText,
    Variables,
)
from fedikit.model.text import FactReference, Text, Untold, filled, joined
from tests.model.example import only, probing, refusal

DATABASE = PostgresDatabase(name="probe")
PASSWORD = SecretRef(name="probe/database")
FACTS = {
    ("postgresql probe", "host"): "127.0.0.1",
    ("postgresql probe", "password"): PASSWORD,
    ("mail", "enabled"): "yes",
}
IMAGE = "registry.example.org/probe:1"


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("plain", "plain"),
        ("", ""),
        (DATABASE.host, "127.0.0.1"),
        (("at ", DATABASE.host, ":5432"), "at 127.0.0.1:5432"),
        (DATABASE.password, SecretText(parts=(PASSWORD,))),
        (("open ", DATABASE.password), SecretText(parts=("open ", PASSWORD))),
        (FactReference(resource="mail", fact="enabled", words={"yes": "smtp", "no": "log"}), "smtp"),
        (FactReference(resource="mail", fact="enabled", words={"no": "log"}), "yes"),
    ],
)
def test_a_text_is_filled_with_what_is_told(text: Text, content: str | SecretText) -> None:
    assert filled(text, FACTS) == content


def test_a_fact_that_nobody_told_is_named_with_its_resource() -> None:
    with pytest.raises(Untold, match="postgresql other was not asked for before its host is used"):
        filled(PostgresDatabase(name="other").host, FACTS)


def test_contents_are_joined_and_only_those_with_secrets_are_secret() -> None:
    assert joined("a", "b") == "ab"
    assert joined("a=", SecretText(parts=(PASSWORD,)), "\n") == SecretText(parts=("a=", PASSWORD, "\n"))


USES = {
    "a variable": Container(name="probe", image=IMAGE, variables=Variables(name="probe", values={"A": DATABASE.host})),
    "a mounted file": Container(name="probe", image=IMAGE, files=(MountedFile(mount="/a", content=DATABASE.host),)),
    "standard input": OneOffJob(name="setup", image=IMAGE, run=("true",), stdin=DATABASE.host),
}


@pytest.mark.parametrize("request_", USES.values(), ids=USES)
def test_a_fact_used_before_its_resource_is_asked_for_is_refused(request_: Container | OneOffJob) -> None:
    said = refusal(only({"probe": "spare"}), probing(use=request_, database=DATABASE))

    assert said == [("applications.probe", "postgresql probe was not asked for before its host is used")]
    assert only({"probe": "spare"}).deployment(probing(database=DATABASE, use=request_))
