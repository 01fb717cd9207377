"""The vault: hands out the secrets of one environment, and seals contents that hold some.

A secret is what the operator gave, or what the provider keeps elsewhere, or what the application had at another
provider, or else it is derived.
"""

import hashlib
import hmac
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from fedikit.errors import SecretError
from fedikit.model.deployment import Deployment
from fedikit.model.secret import Content, SecretRef
from fedikit.secrets.forms import FORMS
from fedikit.secrets.master import MISSING_HINT, MasterKey
from fedikit.secrets.reading import read_secret
from fedikit.secrets.sealed import SealedFiles, open_file

if TYPE_CHECKING:
    from fedikit.secrets.sealing import Opened


class Vault:
    """Hands out the secrets of one environment."""

    def __init__(self, master: MasterKey | None, given: Mapping[str, SecretStr]) -> None:
        self._master = master
        self._given = dict(given)
        self._reference = ""
        self._elsewhere: dict[str, str] = {}
        self._read: dict[str, SecretStr] = {}
        self._sealed = SealedFiles((), self._opening_key)

    @classmethod
    def of(cls, deployment: Deployment) -> "Vault":
        """The vault of a deployment; its master key is read when it is first needed."""
        vault = cls(None, deployment.given)
        vault._reference = deployment.secrets.master_key
        vault._elsewhere = dict(deployment.secrets.given)
        vault._sealed = SealedFiles(deployment.secrets.sealed, vault._opening_key)
        return vault

    def __repr__(self) -> str:
        return f"Vault({self._master!r}, {len(self._given)} given)"

    @property
    def has_master(self) -> bool:
        """Whether there is a master key that can be read."""
        try:
            self._key_for("")
        except SecretError:
            return False
        return True

    def value(self, ref: SecretRef) -> str:
        """The secret itself. Raises SecretError if it was not given and there is no master key."""
        if (given := self._given_value(ref)) is not None:
            return given.get_secret_value()
        if (brought := self._sealed.find(ref)) is not None:
            return brought[1].get_secret_value()
        if ref.given:
            hint = f'tell where it is in the environment: [secrets.given] "{ref.name}" = "file:PATH"'
            raise SecretError(f"the secret {ref.name} is not given, and cannot be derived", hint=hint)
        key = self._key_for(f"the secret {ref.name}")
        label = ref.family if ref.family and not (key.is_marked or ref.alone) else ref.name
        form = FORMS[ref.format]
        return form.spelt(key.derive(f"fedikit/{label}/{form.label}/{ref.version}", form.length))

    def in_force(self, ref: SecretRef) -> SecretRef:
        """The secret in the version of which the value is: a higher one where it came along from another provider."""
        if self._given_value(ref) is not None or (brought := self._sealed.find(ref)) is None:
            return ref
        return ref.model_copy(update={"version": brought[0]})

    def recipient(self) -> str:
        """The line that another provider seals secrets to, for this environment."""
        from fedikit.secrets.recipient import recipient_of  # seldom needed

        return recipient_of(self._key_for("the recipient of secrets"))

    def opened(self, path: Path) -> "Opened":
        """What is in a file that was sealed for this environment. Raises SecretError."""
        return open_file(path, self._opening_key())

    def _given_value(self, ref: SecretRef) -> SecretStr | None:
        """What the operator gave, or else what the provider keeps elsewhere, for the secret itself or its family."""
        for name in (ref.name, ref.family):
            if name in self._given:
                return self._given[name]
        for name in (ref.name, ref.family):
            if name in self._elsewhere and name not in self._read:
                self._read[name] = SecretStr(read_secret(name, self._elsewhere[name], base=Path.cwd()))
            if name in self._read:
                return self._read[name]
        return None

    def text(self, content: Content) -> str:
        """A content with its secrets filled in."""
        if isinstance(content, str):
            return content
        return "".join(part if isinstance(part, str) else self.value(part) for part in content.parts)

    def seal_key(self, host: str) -> bytes:
        """The key of a host's seals, which stand for secret contents where a plain hash would betray them.

        A master key without a mark has one for all hosts: their ledgers hold seals under it.
        """
        key = self._key_for("the seal of secret contents")
        return key.derive(f"fedikit/seal/{host}" if key.is_marked else "fedikit/seal", 32)

    def checks_key(self, host: str) -> bytes:
        """The key that a host's checks are sealed with. The host never gets it: it could seal what it likes."""
        return self._key_for("the seal of checks").derive(f"fedikit/checks/{host}", 32)

    def plan_key(self) -> bytes:
        """The key that saved plans are sealed with."""
        return self._key_for("the seal of a plan").derive("fedikit/plan", 32)

    def proof_key(self) -> bytes:
        """The key that proofs of backups are sealed with."""
        return self._key_for("the seal of a proof").derive("fedikit/proof", 32)

    def identity_of(self, text: str) -> str:
        """What a host may keep to tell whether a secret is still the same: HMAC-SHA256 (hex) under a key of its own."""
        key = self._key_for("the identity of a secret").derive("fedikit/identity", 32)
        return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()

    def seal(self, text: str, host: str) -> str:
        """HMAC-SHA256 (hex) of a text under a host's seal key."""
        return hmac.new(self.seal_key(host), text.encode(), hashlib.sha256).hexdigest()

    def _opening_key(self) -> MasterKey:
        return self._key_for("opening what was sealed for this environment")

    def _key_for(self, purpose: str) -> MasterKey:
        if self._master is None and self._reference:
            self._master = MasterKey.load(self._reference, base=Path.cwd())
        if self._master is None:
            raise SecretError(f"{purpose} needs a master key, the environment names none", hint=MISSING_HINT)
        return self._master
