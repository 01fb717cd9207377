"""Buckets of a real Garage, shown by rclone, kept by restic: what a restore brings back, what a kill leaves behind."""

import hashlib
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest

from fedikit.agent.signature import Access, Headers
from fedikit.apply import apply_plan
from fedikit.data.onhost.s3 import Bucket
from fedikit.plan import make_removal
from fedikit.secrets import Vault
from fedikit_lab import Machine
from tests.data.conftest import Place
from tests.data.onhost.test_bucket import ODD
from tests.failure.scene import Scene
from tests.lab.test_buckets import bucket, garage_items, put_garage_on

pytestmark = pytest.mark.lab

MEDIA = {"content-type": "image/jpeg", "cache-control": "public, max-age=315576000, immutable"}
NAMES = ("first", "second", "third", "kept")
LEFT_OUT = "cache/"
Contents = dict[str, tuple[str, Headers]]


@dataclass
class Store:
    """A bucket of the machine's Garage as its application sees it, and the application's backups."""

    place: Place
    name: str
    access: Access
    known: Contents = field(default_factory=dict)

    def set_up(self) -> None:
        part = {
            "id": f"bucket:{self.name}", "kind": "bucket", "endpoint": "http://127.0.0.1:3900", "region": "garage",
            "bucket": self.name, "key_id": self.access.id, "leave_out": [LEFT_OUT],
        }  # fmt: skip
        self.place.set_up(self.name, [part])
        self.place.secret(self.name, "bucket-secret", self.access.secret)

    def put(self, **objects: tuple[bytes, Headers]) -> None:
        with Bucket(self.access, self.name) as bucket, ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda key: bucket.put(key, *objects[key]), objects))

    def delete(self, *keys: str) -> None:
        with Bucket(self.access, self.name) as bucket:
            bucket.delete(list(keys))

    def contents(self) -> Contents:
        """Digest and headers of every object, read one by one."""

        def read(key: str) -> tuple[str, Headers]:
            with bucket.reading(key) as content:
                digest = hashlib.sha256()
                while piece := content.read(1 << 16):
                    digest.update(piece)
                told = {name: value for name, value in content.headers.items() if name.startswith(KEPT)}
                return digest.hexdigest(), told

        with Bucket(self.access, self.name) as bucket, ThreadPoolExecutor(8) as pool:
            keys = [found.key for found in bucket.objects()]
            return dict(zip(keys, pool.map(read, keys), strict=True))

    def back_up(self) -> dict[str, Any]:
        """The newest backup of the result."""
        newest: dict[str, Any] = self.place.done("backup", self.name)["result"]["newest"]
        return newest


KEPT = ("content-type", "cache-control", "content-disposition", "x-amz-meta-")


@pytest.fixture(scope="module")
def garage(place: Place) -> Iterator[dict[str, Access]]:
    """A Garage on the machine, with a bucket for each test, in a deployment of its own."""
    put_garage_on(place.machine)
    scene = Scene(place.lab, "one")
    scene.environment = scene.environment.model_copy(update={"name": "buckets"})
    report = scene.apply(one=[*garage_items(), *map(bucket, NAMES)])
    assert report.succeeded, report
    vault = Vault.of(scene.wants())
    yield {name: _access(place.machine, vault.text(bucket(name).access)) for name in NAMES}
    gone = apply_plan(make_removal(scene.environment, purge=True))
    assert gone.succeeded, gone
    place.machine.succeed("systemctl disable --now garage; rm -rf /var/lib/garage /etc/garage*")


def _access(machine: Machine, words: str) -> Access:
    id, secret = words.split(" ")
    return Access(f"http://{machine.address}:3900", "garage", id, secret)


@pytest.fixture
def store(request: pytest.FixtureRequest, place: Place, garage: dict[str, Access]) -> Store:
    """The bucket that the test names."""
    store = Store(place, request.param, garage[request.param])
    store.set_up()
    return store


def pictures(count: int) -> dict[str, tuple[bytes, Headers]]:
    """Objects of 20 kB, which nothing can make smaller."""
    return {
        f"files/{number % 10}/{number:04}.jpg": (random.Random(number).randbytes(20_000), MEDIA)
        for number in range(count)
    }


def mounts(machine: Machine) -> str:
    return machine.succeed("grep -c ' - fuse[.]' /proc/self/mountinfo || true").strip()


