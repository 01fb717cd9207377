"""The servers that come with packages of ours and that others may use too: what is theirs in each.

A server stays, with what it needs, when fedikit leaves and somebody else is served by it.
"""

import os
import re
from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

from .database import ENGINES
from .eyes import Eyes
from .garage import LOOK_SECONDS, Garage, NotReady
from .image import STORAGE, records
from .ledger import Ledger, Record
from .others import Others, is_below

Item = dict[str, Any]
QUADLETS = "/etc/containers/systemd"
KINDS_OF_QUADLETS = (".container", ".pod", ".kube", ".volume", ".network", ".image", ".build")
SITES = "/etc/caddy/sites"
MARK = "fedikit "
ANONYMOUS = re.compile(r"[0-9a-f]{64}")


class Household(NamedTuple):
    """Whose things are whose on this host."""

    eyes: Eyes
    ledger: Ledger
    others: Others

    def entries(self, kind: str) -> list[Record]:
        """Ours of a kind."""
        return [entry for entry in self.ledger.entries.values() if entry["item"]["kind"] == kind]

    def items(self, kind: str) -> list[Item]:
        return [entry["item"] for entry in self.entries(kind)]

    def paths(self) -> set[str]:
        """Where things of fedikit lie, ours and those of other deployments."""
        ours = [entry["item"] for entry in self.ledger.entries.values()]
        return {item["path"] for item in ours if "path" in item} | self.others.places_held().keys()


def _is_new(entry: Record) -> bool:
    """Whether there was nothing in its place before fedikit."""
    return bool((entry.get("prior") or {"type": "absent"})["type"] == "absent")


class Server(Protocol):
    """A kind of server.

    is_leaving  whether it is about to leave: by our items that leave, and the packages that nobody asks for any more
    name        what its looks are noted under
    look        what its data look like, to be noted when nobody else is served
    has_package whether a package is part of it
    needs       whether it cannot be as it is without an item of ours
    stays       why it stays; empty if nobody else is served
    """

    name: str

    def look(self, eyes: Eyes) -> list[str] | None: ...
    def is_leaving(self, items: list[Item], packages: set[str]) -> bool: ...
    def has_package(self, name: str) -> bool: ...
    def needs(self, eyes: Eyes, item: Item) -> bool: ...
    def stays(self, house: Household) -> str: ...


