"""Debian packages: installed together from the host's store, removed with what they brought and nobody else needs."""

import contextlib
import os
import re
from typing import Any

from .blobs import Blobs
from .eyes import GONE, Eyes
from .hands import Hands
from .trouble import Trouble

Item = dict[str, Any]
Deb = dict[str, Any]
Paragraph = dict[str, str]

# apt orders the work; it is shown no other source than the files it is given.
NO_SOURCES = [
    "--option", "Dir::Etc::sourcelist=/dev/null", "--option", "Dir::Etc::sourceparts=/dev/null",
    "--option", "Dir::State::lists={lists}",
    "--option", "Dir::Cache::pkgcache=", "--option", "Dir::Cache::srcpkgcache=",
    "--option", "APT::Default-Release=",
]  # fmt: skip
APT_INSTALL = [
    "apt-get", "--yes", "--quiet", "--no-install-recommends", "--fix-broken",
    "--allow-downgrades", "--allow-change-held-packages", *NO_SOURCES,
    "--option", "APT::Sandbox::User=root", "--option", "DPkg::Lock::Timeout=120",
    "--option", "Dpkg::Options::=--force-confdef", "--option", "Dpkg::Options::=--force-confold",
]  # fmt: skip
PEOPLE = 1000
"""The first number of users who are people, or our own."""
MARKS = "/var/lib/apt/extended_states"

PURGE_QUESTIONS = {"mariadb-server": "mariadb-server/postrm_remove_databases"}


def install(hands: Hands, debs: list[Deb], blobs: Blobs, *, ours: set[str]) -> None:
    """Installs packages from the host's store, all in one go.

    `ours` are those that may be touched on the way; trouble, before anything is done, if others would be.
    """
    import tempfile  # slow, and needed for changes only

    end_interrupted(hands, ours)
    with tempfile.TemporaryDirectory(dir=blobs.directory) as folder:
        paths = [_named(blobs, deb, folder) for deb in debs]
        command = _without_sources(APT_INSTALL, folder)
        _refuse_to_touch_others(hands, [*command, "--simulate", "install", *paths], ours)
        hands.run([*command, "--no-remove", "install", *paths], seconds=1800)
    hands.look_afresh()


def mark_automatic(hands: Hands, names: list[str], blobs: Blobs) -> None:
    """Tells apt that packages came along with others: so one can see when somebody asks for them by name."""
    import tempfile  # slow, and needed for changes only

    there = [name for name in names if hands.package(name)["installed"]]
    if there:
        with tempfile.TemporaryDirectory(dir=blobs.directory) as folder:
            hands.run([*_without_sources(["apt-mark", *NO_SOURCES], folder), "auto", *there])


def _without_sources(command: list[str], folder: str) -> list[str]:
    lists = os.path.join(folder, "lists")
    os.mkdir(lists)
    return [word.format(lists=lists) for word in command]


def _refuse_to_touch_others(hands: Hands, simulation: list[str], ours: set[str]) -> None:
    """Trouble if apt would remove anything, or set up or replace what is not ours; names each."""
    words = {"Remv": "would be removed", "Inst": "would be replaced", "Conf": "would be set up"}
    steps = [line.split() for line in hands.run(simulation, seconds=300).splitlines()]
    touched = {step[1]: words[step[0]] for step in steps if step and step[0] in words and step[1] not in ours}
    touched |= {step[1]: words["Remv"] for step in steps if step[:1] == ["Remv"]}
    if touched:
        lines = "; ".join(f"{name} {what}" for name, what in sorted(touched.items()))
        raise Trouble(
            f"cannot be installed without touching what is not fedikit's: {lines}; nothing was installed",
            hint="put that right, or remove it, by hand first; see: dpkg --audit; apt-get check",
        )


def end_interrupted(hands: Hands, ours: set[str]) -> None:
    """Lets dpkg end what it was interrupted in, of ours; what packages are lacking for is apt's to do."""
    names = [name for name in in_pieces(hands) if name in ours]
    has_triggers = re.search(rb"\nStatus: \S+ \S+ triggers-", hands.dpkg_status)
    force = ["dpkg", "--force-confdef", "--force-confold"]
    with contextlib.suppress(Trouble):
        if names:
            hands.run([*force, "--configure", *names], seconds=900)
    with contextlib.suppress(Trouble):
        if names or has_triggers or hands.dpkg_updates():
            hands.run([*force, "--triggers-only", "--pending"], seconds=900)
            hands.look_afresh()


