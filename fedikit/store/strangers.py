"""Packages of a target that fedikit did not bring: they are not removed, repaired or given another version."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping

from fedikit.errors import StoreError

Fields = Mapping[str, str]
_FIELDS = re.compile(r"^(Package|Status|Version|Pre-Depends|Depends|Provides): *(.+)$", re.MULTILINE)
_IN_PIECES = {
    "unpacked": "is unpacked but not configured",
    "half-configured": "is half configured",
    "half-installed": "is half installed",
}
_THERE = ("installed", "triggers-awaited", "triggers-pending")


def packages_of(status: bytes) -> Iterator[Fields]:
    """The fields of each package in a dpkg status file."""
    for stanza in status.decode(errors="replace").split("\n\n"):
        fields = dict(_FIELDS.findall(stanza))
        if "Package" in fields and "Status" in fields:
            yield fields


def without_half_done(status: bytes, ours: Collection[str]) -> bytes:
    """A dpkg status without those of our packages that an interrupted dpkg left in pieces: they are to come anew."""
    kept = []
    for stanza in status.split(b"\n\n"):
        fields = dict(_FIELDS.findall(stanza.decode(errors="replace")))
        if fields.get("Package") not in ours or _condition(fields) not in _IN_PIECES:
            kept.append(stanza)
    return b"\n\n".join(kept)


def in_pieces(status: bytes, ours: Collection[str]) -> tuple[str, ...]:
    """Our packages that an interrupted dpkg left in pieces."""
    return tuple(
        fields["Package"]
        for fields in packages_of(status)
        if fields["Package"] in ours and _condition(fields) in _IN_PIECES
    )


def refuse_pieces(wanted: Iterable[str], status: bytes, ours: Collection[str]) -> None:
    """Raises StoreError if a package of somebody else is in pieces: apt would repair it, or take it away."""
    packages = list(packages_of(status))
    lines = [
        f"{fields['Package']} {_IN_PIECES[_condition(fields)]}{_for_lack_of(fields, packages)}: "
        f"finish or remove it first: dpkg --configure {fields['Package']}, or dpkg --remove {fields['Package']}"
        for fields in packages
        if _condition(fields) in _IN_PIECES and fields["Package"] not in ours
    ]
    _refuse(wanted, lines)


def refuse_unmet(wanted: Iterable[str], status: bytes) -> None:
    """Raises StoreError if the target has packages that lack what they depend on: apt does nothing beside them."""
    packages = list(packages_of(status))
    lines = [
        f"{fields['Package']} is installed{lack}: install what it needs, or remove it first: "
        f"dpkg --remove {fields['Package']}"
        for fields in packages
        if _condition(fields) in _THERE and (lack := _for_lack_of(fields, packages, word="but"))
    ]
    _refuse(wanted, lines)


def refuse_changes(wanted: Iterable[str], arriving: Mapping[str, str], status: bytes, ours: Collection[str]) -> None:
    """Raises StoreError if packages that are somebody else's would get another version."""
    lines = [
        f"{fields['Package']} {fields['Version']} would become {arriving[fields['Package']]}: "
        f"do that yourself first: apt-get update, apt-get install {fields['Package']}"
        for fields in packages_of(status)
        if _condition(fields) in _THERE
        and fields["Package"] not in ours
        and arriving.get(fields["Package"], fields["Version"]) != fields["Version"]
    ]
    _refuse(wanted, lines)


def refuse_removals(wanted: Iterable[str], removed: Collection[str]) -> None:
    """Raises StoreError if packages would leave the target."""
    if removed:
        hint = "fedikit removes nothing that it did not bring; remove it by hand first, or do without"
        raise StoreError(f"{', '.join(wanted)}: would take {', '.join(removed)} away from the host", hint=hint)


def _refuse(wanted: Iterable[str], lines: list[str]) -> None:
    if lines:
        told = "\n".join(f"  {line}" for line in lines)
        raise StoreError(
            f"{', '.join(wanted)}: cannot be installed without touching what is not fedikit's:\n{told}",
            hint="fedikit neither removes, changes nor repairs packages that it did not bring",
        )


def _condition(fields: Fields) -> str:
    return fields.get("Status", "").rpartition(" ")[2]


def _for_lack_of(fields: Fields, packages: list[Fields], *, word: str = "for") -> str:
    """Names what a package depends on and is not there in any version."""
    there = {name for other in packages if _condition(other) in _THERE for name in _names_of(other)}
    groups = [group for key in ("Pre-Depends", "Depends") for group in fields.get(key, "").split(",") if group.strip()]
    missing = [group.strip() for group in groups if not _plain(group.split("|")) & there]
    return f", {word} {' and '.join(missing)} is missing" if missing else ""


def _names_of(fields: Fields) -> set[str]:
    return {fields["Package"], *_plain(fields.get("Provides", "").split(","))}


def _plain(choices: Iterable[str]) -> set[str]:
    """The names in `a (>= 1)`, `b:any`."""
    return {re.split(r"[\s:(]", choice.strip(), maxsplit=1)[0] for choice in choices} - {""}
