"""Debian packages: which ones a target lacks, as apt says from the target's own dpkg status."""

import difflib
import hashlib
import json
import re
import tempfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from subprocess import CompletedProcess
from urllib.parse import unquote

from fedikit.errors import StoreError
from fedikit.events import Tell
from fedikit.store.artifact import Store
from fedikit.store.lists import Lists, current_lists, last_lines
from fedikit.store.strangers import (
    packages_of,
    refuse_changes,
    refuse_pieces,
    refuse_removals,
    refuse_unmet,
    without_half_done,
)

_URI_LINE = re.compile(r"'([^']+)' (\S+_\S+_\S+\.deb) (\d+) SHA256:([0-9a-f]{64})")


@dataclass(frozen=True, order=True)
class Deb:
    """One Debian package file."""

    name: str
    version: str
    architecture: str
    sha256: str
    size: int
    uri: str
    file_name: str


def resolve(
    packages: Mapping[str, str | None],
    *,
    status: bytes,
    codename: str,
    architecture: str,
    store: Store,
    tell: Tell,
    ours: Collection[str] = (),
) -> tuple[Deb, ...]:
    """Says which package files a target lacks for some packages, with all that they depend on.

    `packages` maps names to exact versions (None: any); `status` is the target's /var/lib/dpkg/status; `ours` names
    what fedikit brought there earlier. Nothing else of the target's is removed, repaired or given another version.
    Raises StoreError when that cannot be, item by item, and when a package or version is unknown.
    """
    ours = {*ours, *packages}
    lacking = lacking_packages(packages, without_half_done(status, ours))
    if not lacking:
        return ()
    refuse_pieces(lacking, status, ours)
    store.require_room()
    status = without_half_done(status, ours)
    lists = current_lists(codename, architecture, store=store, tell=tell)
    memory = memory_of(store, [lists.version, lacking, hashlib.sha256(status).hexdigest()])
    if memory.is_file():
        debs = tuple(Deb(**deb) for deb in json.loads(memory.read_text()))
    else:
        with lists.unchanging():
            debs = _ask_apt(lacking, status, lists)
        write_whole(memory, json.dumps([asdict(deb) for deb in debs]))
    refuse_changes(lacking, {deb.name: deb.version for deb in debs}, status, ours)
    return debs


def installed_packages(status: bytes) -> dict[str, str]:
    """Names and versions of the packages that a dpkg status file calls installed."""
    told = packages_of(status)
    return {fields["Package"]: fields["Version"] for fields in told if fields["Status"].endswith(" installed")}


def lacking_packages(packages: Mapping[str, str | None], status: bytes) -> dict[str, str | None]:
    """Those packages that are not installed, or in another version than is wanted; sorted."""
    installed = installed_packages(status)
    return {
        name: version
        for name, version in sorted(packages.items())
        if name not in installed or version not in (None, installed[name])
    }


def parse_uris(output: str) -> tuple[Deb, ...]:
    """The package files in what `apt-get --print-uris` says. Raises StoreError for one without a SHA-256."""
    return tuple(_parse_uri(line) for line in output.splitlines() if line.startswith("'"))


def _parse_uri(line: str) -> Deb:
    match = _URI_LINE.fullmatch(line.strip())
    if not match:
        raise StoreError(f"apt gives no SHA-256: {line.strip()}", hint="apt 2.6 (Debian 12) or newer does")
    uri, file_name, size, sha256 = match.groups()
    name, version, architecture = file_name.removesuffix(".deb").split("_")
    return Deb(name, unquote(version), architecture, sha256, int(size), uri, file_name)


@dataclass(frozen=True)
class _Question:
    """What is asked of apt: some packages, for a target with this status file, from these lists."""

    lacking: Mapping[str, str | None]
    status_file: str
    lists: Lists

    def install(self, *options: str) -> CompletedProcess[str]:
        wanted = [f"{name}={version}" if version else name for name, version in self.lacking.items()]
        downgrades = ["--allow-downgrades"] if any(self.lacking.values()) else []
        target = ["-o", f"Dir::State::status={self.status_file}", "-q", "-y", *downgrades]
        return self.lists.ask("apt-get", *target, *options, "install", "--", *wanted)

    def is_answered_by(self, debs: Iterable[Deb]) -> bool:
        found = {deb.name: deb.version for deb in debs}
        return all(name in found and version in (None, found[name]) for name, version in self.lacking.items())


def _ask_apt(lacking: Mapping[str, str | None], status: bytes, lists: Lists) -> tuple[Deb, ...]:
    with tempfile.NamedTemporaryFile(prefix="fedikit-status-") as file:
        file.write(status)
        file.flush()
        question = _Question(lacking, file.name, lists)
        answer = question.install("--no-remove", "--print-uris")
        debs = parse_uris(answer.stdout) if answer.returncode == 0 else ()
        if question.is_answered_by(debs):
            return debs
        raise _unknown(question) or _misfit(question, answer)


def _unknown(question: _Question) -> StoreError | None:
    """Names the packages, or else a version, that the lists do not hold."""
    lists, lacking = question.lists, question.lacking
    known = {name: _known_versions(name, lists) for name in lacking}
    if unknown := [name for name in lacking if not known[name]]:
        message = f"Debian {lists.codename} ({lists.architecture}) has no package {', '.join(unknown)}"
        return StoreError(message, hint=_suggest(unknown[0], lists))
    for name, version in lacking.items():
        if version and version not in known[name]:
            message = f"Debian {lists.codename} has no version {version} of {name}"
            return StoreError(message, hint=f"there is {', '.join(known[name])}")
    return None


def _misfit(question: _Question, answer: CompletedProcess[str]) -> StoreError:
    """Says why packages do not go with what the target has."""
    simulated = [line.split() for line in question.install("-s").stdout.splitlines()]
    refuse_removals(question.lacking, [words[1] for words in simulated if words[:1] == ["Remv"]])
    refuse_unmet(question.lacking, Path(question.status_file).read_bytes())
    names = ", ".join(question.lacking)
    message = f"{names}: cannot be installed beside what the host has:\n{last_lines(answer)}"
    return StoreError(message, hint="see what the host has with: dpkg --audit; apt-mark showhold")


def _known_versions(name: str, lists: Lists) -> list[str]:
    """The versions of a package in the lists, newest first."""
    rows = [row.split(" | ") for row in lists.ask("apt-cache", "madison", "--", name).stdout.splitlines()]
    return list(dict.fromkeys(version.strip() for package, version, _ in rows if package.strip() == name))


def _suggest(name: str, lists: Lists) -> str:
    names = lists.ask("apt-cache", "pkgnames", "--", name[:2]).stdout.split()
    if close := difflib.get_close_matches(name, names, n=3):
        return f"did you mean {' or '.join(close)}?"
    return "only the main component is used; see the spelling with: apt-cache search"


def memory_of(store: Store, question: Sequence[object]) -> Path:
    """Where the store keeps what apt answered to a question, as JSON."""
    shape = [field.name for field in fields(Deb)]  # an answer in another shape is of no use
    digest = hashlib.sha256(json.dumps([shape, *question]).encode()).hexdigest()
    return store.directory / "resolved" / f"{digest}.json"


def write_whole(path: Path, text: str) -> None:
    """Puts a text in place at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
        file.write(text)
    Path(file.name).replace(path)


def total_size(debs: Iterable[Deb]) -> int:
    """Bytes of some package files together."""
    return sum(deb.size for deb in debs)
