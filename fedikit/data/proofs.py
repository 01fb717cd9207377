"""The evidence of proofs: written beside the environment's file, and noted beside the backup itself.

It bears a seal under the master key, so that nobody else can have made it, or changed it since.
"""

import hmac
import json
import os
from pathlib import Path

from pydantic import ValidationError

from fedikit.errors import ConfigurationError, FedikitError, Mistake
from fedikit.model.deployment import Deployment
from fedikit.remote.data_messages import ProofNoted
from fedikit.remote.session import Session
from fedikit.remote.sessions import failing_alone
from fedikit.results.proof import Proof
from fedikit.secrets.vault import Vault

FOLDER = ".fedikit-proofs"


def place_of(environment: Path, proof: Proof) -> Path:
    """Where the last proof of an application lies, beside the environment's file."""
    return environment.parent / FOLDER / f"{proof.deployment}-{proof.application}.json"


def save_proof(proof: Proof, path: Path, vault: Vault) -> bool:
    """Writes a proof with its seal, in the place of an earlier one; False if there is no master key to seal it with.

    Raises FedikitError if it cannot be written.
    """
    sealed = _sealed(proof, vault)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        unfinished.write_text(f"{json.dumps(sealed, indent=1)}\n", encoding="utf-8")
        unfinished.replace(path)
    except OSError as error:
        words = f"the proof {path} cannot be written: {(error.strerror or str(error)).lower()}"
        raise FedikitError(words, hint="see that there is room, and that you may write there") from error
    return bool(sealed["seal"])


def load_proof(path: Path, vault: Vault) -> Proof:
    """Reads a proof; raises ConfigurationError if it cannot be read, or is not as it was written."""
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
        text, seal = saved["proof"], saved["seal"]
        proof = Proof.model_validate_json(text)
    except (OSError, ValueError, KeyError, TypeError, ValidationError) as error:
        mistake = Mistake("proof", "cannot be read as a proof of this version of fedikit")
        raise ConfigurationError(str(path), [mistake], hint="prove the backup again") from error
    if not isinstance(seal, str) or not hmac.compare_digest(seal.encode(), _seal_of(text, vault).encode()):
        words = "does not fit: the proof was changed after it was written, or made with another master key"
        raise ConfigurationError(str(path), [Mistake("seal", words)], hint="prove the backup again")
    return proof


def note_proof(proof: Proof, deployment: Deployment) -> None:
    """Has each host put the proof beside its backup, so that whoever lists backups reads of it."""
    sealed = _sealed(proof, Vault.of(deployment))
    told = {"ended": f"{proof.ended:%Y-%m-%dT%H:%M:%SZ}", "failed": not proof.succeeded, **sealed}
    for one in proof.backups:
        request = {
            "op": "data", "deployment": deployment.name, "verb": "note-proof", "application": proof.application,
            "backup": one.backup.id, "proof": json.dumps(told),
        }  # fmt: skip
        with failing_alone(one.host), Session(one.host, deployment.hosts[one.host].connection) as session:
            session.ask(request, ProofNoted)


def _sealed(proof: Proof, vault: Vault) -> dict[str, str]:
    text = proof.model_dump_json()
    return {"seal": _seal_of(text, vault), "proof": text}


def _seal_of(text: str, vault: Vault) -> str:
    """HMAC-SHA256 (hex) of a proof; empty where there is no master key."""
    return hmac.digest(vault.proof_key(), text.encode(), "sha256").hex() if vault.has_master else ""
