"""Reading a secret that somebody keeps: in a private file, behind a command, in an environment variable."""

import grp
import os
import pwd
import re
import shlex
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

from fedikit.errors import SecretError

_COMMAND_DEADLINE = 60
_PRIVATE_KEY = re.compile(r"(-----)BEGIN OPENSSH PRIVATE KEY\1\n([A-Za-z0-9+/=]+\n)+\1END OPENSSH PRIVATE KEY\1")


def read_text(what: str, reference: str, *, base: Path, hint: str) -> str:
    """The text that a reference names: `file:PATH`, `command:pass show fedikit` or `env:NAME`.

    A path is relative to `base`, where a command also runs, without a shell. `what` it is stands in errors, and the
    hint where there is nothing. Raises SecretError.
    """
    kind, _, rest = reference.partition(":")
    match kind:
        case "file":
            return _read_private_file(what, base / Path(rest).expanduser(), hint)
        case "command":
            return _read_command(what, rest, base)
        case "env":
            return os.environ.get(rest, "")
        case _:
            raise SecretError(f"{kind!r} is no way to name {what}", hint="write file:PATH, command:COMMAND or env:NAME")


def read_secret(name: str, reference: str, *, base: Path) -> str:
    """A secret that somebody else made: one line, or the lines of a private key."""
    text = read_text(f"the secret {name}", reference, base=base, hint=f"put it there: {reference}").strip("\r\n")
    if not is_fit(text):
        raise SecretError(
            f"the secret {name} ({reference}) is not one line of text, and no private key of OpenSSH's",
            hint="put it there as one line, or as ssh-keygen wrote it",
        )
    return text


def is_fit(text: str) -> bool:
    """Whether a text can be a secret: one line, or a private key as ssh-keygen writes it."""
    return bool(text) and (text.isprintable() or _PRIVATE_KEY.fullmatch(text) is not None)


def read_own_file(what: str, path: Path, *, hint: str) -> str:
    """The text of a file that anybody may read, but nobody else may write or replace. Raises SecretError."""
    return _read_file(what, path, hint, _refuse_written_by_others)


def _read_private_file(what: str, path: Path, hint: str) -> str:
    return _read_file(what, path, hint, _refuse_open_file)


def _read_file(what: str, path: Path, hint: str, refuse: Callable[[str, Path, os.stat_result], None]) -> str:
    try:
        with path.open() as file:
            refuse(what, path, os.fstat(file.fileno()))
            _refuse_open_folders(what, path)
            return file.read()
    except OSError as error:
        message = f"{what} {path} cannot be read: {error.strerror}"
        raise SecretError(message, hint=hint) from error
    except UnicodeDecodeError:  # which would carry the contents along
        raise SecretError(f"{what} {path} is no text", hint=hint) from None


def _refuse_open_file(what: str, path: Path, status: os.stat_result) -> None:
    """A file that others may read, or that another user put there, is not a secret of ours."""
    _refuse_strangers_file(what, path, status)
    if status.st_mode & 0o177:
        message = f"{what} {path} may be read by others (mode {status.st_mode & 0o777:04o})"
        raise SecretError(message, hint=f"chmod 600 {shlex.quote(str(path))}")


def _refuse_written_by_others(what: str, path: Path, status: os.stat_result) -> None:
    _refuse_strangers_file(what, path, status)
    if _may_others_write(status):
        message = f"{what} {path} may be written by others (mode {status.st_mode & 0o777:04o})"
        raise SecretError(message, hint=f"see that it is as it came, then: chmod go-w {shlex.quote(str(path))}")


def _refuse_strangers_file(what: str, path: Path, status: os.stat_result) -> None:
    if status.st_uid not in (os.geteuid(), 0):
        message = f"{what} {path} belongs to another user (number {status.st_uid})"
        hint = f"see who put it there; if it is right: chown {os.geteuid()} {shlex.quote(str(path))}"
        raise SecretError(message, hint=hint)


def _refuse_open_folders(what: str, path: Path) -> None:
    """Who may write in a folder above it could put another file in its place."""
    for folder in dict.fromkeys((*path.absolute().parents, *path.resolve().parents)):
        if _may_others_write(folder.stat()):
            message = f"{what} {path} lies below {folder}, where other users may write"
            raise SecretError(message, hint=f"chmod go-w {shlex.quote(str(folder))}, or keep it elsewhere")


def _may_others_write(status: os.stat_result) -> bool:
    """In a sticky folder, such as /tmp, they may add, but not replace what is ours or root's."""
    if status.st_uid not in (os.geteuid(), 0):
        return True
    by_group = status.st_mode & stat.S_IWGRP and not _is_private(status.st_gid)
    return bool(status.st_mode & stat.S_IWOTH or by_group) and not status.st_mode & stat.S_ISVTX


def _is_private(group: int) -> bool:
    """Whether nobody else is in a group: it is the one that a user has for himself alone."""
    try:
        user, members = pwd.getpwuid(os.geteuid()), grp.getgrgid(group)
    except KeyError:
        return False
    return members.gr_gid == user.pw_gid and members.gr_name == user.pw_name and set(members.gr_mem) <= {user.pw_name}


def _read_command(what: str, command: str, base: Path) -> str:
    try:
        answer = subprocess.run(
            shlex.split(command),
            cwd=base,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_COMMAND_DEADLINE,
        )
    except subprocess.TimeoutExpired:  # which would carry the output along
        message = f"{what} did not come from `{command}` within {_COMMAND_DEADLINE} s"
        raise SecretError(message, hint=f"try it yourself in {base}") from None
    except (OSError, ValueError, IndexError) as error:
        raise SecretError(f"{what}'s command `{command}` cannot run: {error}") from error
    if answer.returncode:
        said = answer.stderr.decode(errors="replace").splitlines()[-5:]
        message = f"{what}'s command `{command}` ended with {answer.returncode}"
        raise SecretError("\n  | ".join([message, *said]), hint=f"try it yourself in {base}")
    return answer.stdout.decode(errors="replace")
