"""Changing the host."""

import contextlib
import os
from collections.abc import Callable

from .eyes import Eyes, as_user
from .trouble import Trouble

ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C.UTF-8",
    "DEBIAN_FRONTEND": "noninteractive",
    "HOME": "/root",
}


class Hands(Eyes):
    """Eyes that can also write. Only `converge` is given hands.

    `note_command` is told of each command: its process, its name.
    """

    def __init__(
        self, root: str = "/", seal_key: bytes = b"", *, note_command: Callable[[int, str], None] = lambda *_: None
    ) -> None:
        super().__init__(root, seal_key)
        self._note_command = note_command

    def run(self, command: list[str], *, stdin: bytes = b"", user: str = "root", seconds: int = 120) -> str:
        """Runs a command to its end and returns its output; trouble, with its last lines, if it fails.

        Output goes to memory, not through a pipe: should the agent be killed, the command still ends in peace.
        """
        with open(os.memfd_create("output"), "r+b") as output:
            status = self._status_of(as_user(command, user), stdin, output.fileno(), seconds)
            output.seek(0)
            text = output.read().decode(errors="replace")
        if status:
            raise Trouble(f"`{command[0]}` ended with exit status {status}", tail=text)
        return text

    def _status_of(self, command: list[str], stdin: bytes, output: int, seconds: int) -> int:
        import subprocess  # slow, and needed for changes only

        # A session of its own: what it starts ends with it at the deadline, and no terminal's end ends it.
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                env=self._environment(),
                start_new_session=True,
                cwd="/",
            )
        except FileNotFoundError as error:
            raise Trouble(f"there is no command `{command[0]}` on this host") from error
        self._note_command(process.pid, command[0])
        try:
            process.communicate(stdin, timeout=seconds)
        except subprocess.TimeoutExpired as error:
            os.killpg(process.pid, 9)
            process.wait()
            raise Trouble(f"`{command[0]}` did not end within {seconds} s and was ended") from error
        return process.returncode

    def _environment(self) -> dict[str, str]:
        """In a directory, only the commands that its deployer names."""
        return {**ENVIRONMENT, "PATH": os.environ["PATH"]} if self.root else ENVIRONMENT

    def own(self, path: str, owner: str, group: str, mode: str) -> None:
        os.chown(self.real(path), *self._numbers(owner, group))
        os.chmod(self.real(path), int(mode, 8))

    def _numbers(self, owner: str, group: str) -> tuple[int, int]:
        """The user's and the group's numbers; some belong to users of containers, and have no name here."""
        uid = int(owner) if owner.isdigit() else self.number_of("passwd", owner)
        gid = int(group) if group.isdigit() else self.number_of("group", group)
        if uid is None or gid is None:
            missing = f"user {owner}" if uid is None else f"group {group}"
            raise Trouble(f"there is no {missing} on this host", hint="list the item that brings it before this one")
        return uid, gid

    def write(self, path: str, content: bytes, *, owner: str, group: str, mode: str) -> None:
        """Puts a whole file in place at once; owner and mode are set before the content is there.

        Without fsync: after a power cut the next comparison finds what is missing and makes it anew.
        """
        numbers = self._numbers(owner, group)
        real = self.real(path)
        if not os.path.isdir(os.path.dirname(real)):
            raise Trouble(f"the directory {os.path.dirname(path)} does not exist", hint="list it as an item before")
        draft = _draft_of(real)
        remove_if_there(draft)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            with open(descriptor, "wb") as file:
                os.fchown(descriptor, *numbers)
                os.fchmod(descriptor, int(mode, 8))
                file.write(content)
            os.rename(draft, real)
        except BaseException:
            remove_if_there(draft)
            raise

    def link(self, path: str, target: str) -> None:
        draft = _draft_of(self.real(path))
        remove_if_there(draft)
        os.symlink(target, draft)
        os.rename(draft, self.real(path))

    def make_directory(self, path: str) -> None:
        os.mkdir(self.real(path), 0o700)

    def delete(self, path: str) -> None:
        """Removes a file or link, and what a killed agent left of one; nothing to do where there is none."""
        remove_if_there(_draft_of(self.real(path)))
        remove_if_there(self.real(path))

    def delete_empty_directory(self, path: str) -> bool:
        """Removes a directory unless something is in it; says whether it is gone."""
        try:
            os.rmdir(self.real(path))
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True

    def delete_tree(self, path: str) -> None:
        import shutil  # slow, and needed for changes only

        if self.exists(path):
            shutil.rmtree(self.real(path))


def _draft_of(real: str) -> str:
    return f"{real}.fedikit-new"


def remove_if_there(real: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(real)
