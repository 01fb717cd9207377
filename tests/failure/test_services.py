"""What goes wrong with services: what an operator reads, that the rest goes on, and that the next apply mends it.

These tests follow each other: they deploy and disturb the same two machines.
"""

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from fedikit.apply import apply_plan
from fedikit.environment import load_configuration, load_environment
from fedikit.model import Deployment
from fedikit.plan import make_plan
from fedikit.remote import bootstrap
from fedikit.status import read_status
from fedikit.store import Images, Store, default_directory
from fedikit.verify import Verdict, verify_deployment
from fedikit_lab import Lab, Machine
from fedikit_lab.contract import mastodon_database
from fedikit_lab.images import lab_image
from fedikit_lab.layout import Layout
from fedikit_lab.replacements import GARAGE, STAND_INS
from fedikit_lab.standins import HOME
from tests.failure.scene import error_of
from tests.failure.view import changes, view_of

pytestmark = pytest.mark.lab

DOMAIN = "fediversity.test"
TARGETS = ("garage", "mastodon")
MASTODON, STREAMING = (one.repository for one in STAND_INS if one.machine == "mastodon")
TAG = next(one.reference for one in STAND_INS if one.repository == MASTODON).rpartition(":")[2]
MIGRATIONS = "mastodon migrations"
DISK_MB = 2000
WORK_SECONDS = 300
UNITS = ("mastodon-web", "mastodon-streaming", "mastodon-sidekiq")
RUNNING = "grep -q running /var/lib/fedikit/deployments/lab/last-run.json"
AGENTS = "[/]var/lib/fedikit/agent"
# Asks the application on its host, as Caddy does.
ASK = """python3 -c '
import sys, urllib.request
headers = {"Host": "mastodon.fediversity.test", "X-Forwarded-Proto": "https"}
print(urllib.request.urlopen(urllib.request.Request("http://127.0.0.1:3000" + sys.argv[1], headers=headers)).status)
' """
WHAT_RUNS = "podman ps --format '{{.Names}} {{.Image}}' | sort"
SQL = "runuser -u postgres -- psql --tuples-only --no-align mastodon --command"
VISIBILITY = f"{SQL} \"SELECT count(*) FROM information_schema.columns WHERE column_name = 'visibility'\""
LAST_STEP = ")\n_SEED"
CONTENTS = f"""
podman images --no-trunc | sort
{WHAT_RUNS}
{SQL} 'SELECT version FROM schema_migrations; SELECT email FROM users; SELECT count(*) FROM accounts'
ls /var/lib/fedikit/store
"""
# What is made by chance, or grows with time.
BY_CHANCE = (
    "netavark-dhcp-proxy.service",
    "var/lib/postgresql/",
    "var/lib/containers/storage/",
    "var/lib/caddy/",
    "ssl-cert-snakeoil",
    "etc/ssl/certs/",
)
KILLER = """
import os,sys
def kill_before(words):
 def hook(event,arguments):
  command=arguments[1] if event=="subprocess.Popen" else arguments[0] if event=="fedikit.systemd" else ()
  if words in " ".join(map(str,command)):os.kill(os.getpid(),9)
 sys.addaudithook(hook)
"""


@dataclass(frozen=True)
class FactReference:
    """How a command ended, and all that it printed."""

    status: int
    text: str

    @property
    def words(self) -> str:
        """The text as one line: a terminal breaks it anywhere."""
        return " ".join(self.text.split())


