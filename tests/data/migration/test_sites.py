"""A bucket goes to another host, and its application stays: its media site is led there, and answers meanwhile."""

from typing import Any

from fedikit.data.migration.between import Between
from fedikit.data.migration.moves import before, what_moves
from fedikit.data.migration.sides import Pair
from fedikit.data.migration.sites import led_there, sites_that_come
from fedikit.data.migration.staging import checks_before_names
from fedikit.model import Deployment
from fedikit.model.check import TlsIsValid
from fedikit.model.host import HostState, MovedSite
from tests.data.migration.test_what_moves import BACKUP
from tests.model.example import ADDRESSES, configuration, environment
from tests.model.test_buckets import S3
from tests.results.test_moves import plan_between

MASTODON = configuration("mastodon")
MEDIA = "media.mastodon.fedi.test"
SITE_FILE = f"/etc/caddy/sites/{MEDIA}.caddy"
FIREWALL = {"firewall": {}}


def deployed(host: str = "objects", policies: Any = None, **placed: str) -> Deployment:
    return provider(host, policies, **placed).deployment(MASTODON)


def provider(host: str, policies: Any = None, **placed: str) -> Any:
    bucket = {"bucket": {"means": "garage", "host": host}}
    return environment(BACKUP | FIREWALL | bucket | (policies or {}), placed)


def between(old: Deployment, host: str, policies: Any = None, **placed: str) -> Between:
    """What comes to be where the bucket is to be on that host."""
    wanted = provider(host, policies, **placed)
    plan = plan_between(old, wanted.deployment(MASTODON))
    pairs = what_moves(plan).pairs
    source = before(wanted, pairs).deployment(MASTODON)
    sites = tuple(sites_that_come(plan, source, [pair.application for pair in pairs]))
    return Between(pairs, led_there(source, sites), plan.deployment, wanted, MASTODON, sites)


def site_of(state: HostState) -> str:
    return next((str(item.content) for item in state.items if item.id == f"file:{SITE_FILE}"), "")


def open_on(state: HostState) -> tuple[str, ...]:
    (firewall,) = (item for item in state.items if item.kind == "firewall")
    return firewall.ports


def addresses_of(name: str, deployment: Deployment) -> list[str]:
    return [record.address for record in deployment.dns if record.name == name]


def test_the_host_that_its_media_site_leaves_passes_visitors_on_until_names_lead_elsewhere() -> None:
    moving = between(deployed(), "spare")
    assert moving.sites == (MovedSite(domain=MEDIA, application="mastodon", source="objects", target="spare"),)
    assert moving.spared == ["objects"], "what it shows is read until the application starts"

    state = moving.once_closed().hosts["objects"]
    assert f"reverse_proxy https://{ADDRESSES['spare']} {{" in site_of(state)
    assert f"tls_server_name {MEDIA}" in site_of(state)
    assert {"tcp/80", "tcp/443", "udp/443"} <= {*open_on(state)}
    assert any(item.kind == "unit" and item.name == "caddy.service" for item in state.items)
    assert moving.once_closed().hosts["spare"] == moving.target.hosts["spare"]
    assert open_on(moving.target.hosts["objects"]) == ("tcp/22",), "in the end, it has nothing any more"


def test_names_are_known_to_lead_to_the_host_that_the_site_leaves() -> None:
    moving = between(deployed(), "spare")
    assert addresses_of(MEDIA, moving.source) == [ADDRESSES["objects"]]
    assert addresses_of(MEDIA, moving.target) == [ADDRESSES["spare"]]
    assert addresses_of("mastodon.fedi.test", moving.source) == [ADDRESSES["mastodon"]]


def test_a_site_that_leaves_its_applications_own_host_is_passed_on_there() -> None:
    moving = between(deployed("mastodon"), "spare")
    assert moving.spared == []
    state = moving.at_rest_once_closed().hosts["mastodon"]
    assert f"reverse_proxy https://{ADDRESSES['spare']} {{" in site_of(state)
    assert site_of(moving.target.hosts["mastodon"]) == ""


def test_a_host_that_is_left_by_both_passes_on_the_one_and_keeps_the_page_of_the_other() -> None:
    moving = between(deployed("mastodon"), "spare", mastodon="spare")
    assert moving.pairs == [Pair("mastodon", "mastodon", "spare")]
    assert moving.busy == moving.passing == ["mastodon"]
    state = moving.once_closed().hosts["mastodon"]
    assert f"reverse_proxy https://{ADDRESSES['spare']} {{" in site_of(state)
    (page,) = (item for item in state.items if item.id == "file:/etc/caddy/sites/mastodon.fedi.test.caddy")
    assert page in deployed("mastodon").hosts["mastodon"].items, "as it was, with its page for those who come"
    assert {"tcp/80", "tcp/443"} <= {*open_on(state)}


def test_a_host_that_goes_on_with_the_database_lets_visitors_of_the_page_in_until_names_lead_elsewhere() -> None:
    database = {"postgresql": {"host": "mastodon"}}
    moving = between(deployed(policies=database), "objects", database, mastodon="spare")
    assert moving.busy == ["mastodon"]
    assert {"tcp/443", "tcp/5432"} <= {*open_on(moving.once_closed().hosts["mastodon"])}
    assert "tcp/443" not in open_on(moving.target.hosts["mastodon"])


def test_what_an_application_takes_along_is_no_site_of_its_own() -> None:
    assert between(deployed(), "objects", mastodon="spare").sites == ()


def test_a_site_that_nobody_had_is_looked_at_once_its_name_leads_there() -> None:
    old = deployed(policies={"bucket": S3})
    moving = between(old, "objects")
    assert moving.sites == (MovedSite(domain=MEDIA, application="mastodon", source="", target="objects"),)
    assert moving.passing == []
    assert moving.once_closed().hosts == moving.target.hosts
    assert addresses_of(MEDIA, moving.source) == []
    vouched = {check.domain for check in checks_before_names(moving.target, {MEDIA}) if isinstance(check, TlsIsValid)}
    assert vouched == {"mastodon.fedi.test"}


def test_where_what_was_begun_is_not_known_here_the_site_that_is_left_tells_it() -> None:
    """Everything is in its place already, but that the host which is left passes on still."""
    begun = between(deployed(), "spare")
    plan = plan_between(begun.once_closed(), begun.target)
    assert tuple(sites_that_come(plan, begun.source, ["mastodon"])) == begun.sites
