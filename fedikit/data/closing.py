"""Closing an application on a host, so that it does not run there whatever else happens, and opening it again."""

from typing import Any, Literal, TypeVar

from fedikit.data.telling import told_steps
from fedikit.events import Tell, tell_nobody
from fedikit.model.deployment import Deployment
from fedikit.remote.data_messages import ApplicationClosed, ApplicationOpened, Closed, Followed, StepEvent
from fedikit.remote.event_messages import Noted
from fedikit.remote.session import Session, deployer_name, new_run
from fedikit.remote.sessions import failing_alone
from fedikit.remote.spoken import Message

M = TypeVar("M", bound=Message)
Why = Literal["moving", "moved", "reading"]
"""What visitors are told: that it will be back, that it is elsewhere by now, or that it can be read only."""


def close_application(
    deployment: Deployment,
    host: str,
    application: str,
    *,
    migration: str,
    why: Why = "moving",
    instead: str = "",
    tell: Tell = tell_nobody,
) -> Closed:
    """Shuts its web sites with a page and status 503, stops its units, and keeps them from starting; what was noted.

    "reading" closes it for writing only, where that can be shown, and says so in what was noted: then its pages go on.
    A reboot, an apply and a restore leave it closed. What is closed already is closed again, with another page if `why`
    is another. `instead`: another migration that closed it, and is over by this one. Raises a HostError, also where
    another closed it that is not named; cut short, the same again ends what was begun.
    """
    about = {"migration": migration, "why": why, "instead": instead}
    return _ordered(deployment, host, application, ("close", about), ApplicationClosed, tell).closed


def open_application(
    deployment: Deployment, host: str, application: str, *, migration: str, start: bool, tell: Tell = tell_nobody
) -> bool:
    """Lets it run again, and opens its web sites; whether it was closed.

    `start`: starts what ran when it was closed; else somebody else starts it, such as an apply. If there was a restore
    meanwhile, `run_what_follows` is due after that. Raises a HostError, also while its data is half of a backup, or
    where another migration closed it.
    """
    about = {"migration": migration, "start": start}
    return _ordered(deployment, host, application, ("open", about), ApplicationOpened, tell).opened.was_closed


def run_what_follows(
    deployment: Deployment, host: str, application: str, *, tell: Tell = tell_nobody
) -> tuple[str, ...]:
    """Runs what a restore into a closed application still owes, once an apply has started it; its names, often none.

    Raises a HostError; the same again repeats what failed.
    """
    return _ordered(deployment, host, application, ("follow", {}), Followed, tell).followed


def _ordered(
    deployment: Deployment, host: str, application: str, what: tuple[str, dict[str, Any]], end: type[M], tell: Tell
) -> M:
    verb, about = what
    with failing_alone(host), Session(host, deployment.hosts[host].connection) as session:
        request = {"op": "data", "deployment": deployment.name, "verb": verb, "application": application}
        session.ask(request, Noted)
        session.order({"run": new_run(), "who": deployer_name(), **about}, iter(()))
        return session.follow_until(end, told_steps(host, application, tell, verb), StepEvent)
