"""Moves: what a plan takes from one host and begins on another, told of plans between two deployments."""

from typing import Any

import pytest

from fedikit.model import Deployment, File
from fedikit.results.moves import SHARED_SERVERS, Move, Waits, handovers_of, moves_of, waiting_in_vain, waits_of
from fedikit.results.plan import HostPlan, Plan, PlannedChange
from tests.model.example import MEDIA_SERVERS, configuration, environment
from tests.model.test_buckets import BUCKETS, S3


def deployed(*applications: str, policies: Any = None, placement: Any = None, **more: Any) -> Deployment:
    """What the applications come to."""
    return environment(policies, placement, **more).deployment(configuration(*applications or MEDIA_SERVERS))


def plan_between(
    old: Deployment, new: Deployment, *, purge: bool = False, down: tuple[str, ...] = (), limit: tuple[str, ...] = ()
) -> Plan:
    """What hosts would answer that are as the old deployment says, when the new one is wanted."""
    hosts = {
        host: HostPlan(host=host, error="cannot be reached") if host in down else host_plan(host, old, new, purge)
        for host in limit or new.hosts
    }
    return Plan(purpose="apply", deployment=new, hosts=hosts, purge=purge)


def host_plan(host: str, old: Deployment, new: Deployment, purge: bool) -> HostPlan:
    before = {item.id: bool(getattr(item, "data", False)) for item in old.hosts[host].items}
    after = {item.id: bool(getattr(item, "data", False)) for item in new.hosts[host].items}
    leaving = [
        PlannedChange(id=id, action="keep" if data and not purge else "delete", data=data)
        for id, data in before.items()
        if id not in after
    ]
    arriving = [PlannedChange(id=id, action="create", data=data) for id, data in after.items() if id not in before]
    texts = {file.id: file.content for file in old.hosts[host].items if isinstance(file, File)}
    edited = [
        PlannedChange(id=file.id, action="update", before=was)
        for file in new.hosts[host].items
        if isinstance(file, File) and isinstance(was := texts.get(file.id), str) and was != file.content
    ]
    return HostPlan(host=host, changes=(*leaving, *edited, *arriving))


def told(moves: tuple[Move, ...]) -> set[tuple[str, str, str, str]]:
    return {(move.kind, move.name, move.source, move.target) for move in moves}


def after_of(waits: Waits) -> dict[str, tuple[str, ...]]:
    assert waits.unmet == (), [str(each) for each in waits.unmet]
    return waits.after


USUAL = deployed()
MOVED = deployed(placement={"mastodon": "spare"})


# Data


def test_nothing_moves_where_nothing_is_placed_anew() -> None:
    for new in (USUAL, deployed("mastodon"), environment().empty()):
        assert moves_of(plan_between(USUAL, new)) == ()
        assert waits_of(plan_between(USUAL, new)) == Waits(after={})
    assert moves_of(plan_between(environment().empty(), USUAL)) == ()


def test_an_application_that_is_placed_elsewhere_leaves_its_data_behind() -> None:
    moves = moves_of(plan_between(USUAL, MOVED))

    assert told(moves) == {
        ("database", "mastodon", "mastodon", "spare"),
        ("directory", "/var/lib/redis/mastodon", "mastodon", "spare"),
    }
    assert str(next(move for move in moves if move.kind == "database")) == (
        "the database mastodon stays on mastodon with all that is in it; on spare it begins empty: data does not "
        "follow (fedikit move brings it along)"
    )


def test_what_is_purged_is_said_to_be_lost() -> None:
    (database,) = (move for move in moves_of(plan_between(USUAL, MOVED, purge=True)) if move.kind == "database")

    assert database.is_lost
    assert str(database) == (
        "the database mastodon is destroyed on mastodon with all that is in it; on spare it begins empty: data does "
        "not follow, and nothing is left to bring (copy it before)"
    )


def test_garage_on_another_host_begins_with_empty_buckets() -> None:
    new = deployed(policies={"bucket": {"means": "garage", "host": "spare"}})

    assert told(moves_of(plan_between(USUAL, new))) == {
        *(("bucket", name, "objects", "spare") for name in BUCKETS),
        ("directory", "/srv/garage-meta", "objects", "spare"),
        ("directory", "/srv/garage-data", "objects", "spare"),
    }


