"""One look: the checks and the hosts side by side, and what of them could be seen."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from fedikit.environment.watch import Watch
from fedikit.model.check import BackupIsYoung
from fedikit.model.deployment import Deployment
from fedikit.model.value import Value
from fedikit.results.check import CheckResult
from fedikit.results.status import HostStatus, Status
from fedikit.results.verdict import Verdict
from fedikit.status import read_status
from fedikit.verify import verify_deployment
from fedikit.watch.finding import Finding, Kind, line, of_check, of_host, of_silent_host

_OF_THE_DEPLOYER = "see whether this deployer's network works, and whether the hosts run"


class Look(Value):
    """What is not well, and what could not be seen: of that nothing is known, neither good nor bad."""

    findings: tuple[Finding, ...] = ()
    is_blind: bool = False
    """Nothing could be seen."""
    unseen_hosts: frozenset[str] = frozenset()
    unseen_applications: frozenset[str] = frozenset()
    busy: tuple[str, ...] = ()
    """Hosts that are being changed."""

    def could_see(self, finding: Finding) -> bool:
        """Whether this, had it still been so, would have been seen."""
        if finding.kind is Kind.DEPLOYER:
            return True
        if self.is_blind or finding.application in self.unseen_applications:
            return False
        return finding.host not in self.unseen_hosts or (finding.kind is Kind.HOST and finding.host in self.busy)

    def with_more(self, findings: Iterable[Finding]) -> "Look":
        """The same, with what the deployer knows besides."""
        return self.model_copy(update={"findings": (*self.findings, *findings)})

    def clean(self, scrub: Callable[[str], str]) -> "Look":
        """The same, with every text handed through a function."""
        return self.model_copy(update={"findings": tuple(finding.clean(scrub) for finding in self.findings)})


def look_at(deployment: Deployment, rules: Watch, now: datetime) -> Look:
    """Carries out all checks and asks all hosts at the same time; changes nothing."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        asking = pool.submit(read_status, deployment, health=True)
        verdict = verify_deployment(deployment)
        status = asking.result()
    busy = {name for name, host in status.hosts.items() if host.busy}
    if not verdict.passed:  # an apply may have begun while the checks were at it
        busy |= {name for name, host in read_status(deployment).hosts.items() if host.busy}
    return look_of(deployment, verdict, status, busy=busy, rules=rules, now=now)


def look_of(
    deployment: Deployment, verdict: Verdict, status: Status, *, busy: set[str], rules: Watch, now: datetime
) -> Look:
    """What checks and hosts come to, where some hosts are being changed."""
    unseen = _applications_touched(deployment, busy)
    failed = [result for result in verdict.results if not result.passed and result.application not in unseen]
    silent = [host for host in status.hosts.values() if host.error and host.host not in busy]
    if silent and len(silent) == len(status.hosts):
        return _without_hosts(silent, verdict, failed)
    seen = [host for host in status.hosts.values() if not host.error and host.host not in busy]
    failed = [result for result in failed if not _is_told_by(result, seen)]
    return Look(
        findings=(
            *map(of_silent_host, silent),
            *map(of_check, failed),
            *(finding for host in seen for finding in of_host(host, rules, now)),
        ),
        unseen_hosts=frozenset(busy | {host.host for host in silent}),
        unseen_applications=frozenset(unseen),
        busy=tuple(sorted(busy)),
    )


def blind(reason: str) -> Look:
    """A look that could not be made."""
    finding = Finding(
        key="deployer",
        kind=Kind.DEPLOYER,
        what="the deployer could not look",
        seen=line(reason),
        todo="on the deployer: fedikit watch once tells it again",
    )
    return Look(findings=(finding,), is_blind=True)


def _without_hosts(silent: list[HostStatus], verdict: Verdict, failed: Iterable[CheckResult]) -> Look:
    """No host at all can be asked: that is one thing, not one for each host."""
    names = silent[0].host if len(silent) == 1 else f"none of the {len(silent)} hosts"
    cannot = "cannot be asked" if len(silent) == 1 else "can be asked"
    answers = any(result.passed for result in verdict.results)
    finding = Finding(
        key="deployer",
        kind=Kind.DEPLOYER,
        what=f"{names} {cannot}" if answers else f"{names} {cannot}, and no service answers",
        seen=line(f"{silent[0].host}: {silent[0].error}"),
        todo=_OF_THE_DEPLOYER,
    )
    if not answers:
        return Look(findings=(finding,), is_blind=True)
    return Look(findings=(finding, *map(of_check, failed)), unseen_hosts=frozenset(host.host for host in silent))


def _is_told_by(result: CheckResult, seen: Iterable[HostStatus]) -> bool:
    """Whether a host says by itself what a check of it saw: that its backups are not well."""
    check = result.check
    told = {(host.host, one.application) for host in seen for one in host.backups}
    return isinstance(check, BackupIsYoung) and (check.host, check.application) in told


def _applications_touched(deployment: Deployment, busy: set[str]) -> set[str]:
    """Those on hosts that are being changed, and those that use servers there."""
    touched = [state for name, state in deployment.hosts.items() if name in busy or busy & set(state.served_by)]
    return {application for state in touched for application in state.applications}
