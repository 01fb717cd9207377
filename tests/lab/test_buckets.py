"""Buckets in a real Garage: made, read by everybody, rotated, mended, emptied. On several: test_garage_hosts.py."""

import json
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from fedikit.agent.exchange import Answer, ask
from fedikit.agent.s3 import list_keys
from fedikit.agent.signature import Access, signed_headers
from fedikit.apply import apply_plan
from fedikit.events import tell_nobody
from fedikit.model.check import BucketWorks
from fedikit.model.item import Bucket, Cluster, Directory, File, Item, SecretRef, SecretText, Unit
from fedikit.model.stores import Member
from fedikit.plan import make_plan
from fedikit.secrets import Vault
from fedikit.verify import CheckResult, verify
from fedikit.verify.standpoint import stand_at
from fedikit_lab import Lab, Machine
from fedikit_lab.images import lab_image
from fedikit_lab.replacements import GARAGE
from tests.failure.scene import Scene
from tests.verify.conftest import Authority, NameServer, Seen, Site, authority, names, no_shell, open_site

pytestmark = pytest.mark.lab
__all__ = ["authority", "names", "open_site"]  # fixtures, which pytest finds by their names here

TOKEN = SecretText(parts=(SecretRef(name="garage/admin-token", format="hex64"),))
SETTINGS = """\
metadata_dir = "/var/lib/garage/meta"
data_dir = "/var/lib/garage/data"
db_engine = "lmdb"
replication_factor = 1
rpc_bind_addr = "127.0.0.1:3901"
rpc_public_addr = "127.0.0.1:3901"
rpc_secret = "{rpc}"
[s3_api]
api_bind_addr = "0.0.0.0:3900"
s3_region = "garage"
[s3_web]
bind_addr = "0.0.0.0:3902"
root_domain = ".web.invalid"
[admin]
api_bind_addr = "127.0.0.1:3903"
admin_token_file = "/etc/garage/admin-token"
"""
UNIT = "[Service]\nExecStart=/usr/local/bin/garage server\n[Install]\nWantedBy=multi-user.target\n"
SERVED = "media.example.org"
CLOSED = "another.example.org"


def put_garage_on(machine: Machine) -> None:
    """Copies Garage's program out of its image."""
    layout = lab_image(GARAGE.reference, tell=tell_nobody)
    (manifest,) = json.loads((layout / "index.json").read_text())["manifests"]
    (layer,) = json.loads(_blob(layout, manifest["digest"]).read_text())["layers"]
    with tarfile.open(_blob(layout, layer["digest"])) as archive:
        (member,) = (member for member in archive if member.name.lstrip("./") == "garage")
        program = archive.extractfile(member)
        assert program
        write = "cat > /usr/local/bin/garage && chmod 755 /usr/local/bin/garage"
        command = ["ssh", *machine.ssh_options(), f"root@{machine.address}", write]
        subprocess.run(command, input=program.read(), check=True, timeout=60)


def _blob(layout: Path, digest: str) -> Path:
    return layout / "blobs" / digest.replace(":", "/")


def garage_items() -> tuple[Item, ...]:
    """What runs Garage on a machine that has its program."""
    settings = SETTINGS.format(rpc="ab" * 32)
    watched = ("file:/etc/garage.toml", "file:/etc/garage/admin-token", "file:/etc/systemd/system/garage.service")
    return (
        Directory(path="/etc/garage", mode="0700"),
        File(path="/etc/garage.toml", content=settings),
        File(path="/etc/garage/admin-token", content=TOKEN, mode="0600"),
        File(path="/etc/systemd/system/garage.service", content=UNIT),
        Unit(name="garage.service", restart_on=watched),
        Cluster(host="one", members=(Member(host="one", zone="here", capacity=10**9),)),
    )


def bucket(name: str = "media", version: int = 1, **fields: Any) -> Bucket:
    parts = [SecretRef(name=f"{name}/key", format=form, version=version) for form in ("garage-key-id", "hex64")]
    return Bucket(name=name, access=SecretText(parts=(parts[0], " ", parts[1])), **fields)


class GarageFront:
    """The S3 and web sides of the Garage on a machine, as an application and a visitor see them."""

    def __init__(self, machine: Machine, vault: Vault) -> None:
        self.machine = machine
        self.vault = vault

    def access(self, wanted: Bucket) -> Access:
        id, secret = self.vault.text(wanted.access).split(" ")
        return Access(f"http://{self.machine.address}:3900", "garage", id, secret)

    def call(self, wanted: Bucket, request: str, body: bytes = b"") -> Answer:
        access = self.access(wanted)
        headers = signed_headers(access, request, body)
        return ask(access.address, request, headers=headers, body=body, seconds=20)

    def put(self, wanted: Bucket, *keys: str) -> None:
        def upload(key: str) -> int:
            return self.call(wanted, f"PUT /{wanted.name}/{quote(key, safe='/~')}", b"a picture").status

        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(upload, keys)) == {200}

    def visit(self, host: str, path: str, origin: str = "https://example.org") -> httpx.Response:
        headers = {"host": host, "origin": origin}
        return httpx.get(f"http://{self.machine.address}:3902{path}", headers=headers, timeout=20)