def test_buckets_that_go_to_a_provider_are_known_by_their_checks() -> None:
    moves = moves_of(plan_between(USUAL, deployed(policies={"bucket": S3})))

    assert told(moves) == {("bucket", name, "objects", "https://s3.example.org") for name in BUCKETS}
    assert "at https://s3.example.org it begins with whatever is there" in str(moves[0])


BACKUP = {"backup": {"repository": "/srv/backups"}}
AT_A_PROVIDER = deployed("mastodon", policies=BACKUP | {"bucket": S3})


def test_a_providers_bucket_is_left_too_as_far_as_hosts_know_it_from_backups() -> None:
    (move,) = moves_of(plan_between(AT_A_PROVIDER, deployed("mastodon", policies=BACKUP)))
    assert str(move).startswith(
        "the bucket mastodon stays at https://s3.example.org with all that is in it; on objects"
    )
    assert (move.seen_on, move.arrives) == ("mastodon", "bucket:mastodon")

    other = S3 | {"endpoint": "https://s3.example.net"}
    (move,) = moves_of(plan_between(AT_A_PROVIDER, deployed("mastodon", policies=BACKUP | {"bucket": other})))
    assert (move.source, move.target, move.begins) == ("https://s3.example.org", "https://s3.example.net", "unknown")

    renamed = deployed("mastodon", policies=BACKUP | {"bucket": S3 | {"prefix": "", "media": {"mastodon": "a.test"}}})
    assert [move.name for move in moves_of(plan_between(AT_A_PROVIDER, renamed))] == ["mastodon"]


HAVE_BUCKETS = (*MEDIA_SERVERS, "gotosocial")


def with_buckets(policies: Any = None) -> Deployment:
    return deployed(*HAVE_BUCKETS, policies=policies, placement={"gotosocial": "spare"})


def test_a_providers_bucket_is_known_without_backups_by_what_its_application_was_told() -> None:
    moves = moves_of(plan_between(with_buckets({"bucket": S3}), with_buckets()))
    assert {(move.name, move.seen_on, move.target) for move in moves} == {
        *((name, name.partition("-")[0], "objects") for name in BUCKETS),
        ("gotosocial", "spare", "objects"),
    }
    assert {move.source for move in moves} == {"https://s3.example.org", "s3.example.org"}

    renamed = S3 | {"prefix": "other-", "media": {f"other-{name}": f"{name}.example.org" for name in MEDIA_SERVERS}}
    moves = moves_of(plan_between(with_buckets({"bucket": S3}), with_buckets({"bucket": renamed})))
    assert {move.name for move in moves} == {*BUCKETS, "gotosocial"}


def test_without_backups_a_bucket_that_stays_or_that_a_host_has_is_no_providers() -> None:
    keyed = with_buckets({"bucket": S3 | {"access_key": "AKIA2", "region": "eu-2"}})
    assert moves_of(plan_between(with_buckets({"bucket": S3}), keyed)) == ()
    elsewhere = plan_between(with_buckets(), with_buckets({"bucket": {"means": "garage", "host": "spare"}}))
    assert {move.source for move in moves_of(elsewhere)} == {"objects"}
    assert moves_of(plan_between(environment().empty(), with_buckets({"bucket": S3}))) == ()


def test_what_is_backed_up_from_now_on_is_known_by_what_its_application_was_told() -> None:
    (move,) = moves_of(
        plan_between(deployed("mastodon", policies={"bucket": S3}), deployed("mastodon", policies=BACKUP))
    )
    assert (move.source, move.target) == ("https://s3.example.org", "objects")


def test_a_bucket_that_is_reached_by_another_address_stays_where_it_is() -> None:
    here, there = (deployed("mastodon", policies=BACKUP, placement={"mastodon": host}) for host in ("spare", "objects"))
    assert [move.kind for move in moves_of(plan_between(here, here))] == []
    assert "bucket" not in {move.kind for move in moves_of(plan_between(here, there))}


@pytest.mark.parametrize("written", ["", "no JSON", "[]", '{"parts": 1}', '{"parts": [{"kind": "bucket"}]}'])
def test_what_a_host_has_written_down_otherwise_says_nothing(written: str) -> None:
    plan = plan_between(AT_A_PROVIDER, deployed("mastodon", policies=BACKUP))
    told = plan.hosts["mastodon"]
    changes = tuple(change.model_copy(update={"before": written}) for change in told.changes)
    hosts = {**plan.hosts, "mastodon": told.model_copy(update={"changes": changes})}
    assert moves_of(plan.model_copy(update={"hosts": hosts})) == ()


