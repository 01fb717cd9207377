"""Hosts in directories with applications that are backed up there: the real agent, and a stand-in for the program."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fedikit.model.deployment import Deployment
from fedikit.model.item import File, Item
from fedikit.remote.directory import DirectoryMachine
from tests.remote.conftest import Stage

PROGRAM = Path(__file__).with_name("standin.py")
PLACE = "/usr/local/lib/fedikit-data"


def settings_of(application: str, **about: Any) -> File:
    """The settings of an application with one volume."""
    path = f"/srv/{application}"
    parts = [{"id": f"volume:{path}", "kind": "volume", "path": path}]
    whole = {
        "format": 1,
        "application": application,
        "parts": parts,
        "stop": [f"{application}.service"],
        "images": {},
        "repository": {"url": f"/srv/backups/{application}"},
        **about,
    }
    return File(path=f"/etc/fedikit/data/{application}.json", content=json.dumps(whole), mode="0600")


class Scene:
    """One host with two applications, each with a file."""

    def __init__(self, stage: Stage, applications: Sequence[str] = ("mastodon", "pixelfed")) -> None:
        self.stage = stage
        self.machine = stage["one"]
        bring_program(self.machine)
        for name in applications:
            self.write(name, "the first words")
        self.wanted = self.wants(*(settings_of(name) for name in applications))
        assert stage.bring(self.wanted).succeeded

    def wants(self, *items: Item) -> Deployment:
        return self.stage.wants(one=list(items))

    def write(self, application: str, words: str) -> None:
        file = self.machine.path(f"/srv/{application}/posts")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(words)

    def read(self, application: str) -> str:
        return self.machine.path(f"/srv/{application}/posts").read_text()

    def sign(self, name: str, words: str = "") -> Path:
        """A file that has the program behave in some way."""
        file = self.machine.path(f"/run/data-{name}")
        file.write_text(words)
        return file

    def record(self, application: str) -> Path:
        return self.machine.path(f"/var/lib/fedikit-data/{application}/result.json")


def bring_program(machine: DirectoryMachine) -> None:
    place = machine.path(PLACE)
    place.mkdir(parents=True)
    (place / "__main__.py").write_text(PROGRAM.read_text())
    for folder in ("/etc/fedikit/data", "/srv"):
        machine.path(folder).mkdir(parents=True, exist_ok=True)
