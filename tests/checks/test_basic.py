"""The basic check: a deployer and two targets that have no route out; `hello` on one, `cowsay` on the other.

With targets of Debian 13 and of Debian 12, entered as root and as a user who has sudo.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

import fedikit
from fedikit.doctor.examine import diagnose
from fedikit.environment.environment import Environment
from fedikit.model.configuration import Configuration
from fedikit.model.host import DnsRecord
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
    diagnosis = diagnose(environment, deployment)
    assert [each for each in diagnosis.obstacles if each.host in lab.machines] == []
    matters = {each.matter for each in diagnosis.findings if each.host == "hello"}
    assert matters >= {"SSH", "sudo", "python3", "release", "disk", "memory", "clock", "systemd", "dpkg"}

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


def test_the_doctor_names_who_listens_where_the_web_will(lab: Lab, environment: Environment) -> None:
    machine = lab["hello"]
    machine.succeed("systemd-run --unit squatter python3 -m http.server 80")
    machine.succeed("until grep -q ':0050 .* 0A ' /proc/net/tcp; do sleep 0.05; done")
    try:
        address = environment.hosts["hello"].public_addresses[0]
        record = DnsRecord(name="hello.fediversity.test", type="A", address=address)
        wanted = environment.empty().model_copy(update={"dns": (record,)})
        obstacles = diagnose(environment, wanted, limit=["hello"]).obstacles
    finally:
        machine.succeed("systemctl stop squatter")
    (found,) = [each for each in obstacles if each.matter == "ports"]
    assert "squatter.service listens at 80" in found.seen
    assert "systemctl disable --now squatter.service" in found.remedy


def test_the_targets_have_no_way_out(lab: Lab) -> None:
    """Only looked up, never tried: packages can have come from nobody but the deployer."""
    for name in lab.machines:
        assert "unreachable" in lab[name].run("ip route get 192.0.2.1").stderr