def test_a_bucket_that_was_kept_when_it_went_to_a_provider_is_told_of_then_only() -> None:
    """Not by every later plan: what is kept there stays until a purge."""
    at_provider = deployed("mastodon", policies={"bucket": S3})
    keyed = deployed("mastodon", policies={"bucket": S3 | {"access_key": "AKIA2"}})
    kept = HostPlan(host="objects", kept=("bucket:mastodon",))
    later = plan_between(at_provider, keyed)
    assert moves_of(later.model_copy(update={"hosts": later.hosts | {"objects": kept}})) == ()

    back_on = plan_between(environment().empty(), at_provider)
    (move,) = moves_of(back_on.model_copy(update={"hosts": back_on.hosts | {"objects": kept}}))
    assert (move.source, move.target) == ("objects", "https://s3.example.org")


def test_a_disabled_applications_bucket_goes_to_no_provider() -> None:
    new = deployed("mastodon", policies={"bucket": S3})

    assert told(moves_of(plan_between(USUAL, new))) == {("bucket", "mastodon", "objects", "https://s3.example.org")}


@pytest.mark.parametrize(("engine", "application"), [("postgresql", "mastodon"), ("mariadb", "pixelfed")])
def test_a_database_that_goes_to_a_shared_server_and_back_begins_empty(engine: str, application: str) -> None:
    shared = deployed(application, policies={engine: {"host": "spare"}})

    to, back = plan_between(deployed(application), shared), plan_between(shared, deployed(application))
    assert told(moves_of(to)) == {("database", application, application, "spare")}
    assert told(moves_of(back)) == {("database", application, "spare", application)}


def test_data_in_a_directory_of_another_place_is_found_by_its_name() -> None:
    new = deployed("mastodon", policies={"cache": {"means": "valkey"}})
    (move,) = moves_of(plan_between(deployed("mastodon"), new))

    assert str(move).startswith(
        "the directory /var/lib/redis/mastodon stays on mastodon with all that is in it; "
        "on mastodon /var/lib/valkey/mastodon begins empty: data does not follow"
    )


def test_an_application_that_comes_back_finds_what_it_left_then() -> None:
    there = PlannedChange(id="database:postgresql/mastodon", action="keep", data=True)
    plan = plan_between(USUAL, MOVED, limit=("mastodon", "spare"))
    adopting = HostPlan(host="spare", changes=(there.model_copy(update={"action": "adopt"}),))
    (move,) = moves_of(plan.model_copy(update={"hosts": plan.hosts | {"spare": adopting}}))

    assert "on spare it begins with what was left there earlier" in str(move)


def test_what_was_kept_at_an_earlier_time_is_told_too() -> None:
    """The application was off for a while, and is on again elsewhere."""
    plan = plan_between(environment().empty(), MOVED)
    kept = HostPlan(host="mastodon", kept=("database:postgresql/mastodon", "file:/etc/edited"))
    moves = moves_of(plan.model_copy(update={"hosts": plan.hosts | {"mastodon": kept}}))

    assert told(moves) == {("database", "mastodon", "mastodon", "spare")}


def test_data_that_goes_to_a_host_that_is_down_is_told_too() -> None:
    moves = moves_of(plan_between(USUAL, MOVED, down=("spare",)))

    assert ("database", "mastodon", "mastodon", "spare") in told(moves)
    assert "on spare it begins with whatever is there" in str(moves[0])


def test_a_second_place_is_no_move() -> None:
    both = USUAL.model_copy(update={"hosts": USUAL.hosts | {"spare": MOVED.hosts["spare"]}})
    assert moves_of(plan_between(USUAL, both)) == ()
    assert waits_of(plan_between(USUAL, both)) == Waits(after={})


# Order


def test_the_host_that_an_application_leaves_waits_for_the_new_one() -> None:
    assert after_of(waits_of(plan_between(USUAL, MOVED))) == {"mastodon": ("spare",)}
    (handover,) = handovers_of(plan_between(USUAL, MOVED))
    assert "unit:mastodon-web.service" in handover.ids
    assert not SHARED_SERVERS & set(handover.ids)


def test_it_waits_also_for_one_that_is_down() -> None:
    assert after_of(waits_of(plan_between(USUAL, MOVED, down=("spare",)))) == {"mastodon": ("spare",)}


def test_a_host_that_is_down_holds_up_nobody_who_gives_nothing_to_it() -> None:
    both = deployed("mastodon", "pixelfed")
    assert waits_of(plan_between(both, deployed("pixelfed"), down=("pixelfed",))) == Waits(after={})


