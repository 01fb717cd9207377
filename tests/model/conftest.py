"""The sample, as every test of the model may begin with it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fedikit.environment import Environment, load_catalogue
from fedikit.model import Application, Catalogue, Configuration, configuration_model

PROJECT = Path(__file__).parents[2]
HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBxmvDXEmd4pbRRnqlLS0D5oB9c7PSaZ4hUJ4mSH4hYT"


@pytest.fixture
def sample() -> dict[str, Any]:
    """configuration.sample.json, as it is shipped."""
    data: dict[str, Any] = json.loads((PROJECT / "configuration.sample.json").read_text())
    return data


@pytest.fixture
def provider() -> dict[str, Any]:
    """A hosting provider's two machines."""
    return {
        "name": "lab",
        "hosts": {
            "social": {"address": "10.77.0.21", "host_key": HOST_KEY},
            "shells": {"address": "10.77.0.22", "host_key": HOST_KEY, "after": "social"},
        },
        "policies": {"login-shell": {"user": "operator"}, "web": {"means": "caddy"}},
        "placement": {"snac": "social", "hello": "shells", "cowsay": ["social", "shells"]},
    }


@pytest.fixture
def catalogue() -> dict[str, Application[Any]]:
    """The applications that come with fedikit, through their entry points."""
    return load_catalogue()


@pytest.fixture
def configuration(sample: dict[str, Any], catalogue: Catalogue) -> Configuration:
    return configuration_model(catalogue).model_validate(sample)


@pytest.fixture
def environment(provider: dict[str, Any]) -> Environment:
    return Environment.model_validate(provider)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, Any], Path]:
    """Writes a file: text and bytes as they are, anything else as JSON."""

    def write_file(name: str, content: Any) -> Path:
        path = tmp_path / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return write_file
