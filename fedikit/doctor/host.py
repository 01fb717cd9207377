"""What the facts of a host come to: one finding for each matter, with a remedy where something is wrong."""

from collections.abc import Iterator, Mapping
from typing import Literal

from fedikit.model.host import DirectoryHost, HostState, Ssh
from fedikit.model.ssh_server import is_ip_address
from fedikit.remote.answer_messages import DiskAt, Facts
from fedikit.remote.wanted_facts import has_images
from fedikit.results.diagnosis import Finding

RELEASES = ("bookworm", "trixie")
WITH_CONTAINERS = ("trixie",)
LEAST_FREE, SCARCE = 300_000_000, 0.1
"""Bytes without which nothing can be sent; the part of a disk that should be free."""
LEAST_INODES = 2000
CLOCK_OBSTACLE, CLOCK_NOTE = 300.0, 10.0
"""Seconds by which a clock may be wrong: signatures and certificates stand no more than the first."""
State = Literal["well", "note", "obstacle"]


class HostFindings:
    """The findings about one host, from what it said."""

    def __init__(self, host: str, state: HostState, facts: Facts, *, now: float) -> None:
        self._host = host
        self._state = state
        self._facts = facts
        self._now = now

    def all(self, memory: Mapping[str, int]) -> Iterator[Finding]:
        """Every matter; `memory`: how many megabytes each application should have."""
        yield from self._way()
        yield self._release()
        yield from self._disks()
        yield from self._memory(memory)
        yield from self._clock()
        yield from self._dns()
        yield from self._systemd()
        yield from self._containers()
        yield self._packages()

    def _found(self, matter: str, state: State, seen: str, remedy: str = "") -> Finding:
        return Finding(host=self._host, matter=matter, state=state, seen=seen, remedy=remedy)

    def _way(self) -> Iterator[Finding]:
        connection = self._state.connection
        if isinstance(connection, Ssh):
            where = f"{connection.user}@{connection.address}:{connection.port}"
            yield self._found("SSH", "well", f"{where} lets us in and shows the key that it should")
        who = "the agent runs as root" if self._facts.is_root else "the agent does not run as root"
        if self._facts.is_root or isinstance(connection, DirectoryHost):
            yield self._found("sudo", "well", who)
        else:
            yield self._found(
                "sudo", "obstacle", who, "let the login user use sudo without a password, or log in as root"
            )
        yield self._found("python3", "well", self._facts.python)

    def _release(self) -> Finding:
        facts = self._facts
        if facts.strange_system:
            return self._found("release", "obstacle", facts.strange_system, "this needs Debian 12 or 13")
        seen = f"Debian {facts.codename or 'of no name'}, {facts.architecture or 'of an unknown architecture'}"
        wanted = WITH_CONTAINERS if has_images(self._state) else RELEASES
        if facts.codename in wanted:
            return self._found("release", "well", seen)
        why = ", for applications in containers run there" if wanted == WITH_CONTAINERS else ""
        return self._found("release", "obstacle", seen, f"this needs Debian {' or '.join(wanted)}{why}")

    def _disks(self) -> Iterator[Finding]:
        """One finding for each disk, however many paths are on it."""
        by_device: dict[int, list[str]] = {}
        for path, disk in self._facts.disks.items():
            by_device.setdefault(disk.device, []).append(path)
        for paths in by_device.values():
            yield self._disk(paths, self._facts.disks[paths[0]])

    def _disk(self, paths: list[str], disk: DiskAt) -> Finding:
        seen = f"{', '.join(paths)}: {disk.free / 1e9:.1f} of {disk.size / 1e9:.1f} GB free"
        free_it = f"free some space there: on {self._host}, du -xh --max-depth 2 {paths[0]} | sort -h | tail"
        if disk.inodes and disk.free_inodes < LEAST_INODES:
            return self._found(
                "disk", "obstacle", f"{seen}, but only {disk.free_inodes} inodes", "delete small files there"
            )
        if disk.free < LEAST_FREE:
            return self._found("disk", "obstacle", seen, free_it)
        return (
            self._found("disk", "note", seen, free_it)
            if disk.free < SCARCE * disk.size
            else self._found("disk", "well", seen)
        )

    def _memory(self, memory: Mapping[str, int]) -> Iterator[Finding]:
        has, needed = self._facts.memory, {name: memory.get(name, 0) for name in self._state.applications}
        total = sum(needed.values())
        if not has.total:
            return
        seen = f"{has.total / 1e9:.1f} GB, {has.available / 1e9:.1f} GB of it free, {has.swap / 1e9:.1f} GB of swap"
        if has.total + has.swap >= total * 1e6:
            yield self._found("memory", "well", seen)
            return
        names = ", ".join(f"{name} {megabytes / 1000:.1f}" for name, megabytes in needed.items() if megabytes)
        words = f"{seen}; what is placed there should have {total / 1000:.1f} GB ({names})"
        yield self._found("memory", "note", words, "give the host more memory, or swap, or place less there")

    def _clock(self) -> Iterator[Finding]:
        wrong, facts = self._facts.clock - self._now, self._facts
        remedy = f"on {self._host}: apt-get install systemd-timesyncd; timedatectl set-ntp true"
        seen = "agrees with the deployer's" if abs(wrong) < CLOCK_NOTE else _apart(wrong)
        if abs(wrong) >= CLOCK_OBSTACLE:
            yield self._found("clock", "obstacle", seen, f"{remedy}; or it is the deployer's that is wrong")
        elif abs(wrong) >= CLOCK_NOTE or facts.is_clock_synchronized is False:
            told = "; nothing keeps it right (NTP)" if facts.is_clock_synchronized is False else ""
            yield self._found("clock", "note", seen + told, remedy)
        else:
            yield self._found("clock", "well", seen + (", and NTP keeps it" if facts.is_clock_synchronized else ""))

    def _dns(self) -> Iterator[Finding]:
        connection = self._state.connection
        if isinstance(connection, Ssh) and is_ip_address(connection.address):
            yield self._found("DNS", "well", f"not needed to reach it: {connection.address} is an IP address")
        if self._facts.resolves is False:
            words = "does not find the authority that certificates are asked of"
            yield self._found("DNS", "obstacle", words, f"on {self._host}: see /etc/resolv.conf")

    def _systemd(self) -> Iterator[Finding]:
        said = self._facts.systemd
        if said == "running":
            yield self._found("systemd", "well", said)
        elif said in ("degraded", "starting", "initializing"):
            failed = ", ".join(self._facts.failed_units)
            remedy = (
                f"on {self._host}: systemctl status {self._facts.failed_units[0]}" if failed else "wait, and look again"
            )
            yield self._found("systemd", "note", f"{said}: {failed}" if failed else said, remedy)
        elif not isinstance(self._state.connection, DirectoryHost):
            yield self._found("systemd", "obstacle", said or "does not run", "boot the machine with systemd")

    def _containers(self) -> Iterator[Finding]:
        if not has_images(self._state):
            return
        facts = self._facts
        lacking = [
            *(["control groups of version 2"] if not facts.has_cgroup2 else []),
            *(["overlayfs"] if not facts.has_overlayfs else []),
        ]
        if lacking:
            words = f"kernel {facts.kernel} lacks {' and '.join(lacking)}"
            yield self._found("containers", "obstacle", words, "boot Debian's own kernel, without old parameters")
        else:
            yield self._found("containers", "well", f"kernel {facts.kernel} has what Podman needs")

    def _packages(self) -> Finding:
        facts, remedy = self._facts, f"on {self._host}: dpkg --configure -a"
        if facts.unfinished_packages:
            names = ", ".join(facts.unfinished_packages)
            return self._found("dpkg", "note", f"has begun with these, and not ended: {names}", remedy)
        if facts.dpkg_journal:
            return self._found(
                "dpkg", "note", "is at work just now, or was killed", f"wait; if it does not end, {remedy}"
            )
        return self._found("dpkg", "well", "has ended all that it began")


def _apart(seconds: float) -> str:
    return f"is {abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'} the deployer's"
