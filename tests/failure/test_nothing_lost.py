"""Nothing of anybody else is lost: not their packages, data, files and services, nor those of another deployment."""

from collections.abc import Sequence
from typing import Any

import pytest

from fedikit.apply import apply_plan
from fedikit.environment.environment import Environment
from fedikit.model.deployment import Deployment, Secrets
from fedikit.model.host import HostState
from fedikit.model.item import Database, Directory, File, Item, Package, SecretRef, SecretText, Unit
from fedikit.plan import make_plan, make_removal
from fedikit.remote.sessions import Sessions
from fedikit.results.plan import HostPlan
from fedikit.results.report import Report
from fedikit_lab import Lab, Machine
from tests.failure.scene import applied, ssh_to
from tests.failure.truth import look_at, untruths

pytestmark = pytest.mark.lab

VENDOR_AGENT = """
mkdir -p /root/agent/DEBIAN
printf 'Package: vendor-agent\nVersion: 1\nArchitecture: all\nMaintainer: a vendor\nDepends: vendor-libs\n\
Description: an agent\n' >/root/agent/DEBIAN/control
dpkg-deb --build /root/agent /root/agent.deb
dpkg -i /root/agent.deb || true
"""
STATE = "dpkg-query --show --showformat '${Status}' "


class Site:
    """A deployment on one machine; several may be on the same."""

    def __init__(self, lab: Lab, machine: str, name: str = "ours") -> None:
        self.machine = lab[machine]
        self.environment = Environment(
            name=name,
            hosts={machine: ssh_to(self.machine)},
            secrets=Secrets(master_key=f"file:{lab.directory / 'master.key'}"),
        )
        self.host = machine

    def wants(self, items: Sequence[Item]) -> Deployment:
        state = HostState(connection=self.environment.hosts[self.host], items=tuple(items))
        return self.environment.empty().model_copy(update={"hosts": {self.host: state}})

    def plan(self, items: Sequence[Item]) -> HostPlan:
        return make_plan(self.wants(items)).hosts[self.host]

    def apply(self, items: Sequence[Item]) -> Report:
        report = applied(self.wants(items))
        assert report.succeeded, report
        return report

    def remove(self, *, purge: bool = False) -> dict[str, tuple[str, str]]:
        """Removes, and holds what was done against what the plan had said; returns the plan's lines."""
        plan = make_removal(self.environment, purge=purge)
        host = plan.hosts[self.host]
        assert not host.error, host.error
        before = look_at(self.machine, host)
        report = apply_plan(plan)
        assert report.succeeded, report
        assert untruths(host, before, look_at(self.machine, host)) == []
        return {change.id: (change.action, ", ".join(change.reasons)) for change in host.changes}


def has(machine: Machine, path: str) -> bool:
    return machine.run(f"test -e {path}").exit_status == 0


@pytest.fixture
def one(lab: Lab) -> Machine:
    """A machine as new. What runs on it ends in peace first: the network of one that is cut off may outlive it."""
    lab["one"].stop()
    lab["one"].reset()
    return lab["one"]


# Packages


def test_a_package_of_somebody_else_that_is_in_pieces_blocks_and_stays(lab: Lab, one: Machine) -> None:
    site = Site(lab, "one")
    wanted = site.wants([Package(name="hello")])
    with Sessions(wanted) as sessions:
        ready = make_plan(wanted, sessions=sessions)
        one.succeed(VENDOR_AGENT)
        told = site.plan([Package(name="hello")]).error
        late = apply_plan(ready, sessions=sessions)

    assert "vendor-agent is unpacked but not configured, for vendor-libs is missing: finish or remove it first" in told
    assert "vendor-agent would be removed" in late.hosts["one"].error
    assert one.succeed(STATE + "vendor-agent") == "install ok unpacked"
    one.fails("test -e /usr/bin/hello")


def test_a_package_that_lacks_what_it_needs_blocks_and_stays(lab: Lab, one: Machine) -> None:
    one.succeed(VENDOR_AGENT)
    one.succeed("dpkg --force-depends --configure vendor-agent")
    told = Site(lab, "one").plan([Package(name="hello")]).error
    assert "vendor-agent is installed, but vendor-libs is missing: install what it needs, or remove it first" in told
    assert one.succeed(STATE + "vendor-agent") == "install ok installed"


