"""Images, as the agent sees them: in Podman's own records, without running it."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from fedikit.agent.kinds.image import ARCHITECTURES
from tests.agent.conftest import Host, Item

HERE = ARCHITECTURES.get(os.uname().machine, os.uname().machine)
NAME = "a.example/small/app:v1"


def digest(letter: str) -> str:
    return letter * 64


def build(letter: str, *layers: str, size: int = 10) -> Item:
    described = [{"sha256": digest(layer), "diff": digest(layer), "size": size} for layer in layers]
    return {"manifest": digest(letter), "config": digest(letter.upper()), "layers": described}


def image(reference: str = NAME, **builds: Item) -> Item:
    return {"id": f"image:{reference}", "kind": "image", "reference": reference, "digest": "sha256:x", "builds": builds}


def image_here(letter: str, *layers: str, **fields: Any) -> Item:
    return image(**{HERE: build(letter, *layers, **fields)})


def podman_has(host: Host, images: dict[str, list[str]], *layers: str, driver: str = "overlay", **flags: Any) -> None:
    """Writes the records of a store with these images and their names, and with these layers."""
    storage = host.root / f"var/lib/containers/storage/{driver}-"
    records = {
        "images": [{"id": digest(letter), "names": names} for letter, names in images.items()],
        "layers": [{"compressed-diff-digest": f"sha256:{digest(layer)}", "flags": flags} for layer in layers],
    }
    for name, record in records.items():
        folder = Path(f"{storage}{name}")
        folder.mkdir(parents=True)
        (folder / f"{name}.json").write_text(json.dumps(record))


def test_where_nothing_is_all_parts_are_needed(host: Host) -> None:
    answer = host.plan(image_here("m", "a", "b"))
    assert answer["changes"] == [{"id": f"image:{NAME}", "action": "create", "reasons": ["absent"]}]
    assert answer["contents"] == sorted(digest(letter) for letter in "mMab")


@pytest.mark.parametrize("driver", ["overlay", "vfs"])
def test_layers_that_podman_has_are_not_needed(host: Host, driver: str) -> None:
    podman_has(host, {}, "a", driver=driver)
    assert host.plan(image_here("m", "a", "b"))["contents"] == sorted(digest(letter) for letter in "mMb")


def test_a_layer_that_podman_has_not_completed_is_needed(host: Host) -> None:
    podman_has(host, {}, "a", incomplete=True)
    assert digest("a") in host.plan(image_here("m", "a"))["contents"]


def test_an_image_that_lacks_only_its_name_needs_nothing(host: Host) -> None:
    podman_has(host, {"M": ["b.example/other/app:v1"]})
    answer = host.plan(image_here("m", "a"))
    assert answer["changes"][0]["action"] == "create"
    assert answer["contents"] == []


def test_another_image_of_that_name_is_an_update(host: Host) -> None:
    podman_has(host, {"X": [NAME]})
    change = host.plan(image_here("m", "a"))["changes"][0]
    assert change["action"] == "update"
    assert change["reasons"] == [f"is another image: {'X' * 12} → {'M' * 12}"]


def test_an_image_that_is_there_is_adopted_and_stays_when_it_leaves(host: Host) -> None:
    podman_has(host, {"M": [NAME]}, "a")
    before = host.tree()
    assert host.actions(image_here("m", "a")) == {f"image:{NAME}": "adopt"}
    assert host.apply(image_here("m", "a"))[-1]["event"] == "done"
    assert host.plan(image_here("m", "a"))["changes"] == []
    assert host.actions() == {f"image:{NAME}": "restore"}
    assert host.remove()[-1]["event"] == "done"
    assert host.tree() == before


def test_the_build_for_this_machine_is_taken(host: Host) -> None:
    other = "arm64" if HERE == "amd64" else "amd64"
    answer = host.plan(image(**{other: build("o", "x"), HERE: build("m", "a")}))
    assert answer["contents"] == sorted(digest(letter) for letter in "mMa")


def test_without_a_build_for_this_machine_the_plan_is_blocked(host: Host) -> None:
    answer = host.plan(image(riscv64=build("o", "x")))
    words = f"this host needs it for {HERE}, the deployer's store has it for riscv64"
    assert answer["changes"] == [{"id": f"image:{NAME}", "action": "blocked", "reasons": [words]}]
    assert answer["contents"] == []


def test_room_for_what_the_layers_become_is_needed_before_anything_is_sent(host: Host) -> None:
    podman_has(host, {}, "b")
    host.contents |= {digest(letter): b"" for letter in "mMa"}
    (*_, trouble) = host.apply(image_here("m", "a", "b", size=10**14), order={"blobs": []})
    assert trouble["code"] == "disk"
    assert "0.0 MB are to be sent, 400000000.0 MB more come of unpacking images" in trouble["message"]
    assert "nothing was done" in trouble["message"]
    assert not list((host.home / "deployments").glob("*/ledger.json"))


def test_without_podman_the_trouble_names_it(host: Host) -> None:
    host.contents |= {digest(letter): b"" for letter in "mM"}
    (*_, trouble) = host.apply(image_here("m"), order={"blobs": []})
    assert trouble["item"] == f"image:{NAME}"
    assert "podman" in trouble["message"]
