"""dpkg's status file, by its bytes: what is in it was written by many, and need not be text.

A package of another architecture than the host's is known as `name:architecture`, one of the host's by its name alone.
"""

import re
from collections.abc import Iterator

Paragraph = dict[str, str]
GONE = ("not-installed", "config-files")
"""What dpkg calls packages that are not there."""
BEGUN = ("half-installed", "unpacked", "half-configured", "triggers-awaited", "triggers-pending")
"""What it calls those with which it has begun, and not ended."""
OF_ALL = ("all", "")


def native(status: bytes) -> str:
    """The host's own architecture, which is that of dpkg; empty where dpkg is no package."""
    stanza = next(_stanzas_of(status, "dpkg"), b"")
    return fields_of(stanza).get("Architecture", "")


def paragraph(status: bytes, name: str) -> Paragraph:
    """The fields of a package by the name that it is known by; empty if dpkg knows none."""
    plain, _, architecture = name.partition(":")
    wanted = (architecture,) if architecture else (native(status), *OF_ALL)
    found = (fields_of(stanza) for stanza in _stanzas_of(status, plain))
    return next((fields for fields in found if fields.get("Architecture", "") in wanted or wanted[0] == ""), {})


def paragraphs(status: bytes) -> dict[str, Paragraph]:
    """The fields of each package that dpkg knows, by the name that it is known by."""
    own = native(status)
    found = (fields_of(stanza) for stanza in status.split(b"\n\n"))
    return {name_of(fields, own): fields for fields in found if "Package" in fields and "Status" in fields}


def in_condition(status: bytes, *conditions: str) -> list[str]:
    """The packages in one of these conditions, by the names that they are known by."""
    words = "|".join(conditions).encode()
    found = re.findall(rb"\n(Package: \S+\nStatus: \S+ \S+ (?:%s)\n(?:[^\n]+\n)*)" % words, status + b"\n")
    own = native(status) if found else ""
    return [name_of(fields_of(stanza), own) for stanza in found]


def name_of(fields: Paragraph, own: str) -> str:
    """The name that a package is known by on a host of this architecture."""
    architecture = fields.get("Architecture", "")
    is_native = not own or architecture in (own, *OF_ALL)
    return fields["Package"] if is_native else f"{fields['Package']}:{architecture}"


def spelt(fields: Paragraph) -> str:
    """The package as dpkg cannot mistake it for one of another architecture."""
    architecture = fields.get("Architecture", "")
    return fields["Package"] if architecture in OF_ALL else f"{fields['Package']}:{architecture}"


def with_update(status: bytes, update: bytes) -> bytes:
    """The status with one package's paragraph replaced, or added."""
    fields = fields_of(update)
    for stanza in _stanzas_of(status, fields.get("Package", "")):
        if fields_of(stanza).get("Architecture") == fields.get("Architecture"):
            status = status.replace(b"\n" + stanza + b"\n\n", b"\n", 1)
            break
    return status.rstrip() + b"\n\n" + update.strip() + b"\n\n"


def fields_of(stanza: bytes) -> Paragraph:
    """The fields that stand on one line; of the others, their first."""
    lines = stanza.decode(errors="surrogateescape").split("\n")
    return dict(line.split(": ", 1) for line in lines if ": " in line and line[0] != " ")


def _stanzas_of(status: bytes, name: str) -> Iterator[bytes]:
    """The paragraphs of a package, one for each architecture that it is there for."""
    wanted, end = f"\nPackage: {name}\n".encode(), 0
    while name and (start := status.find(wanted, end)) >= 0:
        end = status.find(b"\n\n", start)
        end = len(status) if end < 0 else end
        yield status[start + 1 : end]
