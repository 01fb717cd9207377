"""The timer: units of systemd on the deployer that look regularly, with no more rights than looking takes.

As root they are the machine's, and look as the environment's owner, whose secrets these are. As anybody else they are
the user's own.
"""

import os
import pwd
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

from fedikit.environment.environment import Environment
from fedikit.errors import ConfigurationError, FedikitError, Mistake
from fedikit.model.host import Ssh
from fedikit.watch.memory import FOLDER

MARK = "# Made by fedikit watch install for "
_LONGEST_LOOK_SECONDS = 3600
_EVERY = re.compile(r"(?P<count>[1-9][0-9]{0,2})(?P<unit>min|h)")
_TURNS = {"min": 60, "h": 24}

# What needs no namespace, and so also works in a user's own units
_RIGHTS = """\
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
SystemCallArchitectures=native
"""
# In a user's own units these would hide whom files belong to, and no secret would be trusted
_SANDBOX = """\
ProtectSystem=strict
ProtectHome=read-only
PrivateDevices=yes
ProtectClock=yes
ProtectHostname=yes
ProtectControlGroups=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
RestrictNamespaces=yes
CapabilityBoundingSet=
"""


@dataclass(frozen=True)
class Timer:
    """Two units for one environment: what looks, and when."""

    environment: Environment
    environment_file: Path
    configuration_file: Path
    every: str
    is_system: bool
    python: str = field(default_factory=lambda: os.path.abspath(sys.executable))
    """This very Python, by the name under which it has its packages."""

    @property
    def name(self) -> str:
        return name_of(self.environment.name)

    @property
    def folder(self) -> Path:
        return self.environment_file.parent

    @property
    def service(self) -> str:
        """The unit that looks once."""
        system = "Wants=network-online.target\nAfter=network-online.target\n" if self.is_system else ""
        user = f"User={user_named(self.environment_file.stat().st_uid)}\n" if self.is_system else ""
        return f"""\
{MARK}{self.environment_file}
[Unit]
Description=Looks after the services of {self.environment.name}
{system}
[Service]
Type=oneshot
{self.doing("once")}
{user}UMask=0077
TimeoutStartSec={_LONGEST_LOOK_SECONDS}
{self._rights}"""

    def doing(self, verb: str) -> str:
        """The lines of a unit that has this fedikit do that with these files, in their folder."""
        command = [self.python, "-P", "-m", "fedikit", "watch", verb, str(self.configuration_file)]
        command += ["--environment", str(self.environment_file)]
        words = " ".join(quoted(word.replace("$", "$$")) for word in command)
        return f"ExecStart={words}\nWorkingDirectory={str(self.folder).replace('%', '%%')}"

    @property
    def timer(self) -> str:
        """The unit that says when."""
        calendar, seconds = calendar_of(self.every)
        return f"""\
{MARK}{self.environment_file}
[Unit]
Description=Looks after the services of {self.environment.name}, every {self.every}

[Timer]
OnCalendar={calendar}
RandomizedDelaySec={max(1, seconds // 10)}
Persistent=true

[Install]
WantedBy=timers.target
"""

    @property
    def _rights(self) -> str:
        """An agent on this very machine works as on any other, with sudo too: nothing may be kept from it."""
        if not all(isinstance(host, Ssh) for host in self.environment.hosts.values()):
            return ""
        if not self.is_system:
            return _RIGHTS
        temporary = [] if self._needs_temporary else ["PrivateTmp=yes"]
        return "\n".join([f"{_RIGHTS}{_SANDBOX}".rstrip(), *temporary, f"ReadWritePaths={quoted(self._writable)}", ""])

    @property
    def _writable(self) -> str:
        return str(self.folder / FOLDER)

    @property
    def _needs_temporary(self) -> bool:
        paths = (self.python, str(self.environment_file), str(self.configuration_file))
        return any(path.startswith(("/tmp/", "/var/tmp/")) for path in paths)  # noqa: S108 - only asked

    def refuse_what_cannot_look(self) -> None:
        """Raises FedikitError where a timer could not do what its owner can, or nobody would hear of it."""
        file = str(self.environment_file)
        if not (self.environment.watch.mail or self.environment.watch.webhook):
            mistake = Mistake("watch", "says nobody who is told")
            raise ConfigurationError(file, [mistake], hint='write [watch] mail = { to = "you@example.org", … }')
        secrets = {"secrets.master_key": self.environment.secrets.master_key}
        secrets |= {f"secrets.given.{name}": place for name, place in self.environment.secrets.given.items()}
        if mistakes := [
            Mistake(path, f"comes from {place}: a timer has none of your variables")
            for path, place in secrets.items()
            if place.startswith("env:")
        ]:
            raise ConfigurationError(file, mistakes, hint="name a file for it, or a command")
        if unfit := [path for path in (self.python, file, str(self.configuration_file)) if not path.isprintable()]:
            raise FedikitError(f"{unfit[0]!r} cannot stand in a unit of systemd", hint="rename it")


def name_of(environment: str) -> str:
    """What the units of an environment are called, without what kind they are."""
    return f"fedikit-watch-{environment}"


def calendar_of(every: str) -> tuple[str, int]:
    """How systemd writes it, and how many seconds it is. Raises FedikitError for what does not fit into a day."""
    found = _EVERY.fullmatch(every)
    if found and _TURNS[found["unit"]] % int(found["count"]) == 0:
        count = int(found["count"])
        if found["unit"] == "h":
            return f"00/{count}:00" if count < 24 else "00:00", count * 3600
        return f"*:00/{count}" if count < 60 else "*:00", count * 60
    hint = "say 1min, 2min, 5min, 10min, 15min, 30min, 1h, 2h, 6h or 12h, say"
    raise FedikitError(f"--every {every}: an hour, or a day, cannot be parted so", hint=hint)


def quoted(word: str) -> str:
    """A word as it stands in a unit."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


def user_named(number: int) -> str:
    """A user's name, or the number of one that has none."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)
