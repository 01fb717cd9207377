"""Databases: by Debian's own PostgreSQL and MariaDB, on the application's host or on one that several share."""

from typing import Annotated, Any, ClassVar

from pydantic import Field

from fedikit.model.item import Directory, File, Item, Package, Unit
from fedikit.model.policy import Ask, CannotFulfil, Opening, Place, Policy, Provision, Share
from fedikit.model.request import HostItems
from fedikit.model.resource import MariaDatabase, PostgresDatabase
from fedikit.model.secret import SecretRef, SecretText
from fedikit.model.ssh_server import is_ip_address
from fedikit.model.stores import Database
from fedikit.model.value import HostName, Written

_SHARED = Field(
    None, title="Host", description="The host whose server all share; each application's own host if absent."
)
USUAL_CONNECTIONS, RESERVED_CONNECTIONS = 100, 5
"""What PostgreSQL takes if nothing is said, and what of it stays for administrators."""
BACKUP_CONNECTIONS = 2
"""What a backup takes besides: one holds the moment that the other one dumps."""
POSTGRES = "/etc/postgresql/17/main/conf.d"
CLIENTS = "/etc/postgresql/clients"
MARIADB = "/etc/mysql/mariadb.conf.d/90-fedikit.cnf"
_READ_AT_START = {f"file:{POSTGRES}/{name}.conf" for name in ("fedikit", "fedikit-size")}
_ACCESS = f"""\
# Who may connect: everybody on this host by who he is there, others by the files below.
local all postgres peer
local all all peer
host all all 127.0.0.1/32 scram-sha-256
host all all ::1/128 scram-sha-256
include_dir {CLIENTS}
"""
_LISTEN = f"""\
listen_addresses = '*'
hba_file = '{POSTGRES}/access'
"""


class PostgresPolicy(Written, Policy[PostgresDatabase]):
    """Makes databases in Debian's PostgreSQL."""

    fulfils: ClassVar = PostgresDatabase
    host: HostName | None = _SHARED
    max_connections: Annotated[int, Field(ge=20, le=10_000)] = USUAL_CONNECTIONS
    """How many connections a server takes at once, of all applications and their backups; each takes some memory."""

    def provide(self, request: PostgresDatabase, place: Place) -> Provision:
        server = self.host or place.host
        password = SecretRef(name=f"{place.application}/database")
        database = Database(
            engine="postgresql",
            name=request.name,
            user=request.name,
            password=SecretText(parts=(password,)),
            collation=request.collation,
            extensions=request.extensions,
        )
        opening = _postgres_opening(request.name, _address(place.host, place)) if server != place.host else ()
        tuning = self._tuning()
        units = Unit(
            name="postgresql@17-main.service",
            restart_on=tuple(item.id for item in (*opening, *tuning) if item.id in _READ_AT_START),
            reload_on=tuple(item.id for item in opening if item.id.startswith(f"file:{CLIENTS}/")),
        )
        items = (Package(name="postgresql"), *opening, *tuning, units, database)
        facts = {"port": "5432", "user": request.name, "password": password, "encrypted": "yes" if opening else "no"}
        provision = _provision(server, place, items, facts)
        return provision.model_copy(update={"shares": (self._share(server, request.connections),)})

    def provide_for_backup(self, place: Place) -> Provision:
        """What an application's backup takes of the server, one database after the other."""
        return Provision(items=(), shares=(self._share(self.host or place.host, BACKUP_CONNECTIONS),))

    def _tuning(self) -> tuple[File, ...]:
        if self.max_connections == USUAL_CONNECTIONS:
            return ()
        return (File(path=f"{POSTGRES}/fedikit-size.conf", content=f"max_connections = {self.max_connections}\n"),)

    def _share(self, server: str, connections: int) -> Share:
        return Share(
            host=server,
            what="connections to PostgreSQL",
            path="policies.postgresql.max_connections",
            amount=connections,
            of=self.max_connections - RESERVED_CONNECTIONS,
        )


class MariaPolicy(Written, Policy[MariaDatabase]):
    """Makes databases in Debian's MariaDB."""

    fulfils: ClassVar = MariaDatabase
    host: HostName | None = _SHARED

    def provide(self, request: MariaDatabase, place: Place) -> Provision:
        server = self.host or place.host
        password = SecretRef(name=f"{place.application}/database")
        is_remote = server != place.host
        database = Database(
            engine="mariadb",
            name=request.name,
            user=request.name,
            password=SecretText(parts=(password,)),
            collation=request.collation,
            clients=(_address(place.host, place),) if is_remote else (),
        )
        opening = (File(path=MARIADB, content="[mariadbd]\nbind-address = *\n"),) if is_remote else ()
        unit = Unit(name="mariadb.service", restart_on=tuple(item.id for item in opening))
        items = (Package(name="mariadb-server"), *opening, unit, database)
        return _provision(server, place, items, {"port": "3306", "user": request.name, "password": password})


def _postgres_opening(name: str, client: str) -> tuple[Item, ...]:
    """The files by which a server lets a user in from another host; encrypted only."""
    bits = 128 if ":" in client else 32
    return (
        Directory(path=CLIENTS),
        File(path=f"{CLIENTS}/{name}.conf", content=f"hostssl {name} {name} {client}/{bits} scram-sha-256\n"),
        File(path=f"{POSTGRES}/access", content=_ACCESS),
        File(path=f"{POSTGRES}/fedikit.conf", content=_LISTEN),
    )


def _provision(server: str, place: Place, items: tuple[Item, ...], facts: dict[str, Any]) -> Provision:
    """On this host, or asked of the one that all share."""
    if server == place.host:
        return Provision(items=items, facts={"host": "127.0.0.1", **facts})
    asks = (Ask(host=server, request=HostItems(items=items), first=True),)
    opens = (
        Opening(host=server, port=int(facts["port"]), clients=(place.host,), what=f"{place.application}'s database"),
    )
    return Provision(items=(), asks=asks, opens=opens, facts={"host": _address(server, place), **facts})


def _address(host: str, place: Place) -> str:
    """The IP address by which the hosts know each other."""
    address = place.hosts[host].address
    if not is_ip_address(address):
        raise CannotFulfil(
            f"hosts.{host}.address", f"should be an IP address: {place.application} shares a server with others"
        )
    return address
