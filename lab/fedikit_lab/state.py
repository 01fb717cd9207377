"""What a lab remembers between two commands, in `state.json` of its directory."""

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Self

from fedikit_lab.network import FIRST_MACHINE_NUMBER


@dataclass(frozen=True, kw_only=True)
class State:
    """The lab's subnet, its machines with their numbers in it, and the names that its DNS answers."""

    subnet: int | None = None
    machines: dict[str, int] = field(default_factory=dict)
    dns: dict[str, str] = field(default_factory=dict)

    def with_machine(self, name: str) -> Self:
        """The state with that machine; one that is known keeps its number."""
        if name in self.machines:
            return self
        free = FIRST_MACHINE_NUMBER
        while free in self.machines.values():
            free += 1
        return replace(self, machines={**self.machines, name: free})


def lab_name(directory: Path) -> str:
    """A lab's name on this machine, of its directory's path: two checkouts have two labs."""
    return hashlib.sha256(str(directory.resolve()).encode()).hexdigest()[:8]


def load_state(directory: Path) -> State:
    """What the lab of that directory remembers; nothing when it is new."""
    path = directory / "state.json"
    return State(**json.loads(path.read_text())) if path.exists() else State()


def save_state(directory: Path, state: State) -> None:
    """Writes it whole or not at all."""
    unfinished = directory / "state.json.new"
    unfinished.write_text(json.dumps(asdict(state), indent=2, sort_keys=True) + "\n")
    unfinished.rename(directory / "state.json")
