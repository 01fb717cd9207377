"""Sealing: secrets in a file that one other environment can open, by its master key, and nobody else.

The file is JSON. In clear it says whose secrets it holds, which, and for whom; their values are in a sealed box of
libsodium's, with a digest of all that is in clear. A box tells nothing of who made it: whoever knows the recipient
could make another one, so a file is worth as much as the way on which it came.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

from pydantic import Field, SecretStr, ValidationError

from fedikit.errors import SecretError
from fedikit.model.document import Malformed, parse_json
from fedikit.model.secret import SecretFormat, SecretRef
from fedikit.model.value import HostName, SecretName, Value, digest_of
from fedikit.secrets.master import MasterKey
from fedikit.secrets.own import is_own
from fedikit.secrets.reading import is_fit
from fedikit.secrets.recipient import private_key, public_key, recipient_of

if TYPE_CHECKING:
    from nacl.public import PublicKey

FORMAT = 1
_LARGEST = 1 << 20
"""Characters of a file; those of an application's secrets are a few thousand."""


class SealedName(Value):
    """What is told of a secret in clear."""

    name: SecretName
    format: SecretFormat
    version: Annotated[int, Field(ge=1)]
    """That which it had where it came from."""


class _Head(Value):
    """What stands in a file in clear."""

    format: Literal[1] = 1
    deployment: HostName
    application: str
    recipient: str
    secrets: Annotated[tuple[SealedName, ...], Field(min_length=1, max_length=1000)]


class _File(_Head):
    box: str

    @property
    def head(self) -> _Head:
        return _Head.model_validate(self.model_dump(exclude={"box"}))


class _Box(Value):
    """What is sealed: a digest of what is in clear, and the values in its order."""

    head: str
    values: tuple[str, ...]


class Opened(NamedTuple):
    """The secrets of a file that was opened."""

    deployment: str
    """Where they are from."""
    application: str
    secrets: dict[SealedName, SecretStr]


def seal(secrets: Mapping[SecretRef, str], *, application: str, deployment: str, recipient: str) -> str:
    """The text of a file with an application's secrets, and their values, for a recipient. Raises SecretError.

    `deployment`: the name of where they are from.
    """
    key = public_key(recipient)
    names = tuple(SealedName(name=ref.name, format=ref.format, version=ref.version) for ref in secrets)
    head = _Head(deployment=deployment, application=application, recipient=recipient.strip(), secrets=names)
    box = _Box(head=_digest(head), values=tuple(secrets.values())).model_dump_json()
    document = head.model_dump(mode="json") | {"box": b64encode(_boxed(box.encode(), key)).decode()}
    return json.dumps(document, indent=1) + "\n"


def opened(text: str, master: MasterKey, *, source: str) -> Opened:
    """What is in a file, by the master key of the environment that it is for. `source` names it in errors.

    Raises SecretError if it is for another one, was damaged, is of a newer fedikit, or holds what no application
    brings along.
    """
    file = _parsed(text, source)
    if file.recipient != recipient_of(master):
        raise SecretError(
            f"{source} is sealed to another master key than this environment's",
            hint=f"have it sealed to this one: fedikit secret seal --to {recipient_of(master)}",
        )
    _refuse_what_is_not_its_own(file, source)
    values = _values(file, master, source)
    secrets = dict(zip(file.secrets, map(SecretStr, values), strict=True))
    return Opened(file.deployment, file.application, secrets)


def _boxed(content: bytes, key: "PublicKey") -> bytes:
    from nacl.exceptions import CryptoError  # few commands need it
    from nacl.public import SealedBox

    try:
        return SealedBox(key).encrypt(content)
    except CryptoError:  # of a point that is no key
        hint = "copy the whole line that the new provider's fedikit secret recipient prints"
        raise SecretError("nothing can be sealed to this recipient", hint=hint) from None


def _parsed(text: str, source: str) -> _File:
    try:
        document = parse_json(text) if len(text) <= _LARGEST else None
        form = document.get("format") if isinstance(document, dict) else None
        if type(form) is int and form > FORMAT:
            hint = "install the fedikit that made it, or a newer one"
            raise SecretError(f"{source} is sealed in a form ({form}) that is newer than this fedikit", hint=hint)
        return _File.model_validate_json(text, strict=True)
    except (Malformed, ValidationError, RecursionError):
        raise _damaged(source) from None


def _values(file: _File, master: MasterKey, source: str) -> tuple[str, ...]:
    """The values in the box, if it is whole and belongs to what is in clear."""
    from nacl.exceptions import CryptoError  # as above
    from nacl.public import SealedBox

    try:
        content = SealedBox(private_key(master)).decrypt(b64decode(file.box, validate=True))
        box = _Box.model_validate_json(content, strict=True)
    except (CryptoError, ValueError):  # pydantic's is a ValueError
        raise _damaged(source) from None
    if box.head != _digest(file.head) or len(box.values) != len(file.secrets) or not all(map(is_fit, box.values)):
        raise _damaged(source)
    return box.values


def _refuse_what_is_not_its_own(file: _File, source: str) -> None:
    """Another provider's file may name nothing by which this one's servers are opened."""
    foreign = sorted({each.name for each in file.secrets if not is_own(each.name, file.application)})
    if foreign:
        hint = "see who made it: fedikit seals nothing of the kind"
        raise SecretError(
            f"{source} holds what {file.application} does not bring along: {', '.join(foreign)}", hint=hint
        )
    if len({(each.name, each.format) for each in file.secrets}) < len(file.secrets):
        raise _damaged(source)


def _digest(head: _Head) -> str:
    return digest_of(head.model_dump(mode="json"))


def _damaged(source: str) -> SecretError:
    return SecretError(f"{source} is damaged, or no file of sealed secrets", hint="put it there again, as it was made")
