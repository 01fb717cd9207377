"""The units by which a host backs up an application by itself, and looks whether its backups can still be read."""

from typing import NamedTuple

from fedikit.model.item import File, Item, Unit

PROGRAM = "/usr/local/lib/fedikit-data"
CHECK_HOURS = 3
"""How long after the backup its repository is looked at, on Sundays."""
SYSTEM = "/etc/systemd/system"
# -B: what was compiled beside the program would stay when it leaves.
# No PrivateDevices, ProtectClock or DevicePolicy: buckets are mounted by /dev/fuse. A mount that is left over by a
# program that was killed goes with the unit's own mount namespace, which the lines about /usr and the kernel make.
_SERVICE = """\
[Unit]
Description={what} (fedikit)
Wants=network-online.target
After=network-online.target{waits}

[Service]
Type=oneshot
ExecStart=/usr/bin/python3 -I -B {program} {verb} {application}
TimeoutStartSec=infinity
UMask=0077
Nice=10
IOSchedulingClass=idle
ProtectSystem=full
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectControlGroups=yes
RestrictRealtime=yes
LockPersonality=yes
"""
# A fixed delay, or else the time between two backups would be up to twice as uncertain
_TIMER = """\
[Unit]
Description={what}: when (fedikit)

[Timer]
OnCalendar={when}
RandomizedDelaySec={spread}m
FixedRandomDelay=yes
Persistent=yes

[Install]
WantedBy=timers.target
"""


class When(NamedTuple):
    """When backups begin: a time of day as HH:MM, and the minutes within which they do."""

    at: str
    spread: int

    @property
    def check(self) -> str:
        """When the repository is looked at, as systemd writes it."""
        hours, _, minutes = self.at.partition(":")
        return f"Sun *-*-* {(int(hours) + CHECK_HOURS) % 24:02}:{minutes}"


def units(application: str, when: When) -> tuple[Item, ...]:
    """Both of its timers, each with its service."""
    name, check = f"fedikit-backup-{application}", f"fedikit-backup-check-{application}"
    backup = {"what": f"Backup of {application}", "verb": "backup", "when": f"*-*-* {when.at}"}
    look = {"what": f"Check of the backups of {application}", "verb": "check", "when": when.check}
    look["waits"] = f" {name}.service"  # both begin at once where the host was off, and only one can be at work
    return (*_timed(name, application, when.spread, backup), *_timed(check, application, when.spread, look))


def _timed(name: str, application: str, spread: int, words: dict[str, str]) -> tuple[Item, ...]:
    known = {"waits": "", **words, "application": application, "program": PROGRAM, "spread": spread}
    service = File(path=f"{SYSTEM}/{name}.service", content=_SERVICE.format_map(known))
    timer = File(path=f"{SYSTEM}/{name}.timer", content=_TIMER.format_map(known))
    return (service, timer, Unit(name=f"{name}.timer", restart_on=(timer.id,)))