def in_pieces(eyes: Eyes) -> list[str]:
    """The packages that an interrupted dpkg left."""
    names = re.findall(rb"\nPackage: (\S+)\nStatus: \S+ \S+ (?:half-configured|unpacked)\n", eyes.dpkg_status)
    return [name.decode() for name in names]


def _named(blobs: Blobs, deb: Deb, folder: str) -> str:
    """The package under a name that apt takes for one."""
    blobs.verify(deb["sha256"])
    path = os.path.join(folder, f"{deb['name']}_{deb['sha256'][:12]}.deb")
    os.link(blobs.path(deb["sha256"]), path)
    return path


def leave(hands: Hands, leaving: set[str], unpurged: set[str], *, ours: set[str], purge: bool) -> None:
    """Removes those of the packages that are there and that no other needs.

    `purge` removes their configuration too, but never that of `unpurged`.
    """
    end_interrupted(hands, ours)
    found = dispensable(parse_status(hands.dpkg_status), leaving)
    if found:
        if purge:
            _answer(hands, found - unpurged)
        is_whole = purge and not found & unpurged
        hands.run(
            ["dpkg", "--force-remove-reinstreq", "--purge" if is_whole else "--remove", *sorted(found)], seconds=900
        )
        hands.look_afresh()


def purge_remains(hands: Hands, candidates: set[str]) -> None:
    """Purges the configuration of packages that were removed earlier without it."""
    names = re.findall(rb"\nPackage: (\S+)\nStatus: \S+ \S+ config-files\n", hands.dpkg_status)
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
    for text in status.decode(errors="replace").split("\n\n"):
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


def needed_by(name: str, installed: dict[str, Paragraph], leaving: set[str]) -> str:
    """A package that stays and needs this one."""
    providers = _providers(installed)
    for other, fields in installed.items():
        if other not in leaving and other != name:
            groups = [_alternatives(group, providers) for group in _dependencies(fields)]
            if any(name in group and group <= leaving | {name} for group in groups):
                return other
    return "others"


def used_by(installed: dict[str, Paragraph], names: set[str]) -> dict[str, str]:
    """What packages may make use of, also of what they only recommend or could do without; by whom."""
    providers = _providers(installed)
    users: dict[str, str] = {}
    todo = sorted(name for name in names if name in installed)  # so that who is named is always the same
    while todo:
        name = todo.pop()
        groups = _dependencies(installed[name]) + installed[name].get("Recommends", "").split(",")
        for used in sorted(set().union(*(_alternatives(group, providers) for group in groups)) - users.keys() - names):
            users[used] = name
            todo.append(used)
    return users


def on_hold(fields: Paragraph) -> bool:
    return fields["Status"].startswith("hold ")


def marked_manual(eyes: Eyes, name: str) -> bool:
    """Whether apt takes a package for one that somebody asked for by name."""
    marks = eyes.read(MARKS).decode(errors="replace") if eyes.exists(MARKS) else ""
    stanzas = [stanza for stanza in marks.split("\n\n") if f"Package: {name}\n" in stanza + "\n"]
    return not any("Auto-Installed: 1" in stanza for stanza in stanzas)


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


def release(eyes: Eyes) -> dict[str, str]:
    """Which release of Debian this is, and for which machines."""
    lines = eyes.read("/etc/os-release").decode(errors="replace").splitlines()
    fields = dict(line.split("=", 1) for line in lines if "=" in line)
    return {
        "codename": fields.get("VERSION_CODENAME", "").strip('"'),
        "architecture": eyes.ask(["dpkg", "--print-architecture"]).strip(),
    }


def accounts(eyes: Eyes) -> dict[str, list[str]]:
    """The system's own users and groups: packages make no others."""
    return {
        database: sorted(name for name, row in eyes.accounts(database).items() if int(row[2]) < PEOPLE)
        for database in ("passwd", "group")
    }


def wanted_packages(items: list[Item]) -> set[str]:
    """The names of the packages that are items themselves."""
    return {id.removeprefix("package:") for item in items if (id := item["id"]).startswith("package:")}
