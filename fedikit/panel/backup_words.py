"""Backups and restores in plain words: how old, how large, whether proven; and which data takes the place of which.

Every sentence is plain text: whoever shows it escapes it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from fedikit.panel.amounts import about, age, listed, moment, size
from fedikit.panel.owners import spelt
from fedikit.panel.said import told
from fedikit.panel.texts import Texts
from fedikit.results.backup import Backup, Proven, summed
from fedikit.results.restoring import Amount, ApplicationRestore, PartReplaced, RestorePlan


@dataclass(frozen=True)
class RestoreInWords:
    """What a restore means to those who use the services; each sentence stands alone."""

    refused: tuple[str, ...]
    """Why it cannot be done."""
    replaced: tuple[str, ...]
    """Which data takes the place of which: to be shown first."""
    meanwhile: tuple[str, ...]
    """What else happens."""


def moment_of(backup: Backup, *, text: Texts) -> str:
    """When it ended, on the clocks here; with its year if that is another."""
    when = backup.ended.astimezone()
    return moment(when, text=text) if when.year == datetime.now(UTC).year else f"{when:%Y-%m-%d %H:%M}"


def backup_in_words(backup: Backup, *, text: Texts) -> str:
    """When it was made, how large it is, and what for, if not one of those that are made one after the other."""
    when, old = moment_of(backup, text=text), age(backup.ended, datetime.now(UTC), text=text)
    words = text("{when}, {age}: {size}", when=when, age=old, size=size(backup.bytes, text=text))
    reasons = {"restore": "made before a restore", "upgrade": "made before an upgrade"}
    return f"{words}, {text(reasons[backup.reason])}" if backup.reason in reasons else words


def proof_in_words(proof: Proven | None, *, text: Texts) -> str:
    """Whether a backup, or the newest that was tried, was restored elsewhere to prove it."""
    if proof is None:
        return text("Nobody has proven yet that it can be restored.")
    when = age(proof.ended, datetime.now(UTC), text=text)
    if proof.failed:
        return text("Its last proof, {when}, failed: do not rely on it.", when=when)
    return text("Proven {when}: it was restored elsewhere, and worked.", when=when)


def restore_in_words(plan: RestorePlan, *, text: Texts, seconds: float | None = None) -> RestoreInWords:
    """A restore in words. `seconds`: how long it is expected to take."""
    errors = [one for one in plan.applications if one.error or not one.backup]
    able = [one for one in plan.applications if one not in errors]
    return RestoreInWords(
        refused=tuple(_refusal(one, text) for one in errors),
        replaced=tuple(words for one in able for words in _replaced(one, text)),
        meanwhile=tuple(_meanwhile(plan, able, seconds, text)) if able else (),
    )


def _refusal(one: ApplicationRestore, text: Texts) -> str:
    reason = told(one.error, text=text) or text("there is no backup")
    return text("{application} on {host}: {reason}", application=spelt(one.application), host=one.host, reason=reason)


def _replaced(one: ApplicationRestore, text: Texts) -> Iterator[str]:
    assert one.backup
    old = age(one.backup.ended, datetime.now(UTC), text=text)
    message = "{application} on {host} goes back to the backup of {when} ({age}); what was written since is replaced."
    name = spelt(one.application)
    yield text(message, application=name, host=one.host, when=moment_of(one.backup, text=text), age=old)
    yield from (_part(part, text) for part in one.parts)


def _part(part: PartReplaced, text: Texts) -> str:
    kind, _, name = part.id.partition(":")
    kinds = {
        "postgresql": "The database {name}",
        "mariadb": "The database {name}",
        "bucket": "The media store {name}",
        "volume": "The folder {name}",
    }
    what = text(kinds.get(kind, "{name}"), name=name)
    if part.becomes is None:
        return text("{what} is in no backup and stays as it is.", what=what)
    becomes = _amount(part.becomes, text)
    if part.absent:
        return text("{what}: nothing is there now; {becomes} come from the backup.", what=what, becomes=becomes)
    if part.was is None:
        return text("{what}: what is there now is replaced by {becomes}.", what=what, becomes=becomes)
    return text("{what}: {was} now, {becomes} then.", what=what, was=_amount(part.was, text), becomes=becomes)


def _amount(there: Amount, text: Texts) -> str:
    return listed([*_counted(there.counts, text), size(there.bytes, text=text)], text=text)


def _counted(counts: Mapping[str, int], text: Texts) -> Iterator[str]:
    found = summed(counts)
    if "rows" in found:
        yield text.plural("{n} row", "{n} rows", found["rows"])
    if "objects" in found:
        yield text.plural("{n} object", "{n} objects", found["objects"])
    if "files" in found:
        yield text.plural("{n} file", "{n} files", found["files"])


def _meanwhile(plan: RestorePlan, able: list[ApplicationRestore], seconds: float | None, text: Texts) -> Iterator[str]:
    if plan.saves:
        yield text("What is there now is backed up before: you can go back to it, too, for a week.")
    else:
        yield text("No backup is made of what is there now.")
    if any(one.stop for one in able):
        yield text("The service stands still meanwhile.")
    if any(one.interrupted for one in able):
        yield text("A restore was cut off here; this one brings it to an end.")
    if any(one.free < one.bytes for one in able):
        yield text("There may not be enough room on the machine.")
    effort = [text("{size} to fetch", size=size(sum(one.bytes for one in able), text=text))]
    effort += [about(seconds, text=text)] if seconds is not None else []
    yield text("It takes: {effort}.", effort=listed(effort, text=text))