def test_what_an_administrator_asked_for_since_stays_with_what_it_needs(lab: Lab, one: Machine) -> None:
    site = Site(lab, "one")
    site.apply([Package(name="jq"), Package(name="hello")])
    one.succeed("apt-get install --yes libjq1; apt-mark hold hello")

    plan = make_removal(site.environment)
    told = site.remove(purge=True)

    assert plan.hosts["one"].leaving_packages == ("jq",)
    assert told["package:hello"] == ("release", "is on hold: apt-mark unhold lets it go")
    for name in ("libjq1", "libonig5", "hello"):
        assert one.succeed(STATE + name).endswith(" ok installed"), name
    assert not has(one, "/var/lib/fedikit")


SETTINGS = """
echo 'APT::Default-Release "bookworm"; DPkg::Options { "--force-confnew"; };' >/etc/apt/apt.conf.d/99own
printf 'Package: *\\nPin: version *\\nPin-Priority: -1\\n' >/etc/apt/preferences.d/own
echo 'path-exclude=/usr/share/doc/*' >/etc/dpkg/dpkg.cfg.d/own
dpkg --add-architecture i386
echo 'dpkg::post-invoke { "touch /root/hook-ran"; };' >/etc/apt/apt.conf.d/98own
"""
NEEDS_PORT = """\
import socket, sys, time
try:
    socket.create_server(("127.0.0.1", 8099))
except OSError:
    sys.exit("cannot bind to 127.0.0.1:8099")
time.sleep(900)
"""
NEEDY: list[Item] = [
    File(path="/etc/needy.py", content=NEEDS_PORT),
    File(
        path="/etc/systemd/system/needy.service",
        content="[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=/usr/bin/python3 /etc/needy.py\n"
        "Restart=always\n[Install]\nWantedBy=multi-user.target\n",
    ),
    Unit(name="needy.service"),
]
FOREIGN = "systemd-run --quiet --unit foreign python3 -m http.server --bind 127.0.0.1 8099"


def test_an_administrators_settings_stay_theirs_and_their_services_are_told_of(lab: Lab, one: Machine) -> None:
    """Several conditions on one machine: to furnish one takes longer than to look at it."""
    one.succeed(SETTINGS)
    site = Site(lab, "one")
    site.apply([Package(name="hello")])
    assert has(one, "/usr/share/doc/hello/copyright")
    assert has(one, "/root/hook-ran")

    one.succeed(FOREIGN)
    one.wait_until_succeeds("ss --listening --tcp --numeric | grep -q 8099")
    report = applied(site.wants([Package(name="hello"), *NEEDY]))
    error = report.hosts["one"].error
    assert "did not stay up" in error
    assert "port 8099 is taken by python3 (process " in error
    told = {change.id: change.reasons for change in site.plan([Package(name="hello"), *NEEDY]).changes}
    (*_, reason) = told["unit:needy.service"]
    assert "again" in reason or reason in ("inactive → active", "to restart or reload"), "as systemd has it just then"
    one.succeed("systemctl stop foreign.service")
    site.apply([Package(name="hello"), *NEEDY])

    one.succeed(
        "systemctl mask --runtime --now --quiet cron.service || systemctl mask --runtime --now systemd-timesyncd"
    )
    name = one.succeed("basename $(find /run/systemd/system -lname /dev/null)").strip()
    (change,) = site.plan([Package(name="hello"), *NEEDY, Unit(name=name)]).changes
    assert (change.action, change.reasons) == (
        "blocked",
        (f"is masked: systemctl unmask --runtime {name} lets it run",),
    )
    site.remove(purge=True)
    assert not has(one, "/usr/bin/hello")


# What was there before


