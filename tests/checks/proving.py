"""A proof of what has a database and a bucket, and a look into its machines: what lacks there is found."""

import json
import shlex
from pathlib import Path
from typing import Any

from fedikit.events import Event, StepStarted
from fedikit_lab import Lab, Machine

PROGRAM = "/usr/local/lib/fedikit-data"
LACKING = {"postgresql": "20200101T000000Z-00000001", "bucket": "20200101T000000Z-00000002"}
"""By the kind of part, the name of a backup that lacks something of it."""
MANIFESTS = f"""
import sys
from dataclasses import replace
sys.path.insert(0, {PROGRAM!r})
from onhost.places import Places
from onhost.telling import Telling
from onhost.work import open_work

def counts(part, kind):
    added = {{"table lost": 3}} if kind == "postgresql" else {{"objects": part["counts"].get("objects", 0) + 1}}
    return part["counts"] | added if part["kind"] == kind else part["counts"]

work = open_work(Places(sys.argv[1]), Telling(sys.stdout))
(newest,) = work.manifests.all().values()
for kind, name in {LACKING!r}.items():
    parts = [part | {{"counts": counts(part, kind)}} for part in newest.parts]
    work.manifests.write(replace(newest, id=name, reason="upgrade", parts=parts))
"""
"""Writes manifests that tell of a table and of an object which are not in the backup: so it looks if one was lost."""

POSTING = """
import sys, urllib.request, urllib.error
try:
    urllib.request.urlopen(sys.argv[1], b"x")
except urllib.error.HTTPError as error:
    print(error.code)
"""


def write_lacking_manifests(machine: Machine, application: str) -> None:
    """Puts them into the application's repository."""
    machine.succeed(f"python3 -B -c {shlex.quote(MANIFESTS)} {application}")


class Rehearsed:
    """Looks into the lab of a proof before it is verified: restores what lacks something, and what lacks nothing last.

    found    by the kind of part, what the host said
    refused  what the machines could not reach
    timers   what would back up from there
    writing  what the repository answers to who would write
    """

    def __init__(self, lab: Path, origin: Machine, application: str, backup: str) -> None:
        """`lab`: the folder of the proof's. `origin`: the machine that made the backup."""
        self._lab, self._origin, self._application, self._backup = lab, origin, application, backup
        self.found: dict[str, str] = {}
        self.refused: list[str] = []
        self.timers = self.writing = ""

    def __call__(self, event: Event) -> None:
        if event == StepStarted(step="verify"):
            machine = Lab(self._lab)[self._origin.name]
            self._look(machine)
            self._restore_all(machine)

    def _look(self, machine: Machine) -> None:
        self.timers = machine.run("systemctl list-timers --all --no-legend 'fedikit-*'").stdout
        for address in (self._origin.address, "9.9.9.9"):
            reach = f"import socket; socket.create_connection(('{address}', 22), 3)"
            self.refused += [address] if machine.run(f'python3 -c "{reach}"').exit_status else []
        settings: dict[str, Any] = json.loads(machine.succeed(f"cat /etc/fedikit/data/{self._application}.json"))
        url = settings["repository"]["url"].removeprefix("rest:")
        self.writing = machine.run(f"python3 -c {shlex.quote(POSTING)} {url}/locks/{'0' * 64}").stdout.strip()

    def _restore_all(self, machine: Machine) -> None:
        former = ""
        for kind, name in LACKING.items():
            self.found[kind] = self._restore(machine, name, former)
            former = name
        assert '"restored"' in self._restore(machine, self._backup, former)

    def _restore(self, machine: Machine, backup: str, former: str) -> str:
        instead = f"--instead {former}" if former else ""
        words = f"restore {self._application} --backup {backup} {instead} --without-saving --read-only"
        told = machine.run(f"python3 -I -B {PROGRAM} {words}").stdout.splitlines()[-1]
        return str(json.loads(told).get("message", told))
