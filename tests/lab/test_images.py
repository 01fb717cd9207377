"""The images that the lab builds: once, whole or not at all, the same from the same recipe; they say what they are."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from fedikit.errors import DeadlineExceeded, FedikitError
from fedikit.events import Event, StepFinished, Waiting, tell_nobody
from fedikit_lab import garage
from fedikit_lab.bootstrap import follow
from fedikit_lab.images import Build, build_of_program, built, lab_image
from fedikit_lab.layout import Config, Layout, mark_what_went
from fedikit_lab.lock import held_lock
from fedikit_lab.replacements import GARAGE, REPLACEMENTS, STAND_INS, Replacement
from fedikit_lab.standins import HOME, VERSION_FILE, Program, read_program

PROGRAM = """\
IMAGE = {
    "user": "991:992",
    "workdir": "/opt/probe",
    "env": {"COLOUR": "blue sky"},
    "entrypoint": ["/usr/bin/tini", "--"],
    "cmd": ["probe", "run"],
    "owned": ["/opt/probe/kept"],
}
COMMANDS = {"/usr/local/bin/probe": ("probe", "--quiet")}
FILES = {"/opt/probe/text": "text"}
"""
LATER = iter(range(2_000_000_000, 2_000_001_000))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache; returns where images are kept in it."""
    monkeypatch.setenv("FEDIKIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "lab" / "images"


@pytest.fixture
def probe(tmp_path: Path) -> Program:
    """The program of a module that is none of the three."""
    (tmp_path / "files").mkdir()
    (tmp_path / "files/text").write_text("hello\n")
    return program_in(tmp_path, PROGRAM)


def program_in(folder: Path, text: str, version: str = "1.2.3") -> Program:
    (folder / "probe.py").write_text(text)
    return Program.of("Probe", loaded(folder / "probe.py"), version)


def loaded(path: Path) -> ModuleType:
    spec = spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def fake_cargo(folder: Path, says: str) -> None:
    (folder / "cargo").write_text(f"#!/bin/sh\necho '{says}'\n")
    (folder / "cargo").chmod(0o755)


def manifest_of(layout: Path) -> dict[str, Any]:
    index = json.loads((layout / "index.json").read_text())
    return read_blob(layout, index["manifests"][0]["digest"])


def config_of(layout: Path) -> dict[str, Any]:
    return read_blob(layout, manifest_of(layout)["config"]["digest"])


def layers_of(layout: Path) -> list[str]:
    return [layer["digest"] for layer in manifest_of(layout)["layers"]]


def read_blob(layout: Path, digest: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((layout / "blobs" / digest.replace(":", "/")).read_text())
    return content


def one_file(text: str) -> Build:
    """An image that is quickly built."""

    def put(layout: Layout, room: Path, tell: object) -> None:
        tree = room / "tree"
        tree.mkdir(mode=0o755)
        (tree / "text").write_text(text)
        moment = next(LATER)
        os.utime(tree / "text", (moment, moment))
        layout.add_layer(tree, "one file")
        layout.configure(Config(title=text, cmd=("say", "it is so")))

    return Build(name="one", what="one file", recipe=text, put=put)


def test_a_name_that_is_not_known_is_answered_with_those_that_are() -> None:
    with pytest.raises(FedikitError, match="builds no image called 'nothing'") as refused:
        lab_image("nothing")
    assert all(name in refused.value.hint for name in (one.reference for one in REPLACEMENTS))


def test_somebody_else_than_root_is_told_so(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(FedikitError, match="takes root"):
        lab_image(GARAGE.reference)
    assert not cache.exists()


def test_without_rust_the_need_for_it_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FedikitError, match="there is no cargo in") as refused:
        garage.require_rust()
    assert "rustup" in refused.value.hint


@pytest.mark.parametrize("said", ["cargo 1.85.0 (d73d2caf9 2024-12-31)", "cargo 0.66.0", "nonsense"])
def test_a_rust_that_is_too_old_is_named(said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake_cargo(tmp_path, said)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(FedikitError, match=f"Rust 1.89 or newer: this machine has {said.split()[0]}"):
        garage.require_rust()


def test_a_rust_that_is_new_enough_still_needs_a_c_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake_cargo(tmp_path, "cargo 1.89.0")
    (tmp_path / "sh").symlink_to("/bin/sh")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FedikitError, match="C compiler") as refused:
        garage.require_rust()
    assert "gcc" in refused.value.hint


def test_a_compilation_tells_how_far_it_is_once_a_second_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([10.0, 10.0, 10.5, 11.2, 11.2])
    monkeypatch.setattr("fedikit_lab.garage.time.monotonic", lambda: next(clock))
    told: list[Event] = []
    hear = garage._Counting(told.append)
    for line in ("Compiling cc v1.2.3", "Compiling shlex v1.0.0", "Compiling libc v1.0.0"):
        hear(line)
    assert [event.what for event in told if isinstance(event, Waiting)] == [
        "Garage: 1 crates compiled",
        "Garage: 3 crates compiled",
    ]


def test_another_program_is_another_image_on_the_same_debian(probe: Program, tmp_path: Path) -> None:
    first = build_of_program("probe", probe)
    other = build_of_program("probe", program_in(tmp_path, PROGRAM.replace("blue", "grey")))
    assert first.key != other.key
    assert first.on is not None
    assert other.on is not None
    assert first.on.key == other.on.key


def test_another_version_is_another_image(probe: Program, tmp_path: Path) -> None:
    assert build_of_program("probe", probe).key != build_of_program("probe", program_in(tmp_path, PROGRAM, "1.2.4")).key


def test_packages_that_every_image_has_need_no_layer(probe: Program, tmp_path: Path) -> None:
    more = PROGRAM.replace('"workdir"', '"packages": ["tini", "python3", "ruby"], "workdir"')
    assert program_in(tmp_path, more).packages == ("ruby",)
    assert probe.packages == ()


@pytest.mark.parametrize("one", STAND_INS, ids=lambda one: one.module)
def test_every_program_has_what_its_image_needs(one: Replacement) -> None:
    program = read_program(one.application, one.module, one.version)
    assert program.commands
    assert all(path.startswith("/") for path in (*program.commands, *program.files, *program.owned))
    assert all(file.is_file() for file in program.files.values())
    assert program.config.title == f"Contract image of {one.application}"


@pytest.mark.lab
def test_the_same_recipe_gives_the_same_image(cache: Path) -> None:
    first = built(one_file("text"), tell=tell_nobody)
    before = manifest_of(first)
    shutil.rmtree(first)
    assert manifest_of(built(one_file("text"), tell=tell_nobody)) == before
    assert manifest_of(built(one_file("other"), tell=tell_nobody)) != before


@pytest.mark.lab
def test_an_image_is_built_once_and_tells_of_it(cache: Path) -> None:
    told: list[Event] = []
    layout = built(one_file("text"), tell=told.append)
    assert [event.step for event in told if isinstance(event, StepFinished) and not event.failed] == ["lab image one"]
    count = len(told)
    assert built(one_file("text"), tell=told.append) == layout
    assert len(told) == count
    assert config_of(layout)["config"]["Cmd"] == ["say", "it is so"]


@pytest.mark.lab
def test_a_build_that_fails_leaves_nothing(cache: Path) -> None:
    def put(layout: Layout, room: Path, tell: object) -> None:
        raise FedikitError("no")

    told: list[Event] = []
    with pytest.raises(FedikitError, match="no"):
        built(Build(name="none", what="none", recipe=1, put=put), tell=told.append)
    assert [event.failed for event in told if isinstance(event, StepFinished)] == [True]
    assert [path.name for path in cache.iterdir()] == ["none.lock"]


@pytest.mark.lab
def test_what_a_killed_build_left_goes_with_the_next(cache: Path) -> None:
    (cache / "building-one-killed/layout").mkdir(parents=True)
    (cache / "building-garage-elsewhere").mkdir()
    layout = built(one_file("text"), tell=tell_nobody)
    assert {path.name for path in cache.iterdir()} == {"one.lock", layout.name, "building-garage-elsewhere"}


@pytest.mark.lab
def test_contract_images_do_not_wait_for_garage(probe: Program, cache: Path) -> None:
    cache.mkdir(parents=True)
    assert build_of_program("probe", probe).bottom == "debian"
    with held_lock(cache / "garage.lock", seconds=1):
        assert built(one_file("text"), tell=tell_nobody).is_dir()


@pytest.mark.lab
def test_a_long_command_that_fails_is_quoted_and_heard() -> None:
    heard: list[str] = []
    with pytest.raises(FedikitError, match="status 3:\nbad luck") as failed:
        follow(["sh", "-c", "echo bad luck >&2; exit 3"], hear=heard.append, seconds=30, hint="try again")
    assert heard == ["bad luck"]
    assert failed.value.hint == "try again"


@pytest.mark.lab
def test_a_command_that_takes_too_long_is_ended() -> None:
    with pytest.raises(DeadlineExceeded, match=r"0\.5 s for `sleep` to end"):
        follow(["sleep", "300"], hear=print, seconds=0.5, hint="")


@pytest.mark.lab
def test_what_was_removed_below_is_marked_as_images_do(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mknod(tmp_path / "folder/gone", 0o020000, os.makedev(0, 0))
    os.setxattr(tmp_path / "folder", "trusted.overlay.opaque", b"y")
    mark_what_went(tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*")) == [".wh..wh..opq", ".wh.gone", "folder"]
    assert (tmp_path / "folder/.wh.gone").is_file()


@pytest.fixture
def probe_image(probe: Program) -> Iterator[Path]:
    build = build_of_program("probe", probe)
    yield built(build, tell=tell_nobody)
    shutil.rmtree(build.directory)


@pytest.mark.lab
def test_a_program_is_where_its_module_wants_it(probe_image: Path, tmp_path: Path) -> None:
    assert config_of(probe_image)["config"] == {
        "User": "991:992",
        "Env": ["COLOUR=blue sky"],
        "Entrypoint": ["/usr/bin/tini", "--"],
        "Cmd": ["probe", "run"],
        "WorkingDir": "/opt/probe",
        "Labels": {"org.opencontainers.image.title": "Contract image of Probe"},
    }
    tree = tmp_path / "tree"
    Layout(probe_image).unpack(tree)
    echo = "import sys; print(sys.argv[1:], __name__)"
    (tree / HOME / "contract/probe.py").write_text(echo)
    said = subprocess.run(["chroot", str(tree), "probe", "a b"], capture_output=True, text=True, check=True).stdout
    assert said == "['probe', '--quiet', 'a b'] __main__\n"
    needs = f"import sys; sys.path.insert(0, '/{HOME}'); import contract.shared"
    subprocess.run(["chroot", str(tree), "python3", "-I", "-c", needs], check=True)
    assert (tree / "opt/probe/text").read_text() == "hello\n"
    assert (tree / VERSION_FILE).read_text() == "1.2.3\n"
    owners = {path: ((tree / path).stat().st_uid, (tree / path).stat().st_gid) for path in ("opt/probe/kept", "opt")}
    assert owners == {"opt/probe/kept": (991, 992), "opt": (0, 0)}
    assert not (tree / "etc/apt").exists()
    assert not (tree / "etc/resolv.conf").exists()


@pytest.mark.lab
def test_contract_images_share_their_debian_and_say_what_they_are() -> None:
    layouts = {one.reference: lab_image(one.reference) for one in STAND_INS}
    assert len({layers_of(layout)[0] for layout in layouts.values()}) == 1
    counts = {name.split("/")[1].split(":")[0]: len(layers_of(layout)) for name, layout in layouts.items()}
    assert counts == {"gotosocial": 2, "mastodon": 3, "mastodon-streaming": 2, "peertube": 2, "pixelfed": 3}
    titles = [manifest_of(layout)["annotations"]["org.opencontainers.image.title"] for layout in layouts.values()]
    assert titles == [f"Contract image of {one.application}" for one in STAND_INS]


@pytest.mark.lab
def test_garage_is_one_file_that_needs_no_other(tmp_path: Path) -> None:
    layout = lab_image(GARAGE.reference)
    Layout(layout).unpack(tmp_path / "tree")
    assert [path.name for path in (tmp_path / "tree").rglob("*")] == ["garage"]
    command = ["chroot", str(tmp_path / "tree"), "/garage", "--version"]
    assert GARAGE.version in subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert config_of(layout)["config"]["Cmd"] == ["/garage", "server"]
    assert "Entrypoint" not in config_of(layout)["config"]
