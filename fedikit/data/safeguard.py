"""Upgrades that cannot lose an application: its data is backed up first; if the new version fails, both go back.

What people wrote between the backup and the failure is not lost either: the way back begins with a backup of its own.
"""

from fedikit.apply import apply_plan
from fedikit.events import Tell, tell_nobody
from fedikit.remote.sessions import Sessions
from fedikit.results.endangered import endangered_by
from fedikit.results.plan import Plan
from fedikit.results.report import Report


def apply_safely(plan: Plan, *, sessions: Sessions | None = None, tell: Tell = tell_nobody) -> Report:
    """`apply_plan`, with a backup before of each application that gets another version, and a way back.

    Where the new version's migrations fail, or it does not get healthy, the host goes back to what was there before,
    images and data, and the report says so. Raises FedikitError, with nothing changed, if no backup can be made.
    """
    endangered = [one for one in endangered_by(plan) if not one.lack]
    if not endangered:
        return apply_plan(plan, sessions=sessions, tell=tell)
    from fedikit.data.way_back import back_up, go_back, is_lost  # slow to import, and seldom needed

    saved = back_up(plan, endangered, tell)
    report = apply_plan(plan, sessions=sessions, tell=tell)
    lost = [one for one in endangered if is_lost(plan, one, report.hosts[one.host])]
    return report.model_copy(update={"returned": tuple(go_back(plan, lost, saved, tell))})
