"""What the data model can do, shown with the smallest example of each of its entities; read it from top to bottom.

An application asks for a login shell. A policy turns that request into a user with packages. Two environments map
the same configuration to different deployments. No machine is touched, nothing is read: all of it is values.
"""

import pytest

from fedikit.environment import Environment
from fedikit.errors import ConfigurationError
from fedikit.model import (
    Application,
    Configuration,
    Context,
    Deployment,
    Example,
    Local,
    LoginShell,
    Package,
    Person,
    Place,
    Requests,
    Settings,
    ShellCommandPrints,
    TypedFunction,
    User,
    configuration_model,
)
from fedikit.policies import LoginShellPolicy

HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBxmvDXEmd4pbRRnqlLS0D5oB9c7PSaZ4hUJ4mSH4hYT"


# A request says what is needed, and neither where nor how.


def test_a_login_shell_has_packages_and_by_default_no_wheel() -> None:
    shell = LoginShell(packages=("hello",))

    assert shell.packages == ("hello",)
    assert not shell.wheel


# An application has settings that an operator may choose, and asks for what these settings need.


GREETING = Example(command=("hello",), prints="Hello, world!")


class HelloSettings(Settings):
    """The friendly greeter."""

    may_act_as_root: bool = False
    """Whether its user may use sudo."""


class Hello(Application[HelloSettings]):
    """Greets whoever logs in."""

    name = "hello"

    def requests(self, settings: HelloSettings, context: Context) -> Requests:
        return {"shell": LoginShell(packages=("hello",), wheel=settings.may_act_as_root, examples=(GREETING,))}


TESTY = Person.model_validate({"displayName": "Testy", "username": "test", "email": "test@fediversity.test"})
CONTEXT = Context(domain="fediversity.test", initial_user=TESTY)


def test_an_application_maps_its_settings_to_requests() -> None:
    requests = Hello().typed_requests(CONTEXT)(HelloSettings(enable=True, mayActAsRoot=True))

    assert requests == {"shell": LoginShell(packages=("hello",), wheel=True, examples=(GREETING,))}


# A policy is how a hosting provider makes such a request available: here, as a user with packages.


PLACE = Place(application="hello", host="greeter", hosts={"greeter": Local()})


def test_a_policy_turns_a_login_shell_into_a_user_with_packages() -> None:
    policy = LoginShellPolicy(user="operator")

    provision = policy.typed(PLACE)(LoginShell(packages=("hello",)))

    assert provision.items == (Package(name="hello"), User(name="operator"))


def test_wheel_comes_to_a_user_who_may_use_sudo() -> None:
    policy = LoginShellPolicy(user="operator")

    provision = policy.typed(PLACE)(LoginShell(packages=("hello",), wheel=True))

    assert provision.items == (Package(name="hello"), Package(name="sudo"), User(name="operator", groups=("sudo",)))


def test_another_policy_gives_the_same_packages_to_everybody() -> None:
    policy = LoginShellPolicy()

    provision = policy.typed(PLACE)(LoginShell(packages=("hello",)))

    assert provision.items == (Package(name="hello"),)


# A configuration is the operator's choice. It names applications, and no machine.


@pytest.fixture
def chosen() -> Configuration:
    written = {"domain": "fediversity.test", "initialUser": TESTY.model_dump(by_alias=True), "hello": {"enable": True}}
    return configuration_model({"hello": Hello()}).model_validate(written)


def test_what_is_not_enabled_asks_for_nothing(chosen: Configuration, one_laptop: Environment) -> None:
    off = chosen.model_copy(update={"enable": False})

    assert list(chosen.enabled()) == ["hello"]
    assert one_laptop.deployment(off).hosts["laptop"].items == ()


# An environment is a hosting provider's machines and policies. It maps a configuration to a deployment.


@pytest.fixture
def one_laptop() -> Environment:
    """The machine we sit at; what is asked for is simply installed."""
    written = {"name": "home", "hosts": {"laptop": {"type": "local"}}, "placement": {"hello": "laptop"}}
    return Environment.model_validate(written)


