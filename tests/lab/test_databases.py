"""Databases in Debian's real servers: made, mended, kept, dropped; reached as an application reaches them."""

from collections.abc import Callable, Iterator
from typing import Any
from zlib import crc32

import pytest

from fedikit.apply import apply_plan
from fedikit.environment.environment import Environment
from fedikit.model.deployment import Secrets
from fedikit.model.host import HostState, Ssh
from fedikit.model.item import Database, Item, Package, SecretRef, SecretText, Unit
from fedikit.plan import make_plan
from fedikit.results.plan import HostPlan, Plan
from fedikit.results.report import Report
from fedikit.secrets import Vault
from fedikit_lab import Lab, Machine
from fedikit_lab.shell import Result

pytestmark = pytest.mark.lab

SERVERS = (
    Package(name="postgresql"),
    Package(name="mariadb-server"),
    Unit(name="postgresql@17-main.service"),
    Unit(name="mariadb.service"),
)
COLLATIONS = {"postgresql": "C.UTF-8", "mariadb": "utf8mb4_unicode_ci"}
EXTENSIONS: dict[str, tuple[str, ...]] = {"postgresql": ("pg_trgm", "unaccent"), "mariadb": ()}
ENGINES = pytest.mark.parametrize("engine", COLLATIONS)
TRACES = "dpkg-query -W; cat /etc/passwd; find /var/lib/*sql* -maxdepth 1 2>/dev/null; true"
LOGS = "cat /var/log/postgresql/*.log /var/lib/mysql/general.log; journalctl --no-pager"


class Site:
    """A deployment of its own on a machine."""

    def __init__(self, machine: Machine, secrets: Secrets, name: str) -> None:
        self.machine = machine
        connection = Ssh(address=machine.address, host_key=machine.host_key, identity_file=str(machine.key_file))
        self.environment = Environment(name=name, hosts={"one": connection}, secrets=secrets)

    def make_plan(self, *items: Item, purge: bool = False) -> Plan:
        host = HostState(connection=self.environment.hosts["one"], items=items)
        return make_plan(self.environment.empty().model_copy(update={"hosts": {"one": host}}), purge=purge)

    def plan(self, *items: Item) -> HostPlan:
        plan = self.make_plan(*items)
        return plan.hosts["one"]

    def reasons(self, *items: Item) -> list[tuple[str, str]]:
        """What would happen to each item that is not as wanted, and why."""
        return [(change.action, ", ".join(change.reasons)) for change in self.plan(*items).changes]

    def apply(self, *items: Item) -> Report:
        return self._apply(self.make_plan(*items))

    def purge(self, *items: Item) -> Report:
        return self._apply(self.make_plan(*items, purge=True))

    def _apply(self, plan: Plan) -> Report:
        report = apply_plan(plan)
        assert report.succeeded, report
        return report

    def password(self, database: Database) -> str:
        return Vault.of(self.environment.empty()).text(database.password)

    def sql(self, database: Database, statement: str, *, password: str = "") -> Result:
        """What the server answers the database's user, who comes by TCP with the password."""
        password = password or self.password(database)
        if database.engine == "postgresql":
            login = (
                f"PGPASSWORD={password} psql -XAtq -v ON_ERROR_STOP=1 -h 127.0.0.1 -U {database.user} {database.name}"
            )
        else:
            login = f"MYSQL_PWD={password} mariadb -N -h 127.0.0.1 -u {database.user} {database.name}"
        return self.machine.run(login, stdin=statement)

    def may_log_in(self, database: Database, *, password: str = "") -> bool:
        return self.sql(database, "SELECT 1;", password=password).stdout == "1\n"

    def as_admin(self, engine: str, statement: str) -> str:
        """What the server answers its administrator."""
        login = "runuser -u postgres -- psql -XAtq -v ON_ERROR_STOP=1" if engine == "postgresql" else "mariadb -N"
        result = self.machine.run(login, stdin=statement)
        assert result.exit_status == 0, result
        return result.stdout


def database(engine: Any, name: str, **fields: Any) -> Database:
    password = SecretText(parts=(SecretRef(name=name.replace("_", "-"), version=fields.pop("version", 1)),))
    usual = {"user": name, "collation": COLLATIONS[engine], "password": password}
    return Database(engine=engine, name=name, **(usual | fields))


