"""What all contract images share: variables and their forms, refusals, passwords, signed values.

The web side (server, requests, answers, pages) and the bucket (S3) have rooms of their own and are reached from here.
"""

import hashlib
import hmac
import os
import secrets
import sys
from collections.abc import Callable, Mapping
from typing import NoReturn

from .bucket import Bucket, BucketError
from .forms import (
    ADDRESS,
    ALPHANUMERIC_32,
    ANY,
    BASE64_32,
    BUCKET,
    FLAG,
    FROM,
    HEX_64,
    HEX_128,
    HOST,
    HOST_AND_PORT,
    NUMBER,
    URL,
    Form,
)
from .page import page
from .web import Answer, Application, Request, Upload, cookie, html, json_answer, plain, redirect, serve

__all__ = [
    "ADDRESS",
    "ALPHANUMERIC_32",
    "ANY",
    "BASE64_32",
    "BUCKET",
    "FLAG",
    "FROM",
    "HEX_64",
    "HEX_128",
    "HOST",
    "HOST_AND_PORT",
    "NUMBER",
    "URL",
    "Answer",
    "Application",
    "Bucket",
    "BucketError",
    "Environment",
    "Form",
    "Refused",
    "Request",
    "Upload",
    "cookie",
    "hash_password",
    "html",
    "is_password",
    "json_answer",
    "page",
    "plain",
    "redirect",
    "run_program",
    "serve",
    "sign",
    "unsign",
]

# Few rounds: these passwords guard a lab, and the suites log in often.
_ROUNDS = 20_000


class Refused(Exception):
    """What a program cannot work with; its text is the one line that the operator reads, and holds no secret."""


class Environment:
    """The variables that a program was started with. An empty value counts as none, except for `raw`."""

    def __init__(self, values: Mapping[str, str] = os.environ) -> None:
        self._values = values

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all variables, also of those that are empty."""
        return tuple(self._values)

    def required(self, name: str, form: Form = ANY) -> str:
        """The value of a variable that the program cannot do without."""
        if not self._values.get(name):
            raise Refused(f"{name} is not set: it must be {form.words}")
        return self._checked(name, form)

    def optional(self, name: str, default: str = "", form: Form = ANY) -> str:
        """The value of a variable, checked when there is one, or upstream's default."""
        return self._checked(name, form) if self._values.get(name) else default

    def number(self, name: str, default: int) -> int:
        """A number, such as a port."""
        return int(self.optional(name, str(default), NUMBER))

    def flag(self, name: str, default: bool = False) -> bool:
        """A switch that is written true or false."""
        return self.optional(name, str(default).lower(), FLAG) == "true"

    def raw(self, name: str) -> str | None:
        """The value as it is: empty is not the same as missing."""
        return self._values.get(name)

    def _checked(self, name: str, form: Form) -> str:
        value = self._values[name]
        if value[0] in "\"'" and value[-1] == value[0]:
            raise Refused(f"{name} has quotes around it: env files are taken as they are, write the value alone")
        if not form.fits(value):
            raise Refused(f"{name} has the wrong form: it must be {form.words}")
        return value


def run_program(main: Callable[[list[str]], int]) -> NoReturn:
    """Runs a program to its exit status; what it refuses is one line on standard error and status 1."""
    try:
        status = main(sys.argv[1:])
    except Refused as refusal:
        print(refusal, file=sys.stderr, flush=True)
        status = 1
    except KeyboardInterrupt:
        status = 130
    sys.exit(status)


def hash_password(password: str, salt: bytes | None = None, rounds: int = _ROUNDS) -> str:
    """A password as it is kept: pbkdf2-sha256$ROUNDS$SALT$HASH, salt and hash in hexadecimal.

    PBKDF2 because the languages of all the shims (Ruby, PHP) bring it along, unlike scrypt.
    """
    salt = salt or secrets.token_bytes(16)
    digest = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds)
    return f"pbkdf2-sha256${rounds}${salt.hex()}${digest.hex()}"


def is_password(password: str, kept: str) -> bool:
    """Whether a password is the one that was kept."""
    _, rounds, salt, _ = kept.split("$")
    return hmac.compare_digest(hash_password(password, bytes.fromhex(salt), int(rounds)), kept)


def sign(value: str, key: str) -> str:
    """A value that its bearer cannot change: the value, `--`, its signature. The key is a secret of the application."""
    return f"{value}--{hmac.new(key.encode(), value.encode(), hashlib.sha256).hexdigest()}"


def unsign(signed: str, key: str) -> str | None:
    """The value of what `sign` gave out; nothing when it was changed or signed with another key."""
    value = signed.rpartition("--")[0]
    return value if value and hmac.compare_digest(sign(value, key).encode(), signed.encode()) else None
