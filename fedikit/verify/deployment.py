"""Verifying a whole deployment, with what its environment says about names, trust and hosts."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager

from fedikit.events import StepFinished, StepStarted, Tell, tell_nobody
from fedikit.model.check import Check
from fedikit.model.deployment import Deployment
from fedikit.remote.hosts import names_of_hosts
from fedikit.remote.shell import run_in_login_shell
from fedikit.results.plan import Plan
from fedikit.results.verdict import Verdict
from fedikit.secrets import Vault
from fedikit.verify.run import verify
from fedikit.verify.standpoint import Send, stand_at


def verify_deployment(
    deployment: Deployment,
    *,
    limit: Sequence[str] = (),
    known: Mapping[str, Sequence[str]] | None = None,
    tell: Tell = tell_nobody,
) -> Verdict:
    """Looks at everything that the deployment promises, as its users would; failures are results, not raised.

    `limit`: only what is placed on these hosts. `known`: addresses of names that lead elsewhere as yet.
    """

    def shell(host: str, command: tuple[str, ...], user: str | None) -> str:
        return run_in_login_shell(host, deployment.hosts[host].connection, command, user)

    def stand(host: str) -> AbstractContextManager[Send]:
        return stand_at(host, deployment.hosts[host].connection)

    tell(StepStarted(step="verify"))
    verdict = verify(
        checks_on(deployment, limit),
        resolver=deployment.network.dns,
        trust=deployment.network.trust,
        vault=Vault.of(deployment),
        shell=shell,
        stand=stand,
        known=known,
        tell=tell,
    )
    seconds = max((result.seconds for result in verdict.results), default=0.0)
    tell(StepFinished(step="verify", seconds=seconds, failed=not verdict.passed))
    return verdict


def verify_rollback(plan: Plan, *, tell: Tell = tell_nobody) -> Verdict:
    """Looks whether hosts that went back serve again what they promised then; failures are results, not raised.

    Checks are those that were sealed when each host's generation was reached; of a host that shows others, only those
    of the configuration, if that was given. Where there are none, `plan.unpromised` says why.
    """
    deployment = plan.deployment
    return verify_deployment(deployment.model_copy(update={"checks": tuple(_promised(plan))}), tell=tell)


def _promised(plan: Plan) -> Iterator[Check]:
    """Each check once, though several hosts may keep it."""
    found: dict[str, Check] = {}
    for host, promise in plan.promises.items():
        checks = plan.deployment.checks_on([host]) if promise.is_forged else promise.checks
        found |= {check.model_dump_json(): check for check in checks}
    return (check for check in found.values() if getattr(check, "host", None) in {None, *plan.deployment.hosts})


def checks_on(deployment: Deployment, limit: Sequence[str]) -> tuple[Check, ...]:
    """The checks of what is placed on some hosts; all checks if none are named."""
    return deployment.checks_on(names_of_hosts(deployment, limit)) if limit else deployment.checks
