"""Looking at the host. Nothing here can change it: planning gets eyes, and only eyes."""

import os
from collections.abc import Callable, Sequence
from contextlib import suppress

from . import manager
from .child import has_ended
from .dpkg_status import GONE, paragraph, with_update
from .sight import ABSENT, BARRED, NUMBER, Sight, State, barred, row_of
from .trouble import Trouble
from .unit_state import PROPERTIES, condition_of, state_of

__all__ = ["ABSENT", "BARRED", "Eyes", "State", "as_user", "barred"]
ASK_SECONDS = 30
COMPLAINT_LENGTH = 300
GETENT = "/usr/bin/getent"


class Eyes(Sight):
    """Looks at packages and units too.

    `say_alive` is called before what may take a while: somebody waits for what the eyes see.
    """

    say_alive: Callable[[], None] = staticmethod(lambda: None)

    def look_afresh(self) -> None:
        super().look_afresh()
        self._dpkg_status: bytes | None = None
        self._units: dict[str, dict[str, str]] = {}
        self._told_of: dict[tuple[str, str], list[str]] = {}
        self.silent: dict[str, Exception] = {}
        """Servers on this host that were asked and did not answer, by their address, and what that comes to."""

    # Accounts

    def account(self, database: str, name: str) -> list[str]:
        """The fields of a user or group, also of one that a name service knows (NSS); none if there is none."""
        return self.accounts(database).get(name) or self._told_by_name_service(database, name)

    def number_of(self, database: str, name: str) -> int | None:
        row = self.account(database, name)
        return int(row[NUMBER]) if row else None

    def _told_by_name_service(self, database: str, name: str) -> list[str]:
        """It may know names by others, so only an answer to the very name counts."""
        if (database, name) not in self._told_of:
            answer = ""
            with suppress(Trouble):
                answer = self.ask([GETENT, "--", database, name])
            row = row_of(answer.partition("\n")[0], database)
            self._told_of[database, name] = row if row and row[0] == name else []
        return self._told_of[database, name]

    # Packages

    @property
    def dpkg_status(self) -> bytes:
        """dpkg's status file, with what a killed dpkg had no time to write into it."""
        if self._dpkg_status is None:
            path = "/var/lib/dpkg/status"
            status = b"\n" + self.read(path) if self.exists(path) else b"\n"
            for update in self.dpkg_updates():
                status = with_update(status, self.read(update))
            self._dpkg_status = status
        return self._dpkg_status

    def dpkg_updates(self) -> list[str]:
        """dpkg's journal; empty unless dpkg is at work or was killed."""
        folder = "/var/lib/dpkg/updates"
        return [f"{folder}/{name}" for name in self.names(folder) if name.isdigit()]

    def package(self, name: str) -> State:
        """`installed` and `version` of a package; `unfinished` where dpkg was cut short."""
        fields = paragraph(self.dpkg_status, name)
        condition = fields.get("Status", GONE[0]).split()[-1]
        if condition == "installed":
            return {"installed": True, "version": fields["Version"]}
        return {"installed": False} | ({} if condition in GONE else {"unfinished": True})

    # Units

    def look_at_units(self, names: list[str]) -> None:
        """Reads all units in one go."""
        if not names:
            return
        self._units |= dict(zip(names, self.shown(names, PROPERTIES), strict=True))

    def shown(self, names: list[str], properties: Sequence[str]) -> list[dict[str, str]]:
        """These properties of each unit, in systemd's own words."""
        if not self.root and (shown := manager.shown(names, properties)) is not None:
            return shown
        told = self.ask(["systemctl", "show", "--property", ",".join(properties), "--", *names])
        blocks = told.strip("\n").split("\n\n")
        return [dict(line.split("=", 1) for line in block.split("\n") if "=" in line) for block in blocks]

    def unit(self, name: str) -> State:
        """What `unit_state.state_of` says of it."""
        return state_of(self._unit(name))

    def condition(self, name: str) -> State:
        """What `unit_state.condition_of` says of it."""
        return condition_of(self._unit(name))

    def _unit(self, name: str) -> dict[str, str]:
        if name not in self._units:
            self.look_at_units([name])
        return self._units[name]

    def is_unit_outdated(self, name: str) -> bool:
        """Whether systemd has another file of the unit in mind than the one on the disk; it looked it up before."""
        shown = self._units[name]
        return shown["NeedDaemonReload"] == "yes" or shown["LoadState"] == "not-found"

    def journal_of(self, unit: str, lines: int = 20) -> str:
        return self.ask(["journalctl", "--unit", unit, "--lines", str(lines), "--no-pager", "--output", "cat"])

    # Commands that only look

    def ask(self, command: list[str]) -> str:
        """What the command prints. Without `subprocess`: to import it takes longer than to look at the host."""
        return self._said(command, (os.POSIX_SPAWN_OPEN, 2, "/dev/null", os.O_WRONLY, 0))

    def complaint(self, command: list[str]) -> str:
        """The last line that a command says, of what it prints and what it complains of."""
        lines = self._said(command, (os.POSIX_SPAWN_DUP2, 1, 2)).strip().split("\n")
        return "".join(sign for sign in lines[-1] if sign.isprintable())[:COMPLAINT_LENGTH]

    def _said(self, command: list[str], errors: tuple[int, ...] | tuple[int, int, str, int, int]) -> str:
        command = self.own_command(command)
        with open(os.memfd_create("answer"), "r+b") as answer:
            redirections = [
                (os.POSIX_SPAWN_DUP2, answer.fileno(), 1),
                errors,
            ]
            try:
                process = os.posix_spawnp(command[0], command, os.environ, file_actions=redirections)
            except FileNotFoundError as error:
                raise Trouble(f"there is no command `{command[0]}` on this host") from error
            in_time = has_ended(process, ASK_SECONDS)
            if not in_time:
                os.kill(process, 9)
            os.waitpid(process, 0)
            if not in_time:
                raise Trouble(f"`{command[0]}` did not answer within {ASK_SECONDS} s and was ended")
            answer.seek(0)
            return answer.read().decode(errors="replace")

    def own_command(self, command: list[str]) -> list[str]:
        """The command as it is run: where the host is a directory, one that is named by its path is the directory's."""
        program = command[0]
        is_elsewhere = self.root and program.startswith("/") and not program.startswith(f"{self.root}/")
        return [self.real(program), *command[1:]] if is_elsewhere else command

    def holds(self, command: list[str], *, stdin: bytes, user: str, seconds: float) -> bool:
        """Whether a check command exits with 0, and does so in time."""
        from .command import Overdue, run  # seldom needed

        self.say_alive()
        words = as_user(self.own_command(command), user)
        with open(os.devnull, "wb") as nowhere, suppress(Overdue, FileNotFoundError):
            return not run(words, stdin=stdin, output=nowhere.fileno(), path=self.search_path, seconds=seconds)
        return False

    @property
    def search_path(self) -> str:
        """Where programs are looked for, if elsewhere than usual: in a directory, where its deployer says."""
        return os.environ["PATH"] if self.root else ""


def as_user(command: list[str], user: str) -> list[str]:
    """The command, run as `user` with that user's environment's basics."""
    return command if user == "root" else ["runuser", "--user", user, "--", *command]
