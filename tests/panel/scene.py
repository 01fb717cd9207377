"""A provider with two operators and their machines, which are directories: everything but the machines is real.

The applications come from a distribution of their own, as anybody's would: `notes` writes a page and keeps a directory
of data, `album` is not done while the file `Provider.waiting` is there, `diary` is backed up by a stand-in for the
program, where `Provider.keeps_diary` is said, and `letters` can move to another provider, besides.
"""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fedikit.panel.desk import Desk
from fedikit.panel.order import Order, Place
from fedikit.panel.owners import catalogue
from fedikit.remote.directory import DirectoryMachine
from fedikit.results.backup import Backups
from tests.data.scene import PLACE, bring_program

HASH = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$q1J5dHJpbmcK"
APPLICATIONS = '''
import json

from fedikit.model import Application, Context, Directory, File, HostItems, Job, Requests, Settings, Unit
from fedikit.model.item import SecretRef, SecretText


class NotesSettings(Settings):
    """The notebook."""

    title: str = "Notes"
    """What stands above the page."""


class Notes(Application[NotesSettings]):
    """Keeps notes."""

    name = "notes"

    def requests(self, settings: NotesSettings, context: Context) -> Requests:
        page = File(path="/etc/notes.txt", content=f"{settings.title} of {context.domain}\\n")
        return {"items": HostItems(items=(page, Directory(path="/srv/notes", data=True)))}


class DiarySettings(Settings):
    """The diary."""


class Diary(Application[DiarySettings]):
    """Keeps a diary, which its host backs up."""

    name = "diary"

    def requests(self, settings: DiarySettings, context: Context) -> Requests:
        part = {"id": "volume:/srv/diary", "kind": "volume", "path": "/srv/diary"}
        told = {"application": "diary", "parts": [part], "repository": {"url": "/srv/backups/diary"}}
        kept = File(path="/etc/fedikit/data/diary.json", content=json.dumps(told), mode="0600")
        return {"items": HostItems(items=(kept, Directory(path="/srv/diary", data=True)))}


class LettersSettings(Settings):
    """The letters."""


class Letters(Application[LettersSettings]):
    """Keeps letters, which its host backs up, and a unit of systemd's hands out."""

    name = "letters"

    def requests(self, settings: LettersSettings, context: Context) -> Requests:
        part = {"id": "volume:/srv/letters", "kind": "volume", "path": "/srv/letters"}
        told = {"application": "letters", "parts": [part], "repository": {"url": "/srv/backups/letters"}}
        told |= {"format": 1, "stop": ["letters.service"], "images": {}}
        password, own = (SecretRef(name=f"letters/{name}", permanent=True) for name in ("backup", "seal"))
        beside = "/etc/fedikit/data/letters"
        items = (
            Directory(path="/srv/letters", data=True),
            Directory(path=beside),
            File(path=f"{beside}.json", content=json.dumps(told), mode="0600"),
            File(path=f"{beside}/repository-password", content=SecretText(parts=(password,)), mode="0600"),
            File(path="/etc/letters.seal", content=SecretText(parts=(own,)), mode="0600"),
            File(path="/etc/systemd/system/letters.service", content="[Service]\\nExecStart=/usr/bin/app\\n"),
            Unit(name="letters.service"),
        )
        return {"items": HostItems(items=items)}


class AlbumSettings(Settings):
    """The album."""

    pages: int = 10
    """How many pages it has."""


class Album(Application[AlbumSettings]):
    """Shows pictures."""

    name = "album"

    def requests(self, settings: AlbumSettings, context: Context) -> Requests:
        print_it = Job(name="print", run=("print-album", str(settings.pages)))
        return {"items": HostItems(items=(print_it,))}
'''
ENVIRONMENT = """
name = "{name}"

[hosts.{name}]
type = "directory"
path = "machines/{name}"

[placement]
notes = "{name}"
album = "{name}"

[secrets]
master_key = "file:master.key"
"""
PERSON = {"displayName": "Testy McTestface", "username": "test", "email": "test@example.org"}
PRINTER = '#!/bin/sh\nwhile [ -e "$FEDIKIT_WAIT" ]; do /bin/sleep 0.05; done\n'


