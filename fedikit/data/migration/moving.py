"""Moving within one environment, with all data: to another host, or to another server of databases or objects.

An application that leaves its host is copied to the other one while it serves, as by a migration. One that stays is
closed, backed up, set up with what it is to have, and restored. What leaves a host leaves last of all.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property

from fedikit.data.certificates import carry_all_certificates
from fedikit.data.closing import Why
from fedikit.data.migration.abreast import for_each
from fedikit.data.migration.between import Between
from fedikit.data.migration.carrying_out import NAMES_SECONDS, require_as_planned
from fedikit.data.migration.journal import Journal, end_journal, held
from fedikit.data.migration.moves import servers_of
from fedikit.data.migration.phases import Migration
from fedikit.data.migration.sides import Pair, Sides
from fedikit.data.migration.sites import carry_certificates_of
from fedikit.data.migration.standing_moves import what_is_known
from fedikit.errors import FedikitError
from fedikit.events import Tell, tell_nobody
from fedikit.plan import make_plan
from fedikit.results.backup import Backup
from fedikit.results.migration import MigrationPlan, MigrationReport, Phase


def apply_move(
    plan: MigrationPlan, sides: Sides, *, names_seconds: float = NAMES_SECONDS, tell: Tell = tell_nobody
) -> MigrationReport:
    """Does what is left of a move. Cut off anywhere, and run again, it goes on where it was.

    `names_seconds`: how long to wait for names that somebody sets by hand. What went wrong is in the report, with how
    it stands; FedikitError is raised only where nothing was begun.
    """
    with held(sides.journal):
        known = what_is_known(sides, plan.target, name=plan.id, instead=plan.instead)
        journal = known.journal or Journal(id=plan.id)
        require_as_planned(plan, journal)
        moving = {one.application: (one.source, one.target) for one in plan.applications}
        servers = {name: servers_of(Pair(name, *hosts), plan.target) for name, hosts in moving.items()}
        about = {"moving": moving, "servers": servers, "sites": plan.sites, "consent": plan.consent}
        journal = journal.model_copy(update=about)
        return _Move(plan, sides, journal, names_seconds, tell).run(known.closed)


class _Move(Migration):
    """One move at work; both sides are of the same environment."""

    @cached_property
    def between(self) -> Between:
        """Who moves how, and what hosts have meanwhile."""
        about = (self.left, self.taken, self.hosting, self.sides.configuration)
        return Between(self.pairs, *about, self.plan.sites)

    @property
    def leaving(self) -> list[Pair]:
        return self.between.leaving

    @property
    def new_sites(self) -> set[str]:
        return {site.domain for site in self.plan.sites if not site.source}

    @property
    def copied(self) -> list[Pair]:
        return self.between.copied

    @property
    def _acts(self) -> Mapping[Phase, Callable[[], None]]:
        return {
            **super()._acts, "save": self._save, "parts": self._set_up_parts, "put-back": self._put_back,
            "leave": self._leave,
        }  # fmt: skip

    # Applications that leave their host

    def _stage(self) -> None:
        """The hosts that are come to, and those that serve them there, are set up with the applications at rest."""
        hosts = self.between.staged
        coming = [pair for pair in self.leaving if pair.target in hosts]
        if hosts:
            self.hands.set_up(self.between.while_they_serve(), hosts, closing=coming)
        self._receive(coming)

    def _receive(self, pairs: Iterable[Pair]) -> None:
        """Where they come to, the fence and the door follow as soon as they can be there, and their certificates."""
        for pair in pairs:
            self._close_where_it_comes(pair)
            carry_all_certificates(self.left, self.taken, pair.application)

    def _why_closed(self, pair: Pair) -> Why:
        """Where data moves from under an application, nobody reads."""
        return super()._why_closed(pair) if pair in self.copied else "moving"

    def _leave(self) -> None:
        """What is left behind goes, and its data is kept, as by any apply."""
        self.hands.set_up(self.taken)

    def _reopen_old(self) -> None:
        """The environment wants them where they were again, and nobody has written to where they were to go."""
        for_each(self.pairs, lambda pair: self.hands.open_and_start(self.left, pair.source, pair.application))

    # Applications that stay on it while their data moves, or that leave some of their data where it is

    def _save(self) -> None:
        for_each(self.between.others, lambda pair: self._note_copied(pair, self._backed_up(pair).id))

    def _set_up_parts(self) -> None:
        """From here on the hosts know only where data is to be, and the way on is the only one."""
        resting = self.between.at_rest_once_closed()
        hosts = [host for host in self._hosts_to_start if host not in self.between.spared]
        plan = make_plan(resting, limit=hosts, consent=self.plan.consent, tell=self.hands.tell)
        if plan.has_errors:
            found = [f"{host}: {one.error or 'cannot be changed'}" for host, one in plan.hosts.items() if one.error]
            raise FedikitError(f"nothing was changed: {'; '.join(found) or 'see fedikit plan'}")
        self.note(has_begun=True)
        coming = [pair for pair in self.leaving if pair.target not in self.between.staged]
        self.hands.set_up(resting, hosts, closing=coming)
        self._receive(coming)
        carry_certificates_of(self.plan.sites, self.left, self.taken)

    def _start(self) -> None:
        self._start_with(self.between.once_closed())

    def _put_back(self) -> None:
        for_each(self.between.others, self._put_back_one)
        self._require_the_same()

    def _put_back_one(self, pair: Pair) -> None:
        """Who stays has it in its own host's repository."""
        backup = self.journal.copied[pair.application]
        if pair.source != pair.target:
            self.compared[pair.application] = self.hands.bring(pair, self.left, self.taken, backup)
        else:
            self.compared[pair.application] = self.hands.put_back(self.taken, pair, backup)

    # Both

    def _backed_up(self, pair: Pair) -> Backup:
        """All of it must have a place where it goes."""
        backup = super()._backed_up(pair)
        there = {part.id for part in self.taken.hosts[pair.target].data[pair.application].parts}
        if lost := sorted({part.id for part in backup.parts} - there):
            raise FedikitError(f"{pair.application} has no {', '.join(lost)} on {pair.target}: it would be lost")
        return backup

    @property
    def _hosts_to_start(self) -> Sequence[str]:
        idle = set(self.between.left).difference(self.between.busy)
        return [host for host in self.taken.hosts if host not in idle]

    @property
    def _what_is_left(self) -> str:
        return _listed(f"{pair.application} on {pair.source}" for pair in self.pairs)

    def _how_it_stands_once_begun(self) -> str:
        places = _listed(f"{pair.application} on {pair.target}" for pair in self.pairs)
        if "verify" in self.journal.done:
            return f"{places} serves; what is left to do is done by the same again: fedikit move"
        if "start" in self.journal.done:
            return f"{places} serves; do the same again: fedikit move"
        return (
            f"{places} may have been written to, and nothing else serves: mend it, and do the same again: fedikit move"
        )

    def _after_success(self) -> str:
        end_journal(self.sides.journal)
        if not self.pairs:
            return "there was nothing to bring"
        if self.plan.left == ("reopen",):
            return f"{self._what_is_left} serves as before"
        places = _listed(f"{pair.application} on {pair.target}" for pair in self.pairs)
        return f"{places} serves with its data; what was left is kept where it was until fedikit apply --purge"


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words)
