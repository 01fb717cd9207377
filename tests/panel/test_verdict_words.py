"""Verdicts in words: one cause is told once, with what to do."""

import pytest

from fedikit.model.check import Check, DnsResolves, HttpAnswers, NodeInfo, SignsIn, TlsIsValid
from fedikit.model.item import SecretRef
from fedikit.panel.texts import Texts
from fedikit.panel.words import VerdictInWords, verdict_in_words
from fedikit.results.check import CheckResult
from fedikit.results.verdict import Verdict

ENGLISH = Texts("en")
DOMAIN = "snac.example.org"
DNS = DnsResolves(application="snac", domain=DOMAIN, address="192.0.2.7")
SIX = DnsResolves(application="snac", domain=DOMAIN, address="2001:db8::7")
TLS = TlsIsValid(application="snac", domain=DOMAIN)
PAGE = HttpAnswers(application="snac", url=f"https://{DOMAIN}/")
INFO = NodeInfo(application="snac", domain=DOMAIN)
SIGN_IN = SignsIn(
    application="snac", url=f"https://{DOMAIN}/alice", username="alice", secret=SecretRef(name="snac/initial-user")
)
ALL = (DNS, TLS, PAGE, INFO, SIGN_IN)


def told(*failing: Check, checks: tuple[Check, ...] = ALL, text: Texts = ENGLISH) -> VerdictInWords:
    results = tuple(
        CheckResult(
            name=check.name,
            application=check.application,
            passed=check not in failing,
            seconds=1,
            detail="wanted 192.0.2.7, saw 192.0.2.99",
            attempts=1,
            check=check,
        )
        for check in checks
    )
    return verdict_in_words(Verdict(results=results), text=text)


def test_what_works_is_told_by_application() -> None:
    words = told()
    assert words.sentence == "All services work"
    assert [application.sentence for application in words.applications] == ["snac works (5 checks)"]
    assert words.applications[0].works


def test_a_name_that_leads_nowhere_explains_all_else_and_says_which_record_to_set() -> None:
    words = told(*ALL)
    (problem,) = words.applications[0].problems
    assert words.sentence == "One of 1 services does not work as it should"
    assert words.applications[0].sentence == "snac: 5 of 5 checks failed"
    assert problem.what == "The name snac.example.org does not lead to 192.0.2.7"
    assert problem.do.endswith(": snac.example.org. A 192.0.2.7")
    assert problem.seen == "wanted 192.0.2.7, saw 192.0.2.99"


def test_each_address_has_a_record_of_its_kind() -> None:
    problems = told(DNS, SIX, checks=(DNS, SIX)).applications[0].problems
    assert [problem.do.rpartition(": ")[2] for problem in problems] == [
        "snac.example.org. A 192.0.2.7",
        "snac.example.org. AAAA 2001:db8::7",
    ]


def test_a_bad_certificate_explains_the_pages_behind_it() -> None:
    (problem,) = told(TLS, PAGE, INFO, SIGN_IN).applications[0].problems
    assert "no valid certificate" in problem.what
    assert "fetched by itself" in problem.do


@pytest.mark.parametrize("check", [PAGE, INFO, SIGN_IN])
def test_each_kind_says_what_to_do(check: Check) -> None:
    (problem,) = told(check).applications[0].problems
    assert DOMAIN in problem.what
    assert problem.do.endswith("ask your provider")


def test_what_kind_it_was_may_be_unknown() -> None:
    old = CheckResult(name="a answers", application="snac", passed=False, seconds=1, detail="no", attempts=1)
    (problem,) = verdict_in_words(Verdict(results=(old,)), text=ENGLISH).applications[0].problems
    assert problem.what == "a answers"


def test_it_reads_in_german() -> None:
    (problem,) = told(DNS, text=Texts("de")).applications[0].problems
    assert problem.what == "Der Name snac.example.org führt nicht zu 192.0.2.7"
    assert problem.seen == "erwartet: 192.0.2.7; gesehen: 192.0.2.99"
