"""Stands in for the program of backups in a directory: it speaks as that does, and keeps backups in folders.

Files in the directory's /run make it fail: data-fails (its words), data-busy, data-dies, data-waits (until it is gone),
data-lingers (a moment, after each part that it puts back), data-is-full (the words of a restore that fails),
data-differs, data-opens-not, data-speaks (its whole output), data-notes (what is to be known of the repository),
data-pace (how long units take, by their names). With data-reads units go on for readers; with data-earlier it is of a
fedikit that knows of none. Of another repository it reads the folder that the end of its address names, below
/srv/gates, if the password is that of the file `password` there.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[4]
Record = dict[str, Any]
FLAGS = ("--without-saving", "--leave-down", "--start", "--other")


def main(verb: str, application: str, *options: str) -> int:
    state = ROOT / f"var/lib/fedikit-data/{application}"
    state.mkdir(parents=True, exist_ok=True)
    settings = json.loads((ROOT / f"etc/fedikit/data/{application}.json").read_text())
    if (words := ROOT / "run/data-speaks").exists():
        sys.stdout.write(words.read_text())
        return 0
    if (ROOT / "run/data-busy").exists():
        return fail("a backup of it has been at work since 02:30", status=3)
    flags = [word for word in options if word in FLAGS]
    words = [word for word in options if word not in FLAGS]
    given = dict(zip(words[::2], words[1::2], strict=True)) | dict.fromkeys(flags, "")
    kept = ROOT / "srv/backups" / application
    if "--other" in given:
        other = json.loads(sys.stdin.readline())
        kept = ROOT / "srv/gates" / other["url"].rpartition("/")[2]
        if (kept / "password").read_text() != other["password"]:
            return fail(f"{other['url']} does not open with {other['password']}")
    if given.get("--why") == "reading" and (ROOT / "run/data-earlier").exists():
        print("fedikit-data close: error: argument --why: invalid choice: 'reading'", file=sys.stderr)
        return 2
    return VERBS[verb](Application(application, settings, state, kept), given)


def say(event: str, **fields: Any) -> None:
    print(json.dumps({"event": event, **fields}), flush=True)


def fail(message: str, *, part: str = "", status: int = 1) -> int:
    say("trouble", message=message, hint="look there", part=part, tail="its last line")
    return status


def in_short(manifest: Record) -> Record:
    """A manifest as the program notes it: with sums, and less of each part."""
    parts = [{key: part[key] for key in ("id", "bytes", "counts")} for part in manifest["parts"]]
    sums = {key: sum(part[key] for part in manifest["parts"]) for key in ("bytes", "added")}
    return {**{key: manifest[key] for key in ("id", "started", "ended")}, **sums, "seconds": 1.0, "parts": parts}


def now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"


class Application:
    """One application's parts are folders: of volumes, for want of others."""

    def __init__(self, name: str, settings: Record, state: Path, kept: Path) -> None:
        self.name = name
        self.settings = settings
        self.state = state
        self.kept = kept
        self.kept.mkdir(parents=True, exist_ok=True)

    def manifests(self) -> list[Record]:
        found = [json.loads(file.read_text()) for file in sorted(self.kept.glob("*/manifest.json"), reverse=True)]
        return sorted(found, key=lambda one: str(one["ended"]), reverse=True)

    def measured(self, folder: Path) -> Record:
        files = [file for file in folder.rglob("*") if file.is_file()]
        return {"bytes": sum(file.stat().st_size for file in files), "counts": {"files": len(files)}}

    def note(self, **about: Any) -> Record:
        file = self.state / "result.json"
        former = json.loads(file.read_text()) if file.exists() else {"newest": None, "last": None, "check": None}
        result = {**former, "format": 1, "application": self.name, "repository": "/srv/backups", **about}
        file.write_text(json.dumps(result))
        return result

    def back_up(self, given: Record) -> int:
        identity = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{os.getpid():08x}"
        place = self.kept / identity
        started, parts = now(), []
        for part in self.settings["parts"]:
            say("step", name=part["id"], phase="start")
            while (ROOT / "run/data-waits").exists():
                time.sleep(0.02)
            if (ROOT / "run/data-dies").exists():
                os.kill(os.getpid(), signal.SIGKILL)
            if (words := ROOT / "run/data-fails").exists():
                say("step", name=part["id"], phase="end", failed=True, seconds=0.5)
                last = {"id": identity, "ended": now(), "failed": True, "error": words.read_text(), "part": part["id"]}
                self.note(last=last)
                return fail(words.read_text(), part=part["id"])
            folder = ROOT / part["path"].lstrip("/")
            shutil.copytree(folder, place / part["path"].lstrip("/"))
            parts.append({"id": part["id"], "kind": "volume", "added": 7, "version": "", **self.measured(folder)})
            say("step", name=part["id"], phase="end", failed=False, seconds=0.5, bytes=parts[-1]["bytes"])
        manifest = {
            "format": 1, "id": identity, "application": self.name, "reason": given.get("--reason", "schedule"),
            "started": started, "ended": now(), "images": self.settings.get("images", {}), "parts": parts,
        }  # fmt: skip
        (place / "manifest.json").write_text(json.dumps(manifest))
        last = {"id": identity, "ended": now(), "failed": False, "error": "", "part": ""}
        notes = ROOT / "run/data-notes"
        note = notes.read_text() if notes.exists() else ""
        say("done", result=self.note(newest=in_short(manifest), last=last, note=note))
        return 0

    def tell(self, given: Record) -> int:
        told = [one | {"proof": self.proof(one["id"])} for one in self.manifests()]
        say("done", backups=told, notes=["the manifest 12345678 cannot be read"])
        return 0

    def proof(self, identity: str) -> Record | None:
        file = self.kept / identity / "proof.json"
        return {key: json.loads(file.read_text())[key] for key in ("ended", "failed")} if file.exists() else None

    def note_proof(self, given: Record) -> int:
        (self.kept / given["--backup"] / "proof.json").write_text(given["--proof"])
        self.note(proof=self.proof(given["--backup"]))
        say("done", noted={"backup": given["--backup"]})
        return 0

    def cut_off(self) -> str:
        """The backup whose restore has not ended."""
        file = self.state / "journal.json"
        return str(json.loads(file.read_text())["backup"]) if file.exists() else ""

    def chosen(self, at: str) -> Record | None:
        is_name = at[8:9] == "T"
        fitting = [one for one in self.manifests() if (one["id"] == at if is_name else not at or one["ended"] <= at)]
        return fitting[0] if fitting else None

    def plan(self, given: Record) -> int:
        manifest = self.chosen(given.get("--at", ""))
        if manifest is None:
            return fail("there is no backup that had ended by then")
        parts = []
        for part in manifest["parts"]:
            folder = ROOT / part["id"].partition(":")[2].lstrip("/")
            becomes = {key: part[key] for key in ("bytes", "counts")}
            about = {"was": self.measured(folder), "becomes": becomes, "absent": not folder.exists()}
            parts.append({"id": part["id"], "kind": "volume", **about})
        stop = self.settings.get("stop", [])
        cut_off = self.cut_off()
        size = sum(part["bytes"] for part in manifest["parts"])
        about = {"stop": stop, "after": [], "bytes": size, "free": 10**9, "interrupted": cut_off, "notes": ["a note"]}
        say("done", plan={"backup": manifest, "parts": parts, **about})
        return 0

    def restore(self, given: Record) -> int:
        (self.state / "asked").write_text(" ".join(word for pair in given.items() for word in pair))
        manifest = self.chosen(given["--backup"])
        assert manifest
        if "--without-saving" not in given and (ROOT / "run/data-fails").exists():
            return fail("what is there cannot be saved")
        if (words := ROOT / "run/data-is-full").exists():
            return fail(words.read_text())
        former = self.cut_off() or manifest["id"]
        if former not in (manifest["id"], given.get("--instead", "")):
            return fail(f"a restore of the backup {former} was cut off, and {manifest['id']} is another")
        (self.state / "journal.json").write_text(json.dumps({"backup": manifest["id"], "done": []}))
        for part in manifest["parts"]:
            say("step", name=part["id"], phase="start")
            if (ROOT / "run/data-dies").exists():
                os.kill(os.getpid(), signal.SIGKILL)
            path = part["id"].partition(":")[2].lstrip("/")
            shutil.rmtree(ROOT / path, ignore_errors=True)
            shutil.copytree(self.kept / manifest["id"] / path, ROOT / path)
            say("step", name=part["id"], phase="end", failed=False, seconds=0.1, bytes=part["bytes"])
            time.sleep(3 if (ROOT / "run/data-lingers").exists() else 0)
        (self.state / "journal.json").unlink()
        self.note_restored()
        differences = ["volume: 1 file too many"] if (ROOT / "run/data-differs").exists() else []
        done = {"backup": manifest["id"], "before": "", "seconds": 1.0, "differences": differences}
        say("done", restored=done)
        return 0

    def systemctl(self, verb: str) -> None:
        """As the directory's own systemd does it; nothing where there is no such unit."""
        for unit in self.settings.get("stop", []):
            if (ROOT / "etc/systemd/system" / unit).exists():
                subprocess.run([ROOT / "usr/bin/systemctl", verb, unit], check=True)

    def running(self) -> list[str]:
        """The units that run, as the directory's own systemd has it."""
        file = ROOT / "run/simulated-systemd.json"
        known = json.loads(file.read_text()) if file.exists() else {}
        return [unit for unit in self.settings.get("stop", []) if known.get(unit, {}).get("active") == "active"]

    def note_restored(self) -> None:
        file = self.state / "closed.json"
        if file.exists():
            file.write_text(json.dumps(json.loads(file.read_text()) | {"restored": True}))

    def closed_by_another(self, *ours: str) -> str:
        file = self.state / "closed.json"
        migration = str(json.loads(file.read_text())["migration"]) if file.exists() else ""
        return migration if migration not in ("", *ours) else ""

    def close(self, given: Record) -> int:
        if other := self.closed_by_another(given["--migration"], given.get("--instead", "")):
            return fail(f"mastodon is closed by the migration {other}, which is another")
        file = self.state / "closed.json"
        usual = {"since": now(), "why": "reading", "running": self.running()}
        former = json.loads(file.read_text()) if file.exists() else usual
        why = given["--why"]
        if why == "reading":
            why = "moving" if former["why"] == "reading" and not (ROOT / "run/data-reads").exists() else former["why"]
        closed = {**former, "migration": given["--migration"], "why": why}
        closed.pop("format", None)
        closed.pop("units", None)
        say("step", name="stop", phase="start")
        if (ROOT / "run/data-fails").exists():
            return fail("web.service starts although it must not now")
        units = self.settings.get("stop", [])
        file.write_text(json.dumps({"format": 1, "units": units, **closed}))
        if why != "reading":
            self.systemctl("stop")
        say("step", name="stop", phase="end", failed=False, seconds=0.1)
        say("done", closed={"units": units, **closed})
        return 0

    def open(self, given: Record) -> int:
        if (ROOT / "run/data-opens-not").exists():
            return fail("its door cannot be opened")
        if other := self.closed_by_another(given["--migration"]):
            return fail(f"mastodon is closed by the migration {other}, which is another")
        was_closed = (self.state / "closed.json").exists()
        (self.state / "closed.json").unlink(missing_ok=True)
        (self.state / "started").write_text("yes" if "--start" in given else "no")
        if "--start" in given:
            self.systemctl("start")
        say("done", opened={"was_closed": was_closed})
        return 0

    def follow(self, given: Record) -> int:
        (self.state / "followed").write_text(now())
        say("step", name="feeds", phase="start")
        say("step", name="feeds", phase="end", failed=False, seconds=0.1)
        say("done", followed=["feeds"])
        return 0

    def pace(self, given: Record) -> int:
        file = ROOT / "run/data-pace"
        told = json.loads(file.read_text()) if file.exists() else {}
        say("done", units=[{"unit": unit, **told.get(unit, {})} for unit in self.settings.get("stop", [])])
        return 0


VERBS = {
    "backup": Application.back_up,
    "list": Application.tell,
    "note-proof": Application.note_proof,
    "plan-restore": Application.plan,
    "restore": Application.restore,
    "close": Application.close,
    "open": Application.open,
    "follow": Application.follow,
    "pace": Application.pace,
}

if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
