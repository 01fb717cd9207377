"""Container images on a real machine that has no way out: sent by the deployer, run by Podman, gone without a trace."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from fedikit.apply import apply_plan
from fedikit.events import tell_nobody
from fedikit.model.item import File, Image, Item, Package, Unit
from fedikit.plan import make_plan, make_rollback
from fedikit.store import Images, Store, default_directory, fetch, resolve
from fedikit.store.build import own_architecture
from fedikit_lab import Lab
from tests.checks.picture import changes, picture_of
from tests.failure.scene import Scene, error_of
from tests.images import SmallImage, write_archive

pytestmark = pytest.mark.lab

PODMAN = Package(name="podman")
ONE, TWO = "built.lab/small/one:v1", "built.lab/small/two:v1"
STORE = "/var/lib/fedikit/store"
CONTAINER = """
[Container]
Image={image}
ContainerName=small
Network=host
Pull=never
StopTimeout=1
Environment=A={setting}
[Install]
WantedBy=multi-user.target
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with Lab(tmp_path_factory.mktemp("images"), machines=("one",), acme=False) as lab:
        yield lab


@pytest.fixture(scope="module")
def busybox(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A program that runs where there is nothing else."""
    store, folder = Store(), tmp_path_factory.mktemp("busybox")
    release = {"codename": "trixie", "architecture": own_architecture(), "store": store, "tell": tell_nobody}
    debs = [deb for deb in resolve({"busybox-static": None}, status=b"", **release) if deb.name == "busybox-static"]
    fetch(debs, store=store, tell=tell_nobody)
    subprocess.run(["dpkg-deb", "--extract", str(store.path(debs[0].sha256)), str(folder)], check=True)
    return (folder / "usr/bin/busybox").read_bytes()


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Images:
    """An empty store of the deployer's, but for the package lists."""
    lists = default_directory() / "apt"
    monkeypatch.setenv("FEDIKIT_CACHE", str(tmp_path / "cache"))
    Store().directory.mkdir(parents=True)
    (Store().directory / "apt").symlink_to(lists)
    return Images()


@pytest.fixture
def small(busybox: bytes) -> SmallImage:
    return image_of(busybox, "one")


def image_of(busybox: bytes, text: str) -> SmallImage:
    """An image of two layers, the first of which all of them share."""
    layers = ({"bin/busybox": busybox}, {"text": text.encode()})
    return SmallImage(*layers, architecture=own_architecture(), title="Small", cmd=("/bin/busybox", "sleep", "4444"))


def taken(images: Images, reference: str, image: SmallImage, folder: Path) -> Image:
    """The image in the deployer's store, as an item."""
    images.add(reference, write_archive(folder / f"{image.config}.tar", image))
    return Image(reference=reference)


@pytest.fixture
def scene(lab: Lab) -> Scene:
    lab["one"].reset()
    return Scene(lab, "one")


def names_on(lab: Lab) -> dict[str, str]:
    """The images that have names in Podman's store, and their ids."""
    told = json.loads(lab["one"].succeed("podman images --format json --no-trunc") or "[]")
    return {name: image["Id"] for image in told for name in image.get("Names") or []}


def text_in(lab: Lab, reference: str) -> str:
    run = "podman run --rm --network=host --pull=never"
    return lab["one"].succeed(f"{run} {reference} /bin/busybox cat /text")


def test_an_image_arrives_runs_and_leaves_no_trace(
    lab: Lab, scene: Scene, images: Images, small: SmallImage, tmp_path: Path
) -> None:
    before = picture_of(lab, "one")
    item = taken(images, ONE, small, tmp_path)
    plan = make_plan(scene.wants(one=[PODMAN, item]))
    assert plan.hosts["one"].bytes_to_send > sum(len(small.parts[layer]) for layer in small.layers)
    assert [change.title for change in plan.hosts["one"].changes if change.id == item.id] == ["Small"]
    assert [image.size for image in plan.hosts["one"].images] == [sum(map(len, small.parts.values()))]
    report = apply_plan(plan)
    assert report.succeeded, report
    assert names_on(lab) == {ONE: small.config}
    assert text_in(lab, ONE) == "one"
    lab["one"].fails(f"cd {STORE} && ls | grep -E '{'|'.join(small.parts)}'")

    assert scene.plan(one=[PODMAN, item]).is_noop
    removed = scene.remove()
    assert removed.succeeded, removed
    assert changes(before, picture_of(lab, "one")) == []
    lab["one"].fails("ls -d /run/containers /run/libpod /run/crun")
    lab["one"].fails("grep /var/lib/containers/storage /proc/self/mounts")


def test_of_a_second_image_only_its_own_layers_travel(
    lab: Lab, scene: Scene, images: Images, busybox: bytes, tmp_path: Path
) -> None:
    one, two = image_of(busybox, "one"), image_of(busybox, "two")
    first = taken(images, ONE, one, tmp_path)
    assert scene.apply(one=[PODMAN, first]).succeeded
    second = taken(images, TWO, two, tmp_path)
    plan = make_plan(scene.wants(one=[PODMAN, first, second]))
    assert plan.hosts["one"].images[0].parts == (two.manifest, two.config, two.layers[1])
    assert plan.hosts["one"].bytes_to_send < 3000
    assert apply_plan(plan).succeeded
    assert [text_in(lab, name) for name in (ONE, TWO)] == ["one", "two"]
    assert scene.apply(one=[PODMAN, second]).succeeded
    assert names_on(lab) == {TWO: two.config}
    assert text_in(lab, TWO) == "two"


def test_a_rollback_needs_nobody_and_older_images_leave(
    lab: Lab, scene: Scene, images: Images, busybox: bytes, tmp_path: Path
) -> None:
    builds = {text: image_of(busybox, text) for text in ("one", "two", "three")}
    for build in builds.values():
        assert scene.apply(one=[PODMAN, taken(images, ONE, build, tmp_path)]).succeeded
    there = lab["one"].succeed("podman images --all --quiet --no-trunc").split()
    assert {f"sha256:{builds[text].config}" for text in ("two", "three")} == set(there)
    for path in (images.store.directory / "sha256").rglob("*/*"):
        path.unlink()
    report = apply_plan(make_rollback(scene.environment))
    assert report.succeeded, report
    assert text_in(lab, ONE) == "two"
    plan = make_rollback(scene.environment, to=1)
    assert "is not in this deployer's store" in plan.hosts["one"].error


def test_other_peoples_images_and_names_stay(
    lab: Lab, scene: Scene, images: Images, busybox: bytes, tmp_path: Path
) -> None:
    ours, theirs = image_of(busybox, "ours"), image_of(busybox, "theirs")
    assert scene.apply(one=[PODMAN]).succeeded
    archive = write_archive(tmp_path / "theirs.tar", theirs)
    one = lab["one"]
    subprocess.run(["scp", "-q", *one.ssh_options(), str(archive), f"root@{one.address}:/root/theirs.tar"], check=True)
    lab["one"].succeed(f"i=$(podman pull -q oci-archive:/root/theirs.tar); podman untag $i; podman tag $i {ONE} {TWO}")
    item = taken(images, ONE, ours, tmp_path)
    change = next(change for change in scene.plan(one=[PODMAN, item]).hosts["one"].changes)
    assert "is another image" in change.reasons[0]
    assert scene.apply(one=[PODMAN, item]).succeeded
    assert text_in(lab, ONE) == "ours"
    assert scene.apply(one=[PODMAN]).succeeded
    assert names_on(lab) == {ONE: theirs.config, TWO: theirs.config}
    assert scene.remove().succeeded
    assert theirs.config in lab["one"].succeed("cat /var/lib/containers/storage/overlay-images/images.json")


def test_a_damaged_layer_is_noticed_on_both_sides(
    lab: Lab, scene: Scene, images: Images, small: SmallImage, tmp_path: Path
) -> None:
    item = taken(images, ONE, small, tmp_path)
    assert scene.apply(one=[PODMAN]).succeeded
    plan = make_plan(scene.wants(one=[PODMAN, item]))
    images.store.path(small.layers[0]).write_bytes(b"rot")
    assert "is not in this deployer's store" in error_of(apply_plan(plan), "one")
    images.add(ONE, tmp_path / f"{small.config}.tar")
    lab["one"].succeed(f"echo rot >{STORE}/{small.layers[0]}")
    assert "was damaged" in error_of(scene.apply(one=[PODMAN, item]), "one")
    assert scene.apply(one=[PODMAN, item]).succeeded


def test_a_container_as_a_unit_follows_its_file_and_its_image(
    lab: Lab, scene: Scene, images: Images, busybox: bytes, tmp_path: Path
) -> None:
    def wanted(build: SmallImage, setting: str) -> list[Item]:
        content = CONTAINER.format(image=ONE, setting=setting)
        file = File(path="/etc/containers/systemd/small.container", content=content)
        image = taken(images, ONE, build, tmp_path)
        return [PODMAN, image, file, Unit(name="small.service", restart_on=(image.id, file.id))]

    one, two = image_of(busybox, "one"), image_of(busybox, "two")
    ask = "podman exec small /bin/busybox sh -c 'read text </text; echo $text $A'"
    before = picture_of(lab, "one")
    for build, setting, said in ((one, "1", "one 1"), (one, "2", "one 2"), (two, "2", "two 2")):
        report = scene.apply(one=wanted(build, setting))
        assert report.succeeded, report
        assert lab["one"].succeed(ask).strip() == said
        assert scene.plan(one=wanted(build, setting)).is_noop
    assert scene.apply(one=[PODMAN]).succeeded
    shown = lab["one"].succeed("systemctl show --property LoadState,ActiveState --value small.service").split()
    assert shown == ["not-found", "inactive"]
    assert scene.remove().succeeded
    assert changes(before, picture_of(lab, "one")) == []


def test_what_does_not_fit_is_refused_before_anything_is_done(images: Images, tmp_path: Path) -> None:
    big = SmallImage({"big": os.urandom(30_000_000)}, architecture=own_architecture())
    with Lab(tmp_path / "lab", machines=(), acme=False, disk={"tiny": 100}) as lab:
        scene = Scene(lab, "tiny")
        error = error_of(scene.apply(tiny=[taken(images, ONE, big, tmp_path)]), "tiny")
        assert "120.0 MB more come of unpacking images" in error
        assert "nothing was done" in error
        lab["tiny"].fails(f"ls {STORE}/*")
