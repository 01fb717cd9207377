"""A proof of what has a database and a bucket, and a look into its machines: what lacks there is found."""

import json
import shlex

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


def write_lacking_manifests(machine: Machine, application: str) -> None:
    """Puts them into the application's repository."""
    machine.succeed(f"python3 -B -c {shlex.quote(MANIFESTS)} {application}")


class Rehearsed:
    """Looks into the lab of a proof before it is verified: restores what lacks something, and what lacks nothing last.

    found  by the kind of part, what the host said
    """

    def __init__(self, lab: Lab, machine: str, application: str, backup: str) -> None:
        self._lab, self._machine, self._application, self._backup = lab, machine, application, backup
        self.found: dict[str, str] = {}

    def __call__(self, event: Event) -> None:
        if event == StepStarted(step="verify"):
            self._look(self._lab[self._machine])

    def _look(self, machine: Machine) -> None:
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
