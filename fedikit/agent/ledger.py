"""The host's own record of what fedikit owns here: entries and generations.

    /var/lib/fedikit/lock                            one kernel lock for all deployments; names its holder
    /var/lib/fedikit/agent/HASH/                     this agent
    /var/lib/fedikit/store/SHA256                    contents
    /var/lib/fedikit/deployments/NAME/ledger.json    the entries of one deployment
    /var/lib/fedikit/deployments/NAME/generations/N.json
    /var/lib/fedikit/deployments/NAME/last-run.json  how the last apply ended
    /var/lib/fedikit/deployments/NAME/notes.json     who saw which secret, and when

An entry is written before its item is touched and dropped after its item is gone, so that a killed agent never
leaves a thing that nobody owns. Files are replaced whole and flushed to the disk.
"""

import json
import os
from collections.abc import Callable
from typing import Any

from .trouble import Trouble

Record = dict[str, Any]
HOME = "/var/lib/fedikit"
GENERATIONS_KEPT = 10
NOTES_KEPT = 1000
NO_GENERATION: Record = {"number": 0, "items": [], "debs": {}}


class Ledger:
    """The record of one deployment on this host.

    entries    by item id: `item` as last wanted, `prior` (what was there before fedikit), `state` ("making" until an
               apply has gone through, then "held", or "kept" for data that left the configuration), `done` (the
               fingerprint of a unit or job that has been acted upon), `was` (while "making": what was wanted before)
    debs       by package name: what fedikit brought here, wanted or as a dependency
    images     by id: the names of the container images that fedikit brought here
    bystanders what packages of ours would take along of others (see `bystander`)
    automatic  packages that came along with others, and that apt was told so: who installs one since makes it theirs
    unmarked   those of them that apt is still to be told of
    seen       by server: what its data looked like when nobody but us was served by it
    accounts   users and groups that came with those packages
    identity   what the deployment is known by: domains, and digests of permanent secrets that tell nothing of them
    """

    def __init__(self, home: str, deployment: str) -> None:
        self.home = home
        self.deployment = deployment
        self.directory = os.path.join(home, "deployments", deployment)
        stored = read_record(self._file("ledger.json")) or {}
        self.entries: dict[str, Record] = stored.get("entries", {})
        self.debs: dict[str, Record] = stored.get("debs", {})
        self.images: dict[str, str] = stored.get("images", {})
        self.bystanders: dict[str, Record] = stored.get("bystanders", {})
        self.automatic: list[str] = stored.get("automatic", [])
        self.unmarked: list[str] = stored.get("unmarked", [])
        self.seen: dict[str, list[str]] = stored.get("seen", {})
        self.accounts: dict[str, list[str]] = stored.get("accounts", {"passwd": [], "group": []})
        self.accounts_before: dict[str, list[str]] | None = stored.get("accounts_before")
        self.generation: int = stored.get("generation", 0)
        self.identity: dict[str, str] = stored.get("identity", {})

    def _file(self, name: str) -> str:
        return os.path.join(self.directory, name)

    def as_record(self) -> Record:
        return {
            "generation": self.generation,
            "identity": self.identity,
            "entries": self.entries,
            "debs": self.debs,
            "images": self.images,
            "bystanders": self.bystanders,
            "automatic": self.automatic,
            "unmarked": self.unmarked,
            "seen": self.seen,
            "accounts": self.accounts,
            "accounts_before": self.accounts_before,
        }

    def save(self) -> None:
        write_record(self._file("ledger.json"), self.as_record())

    def has_data(self) -> bool:
        """Whether something is here in which people's data is."""
        return any(map(self.bears_data, self.entries))

    def bears_data(self, identity: str) -> bool:
        return bool(self.entries[identity]["item"].get("data"))

    # Generations

    def read_generation(self, number: int) -> Record:
        """An earlier wanted state: `items`, `debs`, `run`, `time`, `note`. Generation 0 is: nothing."""
        if number == 0:
            return NO_GENERATION
        generation = read_record(self._generation_file(number))
        if generation is None:
            kept = ", ".join(str(known) for known in self.generations()) or "none"
            raise Trouble(f"there is no generation {number} of {self.deployment} here; kept are: {kept}")
        return generation

    def _generation_file(self, number: int) -> str:
        return self._file(f"generations/{number}.json")

    def generations(self) -> list[int]:
        try:
            names = os.listdir(self._file("generations"))
        except FileNotFoundError:
            return []
        return sorted(int(name.removesuffix(".json")) for name in names if name.endswith(".json"))

    def add_generation(self, items: list[Record], about: Record) -> None:
        """Records the wanted state that has just been reached; forgets the oldest."""
        self.generation += 1
        record = {"number": self.generation, "items": items, "debs": self.debs, **about}
        write_record(self._generation_file(self.generation), record)
        for old in self.generations()[:-GENERATIONS_KEPT]:
            os.unlink(self._generation_file(old))

    def renew_generation(self, move: Callable[[Record], None]) -> None:
        """The newest wanted state stays the same one, with the packages that are here now; `move` renews its items."""
        if self.generation:
            record = self.read_generation(self.generation) | {"debs": self.debs}
            for item in record["items"]:
                move(item)
            write_record(self._generation_file(self.generation), record)

    def keep_checks(self, checks: Record) -> None:
        """Beside the newest wanted state: what the deployer will hold it against, should it come back to it."""
        if self.generation:
            record = self.read_generation(self.generation) | {"checks": checks}
            write_record(self._generation_file(self.generation), record)

    # How the last run ended

    def last_run(self) -> Record | None:
        return read_record(self._file("last-run.json"))

    def note_run(self, record: Record) -> None:
        write_record(self._file("last-run.json"), record)

    # What people did beside

    def note(self, record: Record) -> None:
        """Adds a note; nothing is noted of a deployment that is not here."""
        if os.path.isdir(self.directory):
            notes = [*self.notes(), record][-NOTES_KEPT:]
            write_record(self._file("notes.json"), {"notes": notes})

    def notes(self) -> list[Record]:
        notes: list[Record] = (read_record(self._file("notes.json")) or {}).get("notes", [])
        return notes

    # Leaving

    def forget(self) -> None:
        """Removes this deployment's record, and fedikit's own directory with the last deployment."""
        import shutil  # slow, and needed for changes only

        self.bequeath()
        shutil.rmtree(self.directory)
        if not neighbours(self.home, self.deployment):
            _set_agent_aside(self.home)
            shutil.rmtree(self.home)

    def bequeath(self) -> None:
        """Before this record goes: what fedikit brought and is still here is remembered by another deployment."""
        if not (others := neighbours(self.home, self.deployment)):
            return
        heir = Ledger(self.home, others[0])
        for field in ("debs", "images", "bystanders", "seen"):
            setattr(heir, field, getattr(self, field) | getattr(heir, field))
        heir.automatic = sorted({*heir.automatic, *self.automatic})
        for database, names in self.accounts.items():
            heir.accounts[database] = sorted({*heir.accounts[database], *names})
        heir.save()

    def is_left_over(self) -> bool:
        """Whether the record is there though it says nothing."""
        place = self.home if not neighbours(self.home, self.deployment) else self.directory
        return not self.entries and os.path.isdir(place)


