"""The verb `prove`, which comes with the lab, for it takes machines without a way out. It prints."""

import json
import signal
import sys
from pathlib import Path
from types import FrameType

import click

from fedikit.data.kept import applications_kept
from fedikit.data.proofs import FOLDER, note_proof, place_of, save_proof
from fedikit.display.progress import StandardError, TerminalProgress
from fedikit.display.terminal import printed
from fedikit.environment.load import load_both
from fedikit.errors import FedikitError
from fedikit.model.deployment import Deployment
from fedikit.results.proof import Proof
from fedikit.secrets.vault import Vault
from fedikit_lab.prove import Asked, prove_backup


@click.command()
@click.argument("configuration", default="configuration.json", type=click.Path(path_type=Path))
@click.option(
    "--environment", "-e", required=True, type=click.Path(path_type=Path), envvar="FEDIKIT_ENVIRONMENT",
    show_envvar=True, help="The provider's file: hosts and policies.",
)  # fmt: skip
@click.option("--application", multiple=True, metavar="NAME", help="Only this application; may be given again.")
@click.option(
    "--at", metavar="TIME", default="", help="The newest backup of that time or day, or the one of this name."
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON, and nothing else.")
def prove(configuration: Path, environment: Path, application: tuple[str, ...], at: str, as_json: bool) -> None:
    """Restore backups into a lab, to prove that it can be done."""
    _end_in_order()
    hosting, wanted = load_both(environment.absolute(), configuration)
    deployment = hosting.deployment(wanted)
    proofs = []
    for name in dict.fromkeys(kept.application for kept in applications_kept(deployment, application)):
        stem = f"{environment.absolute().parent / FOLDER / deployment.name}-{name}"
        asked = Asked(
            environment=hosting, configuration=wanted, application=name, at=at, room=Path(f"{stem}.room"),
            picture=Path(f"{stem}.png"),
        )  # fmt: skip
        proofs.append(_proven(asked))
        _write_down(proofs[-1], environment.absolute(), deployment)
        for line in printed(proofs[-1]) if not as_json else ():
            click.echo(line)
    if as_json:
        click.echo(json.dumps([_told(proof) for proof in proofs], indent=1))
    sys.exit(int(not all(proof.succeeded for proof in proofs)))


def _proven(asked: Asked) -> Proof:
    progress = TerminalProgress(StandardError())
    try:
        return prove_backup(asked, tell=progress)
    finally:
        progress.close()


def _write_down(proof: Proof, environment: Path, deployment: Deployment) -> None:
    """Here first, so that it stays whatever becomes of the way to the host."""
    path = place_of(environment, proof)
    if not save_proof(proof, path, Vault.of(deployment)):
        click.echo(f"note: {path} bears no seal, for there is no master key", err=True)
    try:
        note_proof(proof, deployment)
    except FedikitError as error:
        click.echo(f"note: the proof of {proof.application} could not be put beside its backup: {error}", err=True)


def _told(proof: Proof) -> dict[str, object]:
    return {**proof.model_dump(mode="json"), "succeeded": proof.succeeded, "findings": list(proof.findings)}


def _end_in_order() -> None:
    """Whoever ends this by a signal has the machines taken down first, once and for all."""
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def end(number: int, frame: FrameType | None) -> None:
        for other in signals:
            signal.signal(other, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in signals:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
            signal.signal(number, end)