@pytest.fixture(scope="module")
def lab(lab_directory: Callable[[str], Any]) -> Iterator[Lab]:
    """A machine `one` with both servers, which a deployment called servers brought, and a new one, `two`."""
    with Lab(lab_directory("databases"), ["one", "two"], acme=False) as lab:
        Site(lab["one"], _secrets(lab), "servers").apply(*SERVERS)
        lab["one"].succeed("mariadb -e \"SET GLOBAL general_log_file = '/var/lib/mysql/general.log', general_log = 1\"")
        lab["one"].succeed("echo \"log_statement = 'all'\" >/etc/postgresql/17/main/conf.d/log.conf")
        lab["one"].succeed("systemctl reload postgresql@17-main.service")
        yield lab


def _secrets(lab: Lab) -> Secrets:
    return Secrets(master_key=f"file:{lab.directory / 'master.key'}")


@pytest.fixture
def site(lab: Lab, request: pytest.FixtureRequest) -> Site:
    return Site(lab["one"], _secrets(lab), f"site{crc32(request.node.name.encode())}")


def test_databases_come_with_their_servers_and_leave_with_them_without_a_trace(lab: Lab) -> None:
    site = Site(lab["two"], _secrets(lab), "whole")
    before = site.machine.succeed(TRACES)
    apps = [database(engine, f"whole_{engine}", extensions=EXTENSIONS[engine]) for engine in COLLATIONS]
    site.apply(*SERVERS, *apps)
    assert site.plan(*SERVERS, *apps).is_noop
    assert all(site.may_log_in(app) for app in apps)
    site.apply()
    assert set(site.plan().kept) == {app.id for app in apps}
    site.purge()
    assert site.machine.succeed(TRACES) == before


@ENGINES
def test_a_database_is_made_and_is_as_wanted_from_then_on(site: Site, engine: str) -> None:
    app = database(engine, f"made_{engine}")
    assert site.reasons(app) == [("create", "absent")]
    site.apply(app)
    assert site.sql(app, "CREATE TABLE posts (text varchar(9)); INSERT INTO posts VALUES ('ä€😀');").exit_status == 0
    assert site.sql(app, "SELECT text FROM posts;").stdout == "ä€😀\n"
    assert site.plan(app).is_noop
    assert not site.may_log_in(app, password="wrong")


@ENGINES
def test_its_password_is_in_no_log_and_no_record(site: Site, engine: str) -> None:
    app = database(engine, f"quiet_{engine}")
    site.apply(app)
    site.apply(app.model_copy(update={"password": database(engine, app.name, version=2).password}))
    logs = site.machine.succeed(LOGS) + site.machine.succeed("cat $(find /var/lib/fedikit -name '*.json')")
    assert app.name in logs
    for word in (site.password(app), "SCRAM-SHA-256$", "IDENTIFIED VIA"):
        assert word not in logs


@ENGINES
def test_a_new_password_is_set_and_the_old_one_does_not_open_it_any_more(site: Site, engine: str) -> None:
    old, new = (database(engine, f"turned_{engine}", version=version) for version in (1, 2))
    site.apply(old)
    assert site.reasons(new) == [("update", "password changed")]
    site.apply(new)
    assert site.may_log_in(new)
    assert not site.may_log_in(new, password=site.password(old))
    assert site.plan(new).is_noop


@ENGINES
def test_a_password_that_was_changed_by_hand_is_noticed_and_set_again(site: Site, engine: str) -> None:
    app = database(engine, f"hand_{engine}")
    site.apply(app)
    tongue = {
        "postgresql": f"ALTER ROLE {app.user} PASSWORD 'other'",
        "mariadb": f"ALTER USER {app.user}@localhost IDENTIFIED BY 'other'",
    }
    site.as_admin(engine, tongue[engine] + ";")
    (change,) = site.plan(app).changes
    assert change.reasons == ("password was changed by hand on the host",)
    assert change.drift
    site.apply(app)
    assert site.may_log_in(app)


@ENGINES
def test_a_database_that_leaves_is_kept_and_comes_back_until_it_is_purged(site: Site, engine: str) -> None:
    app = database(engine, f"kept_{engine}")
    site.apply(app)
    site.sql(app, "CREATE TABLE posts (id integer);")
    assert site.reasons() == [("keep", "bears data")]
    site.apply()
    assert site.plan().kept == (app.id,)
    assert site.reasons(app) == [("adopt", "")]
    site.apply(app)
    assert site.sql(app, "SELECT count(*) FROM posts;").stdout == "0\n"
    site.purge()
    assert not site.may_log_in(app)
    assert site.reasons(app) == [("create", "absent")]
    assert site.plan().is_noop


