"""Secrets in what is wanted: names that stand for them, never they themselves."""

from typing import Annotated, Literal

from pydantic import Field

from fedikit.model.value import SecretName, Value

SecretFormat = Literal[
    "password",
    "hex32",
    "hex64",
    "hex128",
    "letters32",
    "laravel-key",
    "vapid-private",
    "vapid-public",
    "garage-key-id",
    "garage-key-secret",
    "garage-node-id",
    "garage-node-key",
]


class SecretRef(Value):
    """Stands for a secret, derived or given by the operator, that is filled in only on its way to the host."""

    name: SecretName
    """Its label, such as `snac/initial-user`; the same label always yields the same secret."""
    format: SecretFormat = "password"
    """password: 24 letters and digits; hex32, hex64, hex128: that many hexadecimal digits; letters32: that many letters
    and digits; the others as the software that they are named after wants them."""
    version: Annotated[int, Field(ge=1)] = 1
    """Raised to rotate the secret."""
    permanent: bool = False
    """Data is lost, or strangers' trust, if it ever changes: its version cannot be raised."""
    given: bool = False
    """Somebody else made it, and the environment says where it is; it cannot be derived."""
    family: str = ""
    """What it and its like are called together: under this name all may be given, or rotated, at once. A master key
    from before they were told apart derives one for all from it."""
    alone: bool = False
    """It was rotated under its own name, so that every master key derives it apart from its family."""


class SecretText(Value):
    """Text with secrets in it. Its length and contents never show in a plan, event, log or ledger."""

    parts: tuple[str | SecretRef, ...]


Content = str | SecretText