@pytest.fixture(scope="module")
def lab(lab_directory: Callable[[str], Path]) -> Iterator[Lab]:
    with Lab(lab_directory("buckets"), ["one"], acme=False) as lab:
        put_garage_on(lab["one"])
        yield lab


@pytest.fixture
def scene(lab: Lab) -> Iterator[Scene]:
    scene = Scene(lab, "one")
    yield scene
    lab["one"].succeed("systemctl disable --now garage; rm -rf /var/lib/garage /var/lib/fedikit /etc/garage*")


@pytest.fixture
def garage(scene: Scene) -> GarageFront:
    return GarageFront(scene.lab["one"], Vault.of(scene.wants()))


def reasons(scene: Scene, *items: Item) -> dict[str, list[str]]:
    plan = scene.plan(one=[*garage_items(), *items])
    return {change.id: list(change.reasons) for change in plan.hosts["one"].changes}


def apply(scene: Scene, *items: Item) -> None:
    report = scene.apply(one=[*garage_items(), *items])
    assert report.succeeded, report


def test_one_apply_starts_garage_and_makes_its_buckets(scene: Scene, garage: GarageFront) -> None:
    wanted = bucket(websites=(SERVED,), origins=("https://example.org", "https://b.example.org"), max_bytes=10**6)
    assert reasons(scene, wanted)["bucket:media"] == ["there is no /etc/garage/admin-token, which Garage is asked with"]
    apply(scene, wanted, bucket("private"))
    assert reasons(scene, wanted, bucket("private")) == {}
    garage.put(wanted, "cat.jpg")
    garage.put(bucket("private"), "cat.jpg")
    assert garage.visit(SERVED, "/cat.jpg").content == b"a picture"
    assert garage.visit("private", "/cat.jpg").status_code == 404
    for origin, told in [("https://b.example.org", "https://b.example.org"), ("https://evil.example", None)]:
        assert garage.visit(SERVED, "/cat.jpg", origin).headers.get("access-control-allow-origin") == told
    assert garage.call(bucket("private"), "GET /media?list-type=2").status == 403


def test_what_somebody_changes_in_garage_is_mended(scene: Scene) -> None:
    wanted = bucket(websites=(SERVED,), origins=("*",), max_bytes=10**6)
    apply(scene, wanted)
    cli = "/usr/local/bin/garage bucket"
    machine = scene.lab["one"]
    machine.succeed(f"{cli} website --deny media && {cli} set-quotas --max-size 5MB media")
    machine.succeed(f"{cli} alias media {CLOSED} && {cli} unalias {SERVED}")
    key = machine.succeed("/usr/local/bin/garage key list | grep 'fedikit media' | cut -d' ' -f1").strip()
    machine.succeed(f"{cli} deny --write media --key {key}")
    assert reasons(scene, wanted)["bucket:media"] == [
        f"is not called {SERVED}", f"is also called {CLOSED}", "nobody may read it → everybody",
        "quota 5000000 bytes → 1000000 bytes", "its key has not all rights",
    ]  # fmt: skip
    apply(scene, wanted)
    assert reasons(scene, wanted) == {}


def test_a_bucket_that_is_closed_again_is_closed(scene: Scene, garage: GarageFront) -> None:
    wanted = bucket(websites=(SERVED,), origins=("*",), max_bytes=10**6)
    apply(scene, wanted)
    garage.put(wanted, "cat.jpg")
    apply(scene, bucket())
    assert garage.visit(SERVED, "/cat.jpg").status_code == 404
    assert reasons(scene, bucket()) == {}


def test_a_rotated_key_opens_and_the_former_does_not(scene: Scene, garage: GarageFront) -> None:
    apply(scene, bucket())
    garage.put(bucket(), "cat.jpg")
    apply(scene, bucket(version=2))
    assert garage.call(bucket(version=2), "GET /media/cat.jpg") == (200, b"a picture")
    assert garage.call(bucket(), "GET /media/cat.jpg").status == 403
    back = scene.apply(one=[*garage_items(), bucket()])
    assert "never takes an id again that was deleted" in back.hosts["one"].error


def test_a_plan_tells_of_a_garage_that_is_stopped(scene: Scene) -> None:
    apply(scene, bucket())
    scene.lab["one"].succeed("systemctl stop garage")
    assert reasons(scene, bucket()) == {
        "unit:garage.service": ["inactive → active"],
        "cluster:garage": ["Garage does not answer at http://127.0.0.1:3903"],
        "bucket:media": ["Garage does not answer at http://127.0.0.1:3903"],
    }
    apply(scene, bucket())
    assert reasons(scene, bucket()) == {}