@ENGINES
def test_a_purge_does_not_wait_for_those_who_are_connected(site: Site, engine: str) -> None:
    app = database(engine, f"busy_{engine}")
    site.apply(app)
    site.sql(app, "CREATE TABLE posts (id integer);")
    sleep = {"postgresql": "pg_sleep(60)", "mariadb": "sleep(60)"}[engine]
    site.machine.succeed(f"echo {site.password(app)} >/root/password")
    login = {
        "postgresql": f"PGPASSWORD=$(cat /root/password) psql -X -h 127.0.0.1 -U {app.user} {app.name}",
        "mariadb": f"MYSQL_PWD=$(cat /root/password) mariadb -h 127.0.0.1 -u {app.user} {app.name}",
    }[engine]
    session = f"echo 'BEGIN; SELECT * FROM posts; SELECT {sleep};' | {login}"
    site.machine.succeed(f'nohup sh -c "{session}" >/tmp/session.{engine} 2>&1 </dev/null &')
    sleeping = {
        "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60);'",
        "mariadb": "SELECT count(*) FROM information_schema.PROCESSLIST WHERE INFO LIKE 'SELECT sleep(60)'",
    }[engine]
    admin = "runuser -u postgres -- psql -XAtqc" if engine == "postgresql" else "mariadb -Ne"
    site.machine.wait_until_succeeds(f'test "$({admin} "{sleeping}")" = 1')
    site.purge()
    assert not site.may_log_in(app)


@ENGINES
def test_what_was_there_before_is_adopted_if_it_is_the_users_and_never_purged(site: Site, engine: str) -> None:
    app = database(engine, f"before_{engine}")
    make = {
        "postgresql": f"CREATE ROLE {app.user};\nCREATE DATABASE {app.name} OWNER {app.user} TEMPLATE template0"
        " ENCODING 'UTF8' LOCALE 'C.utf8';",
        "mariadb": f"CREATE DATABASE {app.name} CHARACTER SET utf8mb4 COLLATE {COLLATIONS['mariadb']};"
        f"CREATE USER {app.user}@localhost; GRANT ALL ON {app.name}.* TO {app.user}@localhost;",
    }[engine]
    site.as_admin(engine, make)
    assert site.reasons(app)[0][0] == "update"
    site.apply(app)
    assert site.may_log_in(app)
    assert site.plan(app).is_noop
    site.purge()
    assert site.may_log_in(app)


@ENGINES
def test_a_strangers_database_blocks_and_is_not_touched(site: Site, engine: str) -> None:
    app = database(engine, f"strange_{engine}")
    site.as_admin(engine, f"CREATE DATABASE {app.name};")
    action, reason = site.reasons(app)[0]
    assert (action, "was not made by fedikit" in reason) == ("blocked", True)


@ENGINES
def test_another_collation_blocks_for_it_cannot_be_changed(site: Site, engine: str) -> None:
    app = database(engine, f"sorted_{engine}")
    site.apply(app)
    other = {"postgresql": "C", "mariadb": "utf8mb4_bin"}[engine]
    (action, reason) = site.reasons(app.model_copy(update={"collation": other}))[0]
    assert (action, other in reason, "dump" in reason) == ("blocked", True, True)


@ENGINES
def test_a_superuser_is_never_a_databases_user(site: Site, engine: str) -> None:
    app = database(engine, f"risky_{engine}", user={"postgresql": "postgres", "mariadb": "root"}[engine])
    action, reason = site.reasons(app)[0]
    assert (action, "choose another name" in reason) == ("blocked", True)


@ENGINES
def test_a_host_that_forgot_fedikit_finds_its_own_database_again(site: Site, engine: str) -> None:
    app = database(engine, f"lost_{engine}")
    site.apply(app)
    site.machine.succeed(f"rm -r /var/lib/fedikit/deployments/{site.environment.name}")
    assert site.reasons(app) == [("update", "its password is not known")]
    site.apply(app)
    assert site.may_log_in(app)


