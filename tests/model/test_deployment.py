"""From a configuration and an environment to a deployment: what it comes to, and all that may stand against it."""

import json
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from fedikit.environment import Environment
from fedikit.errors import ConfigurationError
from fedikit.model import (
    Application,
    Configuration,
    Context,
    Deployment,
    Directory,
    File,
    Job,
    LoginShell,
    Requests,
    Route,
    Settings,
    ShellCommandPrints,
    SystemService,
    Unit,
    User,
    WebSite,
    configuration_model,
)

Data = dict[str, Any]
POISON = "POISON in the password"


def refusal(environment: Environment, configuration: Configuration) -> dict[str, str]:
    """What the environment says against the configuration, by path."""
    with pytest.raises(ConfigurationError) as refused:
        environment.deployment(configuration)
    return {mistake.path: mistake.message for mistake in refused.value.mistakes}


def test_the_sample_comes_to_items_names_and_checks(environment: Environment, configuration: Configuration) -> None:
    deployment = environment.deployment(configuration)

    assert [item.id for item in deployment.hosts["social"].items] == [
        "package:cowsay",
        "user:operator",
        "package:snac2",
        "directory:/var/lib/snac2",
        "file:/var/lib/snac2/server.json",
        "unit:snac2.service",
        "job:snac initial user",
        "package:caddy",
        "directory:/etc/caddy/sites",
        "directory:/etc/caddy/closed",
        "file:/etc/caddy/Caddyfile",
        "file:/etc/caddy/sites/snac.fediversity.test.caddy",
        "unit:caddy.service",
    ]
    assert [item.id for item in deployment.hosts["shells"].items] == [
        "package:cowsay",
        "user:operator",
        "package:hello",
    ]
    assert [(record.name, record.type, record.address) for record in deployment.dns] == [
        ("snac.fediversity.test", "A", "10.77.0.21")
    ]
    assert {check.application for check in deployment.checks} == {"cowsay", "hello", "snac"}


def test_every_host_is_there_with_nothing_when_all_is_switched_off(provider: Data, sample: Data) -> None:
    environment = Environment.model_validate(provider)
    off = configuration_model({}).model_validate({"enable": False, **{k: sample[k] for k in ("domain", "initialUser")}})
    environment = environment.model_copy(update={"placement": {}})

    deployment = environment.deployment(off)

    assert {host: state.items for host, state in deployment.hosts.items()} == {"social": (), "shells": ()}
    assert (deployment.checks, deployment.dns) == ((), ())
    assert environment.empty() == deployment


def test_all_reasons_against_a_deployment_come_at_once(provider: Data, sample: Data, catalogue: Data) -> None:
    del provider["policies"]["web"], provider["placement"]["hello"]
    provider["placement"] |= {"cowsay": [], "snak": "social"}

    said = refusal(Environment.model_validate(provider), configuration_model(catalogue).model_validate(sample))

    assert said == {
        "placement.cowsay": "is missing: the application is enabled, but placed on no host",
        "placement.hello": "is missing: the application is enabled, but placed on no host",
        "placement.snak": 'is no application; did you mean "snac"?',
        "policies.web": "is missing, but snac asks for it",
    }


def test_a_web_site_stands_on_one_host_only(provider: Data, configuration: Configuration) -> None:
    provider["placement"]["snac"] = ["social", "shells"]

    said = refusal(Environment.model_validate(provider), configuration)

    assert said == {"placement.snac": "wants snac.fediversity.test on shells, which leads to snac on social"}


def test_a_web_site_needs_its_hosts_ip_address(provider: Data, configuration: Configuration) -> None:
    provider["hosts"]["social"]["address"] = "social.example.org"

    said = refusal(Environment.model_validate(provider), configuration)
    provider["hosts"]["social"]["public_address"] = "2001:db8::21"
    deployment = Environment.model_validate(provider).deployment(configuration)

    assert list(said) == ["hosts.social.public_address"]
    assert [(record.type, record.address) for record in deployment.dns] == [("AAAA", "2001:db8::21")]


def test_wheel_without_a_user_is_refused(provider: Data, sample: Data) -> None:
    del provider["policies"]["login-shell"]
    provider["placement"] = {"probe": "shells"}

    said = refusal(Environment.model_validate(provider), probing(sample, shell=LoginShell(packages=(), wheel=True)))

    assert said == {"policies.login-shell.user": "is missing, but probe wants a user who may use sudo"}


# Applications of the tests' own, which ask for whatever a test wants to see asked for


