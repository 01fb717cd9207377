"""Locks as values and as files: what they say of a deployment, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from fedikit import lock as locking
from fedikit.errors import ConfigurationError, FedikitError
from fedikit.lock import load_lock, make_lock, save_lock
from fedikit.model.deployment import Deployment
from fedikit.model.host import HostState, Ssh
from fedikit.model.item import File, Image, Item, Package
from fedikit.model.lock import Lock, LockedPackage
from fedikit.results.status import HostStatus, Status
from fedikit.store import Deb

HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBxmvDXEmd4pbRRnqlLS0D5oB9c7PSaZ4hUJ4mSH4hYT"
IMAGE = Image(reference="docker.io/dxflrs/garage:v2.5.0")
DIGEST = f"sha256:{'a' * 64}"
FILE = File(path="/etc/motd", content="Hello\n")


def wanting(**items: tuple[Item, ...]) -> Deployment:
    """A deployment in which these items are on these hosts."""
    connection = Ssh(address="10.0.0.2", host_key=HOST_KEY)
    return Deployment(
        name="lab", hosts={name: HostState(connection=connection, items=its) for name, its in items.items()}
    )


def locked_package(version: str = "1.0-1", **fields: Any) -> LockedPackage:
    return LockedPackage(version=version, **{"sha256": "b" * 64, **fields})


def test_each_item_is_wanted_exactly_as_it_is_locked() -> None:
    deployment = wanting(one=(Package(name="hello"), IMAGE, FILE), two=(Package(name="hello"),))
    packages = {host: {"hello": locked_package(version)} for host, version in (("one", "1.0-1"), ("two", "1.0-2"))}
    locked = deployment.locked(Lock(images={IMAGE.reference: DIGEST}, packages=packages))

    hello = Package(name="hello", version="1.0-1")
    assert locked.hosts["one"].items == (hello, IMAGE.model_copy(update={"digest": DIGEST}), FILE)
    assert locked.hosts["two"].items == (Package(name="hello", version="1.0-2"),)
    assert locked.digest != deployment.digest


def test_all_that_a_lock_lacks_is_named_with_its_host() -> None:
    deployment = wanting(one=(Package(name="hello"), IMAGE, FILE), two=(Package(name="hello"),))
    with pytest.raises(ConfigurationError) as refused:
        deployment.locked(Lock(packages={"one": {"hello": locked_package()}}))

    assert [mistake.path for mistake in refused.value.mistakes] == [f"one {IMAGE.id}", "two package:hello"]
    assert "fedikit lock" in str(refused.value)


def test_a_saved_lock_is_read_back(tmp_path: Path) -> None:
    lock = Lock(images={IMAGE.reference: DIGEST}, packages={"one": {"hello": locked_package()}})
    save_lock(lock, tmp_path / "lock")

    assert load_lock(tmp_path / "lock") == lock


def test_a_lock_names_no_address_and_believes_none(tmp_path: Path) -> None:
    save_lock(Lock(packages={"one": {"hello": locked_package()}}), tmp_path / "lock")
    assert json.loads((tmp_path / "lock").read_text())["packages"]["one"]["hello"].keys() == {"version", "sha256"}

    former = {"architecture": "all", "size": 7, "uri": "-oDir=/tmp", "file_name": "../../x.deb"}
    text = json.dumps({"packages": {"one": {"hello": {"version": "1.0-1", "sha256": "b" * 64, **former}}}})
    (tmp_path / "older").write_text(text)
    assert load_lock(tmp_path / "older") == load_lock(tmp_path / "lock")


@pytest.mark.parametrize(
    ("name", "version"),
    [("-oDir=/tmp", "1"), ("hello", "-o1"), ("hello", "1 2"), ("hello", "1/../2"), ("hello", "x"), ("Hello", "1"),
     ("hello=1", "1"), ("hello", "1\n"), ("hello", "1*"), ("hello", "")],
)  # fmt: skip
def test_what_debian_would_not_call_so_is_refused_at_the_door(tmp_path: Path, name: str, version: str) -> None:
    place = tmp_path / "lock"
    place.write_text(json.dumps({"packages": {"one": {name: {"version": version, "sha256": "b" * 64}}}}))
    with pytest.raises(ConfigurationError, match="fedikit lock"):
        load_lock(place)


@pytest.mark.parametrize("version", ["2.10-5", "1:2.3+dfsg-1~deb13u1", "0", "20250520", "2:1.0.2-3+b1"])
def test_versions_as_debian_writes_them_are_taken(version: str) -> None:
    assert locked_package(version).version == version


def test_a_lock_that_says_a_thing_twice_is_refused_with_its_path(tmp_path: Path) -> None:
    place = tmp_path / "lock"
    package = json.dumps({"version": "1", "sha256": "b" * 64})
    place.write_text(f'{{"packages": {{"one": {{"hello": {package}, "hello": {package}}}}}}}')
    with pytest.raises(ConfigurationError, match=r"packages\.one\.hello: is there more than once"):
        load_lock(place)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "",
        lambda text: text[: len(text) // 2],
        lambda text: text.replace(DIGEST, "latest"),
        lambda text: text.replace("b" * 64, "b" * 63),
        lambda text: text.replace('"images"', '"pictures"'),
        lambda text: text.encode("utf-16").decode("latin-1"),
    ],
    ids=["empty", "half", "no digest", "no hash", "unknown key", "no text"],
)
def test_a_damaged_lock_is_refused_in_words(tmp_path: Path, change: Any) -> None:
    place = tmp_path / "fedikit.lock"
    save_lock(Lock(images={IMAGE.reference: DIGEST}, packages={"one": {"hello": locked_package()}}), place)
    place.write_bytes(change(place.read_text()).encode("latin-1"))
    with pytest.raises(ConfigurationError) as refused:
        load_lock(place)

    assert str(place) in str(refused.value)
    assert "fedikit lock" in refused.value.hint


def test_a_lock_that_is_not_there_is_missed_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nowhere\.lock(?s:.*)no such file"):
        load_lock(tmp_path / "nowhere.lock")


def answering(monkeypatch: pytest.MonkeyPatch, debs: dict[str, list[Deb]], **errors: str) -> None:
    """Hosts say their release, or why they cannot; apt finds these package files for a set of names."""

    def status(deployment: Deployment, *, limit: list[str]) -> Status:
        told = {"codename": "trixie", "architecture": "amd64"}
        hosts = {host: HostStatus(host=host, error=errors.get(host, ""), **told) for host in limit}
        return Status(deployment=deployment.name, hosts=hosts)

    monkeypatch.setattr(locking, "read_status", status)
    monkeypatch.setattr(locking, "resolve", lambda names, **_: tuple(debs[" ".join(names)]))


def deb(name: str) -> Deb:
    return Deb(name, "1.0-1", "all", "b" * 64, 7, f"http://debian.test/{name}.deb", f"{name}.deb")


def test_a_lock_is_the_same_whatever_the_order_of_answers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    deployment = wanting(one=(Package(name="hello"), FILE), two=(), three=(FILE,))
    written = []
    for order in (["libc6", "hello"], ["hello", "libc6"]):
        answering(monkeypatch, {"hello": [deb(name) for name in order], "": []})
        save_lock(make_lock(deployment), tmp_path / "lock")
        written.append((tmp_path / "lock").read_text())

    assert written[0] == written[1]
    assert {host: list(locked) for host, locked in json.loads(written[0])["packages"].items()} == {
        "one": ["hello", "libc6"]
    }


def test_every_host_that_cannot_be_asked_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, {}, one="no route to host", two="refused")
    with pytest.raises(FedikitError, match=r"one: no route to host\ntwo: refused"):
        make_lock(wanting(one=(FILE,), two=(FILE,), three=(FILE,)))
