"""Examining: every host is asked for its facts in one contact; names are looked up meanwhile."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from fedikit.dns.lookup import look_up_names
from fedikit.doctor.deployer import examine_deployer
from fedikit.doctor.host import HostFindings
from fedikit.doctor.ports import judge_ports
from fedikit.environment.environment import Environment
from fedikit.environment.load import load_catalogue
from fedikit.errors import ConnectionFailed, FedikitError, HostError
from fedikit.model.deployment import Deployment
from fedikit.remote.answer_messages import Facts
from fedikit.remote.hosts import names_of_hosts, on_hosts
from fedikit.remote.session import Session
from fedikit.remote.sessions import Sessions, Told, failing_alone
from fedikit.remote.wanted_facts import ports_of, wanted_facts
from fedikit.results.diagnosis import Diagnosis, Finding
from fedikit.results.plan import Plan

AUTHORITY = "https://acme-v02.api.letsencrypt.org/directory"


def diagnose(environment: Environment, deployment: Deployment, *, limit: Sequence[str] = ()) -> Diagnosis:
    """Looks at everything; what is wrong with a host is a finding about it, never raised.

    Raises ConfigurationError for names of hosts that are not there.
    """
    names_of_hosts(deployment, limit)
    web = environment.policies.web
    authority = urlsplit((web.acme_directory if web else None) or AUTHORITY).hostname or ""
    examination = _Examination(deployment, authority)
    with ThreadPoolExecutor(max_workers=1) as aside:
        names = aside.submit(lambda: list(_names(deployment, limit)))
        asked = on_hosts(deployment, limit, examination.of)
        hosts = [finding for findings in asked.values() for finding in findings]
        return Diagnosis(findings=(*examine_deployer(deployment), *hosts, *names.result()))


def foresee(plan: Plan, *, sessions: Sessions | None = None) -> Diagnosis:
    """Only what would make the plan fail, or what is checked after it. Nothing is raised.

    `sessions`: those that the plan was made with. What hosts told on them is not asked again, so that only names are
    looked up, for four seconds at most. Where nothing would change, nobody is asked.
    """
    deployment, hosts = plan.deployment, [name for name, host in plan.hosts.items() if host.is_changeable]
    if not hosts:
        return Diagnosis(findings=())
    told = sessions.told if sessions else {}
    examination = _Examination(deployment)
    with ThreadPoolExecutor(max_workers=1) as aside:
        names = aside.submit(lambda: list(_names(deployment, hosts)))
        asked = on_hosts(deployment, hosts, lambda host: examination.of(host, told.get(host)))
        findings = [*(finding for findings in asked.values() for finding in findings), *names.result()]
        return Diagnosis(findings=tuple(finding for finding in findings if finding.state == "obstacle"))


class _Examination:
    """What is to be said of hosts; what is the same for all of them is looked up once."""

    def __init__(self, deployment: Deployment, authority: str = "") -> None:
        self._deployment = deployment
        self._authority = authority
        self._memory = {name: application.memory_megabytes for name, application in load_catalogue().items()}

    def of(self, host: str, told: Told | None = None) -> list[Finding]:
        """All that is to be said of one host; if it has told nothing yet and cannot be asked, why."""
        try:
            return self._judged(host, told or self._ask(host))
        except FedikitError as error:
            matter = "SSH" if isinstance(error, ConnectionFailed) else "agent"
            words = error.message if isinstance(error, HostError) else str(error)
            return [Finding(host=host, matter=matter, state="obstacle", seen=words, remedy=error.hint)]

    def _judged(self, host: str, told: Told) -> list[Finding]:
        state, ports = self._deployment.hosts[host], ports_of(self._deployment, host)
        findings = HostFindings(host, state, told.facts, now=told.time).all(self._memory)
        return [*findings, *judge_ports(host, state, ports, told.facts)]

    def _ask(self, host: str) -> Told:
        """What the host says; of the authority only where there will be web sites."""
        deployment, wanted = self._deployment, wanted_facts(self._deployment, host)
        resolve = self._authority if {80, 443} & set(wanted["ports"]) else ""
        request = {"op": "facts", "deployment": deployment.name, **wanted, "resolve": resolve}
        with failing_alone(host), Session(host, deployment.hosts[host].connection) as session:
            facts = session.ask(request, Facts)
            return Told(facts, time.time())


def _names(deployment: Deployment, limit: Sequence[str]) -> Iterator[Finding]:
    """One finding for each name, with the record to set."""
    found = look_up_names(deployment, limit=limit)
    host_at = _host_at(deployment)
    for name in found.names:
        place = host_at(name.wanted[0])
        records = [f"{name.name}. {found.ttl} IN {r.type} {r.address}" for r in found.records if r.name == name.name]
        if name.leads_there:
            yield Finding(host=place, matter="name", state="well", seen=f"{name.name} leads to {', '.join(name.found)}")
        else:
            words = f"{name.name}: {name.seen}"
            remedy = f"set it in the zone of its domain: {'; '.join(records)}"
            yield Finding(host=place, matter="name", state="obstacle", seen=words, remedy=remedy)


def _host_at(deployment: Deployment) -> Callable[[str], str]:
    """Which host has an address; those with web sites before others."""
    states = sorted(deployment.hosts.items(), key=lambda named: bool(named[1].domains))
    places = {address: host for host, state in states for address in state.connection.public_addresses}
    return lambda address: places.get(address, address)
