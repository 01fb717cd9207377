"""Images in the deployer's store: taken from files and registries, found by name, never half known."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretBytes

from fedikit.errors import StoreError
from fedikit.events import Event, Progress
from fedikit.model.item import Image, Unit
from fedikit.remote.payload import encode
from fedikit.secrets import MasterKey, Vault
from fedikit.store import Images, Store
from fedikit.store.build import read_build
from tests.images import SmallImage, SmallRegistry, list_of, sha256_of, write_archive, write_layout

NAME = "ghcr.io/small/app:v1"
BASE = {"bin/app": bytes(range(256)) * 100}


@pytest.fixture
def images(store: Store) -> Images:
    return Images(store)


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallRegistry]:
    with SmallRegistry() as registry:
        folder = tmp_path / "home/.config/containers"
        folder.mkdir(parents=True)
        (folder / "registries.conf").write_text(f'[[registry]]\nlocation = "{registry.name}"\ninsecure = true\n')
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
        yield registry


def docker_archive(path: Path, layout: Path) -> Path:
    command = ["skopeo", "copy", "--quiet", f"oci:{layout}:app", f"docker-archive:{path}:{NAME}"]
    subprocess.run(command, check=True, timeout=30)
    return path


# Files


def test_an_archive_is_taken_in_part_by_part_and_found_by_its_name(images: Images, tmp_path: Path) -> None:
    image = SmallImage(BASE, {"etc/app": b"1"}, title="App")
    added = images.add(NAME, write_archive(tmp_path / "app.tar", image))
    assert added.digest == f"sha256:{image.manifest}"
    assert added.as_record()["title"] == "App"
    found = images.find(NAME)
    assert found == added
    assert found.builds["amd64"].config == image.config
    assert [layer.sha256 for layer in found.builds["amd64"].layers] == image.layers
    assert all(images.store.path(sha256).read_bytes() == content for sha256, content in image.parts.items())
    assert images.known() == [added]


def test_each_kind_of_file_gives_the_same_image(images: Images, tmp_path: Path) -> None:
    image = SmallImage(BASE)
    layout = write_layout(tmp_path / "layout", {"app": image})
    folder = tmp_path / "folder"
    subprocess.run(["skopeo", "copy", "--quiet", f"oci:{layout}:app", f"dir:{folder}"], check=True, timeout=30)
    files = [layout, folder, write_archive(tmp_path / "a.tar", image), docker_archive(tmp_path / "d.tar", layout)]
    configs = [images.add(NAME, file).builds["amd64"].config for file in files]
    assert configs == [image.config] * 4


def test_of_several_images_in_a_file_the_one_of_that_name_is_taken(images: Images, tmp_path: Path) -> None:
    one, two = SmallImage({"one": b"1"}), SmallImage({"two": b"2"})
    layout = write_layout(tmp_path / "layout", {"v1": one, "v2": two})
    assert images.add(NAME, layout).builds["amd64"].config == one.config
    with pytest.raises(StoreError, match=r"holds 2 images, none of them called ghcr.io/small/app:v3[^$]*v1, v2"):
        images.add("ghcr.io/small/app:v3", layout)


def test_a_file_with_builds_for_several_machines_gives_them_all(images: Images, tmp_path: Path) -> None:
    builds = [SmallImage(BASE, architecture=name) for name in ("amd64", "arm64")]
    layout = write_layout(tmp_path / "layout", dict(zip("ab", builds, strict=True)))
    manifests = list_of(*builds)
    (layout / "blobs/sha256" / sha256_of(manifests)).write_bytes(manifests)
    entry = {"mediaType": "application/vnd.oci.image.index.v1+json", "digest": f"sha256:{sha256_of(manifests)}"}
    index = {"schemaVersion": 2, "manifests": [{**entry, "size": len(manifests)}]}
    (layout / "index.json").write_text(json.dumps(index))
    added = images.add(NAME, layout)
    assert {name: build.config for name, build in added.builds.items()} == {
        "amd64": builds[0].config,
        "arm64": builds[1].config,
    }
    assert added.digest == f"sha256:{sha256_of(manifests)}"


@pytest.mark.parametrize("content", ["text", "archive", "folder", "nothing"])
def test_what_is_no_image_is_refused_in_words(images: Images, tmp_path: Path, content: str) -> None:
    path = tmp_path / "thing"
    if content == "text":
        path.write_text("no image")
    elif content == "folder":
        path.mkdir()
    elif content == "archive":
        with tarfile.open(path, "w") as archive:
            archive.add(__file__, "test.py")
    expected = "cannot be read: No such file" if content == "nothing" else "is no OCI archive"
    with pytest.raises(StoreError, match=expected):
        images.add(NAME, path)


def test_a_damaged_layer_is_not_taken_in(images: Images, tmp_path: Path) -> None:
    image = SmallImage(BASE)
    layout = write_layout(tmp_path / "layout", {"app": image})
    (layout / "blobs/sha256" / image.layers[0]).write_bytes(b"rot")
    with pytest.raises(StoreError, match="could not be copied"):
        images.add(NAME, layout)
    assert images.find(NAME) is None


def test_without_skopeo_the_error_names_its_package(
    images: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = write_archive(tmp_path / "app.tar", SmallImage(BASE))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StoreError, match="apt-get install skopeo"):
        images.add(NAME, archive)


# Registries


def test_a_plan_brings_descriptions_only_and_asks_once(images: Images, registry: SmallRegistry) -> None:
    image = SmallImage(BASE, {"etc/app": b"1"})
    reference = registry.push("small/app:v1", image)
    found = images.wanted([(reference, None)])[reference]
    assert found.builds["amd64"].config == image.config
    assert registry.asked_for("blobs") == {image.config}
    assert not images.is_whole(found.builds["amd64"])
    registry.asked.clear()
    assert Images(images.store).wanted([(reference, None)]) == {reference: found}
    assert registry.asked == []


def test_layers_come_when_they_are_needed_and_only_those_that_are_lacking(
    images: Images, registry: SmallRegistry
) -> None:
    one, two = SmallImage(BASE, {"one": b"1"}), SmallImage(BASE, {"two": b"2"})
    events: list[Event] = []
    for image, path in ((one, "small/one:v1"), (two, "small/two:v1")):
        reference = registry.push(path, image)
        images.wanted([(reference, None)])
        registry.asked.clear()
        images.bring(reference, image.manifest, image.parts, events.append)
        assert all(images.store.has(part) for part in image.parts)
    assert one.layers[0] == two.layers[0]
    assert registry.asked_for("blobs") & {*two.layers} == {two.layers[1]}
    assert any(isinstance(event, Progress) and event.what == "images" for event in events)


def test_a_list_of_builds_is_known_whole_and_fetched_for_one_machine(images: Images, registry: SmallRegistry) -> None:
    builds = {name: SmallImage({"app": name.encode()}, architecture=name) for name in ("amd64", "arm64", "s390x")}
    reference = registry.push("small/app:v1", *builds.values())
    fetched = images.fetch(reference, "arm64")
    assert fetched.digest == f"sha256:{sha256_of(list_of(*builds.values()))}"
    assert {name: build.config for name, build in fetched.builds.items()} == {
        name: builds[name].config for name in ("amd64", "arm64")
    }
    assert [name for name, build in fetched.builds.items() if images.is_whole(build)] == ["arm64"]


def test_a_digest_must_match_and_is_asked_for_by_itself(images: Images, registry: SmallRegistry) -> None:
    old, new = SmallImage({"app": b"old"}), SmallImage({"app": b"new"})
    registry.push("small/app:v1", old)
    reference = registry.push("small/app:v1", new)
    assert images.wanted([(reference, None)])[reference].digest == f"sha256:{new.manifest}"
    locked = images.wanted([(reference, f"sha256:{old.manifest}")])[reference]
    assert locked.digest == f"sha256:{old.manifest}"
    with pytest.raises(StoreError, match=rf"\(sha256:{'0' * 64}\) is not in this deployer's store"):
        images.wanted([(reference, f"sha256:{'0' * 64}")])


def test_all_missing_images_are_told_at_once_with_what_to_do(images: Images) -> None:
    with pytest.raises(StoreError) as raised:
        images.wanted([("127.0.0.1:1/a/one:v1", None), ("127.0.0.1:1/a/two:v2", None)])
    assert str(raised.value).count("is not in this deployer's store and its registry does not answer (") == 2
    assert "connection refused" in str(raised.value)
    assert raised.value.hint.splitlines() == [
        "on a machine that reaches it:",
        "    skopeo copy docker://127.0.0.1:1/a/one:v1 oci-archive:one-v1.tar",
        "    skopeo copy docker://127.0.0.1:1/a/two:v2 oci-archive:two-v2.tar",
        "    then here, with the files:",
        "    fedikit store add 127.0.0.1:1/a/one:v1 one-v1.tar",
        "    fedikit store add 127.0.0.1:1/a/two:v2 two-v2.tar",
    ]


def test_a_layer_that_was_damaged_in_the_store_is_fetched_anew(images: Images, registry: SmallRegistry) -> None:
    image = SmallImage(BASE)
    reference = registry.push("small/app:v1", image)
    images.fetch(reference, "amd64")
    images.store.path(image.layers[0]).write_bytes(b"rot")
    images.bring(reference, image.manifest, image.parts)
    assert images.store.path(image.layers[0]).read_bytes() == image.parts[image.layers[0]]


# The command line


def test_the_verbs_add_list_and_prune(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEDIKIT_CACHE", str(tmp_path))
    archive = write_archive(tmp_path / "app.tar", SmallImage(BASE, title="App"))

    def said(*words: str) -> str:
        command = [sys.executable, "-m", "fedikit", "store", *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout

    assert said("list") == "There are no images in the store.\n"
    line = said("add", NAME, str(archive))
    assert line.startswith(f"{NAME}  sha256:")
    assert line.endswith("  App\n")
    assert said("list") == line
    assert json.loads(said("list", "--json"))[0]["builds"] == ["amd64"]
    assert "MB are free again" in said("prune", "--days", "0")
    assert said("list") == "There are no images in the store.\n"


# What stays


def test_pruning_takes_what_nobody_uses_and_leaves_no_name_without_an_image(images: Images, tmp_path: Path) -> None:
    used, unused = SmallImage({"used": b"1"}), SmallImage({"unused": b"1"})
    images.add("a.example/used:v1", write_archive(tmp_path / "used.tar", used))
    images.add("a.example/unused:v1", write_archive(tmp_path / "unused.tar", unused))
    long_ago = time.time() - 10 * 86400
    for path in (images.store.directory / "sha256").rglob("*/*"):
        os.utime(path, (long_ago, long_ago))
    assert images.find("a.example/used:v1")
    assert images.prune(5) == sum(len(content) for content in unused.parts.values())
    assert [image.reference for image in images.known()] == ["a.example/used:v1"]
    assert len(list((images.store.directory / "images").iterdir())) == 1
    assert all(images.store.has(part) for part in used.parts)


def test_an_image_whose_description_is_damaged_counts_as_unknown(images: Images, tmp_path: Path) -> None:
    image = SmallImage(BASE)
    archive = write_archive(tmp_path / "app.tar", image)
    for part in (image.manifest, image.config):
        images.add(NAME, archive)
        images.store.path(part).write_bytes(b"{}")
        assert images.find(NAME) is None
    shutil.rmtree(images.store.directory / "sha256")
    assert images.find(NAME) is None


def test_a_manifest_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(StoreError, match="of a kind that is not known"):
        read_build(b'{"schemaVersion": 1, "fsLayers": []}', b"{}")


def test_a_configuration_that_the_manifest_does_not_name_is_refused() -> None:
    one, two = SmallImage({"one": b"1"}), SmallImage({"two": b"2"})
    with pytest.raises(StoreError, match="not the one that its manifest names"):
        read_build(one.parts[one.manifest], two.parts[two.config])


# On its way to a host


def fingerprint(images: Images) -> str:
    image = Image(reference=NAME)
    items = [image, Unit(name="app.service", restart_on=(image.id,))]
    encoded = encode("one", items, Vault(MasterKey(SecretBytes(b"k" * 32)), {}), images).items
    assert set(encoded[0]) == {"kind", "id", "reference", "digest", "builds"}
    return str(encoded[1]["fingerprint"])


def test_a_unit_answers_to_another_image_and_to_nothing_else_of_it(images: Images, tmp_path: Path) -> None:
    one, two = SmallImage({"app": b"1"}), SmallImage({"app": b"2"})
    images.add(NAME, write_archive(tmp_path / "one.tar", one))
    before = fingerprint(images)
    images.add(NAME, write_archive(tmp_path / "again.tar", one))
    assert fingerprint(images) == before
    images.add(NAME, write_archive(tmp_path / "two.tar", two))
    assert fingerprint(images) != before


def test_an_item_with_another_digest_than_the_stores_is_not_lowered(images: Images, tmp_path: Path) -> None:
    image = SmallImage(BASE)
    name = "127.0.0.1:1/small/app:v1"
    images.add(name, write_archive(tmp_path / "app.tar", image))
    vault = Vault(MasterKey(SecretBytes(b"k" * 32)), {})
    encode("one", [Image(reference=name, digest=f"sha256:{image.manifest}")], vault, images)
    with pytest.raises(StoreError, match="is not in this deployer's store"):
        encode("one", [Image(reference=name, digest=f"sha256:{'1' * 64}")], vault, images)