OWN_UNIT = """\
[Unit]
Description=own Caddy
[Service]
ExecStart=/usr/bin/caddy
[Install]
WantedBy=multi-user.target
"""
OWN_CADDY = f"""
printf '#!/bin/sh\\nexec sleep 7777\\n' >/usr/bin/caddy; chmod 755 /usr/bin/caddy
printf '{OWN_UNIT}' >/etc/systemd/system/caddy.service
mkdir -p /etc/caddy/own /var/lib/caddy/pki
echo mine >/etc/caddy/Caddyfile; echo mine >/etc/caddy/own/site; echo mine >/var/lib/caddy/pki/key
systemctl enable --now --quiet caddy.service
"""
CADDY: list[Item] = [
    Package(name="caddy"),
    Directory(path="/etc/caddy/sites"),
    File(path="/etc/caddy/Caddyfile", content="{\n\tadmin off\n}\n:8080\nrespond ours\n"),
    File(
        path="/etc/systemd/system/caddy.service",
        content=OWN_UNIT.replace("caddy\n[I", "caddy run --config /etc/caddy/Caddyfile\n[I"),
    ),
    Unit(name="caddy.service", restart_on=("file:/etc/caddy/Caddyfile", "file:/etc/systemd/system/caddy.service")),
]
COPY_CADDY = """
for deb in /var/lib/fedikit/store/*; do
    if test "$(dpkg-deb --field $deb Package 2>/dev/null)" = caddy; then cp $deb /root/caddy.deb; fi
done
test -e /root/caddy.deb
"""
THEIRS = (
    "cat /usr/bin/caddy /etc/caddy/Caddyfile /etc/caddy/own/site /var/lib/caddy/pki/key"
    " /etc/systemd/system/caddy.service; systemctl is-enabled caddy.service; systemctl is-active caddy.service;"
    " pgrep --full --count 'sleep 7777'"
)


@pytest.mark.parametrize("purge", [False, True], ids=["removed", "purged"])
def test_an_administrators_own_server_runs_again_with_its_files(lab: Lab, one: Machine, purge: bool) -> None:
    one.succeed(OWN_CADDY)
    before = one.succeed(THEIRS)
    site = Site(lab, "one")
    site.apply(CADDY)
    assert one.succeed("python3 -c \"import urllib.request as w; print(w.urlopen('http://127.0.0.1:8080').read())\"")

    told = site.remove(purge=purge)

    assert told["package:caddy"] == ("delete", "/etc/caddy stays: it was there before fedikit")
    assert told["file:/etc/caddy/Caddyfile"][0] == "restore"
    assert one.succeed(THEIRS) == before
    assert not has(one, "/var/lib/fedikit")


def test_what_a_removed_package_left_behind_is_there_again(lab: Lab, one: Machine) -> None:
    site = Site(lab, "one")
    site.apply([Package(name="caddy")])
    one.succeed(COPY_CADDY)
    site.remove(purge=True)
    one.succeed("dpkg --force-depends -i /root/caddy.deb && echo mine >/etc/caddy/Caddyfile && dpkg --remove caddy")
    one.succeed("mkdir -p /var/lib/caddy && echo mine >/var/lib/caddy/key")

    site.apply([Package(name="caddy")])
    told = site.remove(purge=True)

    assert told["package:caddy"] == ("delete", "its configuration stays: it was there before fedikit")
    assert one.succeed(STATE + "caddy") == "deinstall ok config-files"
    assert one.succeed("cat /etc/caddy/Caddyfile /var/lib/caddy/key") == "mine\nmine\n"


SNAC: list[Item] = [
    Package(name="snac2"),
    Directory(path="/var/lib/snac2", mode="2770", owner="debian-snac", group="debian-snac", data=True),
]


def test_data_older_than_fedikit_is_kept_and_the_plan_says_so(lab: Lab, one: Machine) -> None:
    one.succeed("mkdir -p /var/lib/snac2/user/alice && echo mine >/var/lib/snac2/user/alice/posts")
    site = Site(lab, "one")
    site.apply(SNAC)

    told = site.remove(purge=True)

    assert told["directory:/var/lib/snac2"] == ("keep", "was there before fedikit")
    assert told["package:snac2"] == ("delete", "/var/lib/snac2 stays: it was there before fedikit")
    assert one.succeed("cat /var/lib/snac2/user/alice/posts") == "mine\n"
    assert not has(one, "/var/lib/fedikit")


