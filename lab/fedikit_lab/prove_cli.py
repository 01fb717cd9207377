"""The verb `prove`, which comes with the lab, for it takes machines without a way out."""

import json
import signal
from pathlib import Path
from types import FrameType

import click

from fedikit.cli.options import CONFIGURATION, options
from fedikit.cli.output import finish, present, say
from fedikit.data.kept import applications_kept
from fedikit.data.proofs import FOLDER, note_proof, place_of, save_proof
from fedikit.display.progress import StandardError, TerminalProgress
from fedikit.environment.load import load_both
from fedikit.errors import FedikitError
from fedikit.results.proof import Proof
from fedikit.secrets.vault import Vault
from fedikit_lab.prove import Asked, prove_backup


@click.command()
@options("configuration", "environment", "application")
@click.option(
    "--at", metavar="TIME", default="", help="The newest backup of that time or day, or the one of this name."
)
@options("json")
def prove(configuration: str | None, environment: str, application: tuple[str, ...], at: str, as_json: bool) -> None:
    """Prove backups: restore them into machines of a lab, which have no way out, and look whether all is there."""
    _end_in_order()
    file = Path(environment).absolute()
    wanted_in, wanted = load_both(file, Path(configuration or CONFIGURATION))
    deployment = wanted_in.deployment(wanted)
    names = dict.fromkeys(kept.application for kept in applications_kept(deployment, application))
    proofs = []
    for name in names:
        stem = file.parent / FOLDER / f"{deployment.name}-{name}"
        asked = Asked(
            environment=wanted_in, configuration=wanted, application=name, at=at,
            room=stem.with_name(f"{stem.name}.room"), picture=stem.with_name(f"{stem.name}.png"),
        )  # fmt: skip
        progress = TerminalProgress(StandardError())
        try:
            proof = prove_backup(asked, tell=progress)
        finally:
            progress.close()
        save_proof(proof, place_of(file, proof), Vault.of(deployment))
        try:
            note_proof(proof, deployment)
        except FedikitError as error:
            click.echo(f"note: {name}: the proof is not beside its backup: {error}", err=True)
        proofs.append(proof)
        if not as_json:
            present(proof, as_json=False)
    if as_json:
        say([json.dumps([_told(proof) for proof in proofs], indent=1)])
    finish(all(proof.succeeded for proof in proofs))


def _told(proof: Proof) -> dict[str, object]:
    return {**proof.model_dump(mode="json"), "succeeded": proof.succeeded, "findings": list(proof.findings)}


def _end_in_order() -> None:
    """Whoever ends this by a signal has the machines taken down first, as by Ctrl-C."""

    def end(number: int, frame: FrameType | None) -> None:
        for other in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(other, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
            signal.signal(number, end)
