"""Verifying a whole deployment, with what its environment says about names, trust and hosts."""

from fedikit.events import StepFinished, StepStarted, Tell, tell_nobody
from fedikit.model.deployment import Deployment
from fedikit.secrets import Vault
from fedikit.shell import run_in_login_shell
from fedikit.verify.run import verify
from fedikit.verify.verdict import Verdict


def verify_deployment(deployment: Deployment, *, tell: Tell = tell_nobody) -> Verdict:
    """Looks at everything that the deployment promises, as its users would; nothing is raised, failures are results."""

    def shell(host: str, command: tuple[str, ...], user: str | None) -> str:
        return run_in_login_shell(host, deployment.hosts[host].connection, command, user)

    tell(StepStarted(step="verify"))
    verdict = verify(
        deployment.checks,
        resolver=deployment.network.dns,
        trust=deployment.network.trust,
        vault=Vault.of(deployment),
        shell=shell,
        tell=tell,
    )
    seconds = max((result.seconds for result in verdict.results), default=0.0)
    tell(StepFinished(step="verify", seconds=seconds, failed=not verdict.passed))
    return verdict
