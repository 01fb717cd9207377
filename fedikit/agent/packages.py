"""Debian packages: installed together from the host's store, removed with what they brought and nobody else needs."""

import contextlib
import os
import re
from collections.abc import Iterable
from typing import Any

from . import dpkg
from .blobs import Blobs
from .dpkg_status import GONE, OF_ALL, Paragraph, in_condition, paragraph, paragraphs, spelt
from .eyes import Eyes
from .hands import Hands
from .trouble import Trouble

Item = dict[str, Any]
Deb = dict[str, Any]
Providers = dict[str, dict[str, Paragraph]]

APT_INSTALL = ["--yes", "--quiet", "--no-install-recommends", "--fix-broken", "--allow-downgrades",
               "--allow-change-held-packages"]  # fmt: skip
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
        command = ["apt-get", *dpkg.apt_options(folder), *APT_INSTALL]
        _refuse_to_touch_others(hands, [*command, "--simulate", "install", *paths], ours)
        dpkg.run(hands, [*command, "--no-remove", "install", *paths], seconds=1800)
    hands.look_afresh()


def mark_automatic(hands: Hands, names: list[str], blobs: Blobs) -> None:
    """Tells apt that packages came along with others: so one can see when somebody asks for them by name."""
    import tempfile  # slow, and needed for changes only

    there = [name for name in names if hands.package(name)["installed"]]
    if there:
        with tempfile.TemporaryDirectory(dir=blobs.directory) as folder:
            dpkg.run(hands, ["apt-mark", *dpkg.apt_options(folder), "auto", *there])


def _refuse_to_touch_others(hands: Hands, simulation: list[str], ours: set[str]) -> None:
    """Trouble if apt would remove anything, or set up or replace what is not ours; names each."""
    words = {"Remv": "would be removed", "Inst": "would be replaced", "Conf": "would be set up"}
    steps = [line.split() for line in dpkg.run(hands, simulation, seconds=300).splitlines()]
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
    with contextlib.suppress(Trouble):
        if names:
            dpkg.run(hands, [*dpkg.DPKG, "--configure", *spelt_out(hands, names)], seconds=900)
    with contextlib.suppress(Trouble):
        if names or has_triggers or hands.dpkg_updates():
            dpkg.run(hands, [*dpkg.DPKG, "--triggers-only", "--pending"], seconds=900)
            hands.look_afresh()


def in_pieces(eyes: Eyes) -> list[str]:
    """The packages that an interrupted dpkg left."""
    return in_condition(eyes.dpkg_status, "half-configured", "unpacked")


def spelt_out(eyes: Eyes, names: Iterable[str]) -> list[str]:
    """The packages as dpkg cannot mistake them for those of another architecture."""
    return [spelt(paragraph(eyes.dpkg_status, name)) for name in sorted(names)]


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
        act = ["--force-remove-reinstreq", "--purge" if is_whole else "--remove", *spelt_out(hands, found)]
        dpkg.run(hands, [*dpkg.DPKG, *act], seconds=900)
        hands.look_afresh()


def purge_remains(hands: Hands, candidates: set[str]) -> None:
    """Purges the configuration of packages that were removed earlier without it."""
    remains = {*in_condition(hands.dpkg_status, "config-files")} & candidates
    if remains:
        _answer(hands, remains)
        dpkg.run(hands, [*dpkg.DPKG, "--purge", *spelt_out(hands, remains)], seconds=900)
        hands.look_afresh()


def _answer(hands: Hands, leaving: set[str]) -> None:
    """Tells debconf what packages ask when they are purged: nothing that came with them shall stay."""
    for package in leaving & PURGE_QUESTIONS.keys():
        answer = f"{package} {PURGE_QUESTIONS[package]} boolean true\n"
        hands.run(["debconf-set-selections"], stdin=answer.encode())


def parse_status(status: bytes) -> dict[str, Paragraph]:
    """The fields of each package that is there, be it whole or in parts, by the name that it is known by."""
    return {name: fields for name, fields in paragraphs(status).items() if not fields["Status"].endswith(GONE)}


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
            groups = _alternatives_of(fields, providers)
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
        words = [installed[name].get("Recommends", "")]
        groups = _alternatives_of(installed[name], providers, *words)
        for used in sorted(set().union(*groups) - users.keys() - names):
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
    installed: dict[str, Paragraph], leaving: set[str], providers: Providers
) -> list[set[str]]:
    """For each dependency that only leaving packages would fulfil: those packages."""
    unmet = []
    for name, fields in installed.items():
        if name not in leaving:
            groups = _alternatives_of(fields, providers)
            unmet += [group for group in groups if group and group <= leaving]
    return unmet


def _alternatives_of(fields: Paragraph, providers: Providers, *besides: str) -> list[set[str]]:
    """For each thing that a package depends on, the installed packages that fulfil it; also of words `besides`."""
    words = [fields[name] for name in ("Pre-Depends", "Depends") if name in fields] + [*besides]
    groups = [group for group in ", ".join(words).split(",") if group.strip()]
    return [_alternatives(group, providers, _architecture(fields)) for group in groups]


def _alternatives(group: str, providers: Providers, architecture: str) -> set[str]:
    """The installed packages that fulfil `a (>= 1) | b` for a package of this architecture."""
    names = [re.split(r"[\s:(]", choice.strip(), maxsplit=1)[0] for choice in group.split("|")]
    found = [provider for name in names for provider in providers.get(name, {}).items()]
    return {key for key, fields in found if _may_serve(fields, architecture)}


def _may_serve(provider: Paragraph, architecture: str) -> bool:
    """Packages serve those of their own architecture, and others only if they say so."""
    own = _architecture(provider)
    return own == architecture or "" in (own, architecture) or provider.get("Multi-Arch") in ("foreign", "allowed")


def _architecture(fields: Paragraph) -> str:
    """Empty for one that is for all."""
    architecture = fields.get("Architecture", "")
    return "" if architecture in OF_ALL else architecture


def _providers(installed: dict[str, Paragraph]) -> Providers:
    """By name, what fulfils it: packages by the names that they are known by, with their fields."""
    providers: Providers = {}
    for key, fields in installed.items():
        virtual = [re.split(r"[\s:(]", word.strip(), maxsplit=1)[0] for word in fields.get("Provides", "").split(",")]
        for name in (fields["Package"], *virtual):
            if name:
                providers.setdefault(name, {})[key] = fields
    return providers


def accounts(eyes: Eyes) -> dict[str, list[str]]:
    """The system's own users and groups: packages make no others."""
    return {
        database: sorted(name for name, row in eyes.accounts(database).items() if int(row[2]) < PEOPLE)
        for database in ("passwd", "group")
    }


def wanted_packages(items: list[Item]) -> set[str]:
    """The names of the packages that are items themselves."""
    return {id.removeprefix("package:") for item in items if (id := item["id"]).startswith("package:")}
