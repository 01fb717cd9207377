"""A provider with a host for each media server, one for Garage and one to spare; and an operator who wants them."""

from typing import Any

import pytest

from fedikit.environment import Environment, load_catalogue
from fedikit.errors import ConfigurationError
from fedikit.model import (
    Application,
    Configuration,
    Content,
    Context,
    Deployment,
    File,
    HostState,
    Place,
    Requests,
    SecretText,
    Settings,
    Ssh,
    configuration_model,
)

Data = dict[str, Any]
HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBxmvDXEmd4pbRRnqlLS0D5oB9c7PSaZ4hUJ4mSH4hYT"
MEDIA_SERVERS = ("mastodon", "peertube", "pixelfed")
ADDRESSES = {"objects": "10.0.0.2", "mastodon": "10.0.0.3", "peertube": "10.0.0.4", "pixelfed": "10.0.0.5"}
ADDRESSES |= {"spare": "10.0.0.6", "six": "2001:db8::7"}
HOSTS = {name: Ssh(address=address, host_key=HOST_KEY) for name, address in ADDRESSES.items()}
PERSON = {"displayName": "Testy McTestface", "username": "test", "email": "test@fedi.test"}
POLICIES: Data = {"web": {"means": "caddy"}, "bucket": {"means": "garage", "host": "objects"}}


def place(host: str = "mastodon", application: str = "probe", **facts: Any) -> Place:
    """A place of the environment below, where nothing is told yet."""
    return Place(application=application, host=host, hosts=HOSTS, **facts)


def environment(policies: Data | None = None, placement: Data | None = None, **more: Any) -> Environment:
    """Each media server on the host that has its name, unless `placement` says otherwise."""
    written = {
        "name": "lab",
        "hosts": {name: {"address": host.address, "host_key": HOST_KEY} for name, host in HOSTS.items()},
        "policies": POLICIES | (policies or {}),
        "placement": {name: name for name in MEDIA_SERVERS} | (placement or {}),
        **more,
    }
    return Environment.model_validate(written)


def configuration(*applications: str, **settings: Data) -> Configuration:
    """These applications of the catalogue are on, with these settings."""
    chosen = {name: {"enable": True, **settings.get(name, {})} for name in applications}
    return configured(load_catalogue(), chosen)


def configured(catalogue: dict[str, Application[Any]], chosen: Data) -> Configuration:
    return configuration_model(catalogue).model_validate({"domain": "fedi.test", "initialUser": PERSON, **chosen})


def probing(**requests: Any) -> Configuration:
    """An application that asks for whatever a test wants to see asked for; it is called `probe`."""
    return probing_several(probe=requests)


def probing_several(**applications: Data) -> Configuration:
    """The same, several by their names."""
    catalogue: dict[str, Application[Any]] = {name: _probe(name, asked) for name, asked in applications.items()}
    return configured(catalogue, {name: {"enable": True} for name in applications})


def _probe(called: str, asked: Requests) -> Application[Settings]:
    class Probe(Application[Settings]):
        """Asks for whatever it is told to."""

        name = called

        def requests(self, settings: Settings, context: Context) -> Requests:
            return asked

    return Probe()


def only(placement: Data, policies: Data | None = None) -> Environment:
    """An environment with this placement and no other."""
    return environment(policies).model_copy(update={"placement": {name: (host,) for name, host in placement.items()}})


def refusal(environment: Environment, configuration: Configuration) -> list[tuple[str, str]]:
    """All that the environment says against the configuration: paths and messages."""
    with pytest.raises(ConfigurationError) as refused:
        environment.deployment(configuration)
    return [(mistake.path, mistake.message) for mistake in refused.value.mistakes]


def text(content: Content) -> str:
    """A content, with <name format version> for its secrets."""
    parts = content.parts if isinstance(content, SecretText) else (content,)
    return "".join(part if isinstance(part, str) else f"<{part.name} {part.format} {part.version}>" for part in parts)


def files(state: HostState) -> dict[str, str]:
    """What stands in a host's files, by their paths."""
    return {item.path: text(item.content) for item in state.items if isinstance(item, File)}


def variables(deployment: Deployment, application: str) -> dict[str, str]:
    """An application's environment variables, where it has the host of its name to itself."""
    lines = written_variables(deployment.hosts[application], application).splitlines()
    return dict(line.split("=", 1) for line in lines)


def written_variables(state: HostState, application: str) -> str:
    """The lines of the files with an application's variables, those without secrets and those with."""
    written = files(state)
    return "".join(written.get(f"/etc/fedikit/{application}{end}", "") for end in (".env", ".secrets.env"))


def ids(state: HostState) -> list[str]:
    """The items of a host, in their order."""
    return [item.id for item in state.items]
