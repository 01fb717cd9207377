"""Whether a removal did what its plan had said: the plan's lines held against the machine before and after."""

from typing import NamedTuple

from fedikit.results.plan import HostPlan, PlannedChange
from fedikit_lab import Machine

PACKAGES = "dpkg-query --show --showformat '${db:Status-Abbrev}${Package}\\n' | sed -n 's/^[a-z]i //p'"
DATABASES = {
    "postgresql": "runuser -u postgres -- psql -XAtqc 'SELECT datname FROM pg_database' 2>/dev/null || true",
    "mariadb": "mariadb -Ne 'SHOW DATABASES' 2>/dev/null || true",
}


class Look(NamedTuple):
    """A machine at one moment, as far as the lines of a plan speak of it."""

    packages: set[str]
    there: dict[str, bool]


def look_at(machine: Machine, plan: HostPlan) -> Look:
    packages = set(machine.succeed(PACKAGES).split())
    return Look(packages, {change.id: _is_there(machine, change.id, packages) for change in plan.changes})


def _is_there(machine: Machine, identity: str, packages: set[str]) -> bool:
    kind, _, name = identity.partition(":")
    if kind == "package":
        return name in packages
    if kind == "unit":
        return machine.run(f"systemctl is-active {name}").exit_status == 0
    if kind == "user":
        return machine.run(f"getent passwd {name}").exit_status == 0
    if kind == "database":
        engine, _, database = name.partition("/")
        return database in machine.succeed(DATABASES[engine]).split()
    return machine.run(f"test -e {name} -o -L {name}").exit_status == 0


def untruths(plan: HostPlan, before: Look, after: Look) -> list[str]:
    """What came otherwise than the plan had said; empty if all is as it said."""
    gone = before.packages - after.packages
    wrong = [f"{name} left, and the plan did not say so" for name in sorted(gone - {*plan.leaving_packages})]
    wrong += [f"{name} is still there" for name in sorted({*plan.leaving_packages} & after.packages)]
    servers = {change.id.partition("/")[0] for change in plan.changes if change.id.startswith("database:")}
    off = {server for server in servers if not _answers(server, after)}
    return wrong + [
        f"{change.id}: {change.action}" for change in plan.changes if _is_untrue(change, before, after, off)
    ]


def _answers(server: str, after: Look) -> bool:
    name = server.removeprefix("database:")
    return any(package.startswith(name) for package in after.packages)


def _is_untrue(change: PlannedChange, before: Look, after: Look, off: set[str]) -> bool:
    if change.id.partition("/")[0] in off:
        return False  # nobody can be asked any more
    if change.action == "delete":
        return after.there[change.id]
    stays = change.action in ("keep", "release", "restore")
    return stays and before.there[change.id] and not after.there[change.id]
