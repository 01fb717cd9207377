"""Alice's letters at one provider, and another provider who lets her move in: both have machines in directories."""

import json
from pathlib import Path

from fedikit.apply import apply_plan
from fedikit.environment.load import load_environment
from fedikit.model.configuration import Configuration
from fedikit.model.item import SecretRef
from fedikit.plan import make_plan
from fedikit.remote.directory import DirectoryMachine
from fedikit.secrets.vault import Vault
from fedikit.setup.invitation import make_invitation
from tests.data.scene import bring_program
from tests.panel.scene import Provider

NAME = "harbour"
DOMAIN = "alice.example.org"
HOSTING = """
name = "harbour"

[hosts.quay]
type = "directory"
path = "machines/quay"

[placement]
letters = "quay"

[secrets]
master_key = "file:sea.key"

[watch.webhook]
url = "https://example.org/told"
"""


class Moving:
    """Alice writes letters, and wants to leave."""

    def __init__(self, provider: Provider, **rights: object) -> None:
        self.provider = provider
        provider.hire("alice", **{"may_leave": True, **rights})
        self.old = DirectoryMachine.at(provider.folder / "machines/alice")
        bring_program(self.old)
        self._place_letters()
        self.new_file = self._found_harbour()

    @property
    def away(self) -> Path:
        """Where the panel keeps what Alice brought."""
        return self.provider.desk("alice").folder / "away" / NAME

    @property
    def new(self) -> DirectoryMachine:
        """The machine of the new provider, as its file has it once it was brought."""
        return DirectoryMachine.at(self.away / "machines/quay")

    @property
    def invitation(self) -> bytes:
        return make_invitation(self.new_file).encode()

    def bring(self) -> None:
        """Alice brings the file; the new provider's machine is furnished, and the sides may read each other."""
        self.provider.desk("alice").away.keep(self.invitation)
        self.furnish()

    def furnish(self) -> None:
        bring_program(self.new)
        chosen = self.provider.desk("alice").chosen()
        _lend(self.old, self.new, _password(self.provider.folder / "alice.toml", chosen))
        _lend(self.new, self.old, _password(self.away / "environment.toml", chosen))

    def write(self, words: str) -> None:
        self.place(self.old).write_text(words)

    @staticmethod
    def place(machine: DirectoryMachine) -> Path:
        return machine.path("/srv/letters/first")

    @staticmethod
    def serves(machine: DirectoryMachine) -> bool:
        units = machine.path("/run/simulated-systemd.json")
        return units.exists() and json.loads(units.read_text()).get("letters.service", {}).get("active") == "active"

    def _place_letters(self) -> None:
        file = self.provider.folder / "alice.toml"
        file.write_text(file.read_text().replace("[placement]\n", '[placement]\nletters = "alice"\n'))
        desk = self.provider.desk("alice")
        desk.save({**desk.saved(), "letters": {"enable": True}})

    def deploy(self) -> None:
        """Her letters are handed out."""
        desk = self.provider.desk("alice")
        report = apply_plan(make_plan(desk.deployment(desk.saved())))
        assert report.succeeded, report
        self.write("the first words")

    def _found_harbour(self) -> Path:
        folder = self.provider.folder / NAME
        folder.mkdir()
        key = folder / "sea.key"
        key.write_text("6" * 64 + "\n")
        key.chmod(0o600)
        (folder / "harbour.toml").write_text(HOSTING)
        return folder / "harbour.toml"


def _password(environment: Path, chosen: Configuration) -> str:
    deployment = load_environment(environment).deployment(chosen)
    return Vault.of(deployment).value(SecretRef(name="letters/backup", permanent=True))


def _lend(source: DirectoryMachine, target: DirectoryMachine, password: str) -> None:
    """What the stand-in on one side reads through the gate is what the other side backed up."""
    folder, gates = source.path("/srv/backups/letters"), target.path("/srv/gates")
    (folder / "keys").mkdir(parents=True, exist_ok=True)
    (folder / "keys" / ("1" * 64)).write_text("sealed")
    (folder / "config").write_text("known")
    (folder / "password").write_text(password)
    gates.mkdir()
    (gates / "letters").symlink_to(folder)
