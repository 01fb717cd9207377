"""Names that people write as they read them, and names that are too long for what is called by them."""

import json
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from fedikit.environment.load import check_configuration, load_catalogue
from fedikit.model.item import File, Unit
from fedikit.model.spelling import right_spelling
from fedikit.model.value import DomainName, EmailAddress, HostName, pattern_of

DOMAIN, EMAIL, LABEL = map(pattern_of, (DomainName, EmailAddress, HostName))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("Example.ORG", "example.org"),
        ("example.org.", "example.org"),
        ("  example.org\t", "example.org"),
        ("https://Example.org/about?a#b", "example.org"),
        ("HTTP://example.org", "example.org"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("Bücher.Example.", "xn--bcher-kva.example"),
        ("bu\u0308cher.example", "xn--bcher-kva.example"),  # the u and its dots apart
        ("straße.example", "xn--strae-oqa.example"),  # by IDNA 2008 another name than strasse.example
        ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
        ("例え。example", "xn--r8jz45g.example"),
        ("example.org", ""),
        ("exa mple.org", ""),
        ("example", ""),
        ("-.example", ""),
        ("..", ""),
        ("xn--\x00.example", ""),
        ("ü" * 64 + ".example", ""),
        ("a." * 5000 + "example", ""),
    ],
)
def test_a_domain_is_offered_as_machines_want_it(written: str, meant: str) -> None:
    assert right_spelling(written, DOMAIN) == meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [("Me@Bücher.example", "Me@xn--bcher-kva.example"), ("me@example.org.", "me@example.org"), ("me", ""), ("@", "")],
)
def test_an_address_is_offered_as_machines_want_it(written: str, meant: str) -> None:
    assert right_spelling(written, EMAIL) == meant


def test_a_label_is_offered_as_machines_want_it() -> None:
    assert right_spelling("Café", LABEL) == "xn--caf-dma"


def document(**values: Any) -> dict[str, Any]:
    user = {"displayName": "T", "username": "test", "email": values.pop("email", "test@example.org")}
    return {"domain": "example.org", "initialUser": user, **values}


def mistakes(**values: Any) -> list[str]:
    return [str(mistake) for mistake in check_configuration(document(**values), load_catalogue())[1]]


@pytest.mark.parametrize(
    ("values", "path", "meant"),
    [
        ({"domain": "Bücher.example"}, "domain", "xn--bcher-kva.example"),
        ({"domain": "https://example.org/"}, "domain", "example.org"),
        ({"email": "me@bücher.example"}, "initialUser.email", "me@xn--bcher-kva.example"),
        ({"mastodon": {"subdomain": "Social"}}, "mastodon.subdomain", "social"),
        ({"mastodon": {"contactEmail": "Me@Example.org"}}, "mastodon.contactEmail", "Me@example.org"),
    ],
)
def test_every_field_that_takes_a_name_or_an_address_offers_it(values: Any, path: str, meant: str) -> None:
    (mistake,) = [mistake for mistake in mistakes(**values) if mistake.endswith(f'; did you mean "{meant}"?')]
    assert mistake.startswith(f"{path}: is ")


def test_capitals_and_spaces_make_no_other_address_of_the_initial_user() -> None:
    configuration, none = check_configuration(document(email=" Me@Example.ORG "), load_catalogue())
    assert none == ()
    assert configuration
    assert configuration.initial_user.email == "me@example.org"


# What is too long


def name_of(length: int) -> str:
    labels = f"{'a' * 40}." * 6
    return f"{labels[-(length - 8) :].lstrip('.')}a.example"[-length:].lstrip(".")


@pytest.mark.parametrize("application", ["mastodon", "snac", "pixelfed", "peertube", "gotosocial"])
def test_a_domain_that_is_too_long_for_files_is_a_mistake_at_its_path(application: str) -> None:
    longest = 230 - len(f"media.{application}.")
    assert mistakes(domain=name_of(longest), **{application: {"enable": True}}) == []
    for length in (longest + 1, 247, 253):
        assert len(name_of(length)) == length
        (mistake,) = mistakes(domain=name_of(length), **{application: {"enable": True}})
        assert mistake.startswith(f"domain: is too long by {length - longest} characters")


@pytest.mark.parametrize("name", ["a" * 64, "ü" * 20])
def test_a_label_that_the_dns_does_not_take_is_a_mistake(name: str) -> None:
    assert mistakes(mastodon={"subdomain": name})[0].startswith("mastodon.subdomain: ")
    assert mistakes(domain=f"{name}.example")[0].startswith("domain: ")


@pytest.mark.parametrize("path", [f"/etc/{'a' * 241}", f"/etc/{'ü' * 121}", "/a" * 2001])
def test_no_item_has_a_path_that_no_disk_takes(path: str) -> None:
    with pytest.raises(ValidationError, match="is too long"):
        File(path=path, content="")


def test_no_unit_is_called_longer_than_a_file() -> None:
    with pytest.raises(ValidationError):
        Unit(name=f"{'a' * 240}.service")


def test_what_is_written_into_a_schema_stays_a_pattern() -> None:
    assert "pattern" in json.dumps(TypeAdapter(EmailAddress).json_schema())