@ENGINES
def test_a_user_with_another_name_takes_everything_over(site: Site, engine: str) -> None:
    app = database(engine, f"renamed_{engine}")
    site.apply(app)
    site.sql(app, "CREATE TABLE posts (id integer);")
    renamed = app.model_copy(update={"user": f"new_{engine}"})
    site.apply(renamed)
    assert site.sql(renamed, "ALTER TABLE posts ADD text varchar(9);").exit_status == 0
    assert not site.may_log_in(app)
    roles = {"postgresql": "SELECT rolname FROM pg_roles", "mariadb": "SELECT User FROM mysql.user"}[engine]
    assert app.user not in site.as_admin(engine, roles + ";").split()
    site.purge()


@ENGINES
def test_a_user_of_two_databases_leaves_with_the_last(site: Site, engine: str) -> None:
    one = database(engine, f"first_{engine}")
    two = one.model_copy(update={"name": f"second_{engine}"})
    site.apply(one, two)
    site.purge(one)
    assert site.may_log_in(one)
    site.purge()
    roles = {"postgresql": "SELECT rolname FROM pg_roles", "mariadb": "SELECT User FROM mysql.user"}[engine]
    assert one.user not in site.as_admin(engine, roles + ";").split()


def test_the_extensions_are_there(site: Site) -> None:
    app = database("postgresql", "extended", extensions=("pg_trgm",))
    site.apply(app)
    assert site.plan(app).is_noop
    more = app.model_copy(update={"extensions": ("pg_trgm", "unaccent")})
    assert site.reasons(more) == [("update", "no extension unaccent")]
    site.apply(more)
    assert site.sql(app, "SELECT unaccent('Hôtel');").stdout == "Hotel\n"


def test_another_user_of_postgresql_may_not_connect(site: Site) -> None:
    mine, other = database("postgresql", "mine"), database("postgresql", "other")
    site.apply(mine, other)
    guest = mine.model_copy(update={"user": "other"})
    assert "permission denied" in site.sql(guest, "SELECT 1;", password=site.password(other)).stderr
    site.as_admin("postgresql", "GRANT CONNECT ON DATABASE mine TO PUBLIC;")
    assert site.reasons(mine, other) == [("update", "every user of the server may connect")]


def test_another_owner_is_mended(site: Site) -> None:
    app = database("postgresql", "owned")
    site.apply(app)
    site.as_admin("postgresql", "CREATE ROLE thief; ALTER DATABASE owned OWNER TO thief;")
    assert site.reasons(app) == [("update", "owner thief → owned")]
    site.apply(app)
    assert site.plan(app).is_noop


def test_mariadb_lets_its_user_in_from_the_given_hosts_alone(site: Site) -> None:
    app = database("mariadb", "far", clients=("10.1.2.3", "fd00:0::7"))
    site.apply(app)
    hosts = "SELECT Host FROM mysql.user WHERE User = 'far' ORDER BY Host;"
    assert site.as_admin("mariadb", hosts).split() == ["10.1.2.3", "127.0.0.1", "::1", "fd00::7", "localhost"]
    fewer = app.model_copy(update={"clients": ("10.1.2.3",)})
    assert site.reasons(fewer) == [("update", "far has access from fd00::7")]
    site.apply(fewer)
    assert site.as_admin("mariadb", hosts).split() == ["10.1.2.3", "127.0.0.1", "::1", "localhost"]
    assert site.plan(fewer).is_noop


def test_an_underscore_in_a_name_stands_for_itself(site: Site) -> None:
    app = database("mariadb", "under_score")
    site.as_admin("mariadb", "CREATE DATABASE underxscore;")
    site.apply(app)
    neighbour = app.model_copy(update={"name": "underxscore"})
    assert "Access denied" in site.sql(neighbour, "SELECT 1;").stderr


@ENGINES
def test_a_server_that_is_stopped_is_said_and_nothing_is_forgotten(site: Site, engine: str) -> None:
    app = database(engine, f"still_{engine}")
    site.apply(app)
    unit = {"postgresql": "postgresql@17-main.service", "mariadb": "mariadb.service"}[engine]
    site.machine.succeed(f"systemctl stop {unit}")
    try:
        assert "does not answer" in site.reasons(app)[0][1]
        assert site.reasons() == [("keep", "bears data")]
    finally:
        site.machine.succeed(f"systemctl start {unit}")
    assert site.plan(app).is_noop
