"""A machine of the lab: booted, told what to do, waited for, cut off, made new."""

import shutil
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from fedikit.errors import ConnectionFailed, DeadlineExceeded, HostError
from fedikit_lab.container import Container
from fedikit_lab.furnish import Identity, furnish
from fedikit_lab.shell import Result, Shell

BOOT_SECONDS = 60
COMMAND_SECONDS = 60
_POLL_SECONDS = 0.05


@dataclass
class Machine:
    """One machine; its address and keys stay the same over every restart and reset."""

    identity: Identity
    container: Container
    key_file: Path
    """The private key that is let in as root and as `admin`."""
    disk: int | None = None
    """The size in megabytes of what can be written, when it is limited."""
    furnish_more: Callable[[Path], None] | None = None
    """Puts more into the machine's read-only layer before it boots."""
    _shells: dict[str, Shell] = field(default_factory=dict, repr=False)

    @property
    def name(self) -> str:
        return self.identity.name

    @property
    def address(self) -> str:
        return self.identity.address

    @property
    def host_key(self) -> str:
        """The public key by which the machine is known."""
        return self.identity.host_key_public

    def is_running(self) -> bool:
        """Whether the machine is switched on."""
        return self.container.is_running()

    def answers(self) -> bool:
        """Whether the machine lets the lab in over SSH just now."""
        try:
            socket.create_connection((self.address, 22), timeout=0.5).close()
            self._shells.setdefault("root", self._shell("root")).connect()
        except (OSError, ConnectionFailed):
            return False
        return True

    def ssh_options(self) -> list[str]:
        """What OpenSSH must be told to reach this machine and no other."""
        known_hosts = self.container.directory / "known_hosts"
        known_hosts.write_text(f"{self.address} {self.host_key}\n")
        options = {
            "UserKnownHostsFile": known_hosts,
            "GlobalKnownHostsFile": "/dev/null",
            "StrictHostKeyChecking": "yes",
            "IdentityFile": self.key_file,
            "IdentitiesOnly": "yes",
            "ConnectTimeout": 10,
        }
        return ["-F", "none", *(part for key, value in options.items() for part in ("-o", f"{key}={value}"))]

    # Its life

    def start(self) -> None:
        """Boots the machine, with what was written to it before; returns when it answers over SSH."""
        layer = self.container.directory / "furniture"
        if self.container.has_other_base():
            self.wipe()
        self.crash()
        furnish(layer, self.identity)
        if self.furnish_more:
            self.furnish_more(layer)
        if self.disk and not (self.container.directory / "disk.ext4").exists():
            self.container.limit_disk(self.disk)
        self.container.start()
        self._wait_for_ssh()

    def stop(self) -> None:
        """Shuts the machine down; what was written to it stays."""
        self.let_go()
        self.container.stop()

    def crash(self) -> None:
        """Cuts the power; what was written to it stays."""
        self.let_go()
        self.container.kill()

    def restart(self) -> None:
        """Shuts the machine down and boots it again."""
        self.stop()
        self.start()

    def reset(self) -> None:
        """Makes the machine as new, and boots it."""
        self.wipe()
        self.start()

    def wipe(self) -> None:
        """Cuts the power, and forgets everything that was ever written to the machine."""
        self.crash()
        if self.container.directory.exists():
            shutil.rmtree(self.container.directory)

    def let_go(self) -> None:
        """Closes the connections to the machine; the next command opens one again."""
        for shell in self._shells.values():
            shell.close()
        self._shells.clear()

    # What it is told

    def run(self, command: str, *, user: str = "root", seconds: float = COMMAND_SECONDS, stdin: str = "") -> Result:
        """Runs a shell command over SSH, however it ends; raises DeadlineExceeded when it does not."""
        shell = self._shells.setdefault(user, self._shell(user))
        return shell.run(command, seconds=seconds, stdin=stdin)

    def succeed(self, command: str, *, user: str = "root", seconds: float = COMMAND_SECONDS) -> str:
        """What the command prints; raises HostError with its output unless it ends with 0."""
        result = self.run(command, user=user, seconds=seconds)
        if result.exit_status != 0:
            raise HostError(self.name, f"`{command}` ended with {result.exit_status}{_shown(result)}")
        return result.stdout

    def fails(self, command: str, *, user: str = "root", seconds: float = COMMAND_SECONDS) -> str:
        """What the command prints, standard error last; raises HostError if it ends with 0."""
        result = self.run(command, user=user, seconds=seconds)
        if result.exit_status == 0:
            raise HostError(self.name, f"`{command}` was to fail and did not{_shown(result)}")
        return result.stdout + result.stderr

    # What is waited for

    def wait_until_succeeds(self, command: str, *, user: str = "root", seconds: float = 30) -> str:
        """What the command prints when it ends with 0 at last; raises DeadlineExceeded with its last output."""
        last = Result(-1, "", "")

        def holds() -> bool:
            nonlocal last
            last = self.run(command, user=user, seconds=seconds)
            return last.exit_status == 0

        self._wait(holds, f"`{command}` to succeed", seconds=seconds, last=lambda: _shown(last).strip())
        return last.stdout

    def wait_for_unit(self, name: str, *, seconds: float = 30) -> None:
        """Returns when the unit is active; raises HostError with its journal when it failed."""
        state = ""

        def is_active() -> bool:
            nonlocal state
            state = self.run(f"systemctl is-active {name}").stdout.strip()
            if state == "failed":
                journal = self.run(f"journalctl --unit={name} --lines=20 --no-pager --output=cat")
                raise HostError(self.name, f"{name} failed{_shown(journal)}")
            return state == "active"

        self._wait(is_active, f"{name} to be active", seconds=seconds, last=lambda: state)

    def wait_for_port(self, port: int, *, seconds: float = 30) -> None:
        """Returns when something on the machine listens on that TCP port."""
        self.wait_until_succeeds(f"ss -Hltn 'sport = :{port}' | grep -q .", seconds=seconds)

    def _wait(self, condition: Callable[[], bool], awaited: str, *, seconds: float, last: Callable[[], str]) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise DeadlineExceeded(f"{awaited} on {self.name}", seconds, last=last())
            time.sleep(_POLL_SECONDS)

    def _wait_for_ssh(self) -> None:
        deadline = time.monotonic() + BOOT_SECONDS
        while not self.answers():
            if self.container.is_dead():
                raise HostError(self.name, f"it died while it booted\n{self.container.console_tail()}")
            if time.monotonic() > deadline:
                seen = self.container.console_tail()
                raise DeadlineExceeded(f"{self.name} to answer over SSH", BOOT_SECONDS, last=seen)
            time.sleep(_POLL_SECONDS)

    def _shell(self, user: str) -> Shell:
        return Shell(self.name, self.address, user, self.host_key, self.key_file)


def _shown(result: Result) -> str:
    lines = (result.stdout + result.stderr).strip().splitlines()[-20:]
    return "".join(f"\n  | {line}" for line in lines)
