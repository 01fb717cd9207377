"""Names brought to a real BIND: what is ours, what is somebody else's, and who comes at the same time."""

from pathlib import Path

import pytest

from fedikit.dns.plan import apply_dns_plan, make_dns_plan
from fedikit.errors import ConfigurationError, DnsRefused, SecretError
from fedikit.results.names import DnsPlan
from tests.dns.conftest import ZONE, Bind, wanting

SNAC, MEDIA = f"snac.{ZONE}", f"media.{ZONE}"
INDEX = f"_fedikit.{ZONE}"


def actions(plan: DnsPlan) -> dict[tuple[str, str], str]:
    return {(each.name, each.type): each.action for zone in plan.zones for each in zone.changes}


def bring(bind: Bind, *records: tuple[str, str], name: str = "home", consent: tuple[str, ...] = ()) -> DnsPlan:
    environment = bind.environment(name)
    plan = make_dns_plan(environment, wanting(environment, *records), consent=consent)
    apply_dns_plan(environment, plan)
    return plan


def test_a_name_that_is_not_there_is_made_and_then_is_as_wanted(bind: Bind) -> None:
    plan = bring(bind, (SNAC, "192.0.2.1"), (SNAC, "2001:db8::1"))
    assert actions(plan) == {(SNAC, "A"): "create", (SNAC, "AAAA"): "create"}
    assert (bind.ask(SNAC, "A"), bind.ask(SNAC, "AAAA")) == (["192.0.2.1"], ["2001:db8::1"])
    again = bring(bind, (SNAC, "192.0.2.1"), (SNAC, "2001:db8::1"))
    assert set(actions(again).values()) == {"same"}
    assert not again.has_changes


def test_a_plan_changes_nothing(bind: Bind) -> None:
    environment = bind.environment()
    assert make_dns_plan(environment, wanting(environment, (SNAC, "192.0.2.1"))).has_changes
    assert bind.ask(SNAC, "A") == bind.ask(INDEX, "TXT") == []


def test_a_host_that_moved_takes_its_name_along_and_a_family_that_is_gone_leaves(bind: Bind) -> None:
    bring(bind, (SNAC, "192.0.2.1"), (SNAC, "2001:db8::1"))
    plan = bring(bind, (SNAC, "192.0.2.9"))
    assert actions(plan) == {(SNAC, "A"): "update", (SNAC, "AAAA"): "delete"}
    assert (bind.ask(SNAC, "A"), bind.ask(SNAC, "AAAA")) == (["192.0.2.9"], [])


def test_what_left_the_deployment_goes_and_nothing_else_does(bind: Bind) -> None:
    bind.set(f"www.{ZONE}", "A", "198.51.100.7")
    bring(bind, (SNAC, "192.0.2.1"), (MEDIA, "192.0.2.1"))
    assert actions(bring(bind, (SNAC, "192.0.2.1")))[MEDIA, "A"] == "delete"
    assert bind.ask(MEDIA, "A") == []
    assert (bind.ask(SNAC, "A"), bind.ask(f"www.{ZONE}", "A")) == (["192.0.2.1"], ["198.51.100.7"])
    bring(bind)
    assert bind.ask(SNAC, "A") == bind.ask(INDEX, "TXT") == []


def test_what_somebody_edited_since_stays_when_it_leaves(bind: Bind) -> None:
    bring(bind, (MEDIA, "192.0.2.1"))
    bind.set(MEDIA, "A", "198.51.100.7")
    assert actions(bring(bind))[MEDIA, "A"] == "leave"
    assert (bind.ask(MEDIA, "A"), bind.ask(INDEX, "TXT")) == (["198.51.100.7"], [])


@pytest.mark.parametrize(
    ("kind", "value"), [("A", "198.51.100.7"), ("AAAA", "2001:db8::7"), ("CNAME", "a.example.net")]
)
def test_a_name_of_somebody_else_is_refused_until_it_is_consented_to(bind: Bind, kind: str, value: str) -> None:
    bind.set(SNAC, kind, f"{value}." if kind == "CNAME" else value)
    with pytest.raises(DnsRefused, match="would be taken from somebody else"):
        bring(bind, (SNAC, "192.0.2.1"), (MEDIA, "192.0.2.1"))
    assert (bind.ask(SNAC, kind)[:1], bind.ask(MEDIA, "A")) == ([value], [])
    bring(bind, (SNAC, "192.0.2.1"), consent=(SNAC,))
    assert bind.ask(SNAC, "A") == ["192.0.2.1"]
    assert bind.ask(SNAC, "AAAA") == bind.ask(SNAC, "CNAME") == []


