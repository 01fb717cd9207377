"""The servers that come with packages of ours and that others may use too: what is theirs in each.

A server stays, with what it needs, when fedikit leaves and somebody else is served by it.
"""

from .container_servers import BucketServer, ContainerHost
from .engines import ENGINES
from .eyes import Eyes
from .household import Household, Item, Packaged, Server, is_new
from .kinds import is_a
from .others import is_below

SITES = "/etc/caddy/sites"


class DatabaseServer(Packaged):
    """PostgreSQL or MariaDB; one that does not answer may serve anybody who has data there."""

    def __init__(self, engine: str, packages: str, unit: str, folders: tuple[str, ...]) -> None:
        super().__init__(ENGINES[engine].title, packages, unit, folders)
        self._engine = engine

    def look(self, eyes: Eyes) -> list[str] | None:
        return ENGINES[self._engine].remains(eyes)

    def stays(self, house: Household) -> str:
        engine = ENGINES[self._engine]
        guests = [*self._of_other_deployments(house), *self._strange_clusters(house)]
        things = engine.things(house.eyes)
        if things is not None:
            ours = self._ours(house)
            strange = [f"the {kind} {name}" for kind, name in things if (kind, name) not in ours]
            return self.serves([*guests, *(f"{words}, which is not fedikit's" for words in strange)])
        strange = sorted({*engine.remains(house.eyes)} - {*house.ledger.seen.get(self.name, ())})
        if guests or not strange or self._is_known_by_name(house, strange):
            return self.serves(guests)
        return (
            f"{self.title} stays: it does not answer, so nobody can tell whose the data in {engine.data} are; "
            "start it, or take them away by hand"
        )

    def _is_known_by_name(self, house: Household, names: list[str]) -> bool:
        return all(("database", name) in self._ours(house) for name in names)

    def _ours(self, house: Household) -> set[tuple[str, str]]:
        """Databases and users that are ours to drop; what was there before fedikit is not."""
        found: set[tuple[str, str]] = set()
        entries = [entry for entry in house.entries("database") if is_new(entry)]
        items = [item for entry in entries for item in (entry["item"], *entry.get("was", ()))]
        items += [item for _, item in house.others.items() if is_a(item, "database")]  # counted for themselves
        for item in items:
            found |= {("database", item["name"]), ("user", item["user"])}
        return found

    def _of_other_deployments(self, house: Household) -> list[str]:
        return [
            f"the database {item['name']} of the deployment {name}"
            for name, item in house.others.items()
            if is_a(item, "database") and item["engine"] == self._engine
        ]

    def _strange_clusters(self, house: Household) -> list[str]:
        """Clusters that did not come with a package of ours."""
        engine = ENGINES[self._engine]
        brought = {*house.ledger.debs, *house.others.debs()}
        return [
            f"the cluster {cluster}"
            for cluster in engine.clusters(house.eyes)
            if not (cluster.endswith("/main") and f"postgresql-{cluster.partition('/')[0]}" in brought)
        ]


class CacheServer(Packaged):
    """Redis or Valkey: instances beside ours, and what somebody keeps in the one that the package brings."""

    def __init__(self, name: str) -> None:
        super().__init__(name.capitalize(), rf"{name}-", "", ())
        self._name = name

    def stays(self, house: Household) -> str:
        guests = [f"the instance of {path}" for path in self._strange(house, f"/etc/{self._name}", self._own_files())]
        guests += [f"the data in {path}" for path in self._strange(house, f"/var/lib/{self._name}", ("dump.rdb",))]
        return self.serves(guests + self._default_instance(house.eyes))

    def _own_files(self) -> tuple[str, ...]:
        return (f"{self._name}.conf", "sentinel.conf")

    def _strange(self, house: Household, folder: str, usual: tuple[str, ...]) -> list[str]:
        names = house.eyes.names(folder)
        return sorted({f"{folder}/{name}" for name in names if name not in usual} - house.paths())

    def _default_instance(self, eyes: Eyes) -> list[str]:
        """Its keys, in its memory or on the disk; a server without any writes a file without any when it stops."""
        dump = f"/var/lib/{self._name}/dump.rdb"
        is_used = eyes.exists(dump) and has_keys(eyes.read(dump))
        if not is_used and eyes.unit(f"{self._name}-server.service")["active"]:
            is_used = eyes.ask([f"{self._name}-cli", "--raw", "dbsize"]).strip() != "0"
        return ["the keys of its default instance"] if is_used else []


def has_keys(dump: bytes) -> bool:
    """Whether a dump of Redis holds more than its preamble: pairs of words, each after 0xFA, and then 0xFF, the end."""
    place = 9
    while dump[place : place + 1] == b"\xfa":
        place = _after_word(dump, _after_word(dump, place + 1))
    return dump[place : place + 1] != b"\xff"


def _after_word(dump: bytes, place: int) -> int:
    """Where a word ends: short ones say their length in six bits, numbers have one, two or four bytes."""
    first = dump[place] if place < len(dump) else 0
    return place + 1 + (1 << (first & 3) if first >= 0xC0 else first & 0x3F)


class WebServer(Packaged):
    """Caddy: sites that somebody put beside ours."""

    def needs(self, eyes: Eyes, item: Item) -> bool:
        return super().needs(eyes, item) and not is_below(item.get("path", ""), SITES)

    def stays(self, house: Household) -> str:
        folder = house.ledger.entries.get(f"directory:{SITES}")
        if not folder or not is_new(folder):
            return ""
        names = house.eyes.names(SITES)
        strange = {f"{SITES}/{name}" for name in names} - house.paths()
        return self.serves([f"the site in {path}" for path in sorted(strange)])


SERVERS: tuple[Server, ...] = (
    DatabaseServer("postgresql", r"postgresql(-|$)", "postgresql", ("/etc/postgresql", "/var/lib/postgresql")),
    DatabaseServer("mariadb", r"(mariadb|mysql)-", "mariadb", ("/etc/mysql", "/var/lib/mysql")),
    CacheServer("redis"),
    CacheServer("valkey"),
    WebServer("Caddy", r"caddy$", "caddy", ("/etc/caddy", "/var/lib/caddy")),
    BucketServer(),
    ContainerHost("Podman", r"podman$", "", ()),
)
