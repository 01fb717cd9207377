"""Databases: on the application's own host, or on one that several share."""

from typing import Any

import pytest

from fedikit.errors import ConfigurationError
from fedikit.model import (
    Container,
    Database,
    File,
    MariaDatabase,
    PostgresDatabase,
    Provision,
    SecretRef,
    SecretText,
    Unit,
    Variables,
)
from fedikit.policies import MariaPolicy, PostgresPolicy
from tests.model.example import configuration, environment, files, ids, only, place, probing, refusal, variables

POSTGRES = PostgresDatabase(name="probe", extensions=("pg_trgm",))
MARIA = MariaDatabase(name="probe")
PASSWORD = SecretRef(name="probe/database")
CONF = "/etc/postgresql/17/main/conf.d"
Kind = PostgresDatabase | MariaDatabase


def provided(policy: PostgresPolicy | MariaPolicy, request: Any, host: str = "mastodon") -> Provision:
    return policy.typed(place(host))(request)


def test_a_postgresql_database_on_its_own_host_opens_nothing() -> None:
    provision = provided(PostgresPolicy(), POSTGRES)

    assert [item.id for item in provision.items] == [
        "package:postgresql",
        "unit:postgresql@17-main.service",
        "database:postgresql/probe",
    ]
    assert provision.items[-1] == Database(
        engine="postgresql",
        name="probe",
        user="probe",
        password=SecretText(parts=(PASSWORD,)),
        collation="C.UTF-8",
        extensions=("pg_trgm",),
    )
    assert provision.facts == {
        "host": "127.0.0.1",
        "port": "5432",
        "user": "probe",
        "password": PASSWORD,
        "encrypted": "no",
    }
    assert provision.asks == ()


def test_a_mariadb_database_on_its_own_host_opens_nothing() -> None:
    provision = provided(MariaPolicy(), MARIA)

    assert [item.id for item in provision.items] == [
        "package:mariadb-server",
        "unit:mariadb.service",
        "database:mariadb/probe",
    ]
    database = provision.items[-1]
    assert isinstance(database, Database)
    assert (database.collation, database.clients) == ("utf8mb4_unicode_ci", ())
    assert provision.facts == {"host": "127.0.0.1", "port": "3306", "user": "probe", "password": PASSWORD}


@pytest.mark.parametrize("policy", [PostgresPolicy(host="mastodon"), MariaPolicy(host="mastodon")])
def test_the_host_that_all_share_may_be_the_applications_own(policy: PostgresPolicy | MariaPolicy) -> None:
    request: Kind = POSTGRES if isinstance(policy, PostgresPolicy) else MARIA

    assert provided(policy, request) == provided(type(policy)(), request)


@pytest.mark.parametrize(("policy", "request_"), [(PostgresPolicy(), POSTGRES), (MariaPolicy(), MARIA)])
def test_all_is_told_that_was_promised(policy: PostgresPolicy | MariaPolicy, request_: Kind) -> None:
    assert set(provided(policy, request_).facts) == set(request_.FACTS)


# On a host that several share

SHARED = environment({"postgresql": {"host": "spare"}, "mariadb": {"host": "spare"}})


def test_a_shared_server_lets_in_exactly_the_clients() -> None:
    written = files(SHARED.deployment(configuration("mastodon", "peertube")).hosts["spare"])

    assert {path: content for path, content in written.items() if path.startswith("/etc/postgresql/clients/")} == {
        "/etc/postgresql/clients/mastodon.conf": "hostssl mastodon mastodon 10.0.0.3/32 scram-sha-256\n",
        "/etc/postgresql/clients/peertube.conf": "hostssl peertube peertube 10.0.0.4/32 scram-sha-256\n",
    }
    assert written[f"{CONF}/fedikit.conf"] == f"listen_addresses = '*'\nhba_file = '{CONF}/access'\n"
    assert [line for line in written[f"{CONF}/access"].splitlines() if not line.startswith("#")] == [
        "local all postgres peer",
        "local all all peer",
        "host all all 127.0.0.1/32 scram-sha-256",
        "host all all ::1/128 scram-sha-256",
        "include_dir /etc/postgresql/clients",
    ]


def test_an_ipv6_client_is_one_address_too() -> None:
    shared = only({"probe": "six"}, {"postgresql": {"host": "spare"}})

    written = files(shared.deployment(probing(database=POSTGRES)).hosts["spare"])

    assert written["/etc/postgresql/clients/probe.conf"] == "hostssl probe probe 2001:db8::7/128 scram-sha-256\n"