class Provider:
    """A folder with `panel.toml`, and a file and a machine for each operator."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        _install(folder / "site")
        key = folder / "master.key"
        key.write_text("5" * 64 + "\n")
        key.chmod(0o600)
        self.waiting = folder / "wait"
        self.operators: dict[str, dict[str, Any]] = {}

    @property
    def panel(self) -> Path:
        return self.folder / "panel.toml"

    def hire(self, name: str, **rights: Any) -> "Provider":
        """Takes an operator on, whose machine has the operator's name."""
        machine = DirectoryMachine.at(self.folder / "machines" / name)
        machine.program("print-album", PRINTER.replace("$FEDIKIT_WAIT", str(self.waiting)))
        (self.folder / f"{name}.toml").write_text(ENVIRONMENT.format(name=name))
        chosen = {"domain": f"{name}.example.org", "initialUser": PERSON}
        (self.folder / f"{name}.json").write_text(json.dumps(chosen))
        files = {"configuration": f"{name}.json", "environment": f"{name}.toml"}
        self.operators[name] = {"password": HASH, **files, **rights}
        self.panel.write_text("".join(map(_table, self.operators, self.operators.values())))
        return self

    def keeps_diary(self, name: str) -> "Provider":
        """The operator's machine may keep a diary, and backs it up."""
        machine = DirectoryMachine.at(self.folder / "machines" / name)
        if not machine.path(PLACE).exists():
            bring_program(machine)
        file = self.folder / f"{name}.toml"
        if "diary" not in file.read_text():
            file.write_text(file.read_text().replace("[placement]\n", f'[placement]\ndiary = "{name}"\n'))
        return self

    def knows_of_backups(self, name: str, backups: Backups) -> None:
        """The operator keeps a diary, and a run has listed its backups."""
        chosen = json.loads((self.folder / f"{name}.json").read_text())
        self.keeps_diary(name)
        (self.folder / f"{name}.json").write_text(json.dumps({**chosen, "diary": {"enable": True}}))
        record = self.desk(name).records / "20260101T080000Z-backup-abc123"
        record.mkdir(parents=True, exist_ok=True)
        (record / "parameters.json").write_text("{}")
        (record / "backups.json").write_text(backups.model_dump_json())

    def place(self, name: str) -> Place:
        return Place(configuration="", environment="", panel=str(self.panel), operator=name)

    def desk(self, name: str) -> Desk:
        return Desk.at(self.place(name))

    def order(self, name: str, runbook: Any = "deploy", **fields: Any) -> Order:
        return Order(place=self.place(name), runbook=runbook, **fields)

    def wanted(self, name: str, **applications: Mapping[str, Any]) -> dict[str, Any]:
        """What the operator's file holds, with these applications besides."""
        return {**self.desk(name).saved(), **applications}

    def file(self, name: str, path: str) -> Path:
        """A file on the operator's machine."""
        return self.folder / "machines" / name / path.lstrip("/")


def _table(name: str, fields: Mapping[str, Any]) -> str:
    lines = [f"{key} = {json.dumps(value)}" for key, value in fields.items()]
    return "\n".join([f"[operators.{name}]", *lines, "", ""])


def _install(site: Path) -> None:
    info = site / "panel_scene-1.dist-info"
    info.mkdir(parents=True)
    (site / "panel_scene.py").write_text(APPLICATIONS)
    points = [
        "[fedikit.applications]",
        "notes = panel_scene:Notes",
        "album = panel_scene:Album",
        "diary = panel_scene:Diary",
        "letters = panel_scene:Letters",
        "",
    ]
    (info / "entry_points.txt").write_text("\n".join(points))
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: panel-scene\nVersion: 1\n")


def import_path(site: Path) -> str:
    """What PYTHONPATH must be, so that other processes find the applications."""
    return os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH", "")])])


def forget_applications() -> None:
    """Before and after: what was looked up for other tests holds no longer."""
    sys.modules.pop("panel_scene", None)
    catalogue.cache_clear()
