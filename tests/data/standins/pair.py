"""systemctl of one of two hosts in directories that lie side by side: as simulated there, with fences, one at a time.

`both` beside them is written when a unit starts whose other one, on the other host, is up.
"""

import contextlib
import fcntl
import json
import signal
import sys
from pathlib import Path


def main(root):
    with units(root) as systemd:
        return systemd.carry_out(sys.argv[1:])


def boot(root):
    with units(root) as systemd:
        systemd.boot()


@contextlib.contextmanager
def units(root):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # who asked systemd may be gone: what was asked is done
    sys.path.insert(0, str(root / "usr/lib"))
    import simulated

    with (root.parent / "units.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield Units(root, simulated)


class Units:
    def __init__(self, root, simulated):
        self.root, self.simulated = root, simulated
        self.read = root / "run/drop-ins.json"

    def carry_out(self, words):
        verb, unit = words[0], words[-1]
        if verb == "show" and "--value" in words:
            return self.show(words[1].partition("=")[2], unit)
        if verb == "daemon-reload":
            self.reload()
        if verb in ("start", "restart") and not self.may_start(unit):
            print(f"Assertion failed on job for {unit}.", file=sys.stderr)
            return 1
        return self.simulated.main(words)

    def show(self, name, unit):
        if name == "AssertResult":
            print("no" if self.refused(unit).exists() else "yes")
            return 0
        known = self.simulated.unit(self.simulated.remembered(), unit)
        is_there = bool(self.simulated.digest_of(unit))
        print({"LoadState": "loaded" if is_there else "not-found", "ActiveState": known["active"]}[name])
        return 0

    def reload(self):
        """What units assert, as their drop-ins say."""
        found = {}
        for drop_in in self.root.glob("etc/systemd/system/*.d/*.conf"):
            for line in drop_in.read_text().splitlines():
                if line.startswith("AssertPathExists=!"):
                    found[drop_in.parent.name.removesuffix(".d")] = line.partition("=!")[2]
        self.read.write_text(json.dumps(found))

    def refused(self, unit):
        return self.root / f"run/refused-{unit}"

    def may_start(self, unit):
        fences = json.loads(self.read.read_text()) if self.read.exists() else {}
        if unit in fences and Path(fences[unit]).exists():
            self.refused(unit).touch()
            return False
        self.refused(unit).unlink(missing_ok=True)
        self.look_at_the_other(unit)
        return True

    def look_at_the_other(self, unit):
        for memory in self.root.parent.glob("*/run/simulated-systemd.json"):
            is_own = memory.is_relative_to(self.root)
            if not is_own and json.loads(memory.read_text()).get(unit, {}).get("active") == "active":
                (self.root.parent / "both").write_text(f"{unit} was started in {self.root} while it ran elsewhere\n")

    def boot(self):
        """The host was switched off and on: what is enabled starts, unless there is a fence."""
        units = self.simulated.remembered()
        for known in units.values():
            known["active"] = "inactive"
        self.simulated.MEMORY.write_text(json.dumps(units))
        self.reload()
        for name in [name for name, known in units.items() if known["enabled"]]:
            if self.may_start(name):
                self.simulated.main(["start", name])
