"""The examples of the page about applications are true: they are found, deployed, verified and removed as it says."""

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from fedikit.environment import Environment, load_configuration
from fedikit.model import configuration_model
from tests.model.example import HOST_KEY
from tests.pages import PROJECT, page

APPLICATIONS = page("docs/applications.md")


def examples() -> dict[str, str]:
    """The applications that are shown there as a whole, by their names."""
    found = {}
    for block in APPLICATIONS.blocks:
        name = re.search(r'^    name = "(\w+)"$', block.text, re.MULTILINE)
        if block.language == "python" and name:
            found[name[1]] = block.text
    return found


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The examples as somebody's installed package, with the entry point that the page shows, and one like it."""
    for name, source in examples().items():
        (tmp_path / f"{name}.py").write_text(source)
    (shown,) = (block.text for block in APPLICATIONS.blocks if block.tag == "entry point")
    ((group, points),) = tomllib.loads(shown)["project"]["entry-points"].items()
    lines = [f"{name} = {point}" for name, point in {**points, "notice": "notice:Notice"}.items()]
    folder = tmp_path / "examples-1.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: examples\nVersion: 1\n")
    (folder / "entry_points.txt").write_text("\n".join([f"[{group}]", *lines, ""]))
    return tmp_path


def configured() -> dict[str, Any]:
    """The sample with nothing but the examples, as the page switches one on."""
    sample = json.loads((PROJECT / "configuration.sample.json").read_text())
    (part,) = (json.loads(block.text) for block in APPLICATIONS.blocks if block.tag == "part")
    rest = {key: sample[key] for key in ("domain", "initialUser")}
    return {**rest, **part, "notice": {"enable": True, "words": "Tea & cake"}}


def run_line(line: str, place: Path, installed: Path) -> str:
    """What a line of the page prints; it must succeed."""
    tools = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": tools, "PYTHONPATH": str(installed)}
    done = subprocess.run(
        ["bash", "-c", line], cwd=place, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_the_first_example_has_no_more_than_20_lines() -> None:
    assert len(examples()["figlet"].splitlines()) <= 20


def test_the_examples_are_found_through_their_entry_points(installed: Path) -> None:
    described = json.loads(run_line("fedikit schema configuration", PROJECT, installed))
    assert {"figlet", "notice", "snac"} <= described["properties"].keys()
    title = described["properties"]["figlet"]["$ref"].rpartition("/")[2]
    assert described["$defs"][title]["properties"]["withColours"]["description"]


def test_the_example_of_a_test_passes(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(installed)
    written = configured() | {"figlet": {"enable": True}, "notice": {"enable": False}}
    (installed / "configuration.json").write_text(json.dumps(written))
    catalogue = {"figlet": import_module("figlet").Figlet(), "notice": import_module("notice").Notice()}
    (source,) = (block.text for block in APPLICATIONS.blocks if "def test_figlet" in block.text)
    room: dict[str, Any] = {}
    exec(compile(source, str(APPLICATIONS), "exec"), room)
    room["test_figlet_asks_for_its_package"](load_configuration(installed / "configuration.json", catalogue))


def test_the_example_from_an_image_comes_to_what_the_page_says(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(installed)
    (installed / "blog_user.sh").write_text("true\n")
    chosen = {**configured(), "blog": {"enable": True, "title": "Ours"}}
    del chosen["figlet"], chosen["notice"]
    configuration = configuration_model({"blog": import_module("blog").Blog()}).model_validate(chosen)
    here = {"name": "home", "hosts": {"here": {"address": "192.0.2.7", "host_key": HOST_KEY}}}
    environment = Environment.model_validate({**here, "policies": {"web": {}}, "placement": {"blog": "here"}})
    made = {item.id: item for item in environment.deployment(configuration).hosts["here"].items}
    order = ["job:blog migrations", "unit:blog-web.service", "job:blog initial user", "unit:caddy.service"]
    assert [id for id in made if id in order] == order
    assert "BLOG_TITLE=Ours\nBLOG_MAX_UPLOAD=20M\nBLOG_OPEN=0\n" in made["file:/etc/fedikit/blog.env"].content
    assert "SMTP" not in made["file:/etc/fedikit/blog.env"].content


@pytest.mark.lab
def test_the_examples_live_and_leave_as_the_page_says(installed: Path, lab_directory: Callable[[str], Path]) -> None:
    place = lab_directory(".lab").parent
    place.mkdir(parents=True, exist_ok=True)
    (place / "configuration.json").write_text(json.dumps(configured()))
    (lines,) = (block.text for block in APPLICATIONS.blocks if "fedikit lab up" in block.text)
    printed = {}
    for line in lines.splitlines():
        printed[" ".join(line.split()[:2])] = run_line(line, place, installed)
        if line.startswith("echo"):
            run_line("echo 'notice = \"one\"' >> .lab/environment.toml", place, installed)
    assert "0 hosts would change" in printed["fedikit plan"]
    assert "4 checks held." in printed["fedikit verify"]
    assert "1 changed." in printed["fedikit remove"]
