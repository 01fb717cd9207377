"""Backups that outlive what made them: pure, from a plan that takes it away."""

from fedikit.model.data import application_of
from fedikit.results.plan import Plan


def backups_left_by(plan: Plan) -> list[str]:
    """A sentence for each application that is no longer backed up on a host, in the plan's order."""
    leaving = [
        (host.host, application_of(change.id.partition(":")[2]))
        for host in plan.hosts.values()
        for change in host.changes
        if change.action == "delete"
    ]
    return [_words(application, host) for host, application in leaving if application]


def _words(application: str, host: str) -> str:
    what = f"the backups of {application} on {host} stay in the repository of policies.backup, also in a purge"
    return f"{what}; whoever keeps the master key can restore them until its folder is deleted there"
