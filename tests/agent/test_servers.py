"""Servers that came with packages of ours stay while somebody else is served; no program of theirs is needed."""

import json
from pathlib import Path
from typing import Any

import pytest

from fedikit.agent.eyes import Eyes
from fedikit.agent.household import Household
from fedikit.agent.ledger import Ledger
from fedikit.agent.others import Others
from fedikit.agent.servers import SERVERS, has_keys
from tests.agent.conftest import Host
from tests.agent.garage import TOKEN, GarageStandIn

BY_NAME = {server.name: server for server in SERVERS}
DATABASE = {"kind": "database", "name": "app", "user": "app", "data": True}
EMPTY_DUMP = (
    b"REDIS0012\xfa\x09redis-ver\x058.0.2\xfa\x0aredis-bits\xc0\x40\xfa\x05ctime\xc2\x6a\x5e\x9c\x69"
    b"\xfa\x08used-mem\xc2\x18\x00\x11\x00\xfa\x08aof-base\xc0\x00\xff\x01\x02\x03\x04\x05\x06\x07\x08"
)
KEYED_DUMP = EMPTY_DUMP[:-9] + b"\xfe\x00\xfb\x01\x00\x00\x01a\x01b" + EMPTY_DUMP[-9:]


class Asked(Eyes):
    """Eyes whose questions to programs are answered from a table by the program's name; nothing for others."""

    def __init__(self, root: Path, **answers: str) -> None:
        super().__init__(str(root))
        self.answers = answers
        self.active: set[str] = set()

    def ask(self, command: list[str]) -> str:
        names = [word.rpartition("/")[2] for word in command]
        return next((answer for name, answer in self.answers.items() if name.replace("_", "-") in names), "")

    def unit(self, name: str) -> dict[str, Any]:
        return {"active": name in self.active}


@pytest.fixture
def root(host: Host) -> Path:
    for program in ("usr/lib/postgresql/17/bin/postgres", "usr/sbin/mariadbd"):
        make(host.root / program)
    make(host.root / "var/lib/postgresql/17/main/base/5/1247")
    make(host.root / "var/lib/mysql/mysql/user.frm")
    return host.root


def make(path: Path, content: bytes = b"") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def why(eyes: Eyes, server: str, *, seen: list[str] | None = None, **others: list[dict[str, Any]]) -> str:
    """Why it stays, seen from a deployment with the database `app` in each server."""
    home = eyes.real("/var/lib/fedikit")
    for name, items in others.items():
        entries = {item["id"]: {"item": item, "state": "kept"} for item in items}
        make(Path(home, "deployments", name, "ledger.json"), json.dumps({"entries": entries}).encode())
    ledger = Ledger(home, "test")
    for engine in ("postgresql", "mariadb"):
        item = {**DATABASE, "id": f"database:{engine}/app", "engine": engine}
        ledger.entries[item["id"]] = {"item": item, "state": "held", "prior": {"type": "absent"}}
    ledger.debs = {"postgresql-17": {}}
    ledger.seen = {server: seen} if seen is not None else {}
    return BY_NAME[server].stays(Household(eyes, ledger, Others(eyes, ledger)))


POSTGRES = "database|app\nuser|app\nanswered|\n"
MARIA = (
    "".join(f"database\t{name}\n" for name in ("app", "mysql", "sys", "information_schema"))
    + "user\troot\nuser\tapp\nuser\tmariadb.sys\nanswered\t\n"
)


