"""snac behind Caddy, with a certificate from the lab's authority: its whole life through the command line."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import tomlkit

from fedikit_lab import Lab, Machine
from tests.checks.picture import changes, picture_of

CONFIGURATION: dict[str, Any] = {
    "enable": True,
    "domain": "fediversity.test",
    "snac": {"enable": True},
    "initialUser": {"displayName": "Testy McTestface", "username": "test", "email": "test@fediversity.test"},
}
SITE = "snac.fediversity.test"
KEPT = "/srv/backups"
FEDIKIT = [sys.executable, "-m", "fedikit"]
INSTANCE = f"""python3 -c "
import urllib.request as web
request = web.Request('http://127.0.0.1:8001/api/v1/instance', headers={{'Host': '{SITE}'}})
print(web.urlopen(request).read().decode())" """
POSTS = INSTANCE.replace("/api/v1/instance", "/test")

pytestmark = pytest.mark.lab


class Deployer:
    """The command line, with the two files of a folder."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab = lab
        self.configuration = folder / "configuration.json"
        self.environment = folder / "environment.toml"

    def wants(self, **settings: Any) -> None:
        snac = CONFIGURATION["snac"] | settings
        self.configuration.write_text(json.dumps(CONFIGURATION | {"snac": snac}))

    def change_environment(self, change: Callable[[Any], None]) -> None:
        environment = tomlkit.parse(self.environment.read_text())
        change(environment)
        self.environment.write_text(tomlkit.dumps(environment))

    def run(self, verb: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        files = [] if verb in ("remove", "status", "host key") else [str(self.configuration)]
        command = [*FEDIKIT, *verb.split(), *files, "-e", str(self.environment), *arguments]
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
    with Lab(tmp_path_factory.mktemp("social"), machines=("social", "spare")) as lab:
        lab.set_dns({SITE: lab["social"].address})
        deployer = Deployer(lab, lab.directory)
        deployer.change_environment(lambda environment: environment["hosts"].remove("spare"))
        deployer.wants()
        yield deployer


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


def test_from_paper_and_the_repository_alone_a_server_comes_back_on_another_machine(
    deployer: Deployer, tmp_path: Path
) -> None:
    """As docs/host-is-gone.md has it: the host and the deployer are gone; the backups lay on another disk."""
    lost, new = deployer.lab["social"], deployer.lab["spare"]
    deployer.change_environment(lambda environment: environment["policies"].update(backup={"repository": KEPT}))
    lost.succeed(f"mkdir {KEPT}")
    deployer.succeed("apply", "--yes")
    lost.succeed("runuser -u debian-snac -- snac note /var/lib/snac2 test 'a precious word'")
    assert "a precious word" in lost.succeed(POSTS)
    people = people_on(lost)
    deployer.succeed("backup now")
    (kept,) = json.loads(deployer.succeed("backup list", "--json"))["applications"]
    assert [(one["reason"], one["parts"][0]["id"]) for one in kept["backups"]] == [("now", "volume:/var/lib/snac2")]
    assert json.loads(deployer.run("status", "--health", "--json").stdout)["hosts"]["social"]["backups"][0]["newest"]
    sheet, disk = tmp_path / "sheet.txt", lost.succeed(f"tar -C {KEPT} -c . | base64")
    deployer.succeed("secret recovery", "--out", str(sheet))
    lost.crash()
    for file in deployer.lab.directory.glob("*.toml"):
        file.unlink()

    recovered = Deployer(deployer.lab, tmp_path / "lab")
    subprocess.run([*FEDIKIT, "secret", "recover", str(sheet), "--out", str(tmp_path / "lab")], check=True)
    before = picture_of(deployer.lab, "spare")
    new.run(f"mkdir {KEPT}; base64 -d | tar -C {KEPT} -x", stdin=disk)
    recovered.change_environment(lambda environment: environment["hosts"]["social"].update(address=new.address))
    fingerprint = new.succeed("ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub").split()[1]
    recovered.succeed("host key", "social", "--fingerprint", fingerprint)
    deployer.lab.set_dns({SITE: new.address})
    recovered.succeed("apply", "--yes")
    assert "the repository has backups of another snac than this host's" in recovered.run("backup now").stdout
    report = json.loads(recovered.succeed("restore", "--yes", "--json"))
    (restored,) = report["applications"]
    assert (restored["outcome"], restored["differences"], restored["checks"]) == ("changed", [], 8)
    assert restored["before"]
    recovered.succeed("verify")
    assert "a precious word" in new.succeed(POSTS)
    assert people <= people_on(new)
    assert recovered.planned() == {}
    recovered.succeed("backup now")

    recovered.succeed("remove", "--yes", "--purge", "--confirm", "lab")
    new.succeed(f"rm -r {KEPT}")
    assert changes(before, picture_of(deployer.lab, "spare")) == []


def people_on(machine: Machine) -> set[str]:
    """What is kept of people and their posts, and whose it is; not what the server writes anew by itself."""
    by_itself = " ".join(f"-not -path '*/{name}'" for name in ("queue/*", "history/*", "*.idx", "lastlog.txt"))
    found = machine.succeed(f"cd /var/lib/snac2; find user object {by_itself} -printf '%p %u %m %s\\n'").splitlines()
    return set(found)


def started(lab: Lab, unit: str) -> str:
    return lab["social"].succeed(f"systemctl show --property ActiveEnterTimestampMonotonic {unit}")