class Packaged:
    """A server by Debian's packages."""

    def __init__(self, title: str, packages: str, unit: str, folders: tuple[str, ...]) -> None:
        self.title = title
        self.name = title.lower()
        self._packages = re.compile(packages)
        self._unit = unit
        self._folders = folders

    def look(self, eyes: Eyes) -> list[str] | None:
        return None

    def is_leaving(self, items: list[Item], packages: set[str]) -> bool:
        return any(self.has_package(name) for name in packages)

    def has_package(self, name: str) -> bool:
        return bool(self._packages.match(name))

    def needs(self, eyes: Eyes, item: Item) -> bool:
        if item["kind"] == "unit":
            return bool(self._unit) and item["name"].startswith(self._unit)
        path = item.get("path", "")
        return any(path == folder or is_below(path, folder) for folder in self._folders)

    def serves(self, guests: list[str]) -> str:
        return f"{self.title} stays: it serves {', '.join(guests)}" if guests else ""


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
        entries = [entry for entry in house.entries("database") if _is_new(entry)]
        items = [item for entry in entries for item in (entry["item"], *entry.get("was", ()))]
        items += [item for _, item in house.others.items() if item["kind"] == "database"]  # counted for themselves
        for item in items:
            found |= {("database", item["name"]), ("user", item["user"])}
        return found

    def _of_other_deployments(self, house: Household) -> list[str]:
        return [
            f"the database {item['name']} of the deployment {name}"
            for name, item in house.others.items()
            if item["kind"] == "database" and item["engine"] == self._engine
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
        names = os.listdir(house.eyes.real(folder)) if house.eyes.exists(folder) else []
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
        if not folder or not _is_new(folder):
            return ""
        names = os.listdir(house.eyes.real(SITES)) if house.eyes.exists(SITES) else []
        strange = {f"{SITES}/{name}" for name in names} - house.paths()
        return self.serves([f"the site in {path}" for path in sorted(strange)])


class ContainerHost(Packaged):
    """Podman: images, containers and volumes that somebody else brought."""

    def stays(self, house: Household) -> str:
        return self.serves([*self._images(house), *self._volumes(house.eyes), *self._quadlets(house)])

    def _images(self, house: Household) -> list[str]:
        ours = {item["config"] for item in [*house.items("image"), *self._theirs(house)] if "config" in item}
        ours |= {id for ledger in (house.ledger, *house.others.ledgers) for id in ledger.images}
        images = [image for image in records(house.eyes, "images") if image["id"] not in ours]
        containers = [record for record in records(house.eyes, "containers") if record.get("image") not in ours]
        named = [f"the container {(record.get('names') or [record['id'][:12]])[0]}" for record in containers]
        return named + [f"the image {(image.get('names') or [image['id'][:12]])[0]}" for image in images]

    def _theirs(self, house: Household) -> Iterator[Item]:
        return (item for _, item in house.others.items() if item["kind"] == "image")

    def _volumes(self, eyes: Eyes) -> list[str]:
        """Those with a name; those without belong to containers."""
        folder = f"{STORAGE}/volumes"
        names = os.listdir(eyes.real(folder)) if eyes.exists(folder) else []
        return [f"the volume {name}" for name in sorted(names) if not ANONYMOUS.fullmatch(name)]

    def _quadlets(self, house: Household) -> list[str]:
        names = os.listdir(house.eyes.real(QUADLETS)) if house.eyes.exists(QUADLETS) else []
        strange = {f"{QUADLETS}/{name}" for name in names if name.endswith(KINDS_OF_QUADLETS)} - house.paths()
        return [f"the container of {path}" for path in sorted(strange)]


class BucketServer:
    """Garage, which runs in a container of ours: buckets and keys that somebody else made."""

    name = "garage"

    def look(self, eyes: Eyes) -> list[str] | None:
        return []

    def is_leaving(self, items: list[Item], packages: set[str]) -> bool:
        return any(item["id"] == "unit:garage.service" for item in items)

    def has_package(self, name: str) -> bool:
        return name == "podman"

    def needs(self, eyes: Eyes, item: Item) -> bool:
        text = self._quadlet(eyes)
        if not text or item["id"] in ("unit:garage.service", "job:garage layout"):
            return bool(text)
        if item["kind"] == "image":
            return f"Image={item['reference']}\n" in text
        path = item.get("path", "")
        mounted = re.findall(r"^Volume=([^:]+):", text, re.MULTILINE)
        is_part = path in (*mounted, f"{QUADLETS}/garage.container") or path in text.split()
        return is_part or (item["kind"] == "directory" and any(is_below(place, path) for place in mounted))

    def stays(self, house: Household) -> str:
        if not self._is_laid_out(house.eyes):
            return ""
        try:
            guests = self._of_other_deployments(house) + self._strange(house)
        except NotReady as reason:
            if "garage" in house.ledger.seen:
                return ""
            return f"Garage stays: nobody can tell whose its buckets are, for {reason}; start it first"
        return f"Garage stays: it serves {', '.join(guests)}" if guests else ""

    def _of_other_deployments(self, house: Household) -> list[str]:
        theirs = [(name, item) for name, item in house.others.items() if item["kind"] == "bucket"]
        return [f"the bucket {item['name']} of the deployment {name}" for name, item in theirs]

    def _strange(self, house: Household) -> list[str]:
        known = [*house.entries("bucket"), *({"item": i} for _, i in house.others.items() if i["kind"] == "bucket")]
        ours = [entry["item"] for entry in known if _is_new(entry)]
        where = {"admin": "http://127.0.0.1:3903", "token_file": "/etc/fedikit/garage/admin-token"}
        garage = Garage.of(house.eyes, ours[0] if ours else where, seconds=LOOK_SECONDS)
        names = {item["name"] for item in ours}
        strange = [bucket for bucket in garage.all_buckets() if not names & {*bucket["globalAliases"]}]
        keys = [name for name in garage.key_names() if not name.startswith(MARK)]
        return [
            *(f"the bucket {(bucket['globalAliases'] or [bucket['id'][:12]])[0]}" for bucket in strange),
            *(f"the key {name}" for name in keys),
        ]

    def _quadlet(self, eyes: Eyes) -> str:
        path = f"{QUADLETS}/garage.container"
        return eyes.read(path).decode(errors="replace") if eyes.exists(path) else ""

    def _is_laid_out(self, eyes: Eyes) -> bool:
        """Whether it has ever been given room to keep data in; before that there are no buckets."""
        places = re.findall(r"^Volume=([^:]+):/var/lib/garage/", self._quadlet(eyes), re.MULTILINE)
        return any(eyes.exists(f"{path}/cluster_layout") for path in places)


SERVERS: tuple[Server, ...] = (
    DatabaseServer("postgresql", r"postgresql(-|$)", "postgresql", ("/etc/postgresql", "/var/lib/postgresql")),
    DatabaseServer("mariadb", r"(mariadb|mysql)-", "mariadb", ("/etc/mysql", "/var/lib/mysql")),
    CacheServer("redis"),
    CacheServer("valkey"),
    WebServer("Caddy", r"caddy$", "caddy", ("/etc/caddy", "/var/lib/caddy")),
    BucketServer(),
    ContainerHost("Podman", r"podman$", "", ()),
)