@pytest.mark.parametrize(
    ("server", "program", "answer", "words"),
    [
        ("postgresql", "psql", POSTGRES, ""),
        ("postgresql", "psql", "database|wiki\n" + POSTGRES, "the database wiki, which is not fedikit's"),
        ("postgresql", "psql", "user|bob\n" + POSTGRES, "the user bob, which is not fedikit's"),
        ("postgresql", "psql", "tablespace|fast\n" + POSTGRES, "the tablespace fast"),
        ("postgresql", "psql", "table|postgres.notes\n" + POSTGRES, "the table postgres.notes"),
        ("mariadb", "mariadb", MARIA, ""),
        ("mariadb", "mariadb", "database\twiki\n" + MARIA, "the database wiki, which is not fedikit's"),
        ("mariadb", "mariadb", "user\tbob\n" + MARIA, "the user bob"),
    ],
)
def test_a_database_server_stays_for_what_is_not_ours(
    root: Path, server: str, program: str, answer: str, words: str
) -> None:
    told = why(Asked(root, **{program: answer}), server)
    assert words in told
    assert bool(told) == bool(words)


def test_a_second_cluster_is_somebody_elses(root: Path) -> None:
    make(root / "var/lib/postgresql/17/other/PG_VERSION")
    assert why(Asked(root, psql=POSTGRES), "postgresql") == "PostgreSQL stays: it serves the cluster 17/other"


@pytest.mark.parametrize(
    ("server", "program", "answer"), [("postgresql", "psql", POSTGRES), ("mariadb", "mariadb", MARIA)]
)
def test_what_another_deployment_keeps_in_a_server_counts(root: Path, server: str, program: str, answer: str) -> None:
    item = {**DATABASE, "id": f"database:{server}/theirs", "engine": server, "name": "theirs"}
    told = why(Asked(root, **{program: answer}), server, prod=[item])
    assert "serves the database theirs of the deployment prod" in told


def test_a_silent_postgresql_with_somebodys_data_stays_unless_it_was_seen_to_be_ours(root: Path) -> None:
    silent = Asked(root)
    assert why(silent, "postgresql") == "", "a cluster as it came has nobody's data"
    make(root / "var/lib/postgresql/17/main/base/16385/1247")
    assert "does not answer, so nobody can tell whose the data in /var/lib/postgresql are" in why(silent, "postgresql")
    seen = BY_NAME["postgresql"].look(silent)
    assert why(silent, "postgresql", seen=seen) == ""
    make(root / "var/lib/postgresql/17/main/base/16400/1247")
    assert "nobody can tell" in why(silent, "postgresql", seen=seen)


def test_a_table_in_the_database_that_comes_with_postgresql_is_somebodys_data(root: Path) -> None:
    make(root / "var/lib/postgresql/17/main/base/5/16390")
    assert "nobody can tell" in why(Asked(root), "postgresql")


def test_a_silent_mariadb_tells_by_its_folders(root: Path) -> None:
    make(root / "var/lib/mysql/app/t.ibd")
    assert why(Asked(root), "mariadb") == ""
    make(root / "var/lib/mysql/wiki@002den/t.ibd")
    assert "nobody can tell" in why(Asked(root), "mariadb")


def test_a_dump_of_redis_tells_whether_there_are_keys() -> None:
    assert not has_keys(EMPTY_DUMP)
    assert has_keys(KEYED_DUMP)
    assert has_keys(b"")


@pytest.mark.parametrize("name", ["redis", "valkey"])
def test_a_cache_server_stays_for_instances_and_keys_of_others(root: Path, name: str) -> None:
    eyes = Asked(root, **{f"{name}_cli": "0\n"})
    eyes.active.add(f"{name}-server.service")
    make(root / f"etc/{name}/{name}.conf")
    make(root / f"var/lib/{name}/dump.rdb", EMPTY_DUMP)
    assert why(eyes, name) == ""
    make(root / f"var/lib/{name}/dump.rdb", KEYED_DUMP)
    assert "the keys of its default instance" in why(eyes, name)
    make(root / f"var/lib/{name}/dump.rdb", EMPTY_DUMP)
    eyes.answers = {f"{name}_cli": "3\n"}
    assert "the keys of its default instance" in why(eyes, name)
    make(root / f"etc/{name}/{name}-shop.conf")
    assert f"the instance of /etc/{name}/{name}-shop.conf" in why(eyes, name)


