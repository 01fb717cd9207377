"""Verifying a whole deployment, with what its environment says about names, trust and hosts."""

from collections.abc import Sequence
from contextlib import AbstractContextManager

from fedikit.events import StepFinished, StepStarted, Tell, tell_nobody
from fedikit.model.check import Check
from fedikit.model.deployment import Deployment
from fedikit.remote.hosts import names_of_hosts
from fedikit.remote.shell import run_in_login_shell
from fedikit.results.verdict import Verdict
from fedikit.secrets import Vault
from fedikit.verify.run import verify
from fedikit.verify.standpoint import Send, stand_at


def verify_deployment(deployment: Deployment, *, limit: Sequence[str] = (), tell: Tell = tell_nobody) -> Verdict:
    """Looks at everything that the deployment promises, as its users would; failures are results, not raised.

    `limit`: only what is placed on these hosts.
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
        tell=tell,
    )
    seconds = max((result.seconds for result in verdict.results), default=0.0)
    tell(StepFinished(step="verify", seconds=seconds, failed=not verdict.passed))
    return verdict


def checks_on(deployment: Deployment, limit: Sequence[str]) -> tuple[Check, ...]:
    """The checks of what is placed on some hosts; all checks if none are named."""
    if not limit:
        return deployment.checks
    placed = {name for host in names_of_hosts(deployment, limit) for name in deployment.hosts[host].applications}
    return tuple(
        check
        for check in deployment.checks
        if check.application in placed and getattr(check, "host", limit[0]) in limit
    )
