"""The environment: the hosting provider's hosts and policies; it maps a configuration to a deployment."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import Annotated, Any

from pydantic import Field, model_validator

from fedikit.environment.draft import Draft
from fedikit.environment.jumps import with_jump_hosts
from fedikit.environment.policies import Policies
from fedikit.environment.references import broken_references
from fedikit.environment.rotation import misplaced_versions, rotated, rotated_check, rotated_data
from fedikit.environment.watch import Watch
from fedikit.errors import ConfigurationError
from fedikit.model.configuration import Configuration
from fedikit.model.data import AfterRestore, PostgresPart
from fedikit.model.deployment import Deployment, FirstUser, Network, PackageSources, Parallel, Secrets, cycle_of
from fedikit.model.dns import DnsServer
from fedikit.model.function import TypedFunction
from fedikit.model.host import Connection, HostNames, HostState, MovedSite
from fedikit.model.mistake import did_you_mean
from fedikit.model.policy import CannotFulfil, Place, Policy
from fedikit.model.request import Request, Requests, WebSite
from fedikit.model.resource import Resource
from fedikit.model.text import Fact, Untold
from fedikit.model.value import HostName, Written
from fedikit.policies.bucket import GaragePolicy
from fedikit.policies.parts import Known, data_of


class Environment(Written):
    """Where things run, and by which means."""

    name: HostName = Field(
        description="Its name, under which the hosts remember what is deployed there.", examples=["lab"]
    )
    hosts: Annotated[dict[HostName, Connection], Field(min_length=1)]
    """The hosts, by the names they go by here."""
    policies: Policies = Field(Policies(), title="Policies")
    """How each kind of request is made available here."""
    placement: dict[str, HostNames] = Field(default_factory=dict)
    """Where each application runs: a host, or a list of hosts."""
    network: Network = Field(Network(), title="Network")
    """How the deployer's checks find their way here."""
    dns: DnsServer | None = Field(None, title="DNS updates")
    """The server that takes the names of deployments; fedikit changes no DNS if absent."""
    secrets: Secrets = Field(Secrets(), title="Secrets")
    """Where the secrets of this environment come from."""
    packages: PackageSources = Field(PackageSources(), title="Packages")
    """Where packages come from besides this deployer's mirrors."""
    parallel: Parallel = Field(Parallel(), title="Parallel")
    """How much is done at the same time here."""
    watch: Watch = Field(Watch(), title="Watch")
    """Who is told when something is not well here."""

    @model_validator(mode="after")
    def _references_hold(self) -> "Environment":
        mistakes = broken_references(self.model_dump(include={"hosts", "placement", "policies"}))
        if isinstance(self.policies.bucket, GaragePolicy):
            mistakes += self.policies.bucket.mistakes()
        if self.policies.backup:
            mistakes += self.policies.backup.mistakes(self.secrets.given.keys())
        mistakes += self.watch.mistakes(self.policies.mail, self.secrets.given.keys())
        if mistakes:
            raise ConfigurationError(f"environment {self.name}", mistakes)
        return self

    def deployment(self, configuration: Configuration) -> Deployment:
        """What the configuration comes to here; pure.

        Raises ConfigurationError with everything that stands against it.
        """
        return TypedFunction(f"environment {self.name}", Configuration, Deployment, self._mapped)(configuration)

    def passing_on(self, configuration: Configuration, sites: Collection[MovedSite]) -> Deployment:
        """The same, while hosts that had these web sites pass visitors on to those that have them by now."""
        made: TypedFunction[Configuration, Deployment] = TypedFunction(
            f"environment {self.name}", Configuration, Deployment, lambda wanted: self._mapped(wanted, sites)
        )
        return made(configuration)

    def empty(self) -> Deployment:
        """The deployment in which nothing is wanted anywhere."""
        return self._deployment(Draft(self.hosts), Draft(self.hosts))

    def _mapped(self, configuration: Configuration, passed_on: Collection[MovedSite] = ()) -> Deployment:
        draft = Draft(self.hosts)
        self._note_misplaced(configuration, draft)
        for application in configuration.enabled():
            self._add(application, configuration, draft)
        for site in passed_on:
            self._pass_on(site, draft)
        self._keep_packages_safe(draft)
        self._note_misplaced_versions(configuration, draft)
        draft.note_what_is_too_much()
        self._guard(draft)
        if cycle := cycle_of({name: (*host.after, *draft.needs[name]) for name, host in self.hosts.items()}):
            draft.note("hosts", f"would wait for each other: {' before '.join(cycle)}")
        else:
            order = draft.served_by({name: host.after for name, host in self.hosts.items()})
            before = {name: [*host.after, *order[name]] for name, host in self.hosts.items()}
            draft.note_who_would_wait_in_vain(before, self.parallel.hosts)
        if draft.mistakes:
            raise ConfigurationError(f"environment {self.name}", sorted(draft.mistakes))
        deployment = self._deployment(draft, self._at_rest(configuration)).with_given(configuration.given)
        person = configuration.context.initial_user
        first = FirstUser(username=person.username, email=person.email) if configuration.enabled() else None
        return deployment.model_copy(update={"person": first})

    def _guard(self, draft: Draft) -> None:
        """Closes what nobody is to reach, where all that must be open is known."""
        firewall = self.policies.firewall
        if firewall is None:
            return
        for host in filter(firewall.guards, self.hosts):
            try:
                draft.guard(host, firewall.items(host, draft.openings(host), self.hosts))
            except CannotFulfil as unfit:
                draft.mistakes.update(unfit.mistakes)

    def _keep_packages_safe(self, draft: Draft) -> None:
        """On every host that has anything."""
        if policy := self.policies.packages:
            for host in self.hosts:
                if draft.items(host):
                    draft.furnish(host, policy.items())

    def _at_rest(self, configuration: Configuration) -> Draft:
        """What would be there for the applications that are not enabled: it says whose is what leaves."""
        draft = Draft(self.hosts)
        for name in sorted(configuration.catalogue.keys() - configuration.enabled().keys()):
            with suppress(ConfigurationError):  # nobody wants them, so nobody needs to hear of their mistakes
                self._add(name, configuration, draft)
        return draft

    def _note_misplaced(self, configuration: Configuration, draft: Draft) -> None:
        known = list(configuration.catalogue)
        for name in self.placement.keys() - configuration.catalogue.keys():
            draft.note(f"placement.{name}", f"is no application{did_you_mean(name, known)}")
        for number, name in enumerate(self.policies.backup.skip if self.policies.backup else ()):
            if name not in configuration.catalogue:
                draft.note(
                    f"policies.backup.skip.{number}", f'names "{name}", no application{did_you_mean(name, known)}'
                )
        for name in configuration.enabled():
            if not self.placement.get(name):
                draft.note(f"placement.{name}", "is missing: the application is enabled, but placed on no host")

    def _note_misplaced_versions(self, configuration: Configuration, draft: Draft) -> None:
        resting = configuration.catalogue.keys() - configuration.enabled().keys()
        draft.mistakes.update(misplaced_versions(draft.secrets(), self.secrets.versions, resting))

    def _add(self, name: str, configuration: Configuration, draft: Draft) -> None:
        application, settings = configuration.catalogue[name], configuration.settings(name)
        requests = application.typed_requests(configuration.context)(settings)
        further = application.known_by(settings, configuration.context)
        known_by = _known_by(name, requests) | {f"{name}'s {what}": domain for what, domain in further.items()}
        accounts = application.accounts(configuration.context)
        for request in requests.values():  # also where it is placed on no host, so that all mistakes come at once
            self._answering(request, name, draft)
        for host in self.placement.get(name, ()):
            draft.applications[host].append(name)
            draft.domains[host] |= known_by
            draft.accounts[host] |= accounts
            place = Place(application=name, host=host, hosts=self.hosts)
            facts = self._fulfil_all(requests, place, draft)
            after = application.after_restore(settings, configuration.context)
            self._keep_data(requests, after, place.model_copy(update={"facts": facts}), draft)
        draft.checks += application.typed_checks(configuration.context)(settings)

    def _keep_data(self, requests: Requests, after: Sequence[AfterRestore], place: Place, draft: Draft) -> None:
        """What bears data, once all that is known of it was told; it is backed up where there is a policy.

        Each host of several has a repository of its own: each has data of its own, and keeps and forgets by itself.
        """
        name, is_alone = place.application, len(self.placement[place.application]) == 1
        known = Known(application=name, facts=place.facts, volumes=self.policies.container.volumes)
        data = data_of(requests, after, known, name if is_alone else f"{name}-{place.host}")
        draft.data[place.host][name] = data
        if policy := self.policies.backup:
            provision = policy.provide(data, place, self.name)
            draft.add(place, provision)
            if provision.items and any(isinstance(part, PostgresPart) for part in data.parts):
                draft.add(place, self.policies.postgresql.provide_for_backup(place))

    def _fulfil_all(self, requests: Requests, place: Place, draft: Draft) -> dict[tuple[str, str], Fact]:
        """In their order; what one policy tells of a resource, the requests after it may use, and who asked."""
        facts: dict[tuple[str, str], Fact] = {}
        for request in requests.values():
            told = self._fulfil(request, place.model_copy(update={"facts": facts}), draft)
            if isinstance(request, Resource):
                known = told or dict.fromkeys(request.FACTS, "")  # what is wrong with it is noted: go on to the rest
                facts |= {(request.label, name): fact for name, fact in known.items()}
        return facts

    def _fulfil(self, request: Request, place: Place, draft: Draft) -> Mapping[str, Fact]:
        """Takes what fulfils a request into the draft, and returns what is told of it."""
        policy = self._answering(request, place.application, draft)
        if policy is None:
            return {}
        try:
            provision = policy.typed(place)(request)
        except CannotFulfil as unfit:
            draft.mistakes.update(unfit.mistakes)
            return {}
        except Untold as untold:
            draft.note(f"applications.{place.application}", str(untold))
            return {}
        for ask in provision.asks:
            self._fulfil(ask.request, place.at(ask.host), draft)
        draft.add(place, provision)
        return provision.facts

    def _pass_on(self, site: MovedSite, draft: Draft) -> None:
        """No name is to lead there any more, and nobody looks whether it does."""
        place = Place(application=site.application, host=site.source, hosts=self.hosts)
        request = WebSite(domain=site.domain, passed_to=self.hosts[site.target].public_addresses[0])
        if policy := self._answering(request, site.application, draft):
            draft.add(place, policy.typed(place)(request).model_copy(update={"dns": (), "checks": ()}))

    def _answering(self, request: Request, application: str, draft: Draft) -> Policy[Any] | None:
        """The policy that answers the request; a missing one is noted."""
        policy = self.policies.policy_for(request)
        if policy is None:
            draft.note(f"policies.{request.kind}", f"is missing, but {application} asks for it")
        return policy

    def _deployment(self, draft: Draft, at_rest: Draft) -> Deployment:
        served_by = draft.served_by({name: host.after for name, host in self.hosts.items()})
        return Deployment(
            name=self.name,
            hosts={name: self._state(name, draft, at_rest, served_by[name]) for name in self.hosts},
            dns=tuple(draft.dns),
            checks=tuple(rotated_check(check, self.secrets.versions) for check in draft.checks),
            network=self.network,
            secrets=self.secrets,
            packages=self.packages,
            parallel=self.parallel,
            proof_days=self.policies.backup.proof_days if self.policies.backup else 0,
        )

    def _state(self, host: str, draft: Draft, at_rest: Draft, served_by: Sequence[str]) -> HostState:
        applications = tuple(draft.applications[host])
        items = tuple(rotated(item, self.secrets.versions) for item in draft.items(host))
        return HostState(
            connection=with_jump_hosts(self.hosts[host], self.hosts),
            items=items,
            applications=applications,
            domains=draft.domains[host],
            accounts=draft.accounts[host],
            data={name: rotated_data(data, self.secrets.versions) for name, data in draft.data[host].items()},
            belongings=at_rest.wanted_by(host) | draft.wanted_by(host),
            served_by=tuple(served_by),
        )


def _known_by(application: str, requests: Requests) -> dict[str, str]:
    """The domain of its first web site, which its users and posts are known by; nothing if it has none."""
    sites = [request.domain for request in requests.values() if isinstance(request, WebSite)]
    return {application: sites[0]} if sites else {}
