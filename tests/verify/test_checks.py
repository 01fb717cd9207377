"""Each check, held and failed, against real servers on the loopback interface."""

import base64
import ssl
from collections.abc import Callable
from typing import Any

import pytest

from fedikit.model.check import (
    DnsResolves,
    HttpAnswers,
    NodeInfo,
    PageShows,
    ShellCommandPrints,
    SignsIn,
    TlsIsValid,
    WebFinger,
)
from fedikit.model.item import SecretRef

from .conftest import DOMAIN, Answer, Authority, NameServer, Seen, Site, Verifier

ONCE: dict[str, Any] = {"application": "snac", "deadline": 10}
SCHEMA = "http://nodeinfo.diaspora.software/ns/schema"
SECRET = "right pässword"


@pytest.fixture(autouse=True)
def _one_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    """No check waits for a second attempt, for the pause before it would not fit into the deadline."""
    monkeypatch.setattr("fedikit.verify.run._FIRST_PAUSE", 60)


# DNS


def test_a_name_that_leads_to_the_address_resolves(verifier: Verifier, names: NameServer) -> None:
    names.records[DOMAIN] = ["127.0.0.1", "127.0.0.2", "fd00::1"]
    for address in ("127.0.0.2", "fd00:0::1"):
        check = DnsResolves(domain=DOMAIN, address=address, **ONCE)
        assert verifier.held(check) == "127.0.0.1, 127.0.0.2, fd00::1"


def test_a_name_that_leads_elsewhere_or_nowhere_does_not(verifier: Verifier, names: NameServer) -> None:
    check = DnsResolves(domain=DOMAIN, address="10.0.0.9", **ONCE)
    assert verifier.seen(check) == "wanted 10.0.0.9, saw 127.0.0.1"
    names.records[DOMAIN] = []
    assert verifier.seen(check) == f"wanted an address of {DOMAIN}, saw none"
    del names.records[DOMAIN]
    assert verifier.seen(check) == f"wanted an address of {DOMAIN}, saw {names.address} knows no such name"


def test_a_silent_dns_server_is_named(verifier: Verifier, names: NameServer) -> None:
    names.is_silent = True
    check = DnsResolves(domain=DOMAIN, address="10.0.0.9", application="snac", deadline=0.3)
    seen = verifier.seen(check)
    assert seen.endswith(f"saw no answer from the DNS server {names.address}")


def test_without_a_dns_server_names_are_found_as_this_machine_finds_them(
    verifier: Verifier, open_site: Callable[..., Site]
) -> None:
    verifier.resolver = None
    plain = open_site(context=None)
    plain.page("/")
    verifier.held(HttpAnswers(url=f"http://localhost:{plain.server_port}/", **ONCE))
    assert verifier.seen(HttpAnswers(url=f"http://{DOMAIN}.invalid:{plain.server_port}/", **ONCE))


# TLS


def test_a_valid_certificate_is_described(verifier: Verifier, site: Site) -> None:
    detail = verifier.held(TlsIsValid(domain=DOMAIN, port=site.server_port, **ONCE))
    assert detail == f"for {DOMAIN} by CN=Test CA, 90 days left"


def test_trust_may_be_given_as_text(verifier: Verifier, site: Site, authority: Authority) -> None:
    verifier.trust = authority.pem.read_text()
    verifier.held(TlsIsValid(domain=DOMAIN, port=site.server_port, **ONCE))


@pytest.mark.parametrize(
    ("domain", "days", "seen"),
    [
        ("other.example", (-1, 90), f"the certificate is for other.example, not {DOMAIN}"),
        (DOMAIN, (-9, -1), "the certificate expired on 20"),
        (DOMAIN, (5, 9), "the certificate is valid only from 20"),
        (DOMAIN, (-1, 6.4), "wanted at least 7 days left, saw a certificate for social.example by CN=Test CA, 6 days"),
    ],
)
def test_a_certificate_that_is_not_valid_is_explained(
    domain: str,
    days: tuple[float, float],
    seen: str,
    verifier: Verifier,
    authority: Authority,
    open_site: Callable[..., Site],
) -> None:
    site = open_site(context=authority.context(domain, days))
    check = TlsIsValid(domain=DOMAIN, port=site.server_port, min_days_left=7, **ONCE)
    assert seen in verifier.seen(check)


