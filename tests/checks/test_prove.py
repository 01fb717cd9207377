"""A backup of snac is proven: restored into machines without a way out, compared, looked at."""

import json
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fedikit.data.proofs import load_proof, note_proof
from fedikit.data.way.other import way_to_repository
from fedikit.environment import load_configuration, load_environment
from fedikit.errors import ConnectionFailed
from fedikit.events import Event, StepStarted
from fedikit.model.deployment import Deployment
from fedikit.secrets.vault import Vault
from fedikit_lab import Lab, Machine
from fedikit_lab.prove import Asked, prove_backup
from fedikit_lab.teardown import cgroup_of
from tests.checks.test_social import CONFIGURATION, SITE

POST = "The tide was out all day"
REPOSITORY = "/srv/backups"
POLICY = """
[policies.backup]
repository = "sftp:root@{address}:{folder}"
known_host = "{key}"

[secrets.given]
"backup/ssh-key" = "file:id_ed25519"
"""

ASK_AS_A_STRANGER = """
import sys, urllib.error, urllib.request
try:
    print(urllib.request.urlopen(sys.argv[1] + "/config").status)
except urllib.error.HTTPError as error:
    print(error.code)
"""

FLIP = """
import pathlib
pack = max(pathlib.Path().glob("*/*"), key=lambda file: file.stat().st_size)
content = bytearray(pack.read_bytes())
content[20] ^= 1
pack.write_bytes(content)
"""
"""Damages what begins the largest pack: files of the volume."""

pytestmark = pytest.mark.lab


