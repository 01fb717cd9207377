"""How a migration stands, as its hosts have it written down: which applications are closed there, and by what.

So it can be gone on with where its journal was lost. Which side has the newest data is known at any time: what was put
back while it is closed is a copy, and what is being opened, and may have been written to, is closed no more.
"""

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from fedikit.data.migration.journal import Journal, read_journal
from fedikit.data.migration.sides import Pair
from fedikit.errors import FedikitError
from fedikit.model.deployment import Deployment
from fedikit.remote import messages
from fedikit.remote.backups import read_closed
from fedikit.remote.data_messages import Closed
from fedikit.remote.session import Session
from fedikit.remote.sessions import failing_alone
from fedikit.results.migration import PHASES, is_move, verb_of


class Standing(NamedTuple):
    """An application on one host: `is_there` if the host knows it; `closed` is what was noted, if it is closed."""

    application: str
    deployment: Deployment
    host: str
    is_there: bool = False
    closed: Closed | None = None

    @property
    def runs(self) -> bool:
        """Whether it may run, and be written to."""
        return self.is_there and self.closed is None

    @property
    def is_copy(self) -> bool:
        """Whether it is closed, and its data came from the other side."""
        return self.closed is not None and self.closed.restored


class Both(NamedTuple):
    """The two sides of a pair."""

    old: Standing
    new: Standing

    @property
    def is_on_its_way_back(self) -> bool:
        """Both are closed, and the new side has what was written last; or what came from there opens on the old one."""
        return self.old.closed is not None and self.new.closed is not None and not self.new.is_copy


def read_standing(source: Deployment, target: Deployment, pairs: list[Pair], *, instead: str = "") -> list[Both]:
    """Asks all hosts, and changes nothing. One that cannot be asked knows nothing, as far as is known.

    `instead`: what they know is all there is; raises a HostError where one cannot be asked.
    """
    old = noted_on(source, {pair.source for pair in pairs}, requires_all=bool(instead))
    new = noted_on(target, {pair.target for pair in pairs}, requires_all=bool(instead))
    return [
        Both(
            standing_of(source, pair.source, pair.application, old),
            standing_of(target, pair.target, pair.application, new),
        )
        for pair in pairs
    ]


Noted = dict[str, dict[str, messages.BackupsNoted]]


def noted_on(deployment: Deployment, hosts: Collection[str], *, requires_all: bool) -> Noted:
    """What hosts noted, by application; nothing of one that cannot be asked, unless all are required."""
    found: Noted = {}
    for host in sorted(hosts):
        try:
            with failing_alone(host), Session(host, deployment.hosts[host].connection) as session:
                found[host] = session.ask({"op": "status", "deployment": deployment.name}, messages.Status).backups
        except FedikitError:
            if requires_all:
                raise
            found[host] = {}
    return found


def standing_of(deployment: Deployment, host: str, application: str, noted: Noted) -> Standing:
    """One application on one host; raises FedikitError if it is closed there, and nobody can read by what."""
    there = noted[host].get(application)
    if there is None or not there.closed:
        return Standing(application, deployment, host, is_there=there is not None)
    closed = read_closed(there)
    if closed is None:
        words = f"{application} is closed on {host}, and what is written down of that cannot be read"
        raise FedikitError(words, hint="see closed.json in /var/lib/fedikit-data on that host, and who changed it")
    return Standing(application, deployment, host, is_there=True, closed=closed)


def require_ours(standing: Iterable[Standing], *known: str) -> None:
    """Raises FedikitError where an application is closed by a migration that is none of these."""
    for one in standing:
        if one.closed and (other := one.closed.migration) not in known:
            words = (
                f"{one.application} is closed on {one.host} of {one.deployment.name} by the migration {other}, "
                "of which nothing is known here"
            )
            hint = (
                "go on with it on the deployer where it was begun; if nobody can any more, end it by another that goes "
                f"on from what the hosts know: {verb_of(other)} --instead {other}"
            )
            raise FedikitError(words, hint=hint)


def closed_of(standing: list[Both]) -> Iterator[Standing]:
    """All that is closed, on either side."""
    return (one for both in standing for one in both if one.closed)


def journal_of(path: Path, standing: list[Both], *, name: str, instead: str) -> Journal:
    """The journal that is gone on with, or a new one; `instead`: what the hosts know of another migration's.

    Raises FedikitError where an application is closed by a migration that is neither of them.
    """
    if is_move(instead):
        raise FedikitError(f"{instead} is a move", hint=f"go on with it: {verb_of(instead)} --instead {instead}")
    journal = read_journal(path)
    if journal and instead in ("", journal.id, journal.instead):
        require_ours(closed_of(standing), journal.id, journal.instead)
        return journal
    require_ours(closed_of(standing), instead)
    _require_not_elsewhere(standing)
    return journal_from(standing, name=name, instead=instead) if instead else Journal(id=name)


def _require_not_elsewhere(standing: list[Both]) -> None:
    """Raises FedikitError where an application has moved to a third place, and what is kept of it is old by now."""
    for both in standing:
        if both.old.closed and both.old.closed.why == "moved" and not both.new.is_there:
            words = (
                f"{both.old.application} has left {both.old.host} of {both.old.deployment.name} already, and not for "
                f"{both.new.host} of {both.new.deployment.name}: what is kept there is no longer what serves"
            )
            raise FedikitError(words, hint="go on with the environment that it moved to: fedikit migrate --to")


def journal_from(standing: list[Both], *, name: str, instead: str) -> Journal:
    """The journal of a migration that takes the place of another: as far as that had come."""
    closed_at = min((_moment(both.old.closed) for both in standing if both.old.closed), default=None)
    closed = {both.old.application: f"{both.old.closed.since}" for both in standing if both.old.closed}
    journal = Journal(id=name, instead=instead, closed_at=closed_at, closed=closed)
    if any(both.is_on_its_way_back for both in standing):
        return journal.model_copy(update={"direction": "back", "there": PHASES})
    if any(both.old.closed and both.new.runs for both in standing):
        return journal.model_copy(update={"done": PHASES[: PHASES.index("open")], "has_begun": True})
    return journal


def _moment(closed: Closed) -> float:
    since: datetime = closed.since
    return since.timestamp()