# Another deployment


def test_what_another_deployment_holds_is_not_touched_when_the_first_is_purged(lab: Lab, one: Machine) -> None:
    packages = one.succeed("dpkg-query --show; cat /etc/passwd")
    first, second = Site(lab, "one", "lab"), Site(lab, "one", "prod")
    first.apply(SNAC)
    first.remove()
    second.apply(SNAC)
    one.succeed("mkdir -p /var/lib/snac2/user && echo live >/var/lib/snac2/user/posts")

    told = first.remove(purge=True)

    assert told == {}  # what the first one kept was taken over: there is nothing left that it could purge
    assert one.succeed("cat /var/lib/snac2/user/posts") == "live\n"
    assert second.plan(SNAC).is_noop

    second.remove(purge=True)

    assert not has(one, "/var/lib/snac2")
    assert one.succeed("dpkg-query --show; cat /etc/passwd") == packages
    assert not has(one, "/var/lib/fedikit")


# Database servers

SERVERS: list[Item] = [
    Package(name="postgresql"),
    Package(name="mariadb-server"),
    Unit(name="postgresql@17-main.service"),
    Unit(name="mariadb.service"),
]
PSQL = "runuser -u postgres -- psql -XAtq"
WIKI = f"""
runuser -u postgres -- createdb wiki; {PSQL} wiki -c 'CREATE TABLE pages AS SELECT 1'
mariadb -e 'CREATE DATABASE wiki; CREATE TABLE wiki.pages AS SELECT 1'
"""
PAGES = f"{PSQL} wiki -c 'TABLE pages'; mariadb -Ne 'SELECT * FROM wiki.pages'"


def database(engine: Any, collation: str) -> Database:
    password = SecretText(parts=(SecretRef(name="app"),))
    return Database(engine=engine, name="app", user="app", password=password, collation=collation)


DATABASES: list[Item] = [database("postgresql", "C.UTF-8"), database("mariadb", "utf8mb4_unicode_ci")]
SERVED = "stays: it serves the database wiki, which is not fedikit's"


def test_database_servers_stay_while_they_serve_somebody_else(lab: Lab) -> None:
    two, site = lab["two"], Site(lab, "two")
    two.reset()
    packages = two.succeed("dpkg-query --show; cat /etc/passwd /etc/group")
    site.apply(SERVERS + DATABASES)
    two.succeed(WIKI)

    told = site.remove()
    assert told["package:postgresql"] == ("keep", f"PostgreSQL {SERVED}")
    assert told["unit:mariadb.service"] == ("keep", f"MariaDB {SERVED}")
    assert two.succeed(PAGES) == "1\n1\n"

    two.succeed("systemctl stop postgresql@17-main.service")
    silent = make_removal(site.environment, purge=True)
    lines = {change.id: change for change in silent.hosts["two"].changes}
    assert "does not answer" in lines["unit:postgresql@17-main.service"].reasons[0]
    assert lines["database:postgresql/app"].action == "keep"
    two.succeed("systemctl start postgresql@17-main.service")

    told = site.remove(purge=True)
    assert told["database:postgresql/app"][0] == "delete"
    assert told["package:mariadb-server"] == ("release", f"MariaDB {SERVED}")
    assert two.succeed(PAGES) == "1\n1\n"
    assert not has(two, "/var/lib/fedikit")
    assert "app" not in two.succeed(f"{PSQL} -c 'SELECT datname FROM pg_database'; mariadb -Ne 'SHOW DATABASES'")

    # Once nobody is served, what leaves leaves as a whole
    two.reset()
    site.apply(SERVERS + DATABASES)
    two.succeed(WIKI)
    site.remove()
    two.succeed("runuser -u postgres -- dropdb wiki; mariadb -e 'DROP DATABASE wiki'")
    site.remove(purge=True)
    assert two.succeed("dpkg-query --show; cat /etc/passwd /etc/group") == packages
    assert not has(two, "/var/lib/postgresql")
