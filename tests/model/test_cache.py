"""Caches: an instance of its own for each application, on its host."""

import pytest

from fedikit.model import Cache, Directory, File, Provision, SecretRef, Unit
from fedikit.policies import CachePolicy
from tests.model.example import only, place, probing, probing_several, refusal, text

CACHE = Cache(name="probe", at=6400)
EXPECTED = """\
bind 127.0.0.1 -::1
port 6400
supervised systemd
daemonize no
pidfile /run/{means}-probe/{means}-server.pid
logfile ""
dir /var/lib/{means}/probe
appendonly yes
save 900 1
requirepass <probe/cache password 1>
"""


def provided(policy: CachePolicy, cache: Cache = CACHE) -> Provision:
    return policy.typed(place())(cache)


@pytest.mark.parametrize("means", ["redis", "valkey"])
def test_an_instance_has_its_own_settings_data_and_unit(means: str) -> None:
    package, data, settings, unit = provided(CachePolicy.model_validate({"means": means})).items

    assert package.id == f"package:{means}-server"
    assert data == Directory(path=f"/var/lib/{means}/probe", mode="0750", owner=means, group=means, data=True)
    assert isinstance(settings, File)
    assert (settings.path, settings.mode, settings.group) == (f"/etc/{means}/{means}-probe.conf", "0640", means)
    assert text(settings.content) == EXPECTED.replace("{means}", means)
    assert unit == Unit(name=f"{means}-server@probe.service", restart_on=(settings.id,))


def test_a_limit_of_memory_never_drops_what_is_there() -> None:
    settings = provided(CachePolicy(), Cache(name="probe", at=6400, max_megabytes=64)).items[2]

    assert isinstance(settings, File)
    assert "save 900 1\nmaxmemory 64mb\nmaxmemory-policy noeviction\nrequirepass " in text(settings.content)


def test_the_application_learns_where_it_answers() -> None:
    facts = provided(CachePolicy()).facts

    assert facts == {"host": "127.0.0.1", "port": "6400", "password": SecretRef(name="probe/cache")}
    assert set(facts) == set(CACHE.FACTS)


def test_two_at_one_port_are_refused_and_named() -> None:
    both = probing_several(alpha={"cache": Cache(name="alpha", at=6400)}, beta={"cache": Cache(name="beta", at=6400)})

    assert refusal(only({"alpha": "spare", "beta": "spare"}), both) == [
        (
            "placement.beta",
            "brings redis-server@beta.service, which listens at port 6400 of spare, "
            "and so does redis-server@alpha.service",
        )
    ]


def test_valkey_instead_of_redis_changes_nothing_else() -> None:
    redis, valkey = (
        only({"probe": "spare"}, {"cache": {"means": means}}).deployment(probing(cache=CACHE)).hosts["spare"]
        for means in ("redis", "valkey")
    )

    assert redis.model_dump_json().replace("redis", "valkey") == valkey.model_dump_json()