def test_an_untrusted_issuer_is_named_and_no_request_is_sent_to_it(verifier: Verifier, site: Site) -> None:
    verifier.trust = None
    site.page("/")
    for check in (
        TlsIsValid(domain=DOMAIN, port=site.server_port, **ONCE),
        HttpAnswers(url=site.url(), **ONCE),
        SignsIn(url=site.url(), username="test", secret=SecretRef(name="given"), **ONCE),
    ):
        assert "the certificate's issuer CN=Test CA is not trusted" in verifier.seen(check)
    assert site.seen == []


def test_a_web_page_with_the_certificate_of_another_is_refused(
    verifier: Verifier, authority: Authority, open_site: Callable[..., Site]
) -> None:
    site = open_site(context=authority.context("other.example"))
    seen = verifier.seen(HttpAnswers(url=site.url(), **ONCE))
    assert f"the certificate is for other.example, not {DOMAIN}" in seen


def test_a_closed_port_and_a_server_without_tls_are_told_apart(
    verifier: Verifier, free_port: int, open_site: Callable[..., Site]
) -> None:
    closed = f"connection refused by 127.0.0.1:{free_port}"
    assert closed in verifier.seen(TlsIsValid(domain=DOMAIN, port=free_port, **ONCE))
    assert closed in verifier.seen(HttpAnswers(url=f"https://{DOMAIN}:{free_port}/", **ONCE))
    plain = open_site(context=None)
    for check in (TlsIsValid(domain=DOMAIN, port=plain.server_port, **ONCE), HttpAnswers(url=plain.url(), **ONCE)):
        assert f"no TLS with 127.0.0.1:{plain.server_port}: " in verifier.seen(check)


def test_the_next_address_is_tried_when_one_does_not_answer(verifier: Verifier, site: Site, names: NameServer) -> None:
    names.records[DOMAIN] = ["127.0.0.2", "127.0.0.1"]
    site.page("/")
    verifier.held(HttpAnswers(url=site.url(), **ONCE))
    verifier.held(TlsIsValid(domain=DOMAIN, port=site.server_port, **ONCE))


# HTTP


