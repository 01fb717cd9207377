"""The basic check: a deployer and two targets that have no route out; `hello` on one, `cowsay` on the other.

With targets of Debian 13 and of Debian 12, entered as root and as a user who has sudo.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

import fedikit
from fedikit.environment.environment import Environment
from fedikit.model.configuration import Configuration
from fedikit_lab import Lab
from tests.checks.picture import changes, picture_of

CONFIGURATION = """
{"enable": true, "domain": "fediversity.test", "hello": {"enable": true}, "cowsay": {"enable": true},
 "initialUser": {"displayName": "Testy McTestface", "username": "test", "email": "test@fediversity.test"}}
"""

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module", params=["trixie", "bookworm"])
def lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Two targets of the release."""
    directory = tmp_path_factory.mktemp("basic")
    with Lab(directory, machines=("hello", "cowsay"), acme=False, codename=request.param) as lab:
        yield lab


@pytest.fixture(params=["root", "admin"])
def environment(request: pytest.FixtureRequest, lab: Lab) -> Environment:
    """The lab's hosts, entered as root or as a user who has sudo."""
    path = lab.directory / f"{request.param}.toml"
    path.write_text(lab.environment_file.read_text().replace('user = "root"', f'user = "{request.param}"'))
    return fedikit.load_environment(path)


@pytest.fixture
def configuration(tmp_path: Path) -> Configuration:
    path = tmp_path / "configuration.json"
    path.write_text(CONFIGURATION)
    return fedikit.load_configuration(path)


def test_deploy_see_plan_again_and_remove(lab: Lab, environment: Environment, configuration: Configuration) -> None:
    before = {name: picture_of(lab, name) for name in lab.machines}
    deployment = environment.deployment(configuration)
    lab["hello"].fails("command -v hello")

    report = fedikit.apply_plan(fedikit.make_plan(deployment))
    assert report.succeeded, report

    assert "Hello, world!" in lab["hello"].succeed("hello")
    assert "moo" in lab["cowsay"].succeed("/usr/games/cowsay moo")
    lab["hello"].fails("test -e /usr/games/cowsay")
    lab["cowsay"].fails("command -v hello")
    verdict = fedikit.verify_deployment(deployment)
    assert verdict.passed, verdict

    again = fedikit.make_plan(deployment)
    assert again.is_noop
    assert [(host.changes, host.same) for host in again.hosts.values()] == [((), 1), ((), 1)]

    removed = fedikit.apply_plan(fedikit.make_removal(environment))
    assert removed.succeeded, removed
    lab["hello"].fails("command -v hello")
    lab["cowsay"].fails("test -e /usr/games/cowsay")
    for name in lab.machines:
        assert changes(before[name], picture_of(lab, name)) == []


def test_the_targets_have_no_way_out(lab: Lab) -> None:
    """Only looked up, never tried: packages can have come from nobody but the deployer."""
    for name in lab.machines:
        assert "unreachable" in lab[name].run("ip route get 192.0.2.1").stderr
