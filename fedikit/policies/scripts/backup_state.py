"""What a host remembers of an application's backups: the folder that it is kept in, and what systemd notes of them.

    make|check|undo ROOT APPLICATION UNIT…

`make` also notes since when there are to be backups, by the time of an empty file. `undo` ends what is under way, and
takes everything away; the backups themselves lie elsewhere. UNIT… may be fenced off by a restore that was cut short, or
because the application is closed: then its web sites have pages that say so.
Standard library only.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

FENCE = "fedikit-fence.conf"
PAGES = "etc/caddy/closed"


def main(verb: str, root: str, application: str, *units: str) -> int:
    """Does what is asked for; the status to exit with."""
    state = Path(root, "var/lib/fedikit-data", application)
    if verb == "check":
        return 0 if (state / "since").is_file() else 1
    if verb == "make":
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not (state / "since").exists():
            (state / "since").touch(mode=0o600)
        return 0
    names = [f"fedikit-backup-{application}", f"fedikit-backup-check-{application}"]
    subprocess.run(["systemctl", "stop", *(f"{name}.service" for name in names)], check=False)
    units, domains, refuses = closed(state, units)
    if refuses:
        words = f"{application} is closed for writing, and only its database can say that it takes writes again"
        print(f"{words}: fedikit migrate goes on. Without that database: rm {state}/closed.json", file=sys.stderr)
        return 1
    remove(state)
    for domain in domains:
        for name in (domain, f"{domain}.reading"):
            Path(root, PAGES, f"{name}.html").unlink(missing_ok=True)
    for name in names:
        Path(root, "var/lib/systemd/timers", f"stamp-{name}.timer").unlink(missing_ok=True)
    lifted = [lift(Path(root, "etc/systemd/system", f"{unit}.d")) for unit in units]
    if any(lifted):
        subprocess.run(["systemctl", "daemon-reload"], check=True)
    return 0


def closed(state: Path, units: tuple[str, ...]) -> tuple[tuple[str, ...], list[str], bool]:
    """All units that may be fenced off, the domains with a page, and whether databases may refuse writes."""
    try:
        noted = json.loads((state / "closed.json").read_text())
        return tuple(dict.fromkeys([*units, *noted["units"]])), noted["domains"], bool(noted.get("reads"))
    except (OSError, ValueError, KeyError, TypeError):
        return units, [], False


def remove(folder: Path) -> None:
    """Takes a folder away with all in it, and the one above if that is empty then; of a link, the link only."""
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)
    if folder.parent.is_dir() and not any(folder.parent.iterdir()):
        folder.parent.rmdir()


def lift(drop_ins: Path) -> bool:
    """Takes a unit's fence away; whether there was one."""
    fence = drop_ins / FENCE
    if not fence.is_file():
        return False
    fence.unlink()
    if not any(drop_ins.iterdir()):
        os.rmdir(drop_ins)
    return True


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