def test_a_page_is_asked_by_its_name_at_the_address_of_our_dns(
    verifier: Verifier, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    site.page("/about?x=1", "Hello, world!")
    check = HttpAnswers(url=site.url("/about?x=1"), contains="Hello", **ONCE)
    assert verifier.held(check) == "HTTP 200, 13 bytes"
    assert [(seen.host, seen.sni) for seen in site.seen] == [(f"{DOMAIN}:{site.server_port}", DOMAIN)]


def test_http_without_tls_and_an_address_for_a_name_work_too(
    verifier: Verifier, open_site: Callable[..., Site]
) -> None:
    plain = open_site(context=None)
    plain.page("/")
    verifier.held(HttpAnswers(url=f"http://{DOMAIN}:{plain.server_port}/", **ONCE))
    verifier.held(HttpAnswers(url=f"http://127.0.0.1:{plain.server_port}/", **ONCE))


def test_another_status_or_body_is_told(verifier: Verifier, site: Site) -> None:
    site.page("/", "Hello", status=502)
    assert verifier.seen(HttpAnswers(url=site.url(), **ONCE)) == f"wanted HTTP 200, saw HTTP 502 from {site.url()}"
    site.page("/", "Hello")
    seen = verifier.seen(HttpAnswers(url=site.url(), contains="Goodbye", **ONCE))
    assert seen == "wanted “Goodbye”, saw 5 bytes without it"


def test_redirects_are_answers_and_not_followed(verifier: Verifier, site: Site) -> None:
    site.page("/", status=302, Location=site.url("/elsewhere"))
    verifier.held(HttpAnswers(url=site.url(), status=302, **ONCE))
    assert "saw HTTP 302" in verifier.seen(HttpAnswers(url=site.url(), **ONCE))
    assert {seen.path for seen in site.seen} == {"/"}


def test_of_an_endless_page_only_the_beginning_is_read(verifier: Verifier, site: Site) -> None:
    site.pages["/"] = lambda seen: (200, {}, b"x" * (3 * 2**20))
    assert verifier.held(HttpAnswers(url=site.url(), **ONCE)) == "HTTP 200, 2097152 bytes"


# Pages


def test_a_page_shows_its_text_after_redirects(verifier: Verifier, site: Site) -> None:
    site.page("/", status=301, Location="/home")
    site.page("/home", "<p>Fish &amp; chips</p>")
    assert verifier.held(PageShows(url=site.url(), text="Fish & chips", **ONCE)).startswith(site.url("/home"))
    assert "wanted “Bread”, saw 23 bytes without it" in verifier.seen(PageShows(url=site.url(), text="Bread", **ONCE))


@pytest.mark.parametrize(
    ("location", "seen"),
    [
        ("http://social.example/", "saw a redirect to http://social.example/"),
        ("https://nowhere.example/", "wanted an address of nowhere.example, saw"),
        ("/", "wanted HTTP 200, saw HTTP 302"),
    ],
)
def test_a_redirect_away_from_tls_or_into_nothing_is_refused(
    location: str, seen: str, verifier: Verifier, site: Site
) -> None:
    site.page("/", status=302, Location=location)
    assert seen in verifier.seen(PageShows(url=site.url(), text="x", **ONCE))


# The fediverse


def test_nodeinfo_tells_the_software(verifier: Verifier, site: Site) -> None:
    links = f"""{{"links": [
        {{"rel": "{SCHEMA}/2.1", "href": "{site.url("/nodeinfo/2.1")}"}},
        {{"rel": "{SCHEMA}/2.0", "href": "{site.url("/nodeinfo/2.0")}"}}]}}"""
    site.page("/.well-known/nodeinfo", links)
    site.page("/nodeinfo/2.1", '{"version": "2.1", "software": {"name": "snac", "version": "2.75"}, "usage": {}}')
    check = NodeInfo(domain=DOMAIN, port=site.server_port, software="snac", **ONCE)
    assert verifier.held(check) == "snac 2.75, NodeInfo 2.1"
    verifier.held(check.model_copy(update={"software": None}))
    other = verifier.seen(check.model_copy(update={"software": "mastodon"}))
    assert other == "wanted mastodon, saw snac 2.75"


@pytest.mark.parametrize(
    ("index", "seen"),
    [
        ("<html>", "wanted a list of links in JSON, saw something else at https://"),
        ("[1]", "wanted a list of links in JSON"),
        ('{"links": []}', "wanted a link to NodeInfo, saw none"),
        (f'{{"links": [{{"rel": "{SCHEMA}/2.0", "href": "http://x/"}}]}}', "wanted NodeInfo over HTTPS"),
        (f'{{"links": [{{"rel": "{SCHEMA}/2.0", "href": "HERE"}}]}}', "wanted NodeInfo in JSON"),
    ],
)
def test_broken_nodeinfo_is_explained(index: str, seen: str, verifier: Verifier, site: Site) -> None:
    site.page("/.well-known/nodeinfo", index.replace("HERE", site.url("/page")))
    site.page("/page", '{"software": "snac"}')
    assert seen in verifier.seen(NodeInfo(domain=DOMAIN, port=site.server_port, **ONCE))


def webfinger(site: Site, account: str, subject: str, **link: str) -> None:
    body = f'{{"subject": "{subject}", "links": [{{{", ".join(f"{k!r}: {v!r}" for k, v in link.items())}}}]}}'
    site.page(f"/.well-known/webfinger?resource=acct:{account}", body.replace("'", '"'))


@pytest.mark.parametrize("account", ["test", f"test@{DOMAIN}", "test@example.org"])
def test_webfinger_leads_to_the_actor(account: str, verifier: Verifier, site: Site) -> None:
    address = account if "@" in account else f"test@{DOMAIN}"
    href = f"https://{DOMAIN}/test"
    webfinger(site, address, f"acct:{address}", rel="self", type="application/activity+json", href=href)
    check = WebFinger(domain=DOMAIN, port=site.server_port, account=account, **ONCE)
    assert verifier.held(check) == href


def test_webfinger_of_another_or_without_an_actor_fails(verifier: Verifier, site: Site) -> None:
    check = WebFinger(domain=DOMAIN, port=site.server_port, account="test", **ONCE)
    assert "wanted HTTP 200, saw HTTP 404" in verifier.seen(check)
    webfinger(site, f"test@{DOMAIN}", "acct:other@social.example")
    assert "saw acct:other@social.example" in verifier.seen(check)
    webfinger(site, f"test@{DOMAIN}", f"acct:test@{DOMAIN}", rel="self", type="text/html", href="https://x/")
    assert "wanted a link to the account's actor, saw 1 links" in verifier.seen(check)


# Signing in


def opens_with(*passwords: str) -> Callable[[Seen], Answer]:
    """A page that opens with one of these passwords."""
    keys = {"Basic " + base64.b64encode(f"test:{password}".encode()).decode() for password in passwords}
    return lambda seen: (200 if seen.authorization in keys else 401, {}, b"welcome")


def test_the_page_opens_with_the_password_and_not_without(verifier: Verifier, site: Site) -> None:
    site.pages["/admin"] = opens_with(SECRET)
    check = SignsIn(url=site.url("/admin"), username="test", secret=SecretRef(name="given"), **ONCE)
    assert verifier.held(check) == "HTTP 200 with the password, 401 without"


def test_a_password_that_does_not_open_fails_without_being_told(verifier: Verifier, site: Site) -> None:
    site.pages["/admin"] = opens_with("another")
    check = SignsIn(url=site.url("/admin"), username="test", secret=SecretRef(name="given"), **ONCE)
    verdict = verifier(check)
    assert verdict.results[0].detail == "wanted the page with the right password, saw HTTP 401"
    assert SECRET not in f"{verdict!r}{verdict.junit()}"


def test_a_page_that_opens_without_a_password_fails(verifier: Verifier, site: Site) -> None:
    site.page("/admin", "welcome")
    check = SignsIn(url=site.url("/admin"), username="test", secret=SecretRef(name="given"), **ONCE)
    assert verifier.seen(check) == "wanted refusal without a password, saw HTTP 200"


def test_a_password_is_never_sent_without_tls() -> None:
    with pytest.raises(ValueError, match="url"):
        SignsIn(url="http://social.example/", username="test", secret=SecretRef(name="given"), **ONCE)


# Login shells


def test_a_command_prints_on_the_host(verifier: Verifier) -> None:
    verifier.shell = lambda host, command, user: f"{host} {command} {user}\n"
    check = ShellCommandPrints(host="hello", command=("hello", "-t"), expected="-t", user="test", **ONCE)
    assert verifier.held(check) == "hello ('hello', '-t') test"


def test_a_command_that_prints_something_else_fails(verifier: Verifier) -> None:
    check = ShellCommandPrints(host="hello", command=("hello",), expected="Hello", **ONCE)
    verifier.shell = lambda host, command, user: "bash: hello: command not found\n"
    assert verifier.seen(check) == "wanted “Hello”, saw “bash: hello: command not found”"
    verifier.shell = lambda host, command, user: "\n"
    assert verifier.seen(check) == "wanted “Hello”, saw nothing"


def test_ssl_contexts_check_certificates(verifier: Verifier) -> None:
    from fedikit.verify.certificate import Trust

    context = Trust().context
    assert context.check_hostname
    assert context.verify_mode == ssl.CERT_REQUIRED
