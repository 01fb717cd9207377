"""Which system a host is, and whether it is one that fedikit knows: Debian 12 or 13."""

KNOWN = {"bookworm": "12", "trixie": "13"}
"""Releases of Debian, by their names."""
_SHOWN = 80


def strange_system(os_release: bytes) -> str:
    """What a system calls itself, if it is none that fedikit knows; nothing if it is, or if it does not say."""
    fields = _fields(os_release.decode(errors="replace"))
    if not fields.get("ID") or (fields["ID"] == "debian" and fields.get("VERSION_CODENAME") in KNOWN):
        return ""
    return (fields.get("PRETTY_NAME") or fields.get("NAME") or fields["ID"])[:_SHOWN]


def _fields(text: str) -> dict[str, str]:
    """The lines of /etc/os-release, whose values may be quoted."""
    pairs = (line.strip().split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {name: value.strip().strip("\"'") for name, value in pairs}