def test_what_somebody_set_just_as_wanted_stays_theirs(bind: Bind) -> None:
    bind.set(SNAC, "A", "192.0.2.1")
    assert not bring(bind, (SNAC, "192.0.2.1")).has_changes
    bring(bind)
    assert bind.ask(SNAC, "A") == ["192.0.2.1"]


def test_another_environments_name_is_not_to_be_had_by_consent(bind: Bind) -> None:
    bring(bind, (SNAC, "192.0.2.1"), name="theirs")
    with pytest.raises(DnsRefused):
        bring(bind, (SNAC, "192.0.2.9"), consent=(SNAC,))
    bring(bind, (MEDIA, "192.0.2.9"))
    assert (bind.ask(SNAC, "A"), bind.ask(MEDIA, "A")) == (["192.0.2.1"], ["192.0.2.9"])
    bring(bind, name="theirs")
    assert (bind.ask(SNAC, "A"), bind.ask(MEDIA, "A")) == ([], ["192.0.2.9"])


@pytest.mark.parametrize(("name", "kind", "value"), [
    (SNAC, "A", "198.51.100.7"), (SNAC, "AAAA", "2001:db8::7"), (SNAC, "CNAME", "a.example.net."),
    (INDEX, "TXT", '"environment=other name=snac.example.org"'),
])  # fmt: skip
def test_who_comes_between_plan_and_apply_is_not_overwritten(bind: Bind, name: str, kind: str, value: str) -> None:
    environment = bind.environment()
    plan = make_dns_plan(environment, wanting(environment, (SNAC, "192.0.2.1")))
    bind.set(name, kind, value)
    with pytest.raises(DnsRefused, match="somebody changed the zone"):
        apply_dns_plan(environment, plan)
    assert bind.ask(name, kind) == [value.rstrip(".")]


def test_another_ttl_is_a_change(bind: Bind) -> None:
    bring(bind, (SNAC, "192.0.2.1"))
    environment = bind.environment(ttl=600)
    plan = make_dns_plan(environment, wanting(environment, (SNAC, "192.0.2.1")))
    assert actions(plan) == {(SNAC, "A"): "update"}
    apply_dns_plan(environment, plan)
    assert not make_dns_plan(environment, wanting(environment, (SNAC, "192.0.2.1"))).has_changes


def test_strange_words_beside_ours_stay_as_they_are(bind: Bind) -> None:
    strange = r'"a \"quoted\" \\ word"'
    bind.set(INDEX, "TXT", strange)
    bring(bind, (SNAC, "192.0.2.1"))
    assert strange in bind.ask(INDEX, "TXT")
    bring(bind)
    assert bind.ask(INDEX, "TXT") == [strange]


def test_names_in_no_zone_of_the_environment_are_told(bind: Bind) -> None:
    plan = bring(bind, ("snac.example.net", "192.0.2.1"))
    assert [record.name for record in plan.elsewhere] == ["snac.example.net"]
    assert not plan.has_changes


def test_a_zone_that_takes_no_updates_says_so(bind: Bind) -> None:
    environment = bind.environment(zones=("closed.example",))
    plan = make_dns_plan(environment, wanting(environment, ("snac.closed.example", "192.0.2.1")))
    with pytest.raises(DnsRefused, match=r"does not change the zone closed\.example: REFUSED") as refused:
        apply_dns_plan(environment, plan)
    assert "may the key fedikit-key update that zone" in refused.value.hint


def test_a_wrong_key_is_told_in_words(bind: Bind, tmp_path: Path) -> None:
    key = tmp_path / "wrong.key"
    key.write_text("d3JvbmcK\n")
    key.chmod(0o600)
    for fields in ({"key": f"file:{key}"}, {"key_name": "nobody"}):
        environment = bind.environment(**fields)
        with pytest.raises(DnsRefused, match="does not know our key"):
            make_dns_plan(environment, wanting(environment, (SNAC, "192.0.2.1")))
    key.write_text("not base64!\n")
    with pytest.raises(SecretError, match="is not in base64"):
        make_dns_plan(bind.environment(key=f"file:{key}"), wanting(bind.environment(), (SNAC, "192.0.2.1")))


def test_a_server_that_is_not_there_is_told_in_words(bind: Bind) -> None:
    environment = bind.environment(port=1)
    with pytest.raises(DnsRefused, match="port 1, gives no answer"):
        make_dns_plan(environment, wanting(environment, (SNAC, "192.0.2.1")))


def test_without_a_server_the_mistake_has_its_path(bind: Bind) -> None:
    environment = bind.environment().model_copy(update={"dns": None})
    with pytest.raises(ConfigurationError, match="dns: is missing"):
        make_dns_plan(environment, wanting(environment, (SNAC, "192.0.2.1")))
