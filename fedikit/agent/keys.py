"""A user's authorized keys: `~/.ssh/authorized_keys`, below a directory that the user may change at any moment."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from . import edits
from .eyes import Eyes, State, barred
from .files import Folder, words_for
from .hands import Hands
from .walk import ROOT, Barred

SSH, KEYS = ".ssh", "authorized_keys"
KEYS_LIMIT = 1024 * 1024


@contextmanager
def _ssh_folder(eyes: Eyes, home: str, uid: int) -> Iterator[Folder]:
    """A user's ~/.ssh, held: a directory of the user's own, or of root. Raises Barred where it is anything else."""
    with eyes.files.folder(home) as folder:
        if (status := folder.status(SSH)) is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        path = folder.path_of(SSH)
        if not stat.S_ISDIR(status.st_mode):
            raise Barred(f"{path} is {words_for(status)}, and keys are put into a directory only")
        with folder.folder(SSH) as ssh:
            if not _may_be_the_users(ssh, uid):
                raise Barred(f"{path} does not belong to the user")
            yield ssh


def _may_be_the_users(ssh: Folder, uid: int) -> bool:
    """Root's own directories are handed over only where nothing but keys is in them: the user can give them names."""
    owner = ssh.own_status().st_uid
    return owner == uid or (owner in ROOT and {*ssh.names()} <= {KEYS, edits.draft_of(KEYS)})


def keys_state(eyes: Eyes, home: str, uid: int) -> State:
    """The lines of authorized_keys, None if there is none; `unended` if the last has no end; `link` if it is a link."""
    try:
        with _ssh_folder(eyes, home, uid) as ssh:
            return _keys_in(ssh)
    except (FileNotFoundError, NotADirectoryError):
        return {KEYS: None}
    except (Barred, OSError) as error:
        return {KEYS: None, "barred": barred(f"{home}/{SSH}/{KEYS}", error)["why"]}


def _keys_in(ssh: Folder) -> State:
    status = ssh.status(KEYS)
    if status is None:
        return {KEYS: None}
    if stat.S_ISLNK(status.st_mode):
        return {KEYS: None, "link": ssh.target(KEYS)}
    with ssh.file(KEYS) as file:
        *lines, rest = file.content(KEYS_LIMIT).decode(errors="surrogateescape").split("\n")
    return {KEYS: [*lines, rest], "unended": True} if rest else {KEYS: lines}


def text_of(state: State) -> bytes:
    """The file's bytes, as they were."""
    text = "".join(f"{line}\n" for line in state[KEYS])
    return text[: len(text) - state.get("unended", False)].encode(errors="surrogateescape")


def write_keys(hands: Hands, name: str, home: str, content: bytes) -> None:
    """All in directories that are held: the user may put others in their places meanwhile."""
    row = hands.account("passwd", name)
    numbers = int(row[2]), int(row[3])
    _make_ssh_folder(hands, home)
    with _ssh_folder(hands, home, numbers[0]) as ssh:
        edits.own(ssh, numbers, 0o700)
        edits.write(ssh, KEYS, [content], numbers=numbers, mode=0o600)


def _make_ssh_folder(hands: Hands, home: str) -> None:
    with hands.files.folder(home) as folder:
        if folder.status(SSH) is None:
            edits.make_folder(folder, SSH)


def take_keys_away(hands: Hands, name: str, prior: State) -> None:
    uid = int(hands.account("passwd", name)[2])
    with suppress(FileNotFoundError, NotADirectoryError), hands.files.folder(prior["home"]) as home:
        with _ssh_folder(hands, prior["home"], uid) as ssh:
            edits.delete(ssh, edits.draft_of(KEYS))
            if "link" in prior:
                edits.link(ssh, KEYS, prior["link"])
            else:
                edits.delete(ssh, KEYS)
        edits.delete_empty(home, SSH)