def test_a_server_leaves_after_all_that_use_it_went_to_the_new_one() -> None:
    new = deployed(policies={"bucket": {"means": "garage", "host": "spare"}})
    assert after_of(waits_of(plan_between(USUAL, new))) == {"objects": ("spare", *MEDIA_SERVERS)}


def test_a_swap_has_an_order_and_says_what_is_not_there_for_a_while() -> None:
    swapped = deployed(placement={"mastodon": "peertube", "peertube": "mastodon"})
    waits = waits_of(plan_between(USUAL, swapped))

    assert waits.after == {"mastodon": ("peertube",)}
    (unmet,) = waits.unmet
    assert (unmet.leaving, unmet.taking) == ("peertube", "mastodon")
    assert str(unmet).startswith("peertube loses ")
    assert str(unmet).endswith(" before mastodon has it: they would wait for each other")
    assert waits == waits_of(plan_between(USUAL, swapped))


def test_what_the_provider_orders_is_done_and_what_follows_is_said() -> None:
    hosts = {
        name: state.connection.model_dump() | ({"after": ["mastodon"]} if name == "spare" else {})
        for name, state in USUAL.hosts.items()
    }
    waits = waits_of(plan_between(USUAL, deployed(placement={"mastodon": "spare"}, hosts=hosts)))

    assert waits.after == {}
    assert [(each.leaving, each.taking) for each in waits.unmet] == [("mastodon", "spare")]


def test_a_plan_without_the_new_host_says_so() -> None:
    (unmet,) = waits_of(plan_between(USUAL, MOVED, limit=("mastodon", "objects"))).unmet
    assert str(unmet).endswith("before spare has it: spare is not part of this plan")


def test_the_servers_that_several_applications_share_are_all_known() -> None:
    units = [item.id for state in USUAL.hosts.values() for item in state.items if item.kind == "unit"]
    assert {unit for unit in units if units.count(unit) > 1} <= SHARED_SERVERS
    assert set(units) >= SHARED_SERVERS


# Garage on several hosts


def spread(*hosts: str, **more: Any) -> Deployment:
    return deployed("mastodon", policies={"bucket": {"means": "garage", "hosts": hosts, **more}})


def test_a_host_that_leaves_garage_waits_until_the_first_has_brought_its_data_to_the_others() -> None:
    plan = plan_between(spread("objects", "spare", "six"), spread("objects", "six"))

    assert after_of(waits_of(plan)) == {"spare": ("objects",)}
    (handover,) = handovers_of(plan)
    assert (
        str(handover.model_copy(update={"unmet": "x"}))
        == "spare loses what Garage keeps there before objects has it: x"
    )


def test_one_that_takes_the_place_of_another_gets_its_data() -> None:
    plan = plan_between(spread("objects", "spare"), spread("objects", "six"))

    assert moves_of(plan) == ()
    assert after_of(waits_of(plan))["spare"] == ("six", "objects")


def test_nobody_waits_for_a_bucket_that_cannot_be_made_now() -> None:
    new = spread("objects", "spare")
    waiting = PlannedChange(id="job:garage bucket mastodon", action="run")
    hosts = {"mastodon": HostPlan(host="mastodon", changes=(waiting,)), "spare": HostPlan(host="spare")}
    for leader, vain in [
        (HostPlan(host="objects"), {}),
        (HostPlan(host="objects", error="cannot be reached"), {"mastodon": "objects"}),
        (
            HostPlan(host="objects", changes=(PlannedChange(id="cluster:garage", action="blocked"),)),
            {"mastodon": "objects"},
        ),
    ]:
        plan = Plan(purpose="apply", deployment=new, hosts=hosts | {"objects": leader})
        assert waiting_in_vain(plan) == vain


def test_a_garage_that_leaves_all_its_hosts_waits_for_nobody() -> None:
    plan = plan_between(spread("objects", "spare"), environment().empty())

    assert waits_of(plan) == Waits(after={})


def test_objects_of_one_garage_do_not_follow_into_one_on_several_elsewhere() -> None:
    alone = deployed("mastodon", policies={"bucket": {"means": "garage", "host": "spare"}})

    assert told(moves_of(plan_between(alone, spread("objects", "six")))) == {("bucket", "mastodon", "spare", "objects")}
    assert moves_of(plan_between(alone, spread("spare", "six"))) == ()