def test_both_hosts_get_their_part() -> None:
    deployment = SHARED.deployment(configuration("mastodon", "pixelfed"))

    assert ids(deployment.hosts["spare"]) == [
        "package:postgresql",
        "directory:/etc/postgresql/clients",
        "file:/etc/postgresql/clients/mastodon.conf",
        f"file:{CONF}/access",
        f"file:{CONF}/fedikit.conf",
        "unit:postgresql@17-main.service",
        "database:postgresql/mastodon",
        "package:mariadb-server",
        "file:/etc/mysql/mariadb.conf.d/90-fedikit.cnf",
        "unit:mariadb.service",
        "database:mariadb/pixelfed",
    ]
    for host in ("mastodon", "pixelfed"):
        assert not [id for id in ids(deployment.hosts[host]) if "postgresql" in id or "mariadb" in id]
    assert variables(deployment, "mastodon")["DB_HOST"] == "10.0.0.6"
    assert variables(deployment, "pixelfed")["DB_HOST"] == "10.0.0.6"


def test_a_shared_mariadb_listens_and_knows_where_its_user_comes_from() -> None:
    state = SHARED.deployment(configuration("pixelfed")).hosts["spare"]

    (database,) = (item for item in state.items if isinstance(item, Database))
    assert database.clients == ("10.0.0.5",)
    assert files(state) == {"/etc/mysql/mariadb.conf.d/90-fedikit.cnf": "[mariadbd]\nbind-address = *\n"}


def test_a_new_client_reloads_postgresql_and_restarts_nothing() -> None:
    state = SHARED.deployment(configuration("mastodon", "peertube")).hosts["spare"]

    (unit,) = (item for item in state.items if isinstance(item, Unit))
    assert unit.restart_on == (f"file:{CONF}/fedikit.conf",)
    assert set(unit.reload_on) == {f"file:/etc/postgresql/clients/{name}.conf" for name in ("mastodon", "peertube")}


def test_an_application_learns_whether_its_connection_must_be_encrypted() -> None:
    told = Variables(name="probe", values={"SSL": POSTGRES.if_encrypted("require", "off")})
    asked = probing(database=POSTGRES, web=Container(name="web", image="registry.test/a:1", variables=told))

    for policies, word in (({}, "off"), ({"postgresql": {"host": "objects"}}, "require")):
        state = only({"probe": "spare"}, policies).deployment(asked).hosts["spare"]
        assert files(state)["/etc/fedikit/probe.env"] == f"SSL={word}\n"


@pytest.mark.parametrize(
    ("policies", "broken"), [({"postgresql": {"host": "spare"}}, "spare"), ({"mariadb": {"host": "spare"}}, "pixelfed")]
)
def test_hosts_that_share_a_server_need_ip_addresses(policies: dict[str, Any], broken: str) -> None:
    named = environment(policies)
    host = named.hosts[broken].model_copy(update={"address": "host.example.org"})
    named = named.model_copy(update={"hosts": {**named.hosts, broken: host}})
    application = "mastodon" if "postgresql" in policies else "pixelfed"

    assert (f"hosts.{broken}.address", f"should be an IP address: {application} shares a server with others") in (
        refusal(named, configuration(application))
    )


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_a_host_that_is_none_is_named_when_the_environment_is_read(kind: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        environment({kind: {"host": "spar"}})

    assert [(mistake.path, mistake.message) for mistake in refused.value.mistakes] == [
        (f"policies.{kind}.host", 'names "spar", which is no host; did you mean "spare"?')
    ]


def test_only_files_hold_no_password() -> None:
    state = SHARED.deployment(configuration("mastodon", "peertube", "pixelfed")).hosts["spare"]

    assert not [item for item in state.items if isinstance(item, File) and isinstance(item.content, SecretText)]


def test_an_application_waits_for_the_host_of_its_database() -> None:
    shared = environment({"postgresql": {"host": "objects"}}).deployment(configuration("mastodon"))

    assert {name: state.after for name, state in shared.hosts.items() if state.after} == {"mastodon": ("objects",)}


def test_hosts_that_would_wait_for_each_other_are_refused() -> None:
    crossed = environment({"postgresql": {"host": "pixelfed"}, "mariadb": {"host": "mastodon"}})

    with pytest.raises(ConfigurationError, match="would wait for each other"):
        crossed.deployment(configuration("mastodon", "pixelfed"))
