"""snac behind Caddy, with a certificate from the lab's authority: its whole life through the command line."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest

from fedikit import load_configuration, load_environment
from fedikit.data.closing import close_application, open_application
from fedikit.model.deployment import Deployment
from fedikit_lab import Lab, Machine
from tests.checks.picture import changes, picture_of

CONFIGURATION: dict[str, Any] = {
    "enable": True,
    "domain": "fediversity.test",
    "snac": {"enable": True},
    "initialUser": {"displayName": "Testy McTestface", "username": "test", "email": "test@fediversity.test"},
}
SITE = "snac.fediversity.test"
INSTANCE = f"""python3 -c "
import urllib.request as web
request = web.Request('http://127.0.0.1:8001/api/v1/instance', headers={{'Host': '{SITE}'}})
print(web.urlopen(request).read().decode())" """

pytestmark = pytest.mark.lab


class Deployer:
    """The command line, with a configuration of its own."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.configuration = lab.directory / "configuration.json"
        self.wants()

    def wants(self, **settings: Any) -> None:
        snac = CONFIGURATION["snac"] | settings
        self.configuration.write_text(json.dumps(CONFIGURATION | {"snac": snac}))

    def deployment(self) -> Deployment:
        """What the two files come to."""
        environment = load_environment(self.lab.environment_file)
        return environment.deployment(load_configuration(self.configuration))

    def run(self, verb: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        files = [] if verb in ("remove", "status") else [str(self.configuration)]
        command = [
            sys.executable,
            "-m",
            "fedikit",
            *verb.split(),
            *files,
            "-e",
            str(self.lab.environment_file),
            *arguments,
        ]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    def succeed(self, verb: str, *arguments: str) -> str:
        done = self.run(verb, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def planned(self) -> dict[str, str]:
        plan = json.loads(self.succeed("plan", "--json"))
        return {change["id"]: change["action"] for change in plan["hosts"]["social"]["changes"]}


@pytest.fixture(scope="module")
def deployer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployer]:
    with Lab(tmp_path_factory.mktemp("social"), machines=("social",)) as lab:
        lab.set_dns({SITE: lab["social"].address})
        yield Deployer(lab)


def test_the_whole_life_of_a_server(deployer: Deployer, tmp_path: Path) -> None:
    before = picture_of(deployer.lab, "social")
    deployer.succeed("apply", "--yes")

    report = tmp_path / "checks.xml"
    verdict = json.loads(deployer.succeed("verify", "--json", "--junit", str(report)))
    assert {result["passed"] for result in verdict["results"]} == {True}
    assert len(verdict["results"]) == 7
    assert ElementTree.parse(report).getroot().get("failures") == "0"
    assert deployer.planned() == {}

    deployer.wants(title="Our own place")
    assert deployer.planned() == {"file:/var/lib/snac2/server.json": "update", "unit:snac2.service": "update"}
    caddy_since = started(deployer.lab, "caddy.service")
    deployer.succeed("apply", "--yes")
    assert "Our own place" in deployer.lab["social"].succeed(INSTANCE)
    assert started(deployer.lab, "caddy.service") == caddy_since

    deployer.succeed("rollback", "--yes")
    assert "Our own place" not in deployer.lab["social"].succeed("cat /var/lib/snac2/server.json")

    kept = deployer.succeed("remove", "--yes")
    assert "/var/lib/snac2  bears data" in kept
    deployer.lab["social"].succeed("test -d /var/lib/snac2/user/test")
    deployer.lab["social"].fails("systemctl is-active snac2.service caddy.service")

    deployer.succeed("apply", "--yes")
    assert json.loads(deployer.succeed("verify", "--json"))["results"]

    deployer.succeed("remove", "--yes", "--purge", "--confirm", "lab")
    assert changes(before, picture_of(deployer.lab, "social")) == []


def test_a_host_that_is_gone_comes_back_from_a_backup(deployer: Deployer) -> None:
    """As docs/host-is-gone.md has it; the disk of the backups is another than the machine's."""
    machine, environment = deployer.lab["social"], deployer.lab.environment_file
    plain = environment.read_text()
    environment.write_text(f'{plain}\n[policies.backup]\nrepository = "/srv/backups"\n')
    machine.succeed("mkdir /srv/backups")
    deployer.succeed("apply", "--yes")
    machine.succeed("cd /var/lib/snac2/user/test; echo precious >mine; chown --reference=. mine")
    people = people_on(deployer.lab)

    deployer.succeed("backup now")
    (kept,) = json.loads(deployer.succeed("backup list", "--json"))["applications"]
    assert [(one["reason"], one["parts"][0]["id"]) for one in kept["backups"]] == [("now", "volume:/var/lib/snac2")]
    assert json.loads(deployer.run("status", "--health", "--json").stdout)["hosts"]["social"]["backups"][0]["newest"]

    disk = machine.succeed("tar -C /srv -c backups | base64")
    deployer.lab.reset("social")
    before = picture_of(deployer.lab, "social")
    machine.run("base64 -d | tar -C /srv -x", stdin=disk)
    deployer.succeed("apply", "--yes")
    assert "the repository has backups of another snac than this host's" in deployer.run("backup now").stdout
    report = json.loads(deployer.succeed("restore", "--yes", "--json"))
    (restored,) = report["applications"]
    assert (restored["outcome"], restored["differences"], restored["checks"]) == ("changed", [], 8)
    assert restored["before"]
    assert people <= people_on(deployer.lab)
    assert deployer.planned() == {}
    deployer.succeed("backup now")

    stays_closed_until_it_is_opened(deployer)
    close_application(deployer.deployment(), "social", "snac", migration="m2")
    deployer.succeed("remove", "--yes", "--purge", "--confirm", "lab")
    environment.write_text(plain)
    machine.succeed("rm -r /srv/backups")
    assert changes(before, picture_of(deployer.lab, "social")) == []


