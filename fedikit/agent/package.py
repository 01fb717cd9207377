"""Debian packages: installed together from the host's store, removed with what they brought and nobody else needs."""

import contextlib
import os
import re
from typing import Any

from .blobs import Blobs
from .eyes import GONE, Eyes, State
from .hands import Hands
from .trouble import Trouble
from .work import Work

Item = dict[str, Any]
Deb = dict[str, Any]
Paragraph = dict[str, str]

# apt orders the work; it is shown no other source than the files it is given.
APT_INSTALL = [
    "apt-get", "--yes", "--quiet", "--no-install-recommends", "--fix-broken",
    "--allow-downgrades", "--allow-change-held-packages",
    "--option", "Dir::Etc::sourcelist=/dev/null", "--option", "Dir::Etc::sourceparts=/dev/null",
    "--option", "Dir::State::lists={lists}",
    "--option", "Dir::Cache::pkgcache=", "--option", "Dir::Cache::srcpkgcache=",
    "--option", "APT::Sandbox::User=root", "--option", "DPkg::Lock::Timeout=120",
    "--option", "Dpkg::Options::=--force-confdef", "--option", "Dpkg::Options::=--force-confold",
    "install",
]  # fmt: skip


PURGE_QUESTIONS = {"mariadb-server": "mariadb-server/postrm_remove_databases"}


class PackageKind:
    def observe(self, eyes: Eyes, item: Item) -> State:
        return {"type": "package", **eyes.package(item["name"])}

    def differences(self, item: Item, state: State, done: str) -> list[str]:
        if not state["installed"]:
            return ["half installed"] if "unfinished" in state else ["absent"]
        wanted = item["version"] or state["version"]
        return [] if state["version"] == wanted else [f"version {state['version']} → {wanted}"]

    def conflict(self, item: Item, state: State) -> str:
        return ""

    def converge(self, hands: Hands, item: Item, work: Work) -> None:
        """All packages are installed together beforehand, by `install`; here it only has to be true."""
        if differences := self.differences(item, self.observe(hands, item), ""):
            raise Trouble(f"is not as wanted after the installation: {', '.join(differences)}")

    def remove(self, hands: Hands, item: Item, work: Work) -> str:
        """All packages leave together afterwards, by `leave`."""
        return ""


def install(hands: Hands, debs: list[Deb], blobs: Blobs) -> None:
    """Installs packages from the host's store, all in one go."""
    import tempfile  # slow, and needed for changes only

    end_interrupted(hands)
    with tempfile.TemporaryDirectory(dir=blobs.directory) as folder:
        paths = [_named(blobs, deb, folder) for deb in debs]
        os.mkdir(os.path.join(folder, "lists"))
        command = [word.format(lists=os.path.join(folder, "lists")) for word in APT_INSTALL]
        hands.run([*command, *paths], seconds=1800)
    hands.look_afresh()


def end_interrupted(hands: Hands) -> None:
    """Lets dpkg end what it was interrupted in, as far as it can; what packages are lacking for is apt's to do."""
    unfinished = re.search(rb"\nStatus: \S+ \S+ (half-|unpacked|triggers-)", hands.dpkg_status)
    if unfinished or hands.dpkg_updates():
        with contextlib.suppress(Trouble):
            hands.run(["dpkg", "--force-confdef", "--force-confold", "--configure", "--pending"], seconds=900)
        hands.look_afresh()


def _named(blobs: Blobs, deb: Deb, folder: str) -> str:
    """The package under a name that apt takes for one."""
    blobs.verify(deb["sha256"])
    path = os.path.join(folder, f"{deb['name']}_{deb['sha256'][:12]}.deb")
    os.link(blobs.path(deb["sha256"]), path)
    return path


def leave(hands: Hands, candidates: set[str], *, purge: bool) -> set[str]:
    """Removes those of the candidates that no other installed package needs; returns what it removed.

    `purge` removes their configuration too.
    """
    end_interrupted(hands)
    leaving = dispensable(parse_status(hands.dpkg_status), candidates)
    if leaving:
        verb = "--purge" if purge else "--remove"
        if purge:
            _answer(hands, leaving)
        hands.run(["dpkg", "--force-remove-reinstreq", verb, *sorted(leaving)], seconds=900)
        hands.look_afresh()
    return leaving


def purge_remains(hands: Hands, candidates: set[str]) -> None:
    """Purges the configuration of packages that were removed earlier without it."""
    names = re.findall(rb"\nPackage: (.+)\nStatus: \S+ \S+ config-files\n", hands.dpkg_status)
    remains = {name.decode() for name in names} & candidates
    if remains:
        _answer(hands, remains)
        hands.run(["dpkg", "--purge", *sorted(remains)], seconds=900)
        hands.look_afresh()


def _answer(hands: Hands, leaving: set[str]) -> None:
    """Tells debconf what packages ask when they are purged: nothing that came with them shall stay."""
    for package in leaving & PURGE_QUESTIONS.keys():
        answer = f"{package} {PURGE_QUESTIONS[package]} boolean true\n"
        hands.run(["debconf-set-selections"], stdin=answer.encode())


def parse_status(status: bytes) -> dict[str, Paragraph]:
    """The fields of each package that is there, be it whole or in parts, by name."""
    packages = {}
    for text in status.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line and not line.startswith(" "))
        if fields and not fields["Status"].endswith(GONE):
            packages[fields["Package"]] = fields
    return packages


def dispensable(installed: dict[str, Paragraph], candidates: set[str]) -> set[str]:
    """Those of the candidates that no installed package outside of them depends on."""
    leaving = candidates & installed.keys()
    providers = _providers(installed)
    while needed := {name for group in _needs_of_those_that_stay(installed, leaving, providers) for name in group}:
        leaving -= needed
    return leaving


def _needs_of_those_that_stay(
    installed: dict[str, Paragraph], leaving: set[str], providers: dict[str, set[str]]
) -> list[set[str]]:
    """For each dependency that only leaving packages would fulfil: those packages."""
    unmet = []
    for name, fields in installed.items():
        if name not in leaving:
            groups = [_alternatives(group, providers) for group in _dependencies(fields)]
            unmet += [group for group in groups if group and group <= leaving]
    return unmet


def _dependencies(fields: Paragraph) -> list[str]:
    joined = ", ".join(fields[name] for name in ("Pre-Depends", "Depends") if name in fields)
    return [group for group in joined.split(",") if group.strip()]


def _alternatives(group: str, providers: dict[str, set[str]]) -> set[str]:
    """The installed packages that fulfil `a (>= 1) | b`."""
    names = [re.split(r"[\s:(]", choice.strip(), maxsplit=1)[0] for choice in group.split("|")]
    return set().union(*(providers.get(name, set()) for name in names))


def _providers(installed: dict[str, Paragraph]) -> dict[str, set[str]]:
    providers: dict[str, set[str]] = {name: {name} for name in installed}
    for name, fields in installed.items():
        for provided in fields.get("Provides", "").split(","):
            virtual = re.split(r"[\s:(]", provided.strip(), maxsplit=1)[0]
            if virtual:
                providers.setdefault(virtual, set()).add(name)
    return providers
