"""Which system a host is, and whether it is one that fedikit knows: Debian 12 or 13."""

from typing import TYPE_CHECKING

from .dpkg_status import native

if TYPE_CHECKING:
    from .eyes import Eyes

OS_RELEASE = "/etc/os-release"

KNOWN = {"bookworm": "12", "trixie": "13"}
"""Releases of Debian, by their names."""
_SHOWN = 80


def release(eyes: "Eyes") -> dict[str, str]:
    """Which release of Debian this is, and for which machines."""
    codename = _fields(eyes.read(OS_RELEASE)).get("VERSION_CODENAME", "")
    architecture = native(eyes.dpkg_status) or eyes.ask(["dpkg", "--print-architecture"]).strip()
    return {"codename": codename, "architecture": architecture}


def strange_system(os_release: bytes) -> str:
    """What a system calls itself, if it is none that fedikit knows; nothing if it is, or if it does not say."""
    fields = _fields(os_release)
    if not fields.get("ID") or (fields["ID"] == "debian" and fields.get("VERSION_CODENAME") in KNOWN):
        return ""
    return (fields.get("PRETTY_NAME") or fields.get("NAME") or fields["ID"])[:_SHOWN]


def _fields(os_release: bytes) -> dict[str, str]:
    """The lines of that file, whose values may be quoted."""
    lines = os_release.decode(errors="replace").splitlines()
    pairs = (line.strip().split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    return {name: value.strip().strip("\"'") for name, value in pairs}
