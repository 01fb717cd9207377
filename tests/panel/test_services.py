"""What the page of services says of each."""

from fedikit.model import Deployment
from fedikit.model.check import Check, DnsResolves, NodeInfo, TlsIsValid
from fedikit.results.services import address_of

SITE, MEDIA = "pixelfed.example.org", "media.pixelfed.example.org"


def deployment(*checks: Check) -> Deployment:
    return Deployment(name="home", hosts={}, checks=checks)


def test_the_address_of_an_application_is_not_that_of_its_media() -> None:
    media, site = (TlsIsValid(application="pixelfed", domain=domain) for domain in (MEDIA, SITE))
    checks = (media, site, NodeInfo(application="pixelfed", domain=SITE))
    assert address_of("pixelfed", deployment(*checks)) == f"https://{SITE}"


def test_who_says_nothing_of_itself_is_where_its_certificate_is() -> None:
    assert address_of("wiki", deployment(TlsIsValid(application="wiki", domain=SITE))) == f"https://{SITE}"


def test_what_has_no_web_site_has_no_address() -> None:
    checks = (DnsResolves(application="hello", domain=SITE, address="192.0.2.1"),)
    assert address_of("hello", deployment(*checks)) == ""
    assert address_of("hello", deployment(NodeInfo(application="wiki", domain=SITE))) == ""