@pytest.fixture
def two_servers() -> Environment:
    """Two machines at the end of a wire, with a user for the purpose."""
    written = {
        "name": "hosting",
        "hosts": {
            "east": {"address": "192.0.2.1", "host_key": HOST_KEY},
            "west": {"address": "192.0.2.2", "host_key": HOST_KEY, "after": "east"},
        },
        "policies": {"login-shell": {"user": "operator"}},
        "placement": {"hello": ["east", "west"]},
    }
    return Environment.model_validate(written)


def test_the_same_configuration_comes_to_different_deployments(
    chosen: Configuration, one_laptop: Environment, two_servers: Environment
) -> None:
    at_home, hosted = one_laptop.deployment(chosen), two_servers.deployment(chosen)

    assert {host: state.connection.type for host, state in at_home.hosts.items()} == {"laptop": "local"}
    assert {host: state.connection.type for host, state in hosted.hosts.items()} == {"east": "ssh", "west": "ssh"}
    assert at_home.hosts["laptop"].items == (Package(name="hello"),)
    assert hosted.hosts["east"].items == (Package(name="hello"), User(name="operator"))
    assert hosted.hosts["west"].items == hosted.hosts["east"].items
    assert hosted.hosts["west"].after == ("east",)
    assert at_home.digest != hosted.digest


def test_a_deployment_knows_how_to_see_that_it_works(chosen: Configuration, two_servers: Environment) -> None:
    checks = two_servers.deployment(chosen).checks

    assert checks[0] == ShellCommandPrints(
        application="hello", host="east", command=("hello",), expected="Hello, world!", user="operator"
    )
    assert [check.host for check in checks if isinstance(check, ShellCommandPrints)] == ["east", "west"]


# A deployment is a pure value.


def test_the_same_input_gives_the_same_deployment(chosen: Configuration, two_servers: Environment) -> None:
    again = Environment.model_validate(two_servers.model_dump(by_alias=True))

    assert two_servers.deployment(chosen) == again.deployment(chosen)
    assert two_servers.deployment(chosen).digest == again.deployment(chosen).digest


def test_a_deployment_survives_the_way_through_json(chosen: Configuration, two_servers: Environment) -> None:
    deployment = two_servers.deployment(chosen)

    back = Deployment.model_validate_json(deployment.model_dump_json())

    assert back == deployment
    assert back.digest == deployment.digest


# Between all of these stand typed functions: whatever breaks its word is named, with the path to what is wrong.


def test_a_typed_function_answers_for_both_its_ends() -> None:
    shout: TypedFunction[str, str] = TypedFunction("shout", takes=str, gives=str, implementation=str.upper)

    assert shout("hello") == "HELLO"
    with pytest.raises(ConfigurationError, match="shout was given what it does not take"):
        shout({"not": "text"})


def test_settings_that_are_none_are_refused_with_the_applications_name() -> None:
    requests = Hello().typed_requests(CONTEXT)

    with pytest.raises(ConfigurationError) as refused:
        requests({"enable": True, "mayActAsRoot": "perhaps"})

    assert refused.value.source == "application hello was given what it does not take"
    assert [mistake.path for mistake in refused.value.mistakes] == ["mayActAsRoot"]


class Braggart(Hello):
    """Asks for what cannot be had."""

    name = "braggart"

    def requests(self, settings: HelloSettings, context: Context) -> Requests:
        return {"shell": {"kind": "login-shell", "packages": ["hello", "No Such Package"]}}  # type: ignore[dict-item]


def test_a_malformed_request_is_refused_with_the_applications_name_and_the_path() -> None:
    with pytest.raises(ConfigurationError) as refused:
        Braggart().typed_requests(CONTEXT)(HelloSettings(enable=True))

    assert refused.value.source == "application braggart gave what it must not give"
    assert [mistake.path for mistake in refused.value.mistakes] == ["shell.packages.1"]


class Sloth(LoginShellPolicy):
    """Provides what it was asked for, as it was asked for."""

    def provide(self, request: LoginShell, place: Place) -> LoginShell:  # type: ignore[override]
        return request


def test_a_policy_that_provides_something_else_is_refused_with_both_names() -> None:
    with pytest.raises(ConfigurationError, match=r"Sloth \(for hello\) gave what it must not give"):
        Sloth().typed(PLACE)(LoginShell(packages=("hello",)))
