"""The second factor: codes of an app (TOTP, RFC 6238) and recovery codes. Each code lets in once."""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyotp

from fedikit.panel.server.files import JsonFile

ISSUER = "fedikit"
RECOVERY_CODES = 10
_STEP = 30  # seconds
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that looks like another
_RECOVERY_LETTERS = 12


@dataclass(frozen=True)
class Enrolment:
    """What the operator needs, shown once."""

    uri: str
    recovery_codes: tuple[str, ...]


class SecondFactor:
    """The second factors of operators, a file each: the secret, and what was used already."""

    def __init__(self, folder: Path, clock: Callable[[], float]) -> None:
        self._folder = folder
        self._clock = clock

    def enrol(self, name: str) -> Enrolment:
        """Gives an operator a second factor, instead of any earlier one."""
        secret = pyotp.random_base32()
        codes = tuple(_recovery_code() for _ in range(RECOVERY_CODES))
        with self._file(name).changing() as kept:
            kept.clear()
            kept.update(secret=secret, used_step=0, recovery=[_hash(code) for code in codes])
        return Enrolment(pyotp.TOTP(secret, name=name, issuer=ISSUER).provisioning_uri(), codes)

    def remove(self, name: str) -> None:
        self._file(name).path.unlink(missing_ok=True)

    def is_enrolled(self, name: str) -> bool:
        return bool(self._file(name).read())

    def is_in_use(self) -> bool:
        """Whether anybody has one."""
        return any(self._folder.glob("[a-z]*.json"))

    def mark(self, name: str) -> str:
        """What is another one after each enrolment; empty without."""
        return hashlib.sha256(str(self._file(name).read().get("secret", "")).encode()).hexdigest()

    def accepts(self, name: str, code: str) -> bool:
        """Whether the code is right, and uses it up. Whoever has no second factor needs none."""
        if not self.is_enrolled(name):
            return True
        code = "".join(character for character in code.casefold() if character.isalnum())
        with self._file(name).changing() as kept:
            step = self._step_of(kept["secret"], code)
            if step > kept["used_step"]:
                kept["used_step"] = step
                return True
            if len(code) == _RECOVERY_LETTERS and _hash(code) in kept["recovery"]:
                kept["recovery"].remove(_hash(code))
                return True
        return False

    def _step_of(self, secret: str, code: str) -> int:
        """The step that the code is of, within 30 s either way; -1 if none."""
        now = int(self._clock()) // _STEP
        totp = pyotp.TOTP(secret)
        fitting = [step for step in (now - 1, now, now + 1) if hmac.compare_digest(totp.generate_otp(step), code)]
        return max(fitting, default=-1)

    def _file(self, name: str) -> JsonFile:
        return JsonFile(self._folder / f"{name}.json")


def _recovery_code() -> str:
    letters = "".join(secrets.choice(_LETTERS) for _ in range(_RECOVERY_LETTERS))
    return "-".join(letters[start : start + 4] for start in range(0, _RECOVERY_LETTERS, 4))


def _hash(code: str) -> str:
    """Of a code that nobody can guess: 59 bits."""
    return hashlib.sha256(code.replace("-", "").encode()).hexdigest()
