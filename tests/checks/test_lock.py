"""Locks on a real machine: packages and images stay what was locked, whatever the lists and the store say by now.

snac is the application with packages. Beside it runs one that is nothing but a container, and comes from elsewhere.
In the end, secrets that somebody looks at there.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fedikit.events import tell_nobody
from fedikit.model.lock import LockedPackage
from fedikit.store import Deb, Images, Store, default_directory, fetch, resolve
from fedikit.store.build import own_architecture
from fedikit.store.lists import current_lists
from fedikit_lab import Lab
from tests.checks.picture import changes, picture_of
from tests.failure.scene import switch_off
from tests.images import SmallImage, write_archive

SECRET = "snac/initial-user"
LIBRARIES = ("libcurl4t64", "libssh2-1t64", "libnghttp2-14", "librtmp1", "libldap2", "libpsl5t64", "libngtcp2-16")
"""What snac2 depends on, and no machine of the lab has from the beginning."""
TINY = "127.0.0.1:9/tiny:v1"
"""Its name leads to no registry: nothing listens there."""
APPLICATION = f'''"""An application that is one container."""

from fedikit.model import Application, Container, Context, Requests, Settings


class TinySettings(Settings):
    """Has none."""


class Tiny(Application[TinySettings]):
    """Keeps a container running."""

    name = "tiny"

    def requests(self, settings: TinySettings, context: Context) -> Requests:
        return {{"server": Container(name="tiny", image="{TINY}")}}
'''
CONFIGURATION = {
    "domain": "fediversity.test",
    "initialUser": {"displayName": "Testy McTestface", "username": "test", "email": "test@fediversity.test"},
    "snac": {"enable": True},
    "tiny": {"enable": True},
}

pytestmark = pytest.mark.lab


class Deployer:
    """The command line in a folder, with a store of its own for images and one more application."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab, self.folder = lab, folder
        self.lock = folder / "fedikit.lock"
        (folder / "tiny.py").write_text(APPLICATION)
        info = folder / "tiny-1.dist-info"
        info.mkdir()
        (info / "entry_points.txt").write_text("[fedikit.applications]\ntiny = tiny:Tiny\n")
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny\nVersion: 1\n")
        (folder / "configuration.json").write_text(json.dumps(CONFIGURATION))
        environment = lab.directory / "with-tiny.toml"
        environment.write_text(lab.environment_file.read_text() + 'tiny = "social"\n')  # [placement] comes last
        self.variables = {**os.environ, "PYTHONPATH": str(folder), "FEDIKIT_CACHE": str(folder / "cache")}
        self.configuration, self.environment = str(folder / "configuration.json"), str(environment)

    def run(self, verb: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        files = [] if verb == "status" else [self.configuration]
        command = [sys.executable, "-m", "fedikit", *verb.split(), *arguments, *files, "-e", self.environment]
        return subprocess.run(command, env=self.variables, capture_output=True, text=True, timeout=300, check=False)

    def succeed(self, verb: str, *arguments: str) -> str:
        done = self.run(verb, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def refused(self, verb: str, *arguments: str) -> str:
        """What is said when it does not do it; never a traceback."""
        done = self.run(verb, *arguments)
        assert done.returncode != 0, done.stdout
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    def notes(self) -> list[str]:
        """What the host noted, the latest last."""
        told = json.loads(self.succeed("status", "--json"))["hosts"]["social"]
        return [note["note"] for note in told["notes"]]

    def planned(self, *arguments: str) -> dict[str, str]:
        plan = json.loads(self.succeed("plan", "--json", *arguments))
        return {change["id"]: change["action"] for change in plan["hosts"]["social"]["changes"]}

    def read(self) -> dict[str, Any]:
        lock: dict[str, Any] = json.loads(self.lock.read_text())
        return lock

    def edited(self, name: str, **fields: Any) -> Path:
        """The lock with something else said of a package."""
        lock = self.read()
        lock["packages"]["social"][name] |= fields
        place = self.folder / "edited.lock"
        place.write_text(json.dumps(lock))
        return place

    def without(self, *keys: str) -> Path:
        """The lock without one entry."""
        lock = self.read()
        *groups, last = keys
        part = lock
        for group in groups:
            part = part[group]
        del part[last]
        place = self.folder / "lacking.lock"
        place.write_text(json.dumps(lock))
        return place

    def tag(self, image: SmallImage) -> None:
        """Gives the name in this deployer's store to an image."""
        images = Images(Store(self.folder / "cache" / "store"))
        images.add(TINY, write_archive(self.folder / f"{image.config}.tar", image))

    def installed(self, name: str) -> str:
        return self.lab["social"].succeed(f"dpkg-query --show --showformat '${{Version}}' {name}")

    def text(self) -> str:
        """What the image that runs has in it."""
        return self.lab["social"].succeed("podman exec tiny /bin/busybox cat /text")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, SmallImage]]:
    """Two images; their parts leave the deployer's store in the end."""
    busybox = busybox_of(tmp_path_factory.mktemp("busybox"))
    made = {text: image_of(busybox, text) for text in ("one", "two")}
    yield made
    for image in made.values():
        forget(image)


