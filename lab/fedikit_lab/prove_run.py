"""Proving the backups of applications one after the other, each written down as soon as it is there."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from fedikit.data.kept import applications_kept
from fedikit.data.proofs import FOLDER, note_proof, place_of, save_proof
from fedikit.environment.load import load_both
from fedikit.errors import FedikitError
from fedikit.events import Tell, tell_nobody
from fedikit.model.deployment import Deployment
from fedikit.results.proof import Proof, Proofs
from fedikit.secrets.vault import Vault
from fedikit_lab.prove import Asked, prove_backup


class Proven(NamedTuple):
    """A proof, and where it could not be written down."""

    proof: Proof
    notes: tuple[str, ...]


def prove_backups(
    configuration: Path, environment: Path, applications: Sequence[str] = (), *, at: str = "", tell: Tell = tell_nobody
) -> Proofs:
    """Proves the backups of these applications, all if none are named; see `prove_each`."""
    proven = list(prove_each(configuration, environment, applications, at=at, tell=tell))
    return Proofs(proofs=tuple(one.proof for one in proven), notes=tuple(note for one in proven for note in one.notes))


def prove_each(
    configuration: Path, environment: Path, applications: Sequence[str] = (), *, at: str = "", tell: Tell = tell_nobody
) -> Iterator[Proven]:
    """Each application's proof as soon as it is written down, beside the environment's file and beside the backup.

    `at`: a time or a name, as for a restore. Raises FedikitError where nothing could be tried.
    """
    environment = environment.absolute()
    hosting, wanted = load_both(environment, configuration)
    deployment = hosting.deployment(wanted)
    for name in dict.fromkeys(kept.application for kept in applications_kept(deployment, applications)):
        stem = f"{environment.parent / FOLDER / deployment.name}-{name}"
        asked = Asked(
            environment=hosting, configuration=wanted, application=name, at=at, room=Path(f"{stem}.room"),
            picture=Path(f"{stem}.png"),
        )  # fmt: skip
        proof = prove_backup(asked, tell=tell)
        yield Proven(proof, tuple(_not_written_down(proof, environment, deployment)))


def _not_written_down(proof: Proof, environment: Path, deployment: Deployment) -> Iterator[str]:
    """Writes it here first, so that it stays whatever becomes of the way to the host; tells what could not be."""
    path = place_of(environment, proof)
    try:
        if not save_proof(proof, path, Vault.of(deployment)):
            yield f"{path} bears no seal, for there is no master key"
    except FedikitError as error:
        yield str(error)
    try:
        note_proof(proof, deployment)
    except FedikitError as error:
        yield f"the proof of {proof.application} could not be put beside its backup: {error}"
