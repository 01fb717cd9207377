"""Promises: the checks of what a host serves, kept beside its generation, with a seal that only we can make.

The host keeps them as text and learns nothing from them that it does not know. A rollback holds what serves against
them. The seal binds them to the deployment, the host and the generation's number: none stands for another.
"""

import hmac
import json
from typing import Annotated, Any

from pydantic import Field, ValidationError

from fedikit.model.check import Check
from fedikit.model.value import HostName, Value
from fedikit.remote.answer_messages import Answer, SealedChecks
from fedikit.remote.messages import MISTRUST
from fedikit.remote.spoken import MOST_CHECKS_BYTES
from fedikit.results.plan import Promise
from fedikit.secrets import Vault

MOST_CHECKS = 500


class Document(Value):
    """What is sealed."""

    deployment: HostName
    host: HostName
    generation: Annotated[int, Field(ge=1)]
    checks: Annotated[tuple[Check, ...], Field(max_length=MOST_CHECKS)]


def sealed(document: Document, vault: Vault) -> dict[str, Any] | None:
    """As the host keeps it; nothing where there is no master key, or if it is too long to be taken back."""
    text = json.dumps(document.model_dump(mode="json"), separators=(",", ":"))
    if not vault.has_master or len(text) > MOST_CHECKS_BYTES:
        return None
    return {"text": text, "seal": _seal_of(text, document.host, vault)}


def promise_of(answer: Answer, wanted: Document, vault: Vault) -> Promise:
    """What the generation of a rollback promised; `wanted` says whose it must be."""
    number = wanted.generation
    if not vault.has_master:
        return Promise(lack="there is no master key: no generation has sealed checks to be held against")
    if answer.checks is None:
        return Promise(lack=f"generation {number} has no checks to be held against: it is older than they are")
    if not hmac.compare_digest(answer.checks.seal, _seal_of(answer.checks.text, wanted.host, vault)):
        return _forged(f"shows checks of generation {number} that were not sealed here")
    return _read(answer.checks, wanted)


def _read(sealed_checks: SealedChecks, wanted: Document) -> Promise:
    try:
        document = Document.model_validate_json(sealed_checks.text)
    except ValidationError:
        return Promise(lack=f"another version of fedikit wrote the checks of generation {wanted.generation}")
    if document.model_copy(update={"checks": ()}) != wanted:
        told = f"generation {document.generation} of {document.deployment} on {document.host}"
        return _forged(f"shows the checks of {told} as those of generation {wanted.generation} of {wanted.deployment}")
    return Promise(checks=document.checks)


def _forged(words: str) -> Promise:
    return Promise(lack=f"{words}; they are not used: {MISTRUST}", is_forged=True)


def _seal_of(text: str, host: str, vault: Vault) -> str:
    """HMAC-SHA256 (hex)."""
    return hmac.digest(vault.checks_key(host), text.encode(), "sha256").hex()