class Deployer:
    """The command line, with a server whose backups go to another machine."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.environment = lab.environment_file
        self.configuration = lab.directory / "configuration.json"
        self.configuration.write_text(json.dumps(CONFIGURATION))
        store = lab["store"]
        store.succeed(f"mkdir -p {REPOSITORY}")
        policy = POLICY.format(address=store.address, folder=REPOSITORY, key=store.host_key)
        self.environment.write_text(self.environment.read_text() + policy)

    def run(self, *verb: str) -> subprocess.CompletedProcess[str]:
        words = [*verb, str(self.configuration), "-e", str(self.environment)]
        return subprocess.run(
            [sys.executable, "-m", "fedikit", *words], capture_output=True, text=True, timeout=300, check=False
        )

    def succeed(self, *verb: str) -> str:
        done = self.run(*verb)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @property
    def deployment(self) -> Deployment:
        return load_environment(self.environment).deployment(load_configuration(self.configuration))

    @property
    def proofs(self) -> Path:
        return self.lab.directory / ".fedikit-proofs"


@pytest.fixture(scope="module")
def deployer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployer]:
    with Lab(tmp_path_factory.mktemp("prove"), machines=("social", "store")) as lab:
        lab.set_dns({SITE: lab["social"].address})
        deployer = Deployer(lab)
        deployer.succeed("apply", "--yes")
        lab["social"].succeed(f"echo '{POST}' | runuser -u debian-snac -- snac note /var/lib/snac2 test -")
        deployer.succeed("backup", "now")
        yield deployer


def test_a_backup_is_proven_where_nothing_leads_out(deployer: Deployer) -> None:
    seen = Seen(deployer)
    room = deployer.proofs / "tried"
    asked = Asked(
        environment=load_environment(deployer.environment), configuration=load_configuration(deployer.configuration),
        application="snac", room=room, picture=room.with_suffix(".png"),
    )  # fmt: skip
    before = files_of(deployer.lab["store"])

    proof = prove_backup(asked, tell=seen)

    assert proof.succeeded, proof.findings
    assert proof.checks == 7
    assert asked.picture
    assert asked.picture.read_bytes().startswith(b"\x89PNG"), "a page of it is shown"
    assert seen.post, "what was written there is restored"
    assert seen.refused == ["social", "store", "9.9.9.9"], "the machines reach nobody"
    assert seen.timers == "", "nothing backs up from there"
    assert seen.writing == "501", "the repository takes nothing from there"
    assert files_of(deployer.lab["store"]) == before
    note_proof(proof, asked.environment.deployment(asked.configuration))
    assert f"✓ proven on {proof.ended:%Y-%m-%d}" in deployer.succeed("backup", "list")
    assert not room.exists()
    assert not cgroup_of(Lab(room / "lab").name).exists(), "all is taken down"


def test_a_host_reads_another_repository_through_the_deployer_as_long_as_its_sshd_lets_it(deployer: Deployer) -> None:
    """Whose host it is makes no difference: it gets an address at its own loopback, and a password."""
    machine, deployment = deployer.lab["social"], deployer.deployment
    there = deployment.hosts["social"].connection
    before = files_of(deployer.lab["store"])
    with way_to_repository(deployment, "social", "snac", "social", there) as other:
        url = other.url.get_secret_value()
        restic = f"export RESTIC_REPOSITORY={url} RESTIC_PASSWORD={other.password.get_secret_value()}; restic --no-lock"
        snapshots = json.loads(machine.succeed(f"{restic} snapshots --json"))
        volume = next(found["id"] for found in snapshots if found["paths"] == ["/var/lib/snac2"])
        machine.succeed(f"{restic} restore {volume} --target /var/tmp/there --verify")
        assert machine.succeed(f"grep -rl '{POST}' /var/tmp/there").startswith("/var/tmp/there/var/lib/snac2/")
        stranger = f"http://{url.partition('@')[2]}"
        asked = f"python3 -c {shlex.quote(ASK_AS_A_STRANGER)} {stranger}"
        assert machine.succeed(f"runuser -u nobody -- {asked}") == "401\n", "not everybody on the host"
        assert other.troubles == []
    assert "refused" in machine.fails(asked), "the port is gone with the way"
    assert files_of(deployer.lab["store"]) == before
    try:
        machine.succeed("echo 'AllowTcpForwarding no' > /etc/ssh/sshd_config.d/forbid.conf; systemctl reload ssh")
        with (
            pytest.raises(ConnectionFailed, match="social: its SSH server lets no port of the host's lead") as raised,
            way_to_repository(deployment, "social", "snac", "social", there),
        ):
            pass
        assert "AllowTcpForwarding" in raised.value.hint
    finally:
        machine.succeed("rm -r /etc/ssh/sshd_config.d/forbid.conf /var/tmp/there; systemctl reload ssh")


def test_a_byte_that_flipped_in_the_repository_is_found_and_written_down(deployer: Deployer) -> None:
    store = deployer.lab["store"]
    store.succeed(f"cd {REPOSITORY}/snac/data && python3 -c {shlex.quote(FLIP)}")

    done = deployer.run("prove", "--json")

    assert done.returncode == 1, done.stdout + done.stderr
    (told,) = json.loads(done.stdout)
    assert any("volume:/var/lib/snac2" in words for words in told["findings"]), told["findings"]
    vault = Vault.of(load_environment(deployer.environment).empty())
    written = load_proof(deployer.proofs / "lab-snac.json", vault)
    assert list(written.findings) == told["findings"]
    assert f"✗ the proof of {written.ended:%Y-%m-%d} failed" in deployer.succeed("backup", "list")
    assert not (deployer.proofs / "lab-snac.room").exists()


def test_whoever_is_ended_midway_takes_everything_down(deployer: Deployer) -> None:
    lab = Lab(deployer.proofs / "lab-snac.room" / "lab")
    words = ["prove", str(deployer.configuration), "-e", str(deployer.environment)]
    process = subprocess.Popen([sys.executable, "-m", "fedikit", *words], stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not (cgroup_of(lab.name) / "social").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert (cgroup_of(lab.name) / "social").exists()
    process.terminate()
    assert process.wait(60) == 130
    assert not cgroup_of(lab.name).exists()
    assert not lab.directory.exists()


class Seen:
    """Looks into the lab of a proof when all is restored there."""

    def __init__(self, deployer: Deployer) -> None:
        self.deployer = deployer
        self.post = self.timers = self.writing = ""
        self.refused: list[str] = []

    def __call__(self, event: Event) -> None:
        if event == StepStarted(step="verify"):
            self.look(Lab(self.deployer.proofs / "tried" / "lab")["social"])

    def look(self, machine: Machine) -> None:
        self.post = machine.run(f"grep -rl '{POST}' /var/lib/snac2").stdout
        self.timers = machine.run("systemctl list-timers --all --no-legend 'fedikit-*'").stdout
        addresses = {name: self.deployer.lab[name].address for name in ("social", "store")} | {"9.9.9.9": "9.9.9.9"}
        for name, address in addresses.items():
            reach = f"import socket; socket.create_connection(('{address}', 22), 3)"
            self.refused += [name] if machine.run(f'python3 -c "{reach}"').exit_status else []
        settings: dict[str, Any] = json.loads(machine.succeed("cat /etc/fedikit/data/snac.json"))
        url = settings["repository"]["url"].removeprefix("rest:")
        write = f"curl --silent --output /dev/null --write-out '%{{http_code}}' --data x {url}/locks/{'0' * 64}"
        post = write if machine.run("command -v curl").exit_status == 0 else _posting(url)
        self.writing = machine.run(post).stdout.strip()


def _posting(url: str) -> str:
    return f"""python3 -c "
import urllib.request, urllib.error
try:
    urllib.request.urlopen('{url}/locks/{"0" * 64}', b'x')
except urllib.error.HTTPError as error:
    print(error.code)" """


def files_of(store: Machine) -> str:
    return store.succeed(f"cd {REPOSITORY} && find . -type f -exec sha256sum {{}} + | sort")