class Probe(Application[Settings]):
    """Asks for whatever it is told to."""

    name = "probe"
    asked: Requests

    def requests(self, settings: Settings, context: Context) -> Requests:
        return self.asked


class Rival(Probe):
    """Another one."""

    name = "rival"


def asking(kind: type[Probe], asked: Requests) -> Probe:
    application: Probe = type(kind.__name__, (kind,), {"asked": asked, "__doc__": kind.__doc__})()
    return application


def probing(sample: Data, *others: Probe, **asked: Any) -> Configuration:
    """The sample's configuration, with `probe`, which asks for these requests, and others for applications."""
    applications = [asking(Probe, asked), *others]
    written: Data = {key: sample[key] for key in ("domain", "initialUser")}
    written |= {application.name: {"enable": True} for application in applications}
    return configuration_model({application.name: application for application in applications}).model_validate(written)


def test_two_applications_that_want_a_file_differently_are_both_named(provider: Data, sample: Data) -> None:
    provider["placement"] = {"probe": "shells", "rival": "shells"}
    wants = [
        SystemService(packages=(), unit=f"{n}.service", files=(File(path="/etc/a", content=n),)) for n in ("a", "b")
    ]

    configuration = probing(sample, asking(Rival, {"it": wants[1]}), it=wants[0])

    assert refusal(Environment.model_validate(provider), configuration) == {
        "hosts.shells": "file:/etc/a is wanted differently by probe and rival"
    }


def test_two_applications_that_want_a_file_alike_share_it(provider: Data, sample: Data) -> None:
    provider["placement"] = {"probe": "shells", "rival": "shells"}
    wanted = SystemService(packages=("both",), unit="both.service", files=(File(path="/etc/a", content="a"),))

    deployment = Environment.model_validate(provider).deployment(
        probing(sample, asking(Rival, {"it": wanted}), it=wanted)
    )

    assert [item.id for item in deployment.hosts["shells"].items] == [
        "package:both",
        "file:/etc/a",
        "unit:both.service",
    ]


def test_two_web_sites_share_a_web_server_that_watches_both(provider: Data, sample: Data) -> None:
    provider["placement"] = {"probe": "social"}
    sites = {name: WebSite(domain=f"{name}.test", routes=(Route(port=80),)) for name in ("one", "two")}

    items = Environment.model_validate(provider).deployment(probing(sample, **sites)).hosts["social"].items

    assert isinstance(items[-1], Unit)
    assert items[-1].restart_on == ("file:/etc/caddy/Caddyfile",)
    assert items[-1].reload_on == (
        "file:/etc/caddy/sites/one.test.caddy",
        "file:/etc/caddy/sites/two.test.caddy",
    )
    assert [item.id for item in items].count("package:caddy") == 1


def test_a_user_who_is_wanted_twice_may_do_what_either_asks_for(provider: Data, sample: Data) -> None:
    provider["placement"] = {"probe": "shells"}
    shells = {"plain": LoginShell(packages=("a1",)), "mighty": LoginShell(packages=("b2",), wheel=True)}

    items = Environment.model_validate(provider).deployment(probing(sample, **shells)).hosts["shells"].items

    assert [item.id for item in items] == ["package:a1", "package:b2", "package:sudo", "user:operator"]
    assert isinstance(items[-1], User)
    assert items[-1].groups == ("sudo",)


def test_setup_that_watches_what_is_not_there_is_the_applications_fault(provider: Data, sample: Data) -> None:
    provider["placement"] = {"probe": "shells"}
    lost = SystemService(packages=(), unit="a.service", setup=(Job(name="a", run=("true",), inputs=("file:/lost",)),))

    with pytest.raises(ConfigurationError, match=r"ServicePolicy \(for probe\) made a malformed Provision"):
        Environment.model_validate(provider).deployment(probing(sample, it=lost))


# Secrets


def test_a_given_password_is_at_hand_but_shows_nowhere(environment: Environment, sample: Data, catalogue: Data) -> None:
    sample["initialUser"]["password"] = POISON
    configuration = configuration_model(catalogue).model_validate(sample)

    deployment = environment.deployment(configuration)
    shown = [repr(deployment), str(deployment), deployment.model_dump_json(), str(deployment.model_dump())]
    shown += [deployment.mermaid(), json.dumps(deployment._repr_mimebundle_()), repr(configuration), repr(environment)]
    shown += [repr(configuration.context), configuration.model_dump_json(), repr(deployment.given)]

    assert deployment.given["initial-user/password"].get_secret_value() == POISON
    assert not any("POISON" in text for text in shown)