def test_a_purge_empties_the_bucket(scene: Scene, garage: GarageFront) -> None:
    wanted = bucket(websites=(SERVED,))
    apply(scene, wanted)
    odd = ["a b+c&d<é>.jpg", "line\nbreak", "carriage\rreturn", "bell\x07", "100%", "tilde~", "'quote\""]
    garage.put(wanted, *odd, *(f"many/{number}" for number in range(1010)))
    assert garage.call(wanted, "POST /media/unfinished?uploads=").status == 200
    assert len(list_keys(garage.access(wanted), "media")) == 1000
    scene.apply(one=garage_items())
    assert len(list_keys(garage.access(wanted), "media")) == 1000
    report = apply_plan(make_plan(scene.wants(one=garage_items()), purge=True))
    assert report.succeeded, report
    left = scene.lab["one"].succeed("garage bucket list; garage key list")
    assert "media" not in left


@pytest.fixture
def tried(
    scene: Scene, garage: GarageFront, names: NameServer, authority: Authority, open_site: Callable[..., Site]
) -> Callable[..., CheckResult]:
    """How a check of the bucket ends; its media host has HTTPS here, before Garage's own port."""
    site = open_site(context=authority.context(SERVED))
    site.pages = _Before(garage)
    names.records[SERVED] = ["127.0.0.1"]
    connection = scene.environment.hosts["one"]

    def try_it(version: int = 1, **changes: Any) -> CheckResult:
        key = [part for part in bucket(version=version).access.parts if isinstance(part, SecretRef)]
        usual = {"application": "probe", "host": "one", "region": "garage", "bucket": "media", "deadline": 3}
        where = {"endpoint": "http://127.0.0.1:3900", "public_host": SERVED, "port": site.server_port}
        check = BucketWorks.model_validate(usual | where | {"key_id": key[0], "key_secret": key[1]} | changes)
        verdict = verify(
            [check],
            resolver=names.address,
            trust=authority.pem,
            vault=garage.vault,
            shell=no_shell,
            stand=lambda host: stand_at(host, connection),
        )
        return verdict.results[0]

    return try_it


class _Before(dict[str, Callable[[Seen], tuple[int, dict[str, str], bytes]]]):
    """The pages of a web server that asks Garage for each."""

    def __init__(self, garage: GarageFront) -> None:
        super().__init__()
        self.garage = garage

    def get(self, path: str, default: Any = None) -> Any:
        answer = self.garage.visit(SERVED, path)
        return lambda seen: (answer.status_code, {}, answer.content)


def test_a_check_puts_reads_and_deletes_from_the_host_itself(
    scene: Scene, garage: GarageFront, tried: Callable[..., CheckResult]
) -> None:
    """The S3 API is asked at 127.0.0.1 of the host, where nobody else reaches it."""
    apply(scene, bucket(websites=(SERVED,)))
    result = tried()
    assert result.passed, result.detail
    assert result.detail.startswith(f"put, read back, seen at https://{SERVED}")
    assert list_keys(garage.access(bucket()), "media") == []


def test_a_key_that_was_deleted_in_garage_fails_the_check(scene: Scene, tried: Callable[..., CheckResult]) -> None:
    apply(scene, bucket(websites=(SERVED,)))
    machine = scene.lab["one"]
    key = machine.succeed("/usr/local/bin/garage key list | grep 'fedikit media' | cut -d' ' -f1").strip()
    machine.succeed(f"/usr/local/bin/garage key delete --yes {key}")
    result = tried()
    assert not result.passed
    assert result.detail.endswith("saw the bucket refuses the application's key: AccessDenied")
    assert key not in result.detail


def test_another_key_than_garages_fails_the_check(scene: Scene, tried: Callable[..., CheckResult]) -> None:
    apply(scene, bucket(websites=(SERVED,)))
    result = tried(version=2)
    assert result.detail.endswith("saw the bucket refuses the application's key: AccessDenied")


def test_a_key_that_may_not_write_and_a_bucket_that_is_full_fail_the_check(
    scene: Scene, tried: Callable[..., CheckResult]
) -> None:
    apply(scene, bucket(websites=(SERVED,)))
    scene.lab["one"].succeed("/usr/local/bin/garage bucket set-quotas --max-objects 0 media")
    assert "lets the application's key read, not write: AccessDenied; is it full?" in tried().detail


def test_a_media_host_that_shows_nothing_fails_the_check_and_leaves_nothing(
    scene: Scene, garage: GarageFront, tried: Callable[..., CheckResult]
) -> None:
    apply(scene, bucket())
    result = tried()
    assert not result.passed
    assert f"wanted the object of bucket media, saw HTTP 404 from https://{SERVED}" in result.detail
    assert list_keys(garage.access(bucket()), "media") == []


def test_a_garage_that_is_stopped_fails_the_check(scene: Scene, tried: Callable[..., CheckResult]) -> None:
    apply(scene, bucket(websites=(SERVED,)))
    scene.lab["one"].succeed("systemctl stop garage")
    assert tried().detail == "wanted an answer from http://127.0.0.1:3900 to one, saw connection refused"