def test_caddy_stays_for_a_site_that_somebody_put_beside_ours(root: Path) -> None:
    make(root / "etc/caddy/sites/shop.caddy")
    assert why(Asked(root), "caddy") == "", "a directory that fedikit did not make is none of its business"
    home = root / "var/lib/fedikit/deployments/test/ledger.json"
    folder = {"id": "directory:/etc/caddy/sites", "kind": "directory", "path": "/etc/caddy/sites"}
    make(home, json.dumps({"entries": {folder["id"]: {"item": folder, "state": "held"}}}).encode())
    assert why(Asked(root), "caddy") == "Caddy stays: it serves the site in /etc/caddy/sites/shop.caddy"


def test_podman_stays_for_images_containers_and_volumes_of_others(root: Path) -> None:
    storage = root / "var/lib/containers/storage"
    make(storage / f"volumes/{'0' * 64}/_data/x")
    assert why(Asked(root), "podman") == "", "a volume without a name is its container's"
    make(storage / "volumes/blog/_data/x")
    make(storage / "overlay-images/images.json", json.dumps([{"id": "ab", "names": ["their/image:1"]}]).encode())
    make(
        storage / "overlay-containers/containers.json",
        json.dumps([{"id": "c", "names": ["web"], "image": "ab"}]).encode(),
    )
    make(root / "etc/containers/systemd/blog.container")
    assert why(Asked(root), "podman") == (
        "Podman stays: it serves the container web, the image their/image:1, the volume blog, "
        "the container of /etc/containers/systemd/blog.container"
    )


@pytest.fixture
def garage() -> Any:
    stand_in = GarageStandIn()
    yield stand_in
    stand_in.close()


def test_garage_stays_for_buckets_and_keys_that_somebody_else_made(root: Path, garage: GarageStandIn) -> None:
    quadlet = "[Container]\nImage=g:1\nVolume=/srv/garage-meta:/var/lib/garage/meta\n"
    make(root / "etc/containers/systemd/garage.container", quadlet.encode())
    make(root / "etc/token", TOKEN.encode())
    item = {
        "id": "bucket:media", "kind": "bucket", "name": "media", "admin": garage.address, "token_file": "/etc/token",
    }  # fmt: skip
    entries = {item["id"]: {"item": item, "state": "held"}}
    make(root / "var/lib/fedikit/deployments/test/ledger.json", json.dumps({"entries": entries}).encode())
    garage.is_ready = False
    assert why(Asked(root), "garage") == "", "it has no room for buckets yet"
    make(root / "srv/garage-meta/cluster_layout")
    for path in ("/srv/garage-meta", "/etc/containers/systemd/garage.container"):
        assert BY_NAME["garage"].needs(Asked(root), {"id": "x", "kind": "file", "path": path})
    assert BY_NAME["garage"].needs(Asked(root), {"id": "image:g:1", "kind": "image", "reference": "g:1"})
    assert not BY_NAME["garage"].needs(Asked(root), {"id": "x", "kind": "directory", "path": "/srv/mastodon"})
    assert "nobody can tell whose its buckets are" in why(Asked(root), "garage")
    assert why(Asked(root), "garage", seen=[]) == ""
    garage.is_ready = True
    garage.call("CreateBucket", {}, {"globalAlias": "media"})
    assert why(Asked(root), "garage") == ""
    garage.call("CreateBucket", {}, {"globalAlias": "theirs"})
    garage.call("CreateKey", {}, {"name": "someone"})
    assert why(Asked(root), "garage") == "Garage stays: it serves the bucket theirs, the key someone"
    garage.cluster.roles["f" * 64] = {"zone": "one", "capacity": 1, "tags": ["fedikit", "one", "leads"]}
    assert why(Asked(root), "garage") == "", "they are another host's, which says who keeps them"
