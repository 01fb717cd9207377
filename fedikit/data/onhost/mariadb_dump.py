"""Runs mariadb-dump, hands on what it prints, and counts the rows in it; standard library only, run as a file.

MariaDB lends its snapshot to nobody, so rows can be counted in the dump alone, where each is a line of its own. The
first argument is where the counts go, as JSON; the others are the command. Fails unless the dump has its last line.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator

LAST_LINE = b"-- Dump completed"
_TABLE = re.compile(rb"CREATE TABLE (`(?:[^`]|``)+`) \(\n")
_ROWS = re.compile(rb"INSERT INTO (`(?:[^`]|``)+`)(?: \(.*\))? VALUES(?: (\(.*))?\n")
_DEFINER = re.compile(rb"\bDEFINER=`(?:[^`]|``)*`@`(?:[^`]|``)*`")


class Counter:
    """Reads a dump as it passes; knows each table's rows, the longest line, and the last one."""

    def __init__(self) -> None:
        self.tables: dict[str, int] = {}
        self.longest = 0
        self.last = b""
        self._table = ""
        self._is_code = False

    def passing(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        for line in lines:
            self._see(line)
            yield line

    @property
    def is_whole(self) -> bool:
        return self.last.startswith(LAST_LINE)

    def _see(self, line: bytes) -> None:
        self.last = line
        self.longest = max(self.longest, len(line))
        if self._table and line.startswith(b"("):
            self.tables[self._table] += 1
        elif line.startswith(b"DELIMITER "):
            self._is_code = line != b"DELIMITER ;\n"
        elif not self._is_code:
            self._enter(line)

    def _enter(self, line: bytes) -> None:
        """Outside of rows: a table begins, or rows of one do; the bodies of routines are looked at by nobody."""
        made, filled = _TABLE.fullmatch(line), _ROWS.fullmatch(line)
        self._table = _plain(filled[1]) if filled else ""
        if found := made or filled:
            self.tables.setdefault(_plain(found[1]), 0)
        if filled and filled[2]:  # so it is where columns are named, for one of them is invisible
            self.tables[self._table] += 1


def owned(lines: Iterable[bytes]) -> Iterator[bytes]:
    """A dump whose views, triggers, routines and events belong to whoever loads it; rows stay as they are.

    Only an administrator may give them to others, and an account has another name on each host that it comes from.
    """
    for line in lines:
        is_definition = line.startswith((b"/*!50", b"/*M!", b"CREATE DEFINER="))
        yield _DEFINER.sub(b"DEFINER=CURRENT_USER", line, count=1) if is_definition else line


def main(counts: str, *command: str) -> int:
    """How the dump ended: 0 only if it is whole."""
    counter = Counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE) as dump:
        assert dump.stdout
        for line in counter.passing(dump.stdout):
            sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
    if dump.returncode or not counter.is_whole:
        print(f"mariadb-dump ended with status {dump.returncode}, before the dump's last line", file=sys.stderr)
        return 1
    with open(counts, "w", encoding="utf-8") as file:
        json.dump({"tables": counter.tables, "longest": counter.longest}, file)
    return 0


def _plain(quoted: bytes) -> str:
    return quoted[1:-1].replace(b"``", b"`").decode(errors="surrogateescape")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