def _set_agent_aside(home: str) -> None:
    """Half an agent would be no agent: it leaves its place at once, and then in pieces."""
    import shutil  # slow, and needed for changes only

    place, aside = os.path.join(home, "agent"), os.path.join(home, "agent.leaving")
    shutil.rmtree(aside, ignore_errors=True)
    if os.path.isdir(place):
        os.rename(place, aside)


def is_deployed(home: str, deployment: str) -> bool:
    """Whether there is a record of that name."""
    return os.path.isdir(os.path.join(home, "deployments", deployment))


def neighbours(home: str, deployment: str) -> list[str]:
    """The other deployments on this host."""
    directory = os.path.join(home, "deployments")
    return sorted(set(os.listdir(directory)) - {deployment}) if os.path.isdir(directory) else []


def read_record(path: str) -> Record | None:
    try:
        with open(path, encoding="utf-8") as file:
            record: Record = json.load(file)
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise Trouble(
            f"{path} is damaged: {error}", hint="restore it from a backup, or remove it to start anew"
        ) from error
    return record


def write_record(path: str, record: Record) -> None:
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    draft = path + ".new"
    with open(draft, "w", encoding="utf-8") as file:
        file.write(json.dumps(record, separators=(",", ":")))  # in order: entries leave in the reverse of it
        file.flush()
        os.fsync(file.fileno())
    os.rename(draft, path)
    flush_folder(os.path.dirname(path))


def flush_folder(path: str) -> None:
    """So that after a power cut a name stands for the newest file, not for the one before."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def contents_of(ledger: Ledger) -> set[str]:
    """The contents that a deployment may still need."""
    generations = [ledger.read_generation(number) for number in ledger.generations()]
    records = [item for generation in generations for item in generation["items"]]
    records += [deb for generation in generations for deb in generation["debs"].values()]
    records += [*ledger.debs.values()]
    records += [*ledger.bystanders.values()]
    for entry in ledger.entries.values():
        records += [entry["item"], entry.get("prior") or {}]
    return {record["sha256"] for record in records if "sha256" in record}
