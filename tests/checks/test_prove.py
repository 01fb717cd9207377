"""A backup of snac is proven: restored into machines without a way out, compared, looked at."""

import json
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fedikit.data.proofs import load_proof
from fedikit.data.way.other import way_to_repository
from fedikit.environment import load_configuration, load_environment
from fedikit.errors import ConnectionFailed
from fedikit.model.deployment import Deployment
from fedikit.results.proof import Proofs
from fedikit.runbook import run_runbook
from fedikit.secrets.vault import Vault
from fedikit_lab import Lab, Machine
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


def test_the_runbook_proves_a_backup_and_shows_the_newest_post(
    deployer: Deployer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    files = {"configuration": str(deployer.configuration), "environment": str(deployer.environment)}

    result = run_runbook("prove", {**files, "dry_run": False}, timeout=300)

    assert result.has_succeeded, result.reason
    (proof,) = Proofs.model_validate_json((result.notebook.parent / "proofs.json").read_bytes()).proofs
    assert proof.checks == 7
    assert proof.post.startswith(f"https://{SITE}/test/p/"), "what was written there is restored"
    assert (result.notebook.parent / proof.picture).read_bytes().startswith(b"\x89PNG")
    shown = result.notebook.read_text()
    assert "Proven: restored as its manifest says, 7 checks held." in shown
    assert f"the newest post: {proof.post}" in shown
    assert '"image/png"' in shown
    assert f"✓ proven on {proof.ended:%Y-%m-%d}" in deployer.succeed("backup", "list")
    room = deployer.proofs / "lab-snac.room"
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


def files_of(store: Machine) -> str:
    return store.succeed(f"cd {REPOSITORY} && find . -type f -exec sha256sum {{}} + | sort")
