"""A move to another provider in plain words: what goes where, what does not fit, who notices, and what stays behind.

Every sentence is plain text: whoever shows it escapes it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fedikit.panel.amounts import about, duration, listed, size
from fedikit.panel.owners import spelt
from fedikit.panel.said import said, told
from fedikit.panel.texts import Texts
from fedikit.results.backup import summed
from fedikit.results.migration import ApplicationMigration, MigrationPlan, MigrationReport

PHASES = {
    "secrets": "Handing over the keys of your services",
    "stage": "Setting up the machines of the new provider",
    "copy": "Copying everything, while your services go on",
    "close": "Closing here: from now on nobody can write",
    "differences": "Copying what was written last, and comparing",
    "open": "Opening on the other side",
    "start": "Starting on the other side",
    "names": "Waiting until names lead to the other side",
    "verify": "Looking at the services from outside",
    "reopen": "Opening here again",
    "afterwards": "Making anew what no copy holds",
}
"""What phases are called while they go on."""


@dataclass(frozen=True)
class MoveInWords:
    """What a move means to those who use the services; each sentence stands alone."""

    refused: tuple[str, ...]
    """Why it cannot be done."""
    moves: tuple[str, ...]
    """What goes where."""
    meanwhile: tuple[str, ...]
    """Who notices, and for how long."""
    stays: tuple[str, ...]
    """What does not come along."""
    names: tuple[tuple[str, ...], ...]
    """What somebody has to set where the domain was bought: name, type, address, and where it leads now."""


def phase_in_words(phase: str, *, text: Texts) -> str:
    """What a phase of a move is called; empty if it is none."""
    return text(PHASES.get(phase, "Beginning")) if phase in PHASES else ""


def phases_in_words(plan: MigrationPlan, events: Sequence[Mapping[str, Any]], *, text: Texts) -> Iterator[str]:
    """What a run does, phase by phase: what is done, goes on, and is yet to come. `events`: those of its record."""
    begun = {event["step"] for event in events if event["event"] == "StepStarted"}
    ended = {event["step"] for event in events if event["event"] == "StepFinished" and not event["failed"]}
    for phase in plan.left:
        words = phase_in_words(phase, text=text)
        if phase in ended:
            yield text("{phase}: done", phase=words)
        elif phase in begun:
            yield text("{phase} …", phase=words)
        else:
            yield text("{phase}: yet to come", phase=words)


def move_in_words(plan: MigrationPlan, *, text: Texts) -> MoveInWords:
    """A move, its rehearsal or its way back, in words."""
    refused = tuple(_refusal(one, text) for one in plan.applications if one.error)
    able = [one for one in plan.applications if not one.error]
    is_switch = not plan.is_rehearsal and "names" in plan.left
    return MoveInWords(
        refused=refused,
        moves=tuple(_move(one, plan, text) for one in able),
        meanwhile=() if refused else (*_meanwhile(plan, text), *_notes(able, text)),
        stays=() if refused or not is_switch else tuple(_stays(plan, text)),
        names=tuple(names_to_set(plan, text=text)) if is_switch and not refused else (),
    )


def names_to_set(plan: MigrationPlan, *, text: Texts) -> Iterator[tuple[str, ...]]:
    """By address, what is to be set by hand; nothing where fedikit sets the names, or they lead there."""
    if plan.sets_names:
        return
    for name in plan.names:
        now = ", ".join(name.found) or text("nowhere")
        for address in () if name.leads_there else name.wanted:
            yield name.name, "AAAA" if ":" in address else "A", address, now


def misfits_in_words(misfits: Sequence[str], *, text: Texts) -> tuple[str, ...]:
    """Why the new provider does not take it, and who has to do what; what has no words yet is one sentence."""
    known = {line: said(line, text=text) for line in misfits}
    words = [words for line, words in known.items() if words != line]
    if len(words) < len(known):
        words.append(text("Their file does not fit what you chose here. Ask the new provider to mend it."))
    return tuple(words)


def outcome_in_words(report: MigrationReport, *, text: Texts) -> tuple[str, ...]:
    """What came of the last move, rehearsal or way back."""
    if report.error:
        return (
            text("It did not come to its end: {reason}", reason=told(report.error, text=text)),
            told(report.advice, text=text),
        )
    if report.is_rehearsal and report.predicted is not None:
        words = "The rehearsal went well. Nobody could write for {time}."
        return (text(words, time=about(report.predicted, text=text)),)
    if report.read_only is not None:
        return (text("Nobody could write for {time}.", time=duration(report.read_only, text=text)),)
    return ()


def _refusal(one: ApplicationMigration, text: Texts) -> str:
    return text("{application}: {reason}", application=spelt(one.application), reason=told(one.error, text=text))


def _move(one: ApplicationMigration, plan: MigrationPlan, text: Texts) -> str:
    there, here = f"{one.target} ({plan.target.name})", f"{one.source} ({plan.source.name})"
    name = spelt(one.application)
    if plan.direction == "back":
        return text("{application} comes back from {there} to {here}.", application=name, there=there, here=here)
    amounts = _amounts(one, text)
    if not amounts:
        return text("{application} goes from {here} to {there}.", application=name, here=here, there=there)
    message = "{application} goes from {here} to {there}, with {amounts}."
    return text(message, application=name, here=here, there=there, amounts=amounts)


def _amounts(one: ApplicationMigration, text: Texts) -> str:
    """How much of it there was in the newest backup; nothing where there is none."""
    there = [part.there for part in one.parts if part.there]
    if not there:
        return ""
    found: dict[str, int] = {}
    for amount in there:
        for kind, count in summed(amount.counts).items():
            found[kind] = found.get(kind, 0) + count
    counted = {
        "rows": text.plural("{n} row", "{n} rows", found.get("rows", 0)),
        "objects": text.plural("{n} object", "{n} objects", found.get("objects", 0)),
        "files": text.plural("{n} file", "{n} files", found.get("files", 0)),
    }
    return listed([*(words for kind, words in counted.items() if kind in found), size(one.bytes, text=text)], text=text)


def _meanwhile(plan: MigrationPlan, text: Texts) -> Iterator[str]:
    if plan.left == ("reopen",):
        yield text("Your services open here again, as they were: nobody has written on the other side.")
        return
    if plan.is_rehearsal:
        yield text("Everything is copied while your services go on here. Nothing is closed, and nobody notices.")
        yield text("It says for how long nobody could write if it were meant. It may be done again.")
        return
    if "close" in plan.done:
        yield text("It was cut off; it goes on where it was.")
    elif plan.predicted is not None and plan.direction == "there":
        yield text("Nobody can write for {time}: so the rehearsal says.", time=about(plan.predicted, text=text))
    else:
        yield text("Nobody can write while what was written last is copied. Nobody knows yet for how long.")
    if plan.direction == "back":
        yield text("What was written on the other side comes along.")
    else:
        yield text("The domain, accounts, posts, files and keys stay what they are.")
        yield text("If anything fails before the other side opens, your services go on here at once, as they were.")
    if plan.sets_names:
        yield text("Names are led there without your doing.")


def _notes(able: list[ApplicationMigration], text: Texts) -> Iterator[str]:
    for one in able:
        for note in one.notes:
            yield text("{application}: {reason}", application=spelt(one.application), reason=told(note, text=text))


def _stays(plan: MigrationPlan, text: Texts) -> Iterator[str]:
    if plan.direction == "there":
        yield text("What is here stays, closed, so that you can come back, until your provider removes it.")
        yield text("Backups stay here; the new provider begins with new ones.")
    else:
        yield text("What is there stays, closed, until that provider removes it.")