class Services:
    """The command line, with Mastodon on one machine and its bucket on another."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab = lab
        self.folder = folder
        self.usual = lab.environment_file.read_text()
        self.wants()
        lab.announce(self.deployment)
        lab.set_dns({DOMAIN: lab["garage"].address})

    @property
    def deployment(self) -> Deployment:
        return load_environment(self.lab.environment_file).deployment(load_configuration(self.configuration))

    @property
    def configuration(self) -> Path:
        return self.lab.directory / "configuration.json"

    def wants(self, **settings: Any) -> None:
        person = {"displayName": "Testy", "username": "test", "email": f"test@{DOMAIN}"}
        chosen = {"domain": DOMAIN, "initialUser": person, "mastodon": {"enable": True, **settings}}
        self.configuration.write_text(json.dumps(chosen))

    def takes(self, repository: str) -> None:
        """Which repository Mastodon's image comes from."""
        self.lab.environment_file.write_text(self.usual.replace(f'= "{MASTODON}"\n', f'= "{repository}"\n'))

    def start(self, verb: str, *arguments: str, **files: Path) -> subprocess.Popen[str]:
        configuration = files.get("configuration", self.configuration)
        environment = files.get("environment", self.lab.environment_file)
        return subprocess.Popen(
            [sys.executable, "-m", "fedikit", verb, *arguments, str(configuration), "-e", str(environment)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def __call__(self, verb: str, *arguments: str, **files: Path) -> FactReference:
        return end_of(self.start(verb, *arguments, **files))

    def succeed(self, verb: str, *arguments: str) -> FactReference:
        told = self(verb, *arguments)
        assert told.status == 0, told.text
        return told

    def asks(self, path: str) -> str:
        return self.lab["mastodon"].run(ASK + path).stdout.strip()

    def runs(self) -> dict[str, str]:
        """Since when each unit of the application runs."""
        show = "systemctl show --property ActiveEnterTimestampMonotonic --value"
        return {unit: self.lab["mastodon"].succeed(f"{show} {unit}.service").strip() for unit in UNITS}

    def wait_until_free(self) -> None:
        deadline = time.monotonic() + 60
        while read_status(load_environment(self.lab.environment_file)).hosts["mastodon"].busy:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def end_of(process: subprocess.Popen[str]) -> FactReference:
    text = process.communicate(timeout=WORK_SECONDS)[0]
    assert "Traceback (most" not in text.replace("|", ""), text
    return FactReference(process.returncode, text)


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    folder = tmp_path_factory.mktemp("services")
    with Lab(folder / "lab", machines=TARGETS, disk={"mastodon": DISK_MB}) as lab:
        yield Services(lab, folder)


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Images:
    """The deployer's store, with an index of images that is this test's own."""
    usual, own = default_directory(), tmp_path / "cache" / "store"
    own.mkdir(parents=True)
    for name in ("apt", "incoming", "resolved", "sha256"):
        (usual / name).mkdir(exist_ok=True)
        (own / name).symlink_to(usual / name)
    shutil.copytree(usual / "images", own / "images")
    monkeypatch.setenv("FEDIKIT_CACHE", str(tmp_path / "cache"))
    return Images(Store(own))


# Before anything is deployed


def test_all_that_is_missing_is_told_at_once_before_any_host_is_touched(services: Services, tmp_path: Path) -> None:
    before = logins(services.lab)
    hosts = services.usual.partition("[policies")[0]
    environment = services.lab.directory / "bare.toml"
    environment.write_text(hosts + '[secrets]\nmaster_key = "file:master.key"\n')
    wanted = json.loads(services.configuration.read_text()) | {"peertube": {"enable": True}}
    (tmp_path / "both.json").write_text(json.dumps(wanted))

    told = services("apply", "--yes", configuration=tmp_path / "both.json", environment=environment)

    assert told.status == 2
    for what in ("policies.bucket", "policies.web", "placement.mastodon", "placement.peertube"):
        assert what in told.text
    assert logins(services.lab) == before


def logins(lab: Lab) -> dict[str, int]:
    count = "journalctl --unit ssh --grep '^Accepted' --output cat | wc -l"
    return {name: int(lab[name].succeed(count)) for name in TARGETS}


def test_an_image_that_cannot_be_had_is_told_with_the_commands_that_bring_it(
    services: Services, images: Images
) -> None:
    forget(images, MASTODON)

    told = services("plan")

    assert told.status == 1
    for repository in (MASTODON, STREAMING):
        name = repository.rpartition("/")[2]
        archive = f"{name}-{TAG}.tar"
        assert (
            f"image {repository}:{TAG} is not in this deployer's store and its registry does not answer" in told.words
        )
        assert f"skopeo copy docker://{repository}:{TAG} oci-archive:{archive}" in told.words
        assert f"fedikit store add {repository}:{TAG} {archive}" in told.words
    assert f"+ image {GARAGE.reference}" in told.words, "the other host is planned"


def forget(images: Images, repository: str) -> None:
    """Has the index forget images whose names begin so."""
    for place in (images.store.directory / "images").glob("*.json"):
        if json.loads(place.read_text())["reference"].startswith(repository):
            place.unlink()


def test_images_that_do_not_fit_are_refused_before_anything_is_sent(services: Services) -> None:
    """What is to be sent would fit, but not what becomes of the images. The authority is down from here on."""
    services.lab["acme"].succeed("systemctl stop pebble.service")
    machine = services.lab["mastodon"]
    machine.succeed("fallocate -l $(($(df --output=avail -B1 / | tail -n 1) - 300000000)) /fill")

    told = services("apply", "--yes")

    assert told.status == 1
    assert re.search(
        r"mastodon: [0-9.]+ MB are to be sent, [0-9.]+ MB more come of unpacking images, "
        r"[0-9.]+ MB are free in /var/lib/fedikit; nothing was done → free some space there",
        told.words,
    )
    assert "garage changed" in told.words, "the rest goes on"
    assert machine.succeed("ls /var/lib/fedikit/store") == ""
    machine.fails("test -e /usr/bin/podman")
    machine.succeed("rm /fill")


def test_without_a_certificate_authority_all_else_is_up_and_verify_tells_it_apart(services: Services) -> None:
    services.succeed("apply", "--yes")

    assert services.asks("/api/v2/instance") == "200"
    assert front_door(services.lab["mastodon"]) == 308, "Caddy leads visitors to HTTPS"
    results = {result.name: result for result in impatient(services).results}
    unmet = {name: result.detail for name, result in results.items() if not result.passed}
    assert {name for name in results if name not in unmet} == {
        f"media.mastodon.{DOMAIN} resolves to {services.lab['garage'].address}",
        f"mastodon.{DOMAIN} resolves to {services.lab['mastodon'].address}",
    }
    for detail in unmet.values():
        assert "it may have no certificate for the name yet" in detail


def front_door(machine: Machine) -> int:
    """What a visitor without TLS is answered."""
    connection = HTTPConnection(machine.address, 80, timeout=10)
    try:
        connection.request("GET", "/", headers={"Host": f"mastodon.{DOMAIN}"})
        return connection.getresponse().status
    finally:
        connection.close()


def impatient(services: Services) -> Verdict:
    """What `fedikit verify` says, when it is not given the time that an authority may take."""
    deployment = services.deployment
    checks = tuple(check.model_copy(update={"deadline": 3}) for check in deployment.checks)
    return verify_deployment(deployment.model_copy(update={"checks": checks}))


def test_the_certificates_come_with_the_authority(services: Services) -> None:
    services.lab["acme"].succeed("systemctl start pebble.service")
    services.lab.up()  # has fedikit trust the authority, which is another one each time
    services.usual = services.lab.environment_file.read_text()
    for name in TARGETS:  # Caddy itself would try again in a minute or some
        services.lab[name].succeed("systemctl restart caddy.service")

    services.succeed("verify")


# In operation


@pytest.fixture(scope="module")
def overdue(services: Services) -> subprocess.Popen[str]:
    """An apply that waits for a Garage that hangs, as long as it may; meanwhile other hosts can be worked on."""
    garage = services.lab["garage"]
    garage.succeed("podman pause garage")
    services.wants(maxMediaGigabytes=2)
    process = services.start("apply", "--yes", "--limit", "garage")
    garage.wait_until_succeeds(RUNNING)
    return process


@pytest.mark.usefixtures("overdue")
def test_a_password_changed_by_hand_in_the_database_is_told_and_mended(services: Services) -> None:
    change = "runuser -u postgres -- psql --command \"ALTER ROLE mastodon PASSWORD 'other'\""
    services.lab["mastodon"].succeed(change)
    assert services.asks("/api/v2/instance") != "200"

    planned = services.succeed("plan", "--limit", "mastodon")
    services.succeed("apply", "--yes", "--limit", "mastodon")

    line = "~ database postgresql/mastodon password was changed by hand on the host"
    assert line in planned.words
    assert services.asks("/api/v2/instance") == "200"
    assert "nothing to change" in services.succeed("plan", "--limit", "mastodon").words


@pytest.mark.usefixtures("overdue")
def test_a_failed_migration_leaves_the_old_release_running(services: Services, images: Images, tmp_path: Path) -> None:
    before, old = services.runs(), services.lab["mastodon"].succeed(WHAT_RUNS)
    release(images, "contract.lab/broken", "ALTER TABLE no_such_table ADD COLUMN visibility integer", tmp_path)
    services.takes("contract.lab/broken")

    told = services("apply", "--yes", "--limit", "mastodon")

    assert told.status == 1
    assert f"mastodon: job:{MIGRATIONS}: `python3` ended with exit status 1" in told.words
    assert 'UndefinedTable: relation "no_such_table" does not exist' in told.words
    assert services.runs() == before
    assert services.asks("/api/v2/instance") == "200"

    services.lab["mastodon"].succeed(f"systemctl restart {' '.join(UNITS)}")  # as after a boot
    assert services.lab["mastodon"].succeed(WHAT_RUNS) == old
    assert services.asks("/api/v2/instance") == "200"


@pytest.mark.usefixtures("overdue")
def test_the_next_release_goes_through_after_a_failed_one_and_back_again(
    services: Services, images: Images, tmp_path: Path
) -> None:
    old = services.lab["mastodon"].succeed(WHAT_RUNS)
    release(images, "contract.lab/next", "ALTER TABLE statuses ADD COLUMN visibility integer", tmp_path)
    services.takes("contract.lab/next")
    services.succeed("apply", "--yes", "--limit", "mastodon")
    assert services.lab["mastodon"].succeed(WHAT_RUNS) == old.replace(f"{MASTODON}:", "contract.lab/next:")
    assert services.lab["mastodon"].succeed(VISIBILITY) == "1\n"
    assert "broken" not in services.lab["mastodon"].succeed("podman images")

    services.takes(MASTODON)
    told = services("rollback", "--yes", "--limit", "mastodon")
    assert (told.status, "bucket mastodon" in told.words) == (1, True)  # seen from outside: the bucket still hangs
    assert services.lab["mastodon"].succeed(WHAT_RUNS) == old
    assert services.asks("/api/v2/instance") == "200"
    assert "nothing to change" in services.succeed("plan", "--limit", "mastodon").words


def release(images: Images, repository: str, migration: str, folder: Path) -> None:
    """Takes a later release of Mastodon's contract image in, which has one migration more."""
    layout = Layout.on(Layout(lab_image(f"{MASTODON}:{TAG}")), folder / "layout")
    module = folder / "release" / HOME / "contract" / "mastodon_database.py"
    module.parent.mkdir(parents=True)
    step = f'    ("20261101120000", "AddVisibility", False, "{migration}"),\n'
    text = Path(mastodon_database.__file__).read_text()
    assert LAST_STEP in text
    module.write_text(text.replace(LAST_STEP, step + LAST_STEP))
    layout.add_layer(folder / "release", "another release")
    images.add(f"{repository}:{TAG}", layout.directory)


def test_a_bucket_provider_that_hangs_is_waited_for_no_longer_than_a_minute(
    services: Services, overdue: subprocess.Popen[str]
) -> None:
    told = end_of(overdue)

    assert told.status == 1
    assert "garage: cluster:garage: Garage does not answer at http://127.0.0.1:3903, waited 60 s for it" in told.words
    assert "→ see whether Garage runs on this host" in told.words


def test_a_bucket_provider_that_comes_back_in_time_is_all_that_it_takes(services: Services) -> None:
    garage = services.lab["garage"]
    process = services.start("apply", "--yes")
    garage.wait_until_succeeds(RUNNING)
    garage.succeed("podman unpause garage")

    told = end_of(process)

    assert (told.status, "garage changed 2 create" in told.words) == (0, True), told.text


def test_a_bucket_provider_that_was_stopped_is_started_again(services: Services) -> None:
    services.lab["garage"].succeed("systemctl stop garage.service")
    services.wants(maxMediaGigabytes=3)

    planned = services.succeed("plan")
    services.succeed("apply", "--yes")

    assert "~ unit garage.service inactive → active" in planned.words
    assert "bucket mastodon Garage does not answer at http://127.0.0.1:3903" in planned.words
    assert services.succeed("plan").words.count("nothing to change") == 2


# An agent that is killed


def test_killed_at_its_work_and_applied_again_the_end_is_the_same(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = services.lab["mastodon"]
    machine.reset()  # the tests before have left images to go back to
    services.succeed("apply", "--yes", "--limit", "mastodon")
    undisturbed = look_at(machine)
    machine.reset()

    for command in ("[p]odman pull", "[p]odman run"):
        process = services.start("apply", "--yes", "--limit", "mastodon")
        machine.wait_until_succeeds(f"pgrep -f '{command}' && pkill -9 -f '{AGENTS}'", seconds=WORK_SECONDS)
        told = end_of(process)
        assert (told.status, "the agent was killed" in told.words) == (1, True), told.text
        services.wait_until_free()
    with monkeypatch.context() as patch:
        patch.setattr(bootstrap, "BOOT", f"{KILLER}kill_before('start mastodon-web.service')\n{bootstrap.BOOT}")
        report = apply_plan(make_plan(services.deployment, limit=["mastodon"]))
    assert "the agent was killed" in error_of(report, "mastodon")

    services.succeed("apply", "--yes", "--limit", "mastodon")

    assert changes(undisturbed, look_at(machine)) == []
    assert services.asks("/api/v2/instance") == "200"
    assert services.succeed("plan").words.count("nothing to change") == 2
    services.succeed("verify")


def look_at(machine: Machine) -> list[str]:
    """What the machine looks like, but for what comes by chance."""
    lines = [line for line in view_of(machine) if not any(name in line for name in BY_CHANCE)]
    return lines + machine.succeed(CONTENTS).splitlines()
