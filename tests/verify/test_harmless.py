"""Looking again and again does no harm: no check tries a wrong password, leaves something behind, or posts."""

import base64
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import SecretBytes

from fedikit.environment.load import load_catalogue
from fedikit.model.check import BucketWorks, Check, ShellCommandPrints, SignsIn
from fedikit.model.item import SecretRef
from fedikit.secrets import MasterKey, Vault
from fedikit.verify.attempt import attempt
from fedikit.verify.certificate import Certificate, Trust
from fedikit.verify.means import Means
from fedikit.verify.page import Page
from fedikit.verify.standpoint import Send
from fedikit.verify.visitor import Visitor
from fedikit.verify.words import Unmet
from tests.model.example import configuration, only

from .conftest import Answer, Seen, Site, Verifier

SECRET = "right pässword"
LOCKED_OUT_AFTER = 5
RUNS = 12


class LikeSnac:
    """Counts wrong logins as snac does: who brings no password is not counted; after five, nobody gets in."""

    def __init__(self, password: str = SECRET) -> None:
        self.key = "Basic " + base64.b64encode(f"test:{password}".encode()).decode()
        self.wrong = 0

    def __call__(self, seen: Seen) -> Answer:
        if not seen.authorization or self.wrong >= LOCKED_OUT_AFTER:
            return 401, {}, b""
        if seen.authorization == self.key:
            return 200, {}, b"welcome"
        self.wrong += 1
        return 401, {}, b""


def signing_in(site: Site, page: LikeSnac, **more: Any) -> SignsIn:
    site.pages["/admin"] = page
    url = site.url("/admin")
    return SignsIn(application="snac", url=url, username="test", secret=SecretRef(name="given"), **more)


def test_however_often_it_is_verified_nobody_is_locked_out(verifier: Verifier, site: Site) -> None:
    page = LikeSnac()
    check = signing_in(site, page, deadline=10)
    assert all(verifier(check).passed for _ in range(RUNS))
    assert page.wrong == 0


def test_a_password_that_was_changed_since_is_tried_once(verifier: Verifier, site: Site) -> None:
    page = LikeSnac("another")
    verdict = verifier(signing_in(site, page, deadline=10))
    assert (verdict.passed, page.wrong, verdict.results[0].attempts) == (False, 1, 1)


def test_a_server_that_is_still_starting_is_asked_again(verifier: Verifier, site: Site) -> None:
    answers: list[Answer] = [(503, {}, b""), (401, {}, b""), (502, {}, b""), (401, {}, b""), (200, {}, b"welcome")]
    site.pages["/admin"] = lambda seen: answers.pop(0)
    check = SignsIn(
        application="snac", url=site.url("/admin"), username="test", secret=SecretRef(name="given"), deadline=10
    )
    assert verifier(check).passed


# The checks of all applications


@dataclass
class Notes:
    """What was asked of a server, and with which user and password."""

    asked: list[tuple[str, tuple[str, str] | None]] = field(default_factory=list)


@dataclass(frozen=True)
class Noting(Visitor):
    """A visitor who notes what he asks for, and whom nobody answers but for what a password opens."""

    notes: Notes = field(default_factory=Notes)

    def addresses(self, domain: str) -> list[str]:
        return ["192.0.2.1"]

    def certificate(self, domain: str, port: int) -> Certificate:
        raise Unmet(wanted=domain, seen=str(port))

    def get(self, url: str, *, auth: tuple[str, str] | None = None) -> Page:
        self.notes.asked.append((url, auth))
        return Page(url, 200 if auth else 401, b"")

    def follow(self, url: str) -> Page:
        return self.get(url)


def nobody_stands(host: str) -> AbstractContextManager[Send]:
    raise AssertionError


def checks_of(application: str) -> tuple[Check, ...]:
    return only({application: "spare"}).deployment(configuration(application)).checks


@pytest.mark.parametrize("application", sorted(load_catalogue()))
def test_the_checks_of_an_application_only_read_and_bring_no_wrong_password(application: str) -> None:
    """What a visitor does is GET, without cookies; a bucket's trial is deleted, as its own tests show."""
    vault = Vault(MasterKey(SecretBytes(b"x" * 32)), {})
    visitor = Noting(None, Trust())
    means = Means(visitor, vault, lambda host, command, user: "", nobody_stands)
    checks = checks_of(application)
    assert checks
    for check in checks:
        if not isinstance(check, BucketWorks | ShellCommandPrints):
            with suppress(Unmet):
                attempt(check, means)
    right = {(check.username, vault.value(check.secret)) for check in checks if isinstance(check, SignsIn)}
    assert {auth for _, auth in visitor.notes.asked if auth} == right
