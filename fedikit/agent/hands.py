"""Changing the host."""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from . import edits
from .dbus import hang_up
from .eyes import Eyes, as_user
from .files import Folder
from .refusal import explained
from .trouble import Trouble

if TYPE_CHECKING:
    from .command import Around


class Hands(Eyes):
    """Eyes that can also write. Only `converge` is given hands.

    `note_command` is told of each command: its process, its name, and how many seconds it may take.
    """

    def __init__(
        self,
        root: str = "/",
        seal_key: bytes = b"",
        *,
        note_command: Callable[[int, str, float], None] = lambda *_: None,
    ) -> None:
        super().__init__(root, seal_key)
        self._note_command = note_command

    def run(self, command: list[str], *, stdin: bytes = b"", user: str = "root", seconds: int = 120) -> str:
        """Runs a command to its end and returns its output; trouble, with its last lines, if it fails.

        Should the agent be killed, the command still ends in peace.
        """
        return self._output_of(command, stdin, user, seconds, _unwatched)

    def run_while_here(self, command: list[str], *, stdin: bytes = b"", user: str = "root", seconds: int) -> str:
        """The same for a command that nobody shall have to wait for when its agent is gone: it is ended then."""
        from .command import watched  # slow, and needed for jobs only

        return self._output_of(command, stdin, user, seconds, watched)

    def take_long(self, what: str, *, seconds: float) -> None:
        """Tells that what is done now, without a command, may take so long."""
        hang_up()
        self._note_command(os.getpid(), what, seconds)

    def _output_of(self, command: list[str], stdin: bytes, user: str, seconds: float, watch: "Around") -> str:
        """To memory, not through a pipe: that would end with the agent."""
        from .command import Overdue, run  # needed for changes only

        @contextlib.contextmanager
        def noted(process: int) -> Iterator[None]:
            self._note_command(process, command[0], seconds)
            with watch(process):
                yield

        words = as_user(self.own_command(command), user)
        with open(os.memfd_create("output"), "r+b") as output:
            try:
                status = run(
                    words, stdin=stdin, output=output.fileno(), path=self.search_path, seconds=seconds, around=noted
                )
            except FileNotFoundError as error:
                raise Trouble(f"there is no command `{words[0]}` on this host") from error
            except PermissionError as error:
                raise Trouble(
                    f"`{words[0]}` may not be run", hint="is it executable, and on a disk that is not mounted noexec?"
                ) from error
            except Overdue as error:
                raise Trouble(f"`{words[0]}` did not end within {seconds} s and was ended") from error
            output.seek(0)
            text = output.read().decode(errors="replace")
        if status:
            raise Trouble(f"`{command[0]}` ended with exit status {status}", tail=text)
        return text

    # Files

    def own(self, path: str, owner: str, group: str, mode: str) -> None:
        """Gives a directory to its owner; root's link to one stands for it."""
        numbers = self.numbers(owner, group)
        with explained(self.files, path), self.files.folder(path) as folder:
            edits.own(folder, numbers, int(mode, 8))

    def numbers(self, owner: str, group: str) -> tuple[int, int]:
        """The user's and the group's numbers; some belong to users of containers, and have no name here."""
        uid = int(owner) if owner.isdigit() else self.number_of("passwd", owner)
        gid = int(group) if group.isdigit() else self.number_of("group", group)
        if uid is None or gid is None:
            missing = f"user {owner}" if uid is None else f"group {group}"
            raise Trouble(f"there is no {missing} on this host", hint="list the item that brings it before this one")
        return uid, gid

    def write(self, path: str, content: bytes | Iterable[bytes], *, owner: str, group: str, mode: str) -> None:
        """Puts a whole file in place at once; a link in its place is replaced, not followed."""
        numbers = self.numbers(owner, group)
        pieces = [content] if isinstance(content, bytes) else content
        with self._place_in_directory(path) as (folder, name):
            edits.write(folder, name, pieces, numbers=numbers, mode=int(mode, 8))

    def link(self, path: str, target: str) -> None:
        with self._place_in_directory(path) as (folder, name):
            edits.link(folder, name, target)

    def make_directory(self, path: str) -> None:
        with self._place_in_directory(path) as (folder, name):
            edits.make_folder(folder, name)

    @contextlib.contextmanager
    def _place_in_directory(self, path: str) -> Iterator[tuple[Folder, str]]:
        """A place for something new; trouble, in words, if the directory is not there."""
        with contextlib.ExitStack() as stack:
            stack.enter_context(explained(self.files, path))
            try:
                place = stack.enter_context(self.files.place(path))
            except FileNotFoundError as error:
                above = path.rpartition("/")[0]
                raise Trouble(f"the directory {above} does not exist", hint="list it as an item before") from error
            yield place

    def copy(self, path: str, place: str) -> None:
        """Copies an item's file into fedikit's own directory."""
        with self.files.place(path) as (folder, name), folder.file(name) as file, open(place, "wb") as copy:
            edits.pour(file.pieces(), copy.fileno())

    def delete(self, path: str) -> None:
        """Removes a file or link, and what a killed agent left of one; nothing to do where there is none."""
        missing = contextlib.suppress(FileNotFoundError, NotADirectoryError)
        with missing, self.files.place(path) as (folder, name), explained(self.files, path):
            edits.delete(folder, edits.draft_of(name))
            edits.delete(folder, name)

    def delete_empty_directory(self, path: str) -> bool:
        """Removes a directory unless something is in it, or a link stands for it; says whether it is gone."""
        try:
            with self.files.place(path) as (folder, name):
                return edits.delete_empty(folder, name)
        except (FileNotFoundError, NotADirectoryError):
            return True

    def delete_tree(self, path: str) -> str:
        """Removes a directory with all that is in it; says what of it stays.

        Where root's link stands for it, what that leads to goes too; of any other link, only the link.
        """
        state = self.folder_state(path)
        if state["type"] == "symlink":
            return f"is a symbolic link to {state['target']}, where there is no directory; it stays"
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            kept = self._delete_what_is_linked(path) if "link" in state else ""
            if not kept:
                with self.files.place(path) as (folder, name):
                    kept = edits.delete_tree(folder, name)
            return kept
        return ""

    def _delete_what_is_linked(self, path: str) -> str:
        with self.files.place(path, follow=True) as (folder, name):
            return edits.delete_tree(folder, name)


def _unwatched(process: int) -> contextlib.AbstractContextManager[None]:
    return contextlib.nullcontext()
