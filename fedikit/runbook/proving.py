"""Proofs in a runbook: whoever restores backups into machines comes as an entry point of another distribution."""

from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol

from fedikit.errors import FedikitError
from fedikit.events import Tell
from fedikit.results.proof import Proof, Proofs
from fedikit.runbook.guidance import show_note

GROUP = "fedikit.prover"


class Prover(Protocol):
    """Restores the backups of applications, all if none are named; what came of it. Pictures lie beside proofs."""

    def __call__(
        self, configuration: Path, environment: Path, applications: tuple[str, ...], *, at: str, tell: Tell
    ) -> Proofs: ...


def find_prover() -> Prover:
    """Whoever proves backups here. Raises FedikitError if nobody is installed."""
    for entry_point in entry_points(group=GROUP):
        prover: Prover = entry_point.load()
        return prover
    raise FedikitError("backups are proven in the lab, which is not installed here", hint="pip install fedikit-lab")


def show_picture(proof: Proof, environment: Path) -> bytes | None:
    """Shows a proof's picture in the notebook, and gives it; nothing where there is none, or it cannot be read."""
    from IPython.display import Image, display

    from fedikit.data.proofs import place_of  # slow to import, and no other runbook needs it

    if not proof.picture:
        return None
    try:
        content = place_of(environment, proof).with_name(proof.picture).read_bytes()
    except OSError as error:
        show_note(f"the picture of {proof.application} cannot be shown: {error}")
        return None
    about = f"the newest post of {proof.application}" if proof.post else f"a page of {proof.application}"
    display(Image(content, alt=about))  # type: ignore[no-untyped-call]
    return content