def busybox_of(folder: Path) -> bytes:
    """A program that runs where there is nothing else."""
    store = Store()
    release: dict[str, Any] = {"codename": "trixie", "architecture": own_architecture(), "tell": tell_nobody}
    debs = resolve({"busybox-static": None}, status=b"", store=store, **release)
    (deb,) = (deb for deb in debs if deb.name == "busybox-static")
    fetch([deb], store=store, tell=tell_nobody)
    subprocess.run(["dpkg-deb", "--extract", str(store.path(deb.sha256)), str(folder)], check=True)
    return (folder / "usr/bin/busybox").read_bytes()


def image_of(busybox: bytes, text: str) -> SmallImage:
    layers = ({"bin/busybox": busybox}, {"text": text.encode()})
    return SmallImage(*layers, architecture=own_architecture(), title="Tiny", cmd=("/bin/busybox", "sleep", "4444"))


def forget(image: SmallImage) -> None:
    for sha256 in image.parts:
        (Store().directory / "sha256" / sha256[:2] / sha256).unlink(missing_ok=True)


@pytest.fixture(scope="module")
def deployer(tmp_path_factory: pytest.TempPathFactory, images: dict[str, SmallImage]) -> Iterator[Deployer]:
    folder = tmp_path_factory.mktemp("locks")
    store = folder / "cache" / "store"
    store.mkdir(parents=True)
    for part in ("apt", "debs", "incoming", "resolved", "sha256"):  # packages are the user's: they need not come again
        (default_directory() / part).mkdir(exist_ok=True)
        (store / part).symlink_to(default_directory() / part)
    with Lab(tmp_path_factory.mktemp("lab"), machines=("social",)) as lab:
        lab.set_dns({"snac.fediversity.test": lab["social"].address})
        deployer = Deployer(lab, folder)
        deployer.tag(images["one"])
        yield deployer


def another_version(locked: dict[str, Any]) -> Deb:
    """One of the libraries in another version, as Debian's main and security archives often have two."""
    release: dict[str, Any] = {"codename": "trixie", "architecture": own_architecture(), "tell": tell_nobody}
    lists = current_lists(**release, store=Store())
    for name in LIBRARIES:
        rows = lists.ask("apt-cache", "madison", "--", name).stdout.splitlines()
        others = {row.split(" | ")[1].strip() for row in rows} - {locked.get(name, {}).get("version")}
        if name in locked and others:
            debs = resolve({name: min(others)}, status=b"", store=Store(), **release)
            return next(deb for deb in debs if deb.name == name)
    pytest.fail(f"Debian has one version only of each of {', '.join(LIBRARIES)}: name another library here")