def stays_closed_until_it_is_opened(deployer: Deployer) -> None:
    """Through a boot and an apply; whoever asks is told, and other servers that they shall come again."""
    machine = deployer.lab["social"]
    closed = close_application(deployer.deployment(), "social", "snac", migration="m1")
    assert (closed.running, closed.domains) == (("snac2.service",), (SITE,))
    machine.restart()
    plan = json.loads(deployer.succeed("plan", "--json"))["hosts"]["social"]
    assert (plan["changes"], "snac is closed since" in plan["note"]) == ([], True)
    deployer.succeed("apply", "--yes")
    machine.fails("systemctl start snac2.service")
    machine.wait_for_port(443)
    for method, path in (("GET", "/"), ("HEAD", "/test"), ("POST", "/test/inbox"), ("OPTIONS", "/api/v1/instance")):
        answer = asked(machine, method, path)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "600")
        assert ("is being moved to another server" in answer.text) == (method != "HEAD")
    failed = [one for one in json.loads(deployer.run("verify", "--json").stdout)["results"] if not one["passed"]]
    assert failed
    assert {(one["is_closed"], one["attempts"]) for one in failed} == {(True, 1)}
    assert open_application(deployer.deployment(), "social", "snac", migration="m1", start=True)
    assert asked(machine, "GET", "/").status_code != 503
    assert deployer.planned() == {}


def asked(machine: Machine, method: str, path: str) -> httpx.Response:
    """What the site answers on that machine, whatever its certificate is."""
    with httpx.Client(verify=False) as client:
        about: dict[str, Any] = {"headers": {"Host": SITE}, "extensions": {"sni_hostname": SITE}}
        return client.request(method, f"https://{machine.address}{path}", **about)


def people_on(lab: Lab) -> set[str]:
    """What is kept of people, and whose it is; the server itself makes more when it starts."""
    return set(lab["social"].succeed("find /var/lib/snac2/user -printf '%p %u %m %s\\n'").splitlines())


def started(lab: Lab, unit: str) -> str:
    return lab["social"].succeed(f"systemctl show --property ActiveEnterTimestampMonotonic {unit}")
