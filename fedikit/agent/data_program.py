"""The program of backups on this host, which the policy brought: run for one application, its events read as they come.

Only where fedikit's record holds the application's settings: so no name leads elsewhere.
"""

import contextlib
import json
import os
import select
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, BinaryIO

from .eyes import Eyes
from .ledger import Ledger, Record
from .trouble import TAIL_CHARACTERS, Trouble
from .walk import Barred

if TYPE_CHECKING:
    import subprocess

PLACE = "/usr/local/lib/fedikit-data"
SETTINGS = "/etc/fedikit/data/{}.json"
STATE = "/var/lib/fedikit-data/{}"
LARGEST_RECORD = 512 * 1024
LONGEST_LINE = 8 << 20
LONGEST_WORDS = 2000
PIECE = 1 << 16
LOOK_SECONDS = 2.0
"""How long nothing may be heard of the program before somebody is told that it is at work."""
BUSY = 3
"""The exit status by which it says that somebody else is at work on the application's backups."""
UNKNOWN = 2
"""The exit status by which an earlier fedikit's says that it does not know a word."""


class UnknownWord(Trouble):
    """The program is of an earlier fedikit than who asks it."""


def applications_of(ledger: Ledger) -> list[str]:
    """Those whose settings of backups are held here."""
    before, _, after = f"file:{SETTINGS}".partition("{}")
    held = [id for id, entry in ledger.entries.items() if entry["state"] != "kept"]
    found = [id.removeprefix(before).removesuffix(after) for id in held if id.startswith(before) and id.endswith(after)]
    return sorted(name for name in found if name and "/" not in name)


def record_of(eyes: Eyes, application: str, file: str = "result.json") -> str:
    """What the program wrote of its last runs; empty if there is nothing, or nothing that can be read."""
    text = eyes.beginning(f"{STATE.format(application)}/{file}", LARGEST_RECORD)
    return (text or b"").decode(errors="replace")


def set_up_at(eyes: Eyes, application: str) -> int:
    """Since when there are to be backups of it, in seconds since 1970; nothing if it cannot be said."""
    try:
        with eyes.files.place(f"{STATE.format(application)}/since") as (folder, name):
            status = folder.status(name)
    except (Barred, OSError):
        return 0
    return int(status.st_mtime) if status else 0


def settings_of(eyes: Eyes, application: str) -> bytes:
    """The application's settings as they lie there; nothing if they cannot be read."""
    return eyes.beginning(SETTINGS.format(application), LARGEST_RECORD) or b""


class Program:
    """The program, for one application. `idle` is called whenever nothing was heard of it for a while.

    `other`: the repository that is read instead of the application's own, by `url` and `password`. The program reads it
    from its standard input.
    """

    def __init__(
        self, eyes: Eyes, ledger: Ledger, application: str, idle: Callable[[], None], other: Record | None = None
    ) -> None:
        self._eyes = eyes
        self._other = other
        self._application = application
        self._idle = idle
        if application not in applications_of(ledger) or not eyes.exists(f"{PLACE}/__main__.py"):
            raise Trouble(
                f"nothing here backs {application} up: policies.backup is missing, or was not applied yet",
                hint="add it to the environment, then apply",
            )

    def asked(self, verb: str, *options: str, seconds: float) -> Record:
        """What it tells in the end; trouble, in its own words, if it fails."""
        return self.followed(verb, *options, seconds=seconds, hear=lambda _: None)

    def followed(self, verb: str, *options: str, seconds: float, hear: Callable[[Record], None]) -> Record:
        """The same, with each step handed on."""
        from .command import speaking  # slow to import, and needed here only

        # -B: what was compiled there would stay when the program leaves
        command = [sys.executable, "-I", "-B", self._eyes.real(PLACE), verb, self._application, *options]
        command += ["--other"] if self._other else []
        with open(os.memfd_create("errors"), "r+b") as errors, self._input() as stdin:
            files = {"stdin": stdin.fileno(), "errors": errors.fileno()}
            with speaking(command, **files, path=self._eyes.search_path) as process:
                last = self._heard(process, hear, time.monotonic() + seconds)
                status = self._end_of(process)
            if last.get("event") == "done" and not status:
                return last
            raise self._trouble(last, status, _end_of_file(errors.fileno()))

    def _input(self) -> BinaryIO:
        """What the program reads: the other repository, if there is one."""
        stdin = open(os.memfd_create("input"), "r+b")  # noqa: SIM115 – whoever runs the program closes it
        if self._other:
            stdin.write(json.dumps(self._other).encode() + b"\n")
            stdin.seek(0)
        return stdin

    def _heard(self, process: "subprocess.Popen[bytes]", hear: Callable[[Record], None], deadline: float) -> Record:
        """Hands on what it tells, up to its last word."""
        last: Record = {}
        for line in self._lines(process, deadline):
            with contextlib.suppress(ValueError, RecursionError):
                told = json.loads(line)
                if isinstance(told, dict) and told.get("event") == "step":
                    hear(told)
                elif isinstance(told, dict):
                    last = told
        return last

    def _lines(self, process: "subprocess.Popen[bytes]", deadline: float) -> Iterator[bytes]:
        assert process.stdout
        rest, source = b"", process.stdout.fileno()
        while time.monotonic() < deadline:
            if not select.select([source], [], [], LOOK_SECONDS)[0]:
                self._idle()
                continue
            if not (piece := os.read(source, PIECE)):
                return
            *lines, rest = (rest + piece).split(b"\n")
            yield from lines
            if len(rest) > LONGEST_LINE:
                raise Trouble("the program of backups spoke a line without an end")
        raise Trouble("the program of backups did not come to an end in time, and was ended")

    def _end_of(self, process: "subprocess.Popen[bytes]") -> int:
        """Its exit status, once it has said its last."""
        import subprocess

        while True:
            try:
                return process.wait(LOOK_SECONDS)
            except subprocess.TimeoutExpired:
                self._idle()

    def _trouble(self, last: Record, status: int, tail: str) -> Trouble:
        """What it said went wrong; else what it left behind."""
        if last.get("event") != "trouble" and status == UNKNOWN:
            words = "the program of backups is of an earlier fedikit, and does not know what it was asked"
            return UnknownWord(words, hint="apply that host's environment, which brings this one's", tail=tail)
        if last.get("event") != "trouble":
            return Trouble(f"the program of backups ended with exit status {status}, and said nothing", tail=tail)
        message, hint, part = (str(last.get(key, ""))[:LONGEST_WORDS] for key in ("message", "hint", "part"))
        code = "busy" if status == BUSY else "failed"
        trouble = Trouble(message, code=code, hint=hint, tail=str(last.get("tail") or tail))
        trouble.item = part
        return trouble


def _end_of_file(descriptor: int) -> str:
    size = os.fstat(descriptor).st_size
    tail = os.pread(descriptor, TAIL_CHARACTERS, max(0, size - TAIL_CHARACTERS))
    return tail.decode(errors="replace")
