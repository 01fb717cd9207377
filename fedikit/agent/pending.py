"""What is pending on this host: units that run code which is gone from the disk, and a reboot.

What processes run is read from the kernel, so nothing has to be remembered: who is cut short between an upgrade and the
restarts that it takes finds them again.
"""

import os
import re

from .bystander import LISTS, UNIT_FOLDERS
from .eyes import Eyes
from .kernel import MOST, processes, text
from .kinds import kind_of
from .ledger import Ledger, Record
from .others import Others
from .trouble import Trouble

CODE = re.compile(r"^\S+ ..x. \S+ \S+ \S+ +/(?:usr|lib|lib64|bin|sbin|opt)/.* \(deleted\)$", re.MULTILINE)
"""A line of a process's maps: code that it runs, of a file that is no more, in a place where packages put code."""
SERVICE = re.compile(
    r"^\d+:[^:\n]*:/system\.slice/(?:[^/\n]+\.slice/)*([A-Za-z0-9:_.@\\-]+\.service)(?:/|$)", re.MULTILINE
)
STEP = re.compile(r"Inst ([a-z0-9][a-z0-9+.-]+) \[(\S+)\] \((\S+) ([^)]*)\)")
APT_LISTS = "/var/lib/apt/lists"
WITHOUT_LOCKS = ("--option", "Debug::NoLocking=true", "--option", "Dir::Cache::pkgcache=", "--option",
                 "Dir::Cache::srcpkgcache=")  # fmt: skip
REBOOT_REQUIRED = "/run/reboot-required"
BOOT = "/proc/sys/kernel/random/boot_id"
KERNEL = re.compile(rb"\nPackage: linux-image-(\d\S*)\nStatus: \S+ \S+ installed\n(?:.+\n)*?Version: (\S+)\n")
NEVER = re.compile(
    r"(dbus|dbus-broker|systemd-logind|systemd-journald|systemd-udevd|user@.*|getty@.*|ssh|sshd.*)\.service"
)
"""Units that nobody restarts under the people who are logged in there, or without whom nobody could log in."""


def pending(eyes: Eyes, ledger: Ledger) -> Record:
    """Units with old code, ours and others'; why the machine should reboot, empty if it need not; which boot it is."""
    old = units_with_old_code(eyes)
    ledgers = [ledger, *Others(eyes, ledger).ledgers]
    ours = {unit for unit in old if _is_ours(eyes, ledgers, unit)}
    return {
        "old_ours": sorted(ours),
        "old_others": sorted(old - ours),
        "reboot": why_to_reboot(eyes),
        "boot": text(BOOT, eyes.root).partition("\n")[0],
    }


def listed(eyes: Eyes) -> list[Record] | None:
    """Every package of which the host's own apt lists have a newer version; None if it has no lists, or no apt."""
    if not any(name.endswith("_Packages") for name in eyes.names(APT_LISTS)):
        return None
    try:
        steps = eyes.ask(["apt-get", *WITHOUT_LOCKS, "--simulate", "--quiet", "dist-upgrade"]).splitlines()
    except Trouble:
        return None
    found = [match for line in steps if (match := STEP.match(line))]
    return [{"name": m[1], "was": m[2], "becomes": m[3], "security": "Debian-Security" in m[4]} for m in found]


def units_with_old_code(eyes: Eyes) -> set[str]:
    """The services of which a process runs code that is gone from the disk; what belongs to no service is left out."""
    old = (process for process in processes(eyes.root) if _runs_old_code(process, eyes.root))
    return {unit for process in old if (unit := _unit_of(process, eyes.root))}


def may_be_restarted(unit: str) -> bool:
    return not NEVER.fullmatch(unit)


def _runs_old_code(process: str, root: str) -> bool:
    return bool(CODE.search(text(f"/proc/{process}/maps", root)))


def _unit_of(process: str, root: str) -> str:
    """A service of the system's: what people run in sessions of theirs is none."""
    found = SERVICE.search(text(f"/proc/{process}/cgroup", root))
    return found[1] if found else ""


def _is_ours(eyes: Eyes, ledgers: list[Ledger], unit: str) -> bool:
    """Whether the unit is an item of fedikit's, or comes with a package that fedikit brought."""
    items = [entry["item"] for ledger in ledgers for entry in ledger.entries.values()]
    if unit in {kind_of(item).unit(item) for item in items}:
        return True
    file = re.sub(r"@.*(?=\.)", "@", unit)
    shipped = {f"{folder}{file}" for folder in UNIT_FOLDERS}
    return any(not shipped.isdisjoint(_files_of(eyes, name)) for ledger in ledgers for name in ledger.debs)


def _files_of(eyes: Eyes, package: str) -> list[str]:
    path = f"{LISTS}/{package}.list"
    return eyes.read(path).decode(errors="replace").splitlines() if eyes.exists(path) else []


# Reboots


def why_to_reboot(eyes: Eyes) -> str:
    """Why the machine should reboot: somebody says so, or a newer kernel is installed than runs."""
    if eyes.exists(REBOOT_REQUIRED):
        packages = (eyes.beginning(f"{REBOOT_REQUIRED}.pkgs", MOST) or b"").decode(errors="replace").split()
        return f"asked for by {', '.join(sorted(set(packages)))}" if packages else f"{REBOOT_REQUIRED} is there"
    running = os.uname()
    version = re.search(r"Debian (\S+)", running.version)
    return newer_kernel(eyes.dpkg_status, running.release, version[1] if version else "")


def newer_kernel(status: bytes, release: str, version: str) -> str:
    """The newest installed kernel of the running one's flavour, in words, if that is not what runs."""
    kernels = [(name.decode(), found.decode()) for name, found in KERNEL.findall(status)]
    same = [kernel for kernel in kernels if _flavour(kernel[0]) == _flavour(release)]
    if not same:
        return ""  # a kernel that is not Debian's, or the machine is a container: it boots what its host boots
    newest = max(same, key=lambda kernel: (_numbers(kernel[0]), _numbers(kernel[1])))
    return "" if newest == (release, version or newest[1]) else f"linux {newest[1]} is installed, {version} runs"


def _flavour(release: str) -> str:
    """What follows the numbers: `amd64`, `cloud-amd64`."""
    return re.sub(r"^[\d.+~-]*(?:deb\d+[\d.+~-]*)?", "", release)


def _numbers(version: str) -> list[int]:
    return [int(digits) for digits in re.findall(r"\d+", version)]
