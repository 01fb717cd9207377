"""Carrying out a migration, or what is left of it: what was planned must be what there is to do still."""

from fedikit.data.migration.journal import Journal, held
from fedikit.data.migration.phases import Migration
from fedikit.data.migration.rehearsing import Rehearsal
from fedikit.data.migration.sides import Sides, hosts_of, pairs_of
from fedikit.data.migration.standing import closed_of, journal_of, read_standing
from fedikit.errors import StalePlan
from fedikit.events import Tell, tell_nobody
from fedikit.results.migration import MigrationPlan, MigrationReport

NAMES_SECONDS = 3600.0
"""For how long somebody may take who sets names by hand."""


def apply_migration(
    plan: MigrationPlan, sides: Sides, *, names_seconds: float = NAMES_SECONDS, tell: Tell = tell_nobody
) -> MigrationReport:
    """Does what is left of a migration. Cut off anywhere, and run again, it goes on where it was.

    `names_seconds`: how long to wait for names that somebody sets by hand. What went wrong is in the report, with how
    it stands; FedikitError is raised only where nothing was begun.
    """
    with held(sides.journal):
        standing = read_standing(plan.source, plan.target, pairs_of(plan.source, plan.target), instead=plan.instead)
        journal = journal_of(sides.journal, standing, name=plan.id, instead=plan.instead)
        require_as_planned(plan, journal)
        journal = journal.model_copy(update={"hosts": hosts_of(plan.source, plan.target)})
        at_work = Rehearsal if plan.is_rehearsal else Migration
        return at_work(plan, sides, journal, names_seconds, tell).run(list(closed_of(standing)))


def require_as_planned(plan: MigrationPlan, journal: Journal) -> None:
    """Raises StalePlan if it has come further since it was planned."""
    if journal.id != plan.id or journal.done != plan.done:
        raise StalePlan(plan.target.name, "it has gone on since it was planned", hint="plan again")