def test_a_given_password_does_not_change_the_digest(
    environment: Environment, configuration: Configuration, sample: Data, catalogue: Data
) -> None:
    sample["initialUser"]["password"] = POISON
    with_password = configuration_model(catalogue).model_validate(sample)

    assert environment.deployment(with_password).digest == environment.deployment(configuration).digest


def test_deriving_a_copy_leaves_the_deployment_as_it_was(
    environment: Environment, configuration: Configuration
) -> None:
    deployment = environment.deployment(configuration)

    given = deployment.with_given({"a": SecretStr("b")})

    assert deployment.given == {}
    assert list(given.given) == ["a"]


# The deployment itself


def test_where_the_deployer_keeps_its_keys_does_not_change_the_digest(
    provider: Data, environment: Environment, configuration: Configuration
) -> None:
    provider["secrets"] = {"master_key": "file:/elsewhere"}
    provider["parallel"] = {"hosts": 3}
    provider["hosts"]["social"]["identity_file"] = "/elsewhere/id"
    moved = Environment.model_validate(provider)

    assert moved.deployment(configuration).digest == environment.deployment(configuration).digest


def test_what_is_wanted_changes_the_digest(
    provider: Data, environment: Environment, configuration: Configuration
) -> None:
    provider["placement"]["hello"] = "social"
    moved = Environment.model_validate(provider)

    assert moved.deployment(configuration).digest != environment.deployment(configuration).digest


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"checks": [ShellCommandPrints(application="a", host="gone", command=("a",), expected="a")]}, "gone"),
        (
            {"hosts": {"a": {"connection": {"type": "local", "after": "b"}, "items": []}}},
            "names hosts that are not there: b",
        ),
        ({"hosts": {"a": {"connection": {"type": "local", "after": "a"}, "items": []}}}, "a before a"),
        ({"hosts": {"a": {"connection": {"type": "local"}, "items": [Directory(path="/a")] * 2}}}, "listed twice"),
    ],
)
def test_a_deployment_that_makes_no_sense_cannot_be_made(change: Data, complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        Deployment.model_validate({"name": "lab", "hosts": {}, **change})


def test_the_diagram_shows_hosts_applications_names_and_order(
    environment: Environment, configuration: Configuration
) -> None:
    assert environment.deployment(configuration).mermaid() == (
        "flowchart LR\n"
        '  host_social["social (ssh 10.77.0.21)<br/>3 directories, 3 files, 1 job, 3 packages, 2 units, 1 user"]\n'
        '  application_cowsay(["cowsay"]) --> host_social\n'
        '  application_snac(["snac"]) --> host_social\n'
        '  host_shells["shells (ssh 10.77.0.22)<br/>2 packages, 1 user"]\n'
        '  application_cowsay(["cowsay"]) --> host_shells\n'
        '  application_hello(["hello"]) --> host_shells\n'
        "  host_social -. before .-> host_shells\n"
        '  host_social --- name_snac_fediversity_test>"snac.fediversity.test"]\n'
    )


def test_the_diagram_of_many_hosts_stays_readable(provider: Data, configuration: Configuration) -> None:
    provider["hosts"] |= {f"h{number}": {"type": "local"} for number in range(998)}

    diagram = Environment.model_validate(provider).deployment(configuration).mermaid()

    assert '"and 960 more hosts"' in diagram
    assert len(diagram.splitlines()) < 100


def test_a_notebook_gets_a_diagram_and_something_to_fall_back_on(
    environment: Environment, configuration: Configuration
) -> None:
    shown = environment.deployment(configuration)._repr_mimebundle_()

    assert shown["text/vnd.mermaid"].startswith("flowchart LR")
    assert shown["text/markdown"].startswith("```mermaid\nflowchart LR")
    assert shown["text/plain"] == (
        "lab: 2 hosts; 3 directories, 3 files, 1 job, 5 packages, 2 units, 2 users; 10 checks"
    )


def test_each_item_says_for_whom_it_is_also_of_applications_at_rest(
    environment: Environment, configuration: Configuration
) -> None:
    at_work = environment.deployment(configuration)
    assert at_work.hosts["social"].belongings["unit:snac2.service"] == ("snac",)
    resting = environment.deployment(configuration.model_copy(update={"enable": False}))
    assert resting.hosts["social"].belongings == at_work.hosts["social"].belongings
    assert resting.hosts["social"].items == ()