def test_a_lock_says_what_everything_is(deployer: Deployer, images: dict[str, SmallImage]) -> None:
    before = picture_of(deployer.lab, "social")
    said = deployer.succeed("lock", "--out", str(deployer.lock))
    first = deployer.lock.read_bytes()
    deployer.succeed("lock", "--out", str(deployer.lock))

    assert deployer.lock.read_bytes() == first
    assert said.startswith(f"{deployer.lock}: 1 images, ")
    lock = deployer.read()
    assert lock["images"] == {TINY: f"sha256:{images['one'].manifest}"}
    assert lock["packages"].keys() == {"social"}
    assert lock["packages"]["social"].keys() > {"snac2", "caddy", "podman", "libcurl4t64"}
    assert changes(before, picture_of(deployer.lab, "social")) == []


def test_a_secret_is_noted_nowhere_while_nothing_is_deployed(deployer: Deployer) -> None:
    assert deployer.succeed("secret show", SECRET).strip().isalnum()
    assert deployer.notes() == []
    deployer.lab["social"].fails("ls -d /var/lib/fedikit")


def test_what_a_lock_lacks_is_named(deployer: Deployer) -> None:
    for keys, words in (
        (("images", TINY), f"social image:{TINY}: is not in the lock"),
        (("packages", "social", "snac2"), "social package:snac2: is not in the lock"),
        (("packages", "social", LIBRARIES[0]), f"the lock does not know {LIBRARIES[0]}, which this host needs besides"),
    ):
        said = deployer.refused("apply", "--yes", "--lock", str(deployer.without(*keys)))
        assert words in said
        assert "fedikit lock" in said
    deployer.lab["social"].fails("ls -d /var/lib/fedikit")


def test_half_a_lock_is_refused_in_words(deployer: Deployer) -> None:
    half = deployer.folder / "half.lock"
    half.write_bytes(deployer.lock.read_bytes()[:1000])
    said = deployer.refused("plan", "--lock", str(half))
    assert "half.lock" in said
    assert "write it anew: fedikit lock" in said


def test_a_package_with_another_content_is_refused(deployer: Deployer) -> None:
    said = deployer.refused("apply", "--yes", "--lock", str(deployer.edited("snac2", sha256="0" * 64)))
    assert "Debian's lists tell another SHA-256 than is locked" in said
    assert "fedikit lock" in said
    deployer.lab["social"].fails("ls -d /var/lib/fedikit || dpkg --status snac2")


def test_what_is_locked_is_deployed_though_there_is_newer(deployer: Deployer, images: dict[str, SmallImage]) -> None:
    deployer.tag(images["two"])
    other = another_version(deployer.read()["packages"]["social"])
    fields = {name: getattr(other, name) for name in LockedPackage.model_fields}
    lock = ("--lock", str(deployer.edited(other.name, **fields)))
    before = picture_of(deployer.lab, "social")
    assert {f"image:{TINY}", "package:snac2"} <= deployer.planned(*lock).keys()
    assert changes(before, picture_of(deployer.lab, "social")) == []

    deployer.succeed("apply", "--yes", *lock)

    assert deployer.installed(other.name) == other.version
    assert deployer.text() == "one"
    assert deployer.planned(*lock) == {}
    assert deployer.planned() == {f"image:{TINY}": "update", "unit:tiny.service": "update"}


def test_a_locked_image_that_is_nowhere_is_missed_by_its_digest(
    deployer: Deployer, images: dict[str, SmallImage]
) -> None:
    forget(images["one"])
    deployer.tag(images["two"])  # they had a layer in common
    said = deployer.refused("plan", "--lock", str(deployer.lock))
    assert f"image {TINY} (sha256:{images['one'].manifest}) is not in this deployer's store" in said

    deployer.succeed("apply", "--yes")
    assert deployer.text() == "two"


def test_who_sees_a_secret_is_noted_on_its_host_or_it_is_not_shown(deployer: Deployer) -> None:
    password = deployer.succeed("secret show", SECRET).strip()
    assert deployer.notes() == [f"saw the secret {SECRET}"]
    assert f"saw the secret {SECRET}" in deployer.succeed("status")

    switch_off(deployer.lab["social"])
    said = deployer.refused("secret show", SECRET)
    assert f"the secret {SECRET} is not shown, for this cannot be noted where it is used" in said
    assert "social: " in said
    assert "see that the host can be reached" in said
    assert password not in said