@pytest.mark.parametrize("store", ["first"], indirect=True)
def test_a_restore_brings_back_every_object_with_what_was_kept_beside_it(store: Store) -> None:
    odd = {key: (key.encode(), {"content-type": "text/x-odd", "x-amz-meta-note": "a b"}) for key in ODD}
    large = {"film.mp4": (bytes(range(256)) * (17 << 12), {"content-type": "video/mp4"})}
    store.put(**pictures(100), **odd, **large, **{f"{LEFT_OUT}remote": (b"1", {})})
    then = store.contents()
    newest = store.back_up()
    assert newest["parts"][0]["counts"] == {"objects": len(then) - 1}
    again = store.back_up()
    assert again["added"] < newest["added"] / 20, "what is known is not kept twice"

    store.delete(*ODD[::2], *list(pictures(100))[::3], "film.mp4", f"{LEFT_OUT}remote")
    store.put(**{"files/0/0010.jpg": (b"x", MEDIA), "files/1/0011.jpg": (pictures(12)["files/1/0011.jpg"][0], {})})
    store.put(**{"new": (b"new", {}), "new\x07": (b"", {}), f"{LEFT_OUT}newer": (b"2", {})})
    restored = store.place.done("restore", store.name, "--backup", newest["id"])["restored"]
    assert restored["differences"] == []
    now = store.contents()
    assert now.pop(f"{LEFT_OUT}newer")
    then.pop(f"{LEFT_OUT}remote")
    assert now == then
    assert mounts(store.place.machine) == "0"


@pytest.mark.parametrize("store", ["second"], indirect=True)
def test_what_is_killed_leaves_nothing_in_the_way_of_the_next(store: Store) -> None:
    """What the kernel still has of a mount whose program is dead can be neither read nor mounted upon."""
    machine = store.place.machine
    store.put(**pictures(400))
    then = store.contents()
    program = "python3 -I /usr/local/lib/fedikit-data"
    machine.succeed(f"systemd-run --quiet --unit=killed {program} backup {store.name}")
    machine.wait_until_succeeds("grep ' - fuse[.]rclone ' /proc/self/mountinfo")
    machine.succeed("kill -9 $(pgrep -x rclone) $(systemctl show --property=MainPID --value killed)")
    machine.wait_until_succeeds("! pgrep -x 'rclone|restic'")
    assert "not connected" in machine.fails(f"ls /var/lib/fedikit-data/{store.name}/bucket-{store.name}/objects")
    newest = store.back_up()
    assert newest["parts"][0]["counts"] == {"objects": 400}

    store.delete(*pictures(400))
    words = f"restore {store.name} --backup {newest['id']}"
    machine.succeed(f"systemd-run --quiet --unit=again {program} {words}")
    wait_for_some(store)
    machine.succeed("kill -9 $(pgrep -x restic) $(systemctl show --property=MainPID --value again)")
    assert 0 < len(store.contents()) < 400
    assert store.place.done(*words.split())["restored"]["differences"] == []
    assert store.contents() == then
    assert mounts(machine) == "0"


def wait_for_some(store: Store) -> None:
    """Until a restore has brought some objects back."""
    end = time.monotonic() + 30
    with Bucket(store.access, store.name) as bucket:
        while not any(bucket.objects()):
            assert time.monotonic() < end, "the restore brought nothing back"


@pytest.mark.parametrize("store", ["third"], indirect=True)
def test_what_garage_refuses_is_told_with_what_to_do(store: Store) -> None:
    machine = store.place.machine
    store.put(**pictures(2))
    store.back_up()
    key = machine.succeed("garage key list | grep 'fedikit third' | cut -d' ' -f1").strip()
    machine.succeed(f"garage bucket deny --read --write --owner third --key {key}")
    told = store.place.trouble("backup", store.name)
    assert told["part"] == "bucket:third"
    assert "refuses GET /third with HTTP status 403" in told["message"]
    assert "key still has its rights" in told["hint"]
    assert store.access.secret not in str(told)
    machine.succeed("garage bucket alias third other && garage bucket unalias third")
    told = store.place.trouble("backup", store.name)
    assert "HTTP status 404" in told["message"]
    assert "an apply makes the bucket" in told["hint"]


def test_a_bucket_may_be_the_repository_and_one_that_refuses_says_so(place: Place, garage: dict[str, Access]) -> None:
    access = garage["kept"]
    url = f"s3:{access.address}/kept/thing"
    repository = {"url": url, "access_key": access.id, "user": "", "upload_kib": 0, "download_kib": 0}
    place.machine.succeed("mkdir -p /srv/thing; echo precious >/srv/thing/file")
    part = {"id": "volume:thing", "kind": "volume", "path": "/srv/thing", "leave_out": []}
    place.set_up("thing", [part], repository=repository)
    place.secret("thing", "s3-secret", access.secret)
    backup = place.done("backup", "thing")["result"]["newest"]["id"]
    place.machine.succeed("rm /srv/thing/file")
    place.done("restore", "thing", "--backup", backup, "--without-saving")
    assert place.machine.succeed("cat /srv/thing/file") == "precious\n"
    place.secret("thing", "s3-secret", "0" * 64)
    assert "lets this host not in" in place.trouble("backup", "thing")["hint"]
