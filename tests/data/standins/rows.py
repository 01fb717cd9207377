"""A stand-in for a database: a file whose lines are the rows of one table, replaced in one transaction."""

import os
from pathlib import Path

from onhost.trouble import Absent, Trouble

NAME = "dump"


class RowsPart:
    """Speaks as a part of kind postgresql; its name is the file's path."""

    def __init__(self, spec, secrets):
        self.file = Path(spec["name"])
        self.refuses = Path(f"{self.file}.refuses")

    def back_up(self, repository, tags):
        if not self.file.exists():
            raise Absent(f"{self.file} is not there")
        made = repository.snapshot_command(["cat", str(self.file)], NAME, tags, 0)
        rows = self._dumped(repository, made.id).count(b"\n")
        counts = {"table posts": rows}
        return {
            "snapshots": {"data": made.id}, "bytes": made.bytes, "added": made.added, "counts": counts, "version": ""
        }  # fmt: skip

    def measure(self):
        if not self.file.exists():
            raise Absent(f"{self.file} is not there")
        content = self.file.read_bytes()
        return {"bytes": len(content), "counts": {"table posts": content.count(b"\n")}}

    def restore(self, repository, record):
        rows = self._dumped(repository, record["snapshots"]["data"])
        if rows.count(b"\n") != record["counts"]["table posts"]:
            raise Trouble("the backup does not hold what it held when it was made")
        draft = self.file.with_suffix(".draft")
        draft.write_bytes(rows)
        os.replace(draft, self.file)

    def differences(self, record):
        now, then = self.measure()["counts"], record["counts"]
        return [] if now == then else [f"table posts has {now} rows, the backup {then}"]

    def refuse_writes(self):
        self.refuses.touch()

    def take_writes(self):
        self.refuses.unlink(missing_ok=True)

    def _dumped(self, repository, snapshot):
        with repository.dump(snapshot, f"/{NAME}") as process:
            rows = process.stdout.read()
        if process.returncode:
            raise Trouble("the dump could not be read")
        return rows
