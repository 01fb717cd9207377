"""snac leaves one provider for another, with all its data, and comes back: two environments, two master keys."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fedikit.data.migration.carrying_out import apply_migration
from fedikit.data.migration.moving import apply_move
from fedikit.data.migration.planning import make_migration
from fedikit.data.migration.planning_moves import load_move, make_move
from fedikit.data.migration.sides import Sides, load_sides
from fedikit.display.drawing import lines_of
from fedikit.events import Event, ItemStarted, StepStarted, Tell, Waiting
from fedikit.secrets import new_key
from fedikit_lab import Lab, Machine
from fedikit_lab.environment import LabHost, environment_text
from fedikit_lab.keys import write_private
from tests.checks.test_social import CONFIGURATION, SITE

pytestmark = pytest.mark.lab

OLD, NEW = "social", "haven"
POLICY = '\n[policies.backup]\nrepository = "/srv/backups"\n'
LATEST_SECONDS = 60


class Providers:
    """Two providers in one lab: each has a machine, a file and a key of its own."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.configuration = lab.directory / "configuration.json"
        self.configuration.write_text(json.dumps(CONFIGURATION))
        self.old, self.new = (self._file(name) for name in (OLD, NEW))
        for name in (OLD, NEW):
            lab[name].succeed("mkdir /srv/backups")

    def _file(self, name: str) -> Path:
        machine = self.lab[name]
        host = LabHost(name, machine.address, machine.host_key)
        text = environment_text([host], self.lab.acme.address).replace('name = "lab"', f'name = "{name}"')
        text = text.replace("file:master.key", f"file:{name}.key")
        text = text.partition("[placement]")[0]
        path = self.lab.directory / f"{name}.toml"
        path.write_text(f'{text}[placement]\nsnac = "{name}"\n{POLICY}')
        write_private(self.lab.directory / f"{name}.key", f"{new_key()}\n")
        return path

    def joined(self, placed: str) -> Path:
        """The first provider's file with both machines as its hosts, and the application on this one."""
        hosts = [LabHost(name, self.lab[name].address, self.lab[name].host_key) for name in (OLD, NEW)]
        text = environment_text(hosts, self.lab.acme.address).replace('name = "lab"', f'name = "{OLD}"')
        text = text.replace("file:master.key", f"file:{OLD}.key").partition("[placement]")[0]
        path = self.lab.directory / "joined.toml"
        path.write_text(f'{text}[placement]\nsnac = "{placed}"\n{POLICY}')
        return path

    def sides(self) -> Sides:
        return load_sides(self.old, self.new, self.configuration)

    def lead_to(self, name: str) -> None:
        self.lab.set_dns({SITE: self.lab[name].address})

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "fedikit", *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)

    def fedikit(self, verb: str, environment: Path, *words: str) -> str:
        done = self.run(*verb.split(), str(self.configuration), "-e", str(environment), *words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def providers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Providers]:
    with Lab(tmp_path_factory.mktemp("migrate"), machines=(OLD, NEW)) as lab:
        providers = Providers(lab)
        providers.lead_to(OLD)
        providers.fedikit("apply", providers.old, "--yes")
        post(lab[OLD], "The tide was out all day")
        yield providers


def post(machine: Machine, words: str) -> None:
    machine.succeed(f"echo '{words}' | runuser -u debian-snac -- snac note /var/lib/snac2 test -")


def page(providers: Providers, machine: str, path: str = "/test", *options: str) -> tuple[str, str]:
    """What visitors see at one of the machines: the status, and the text."""
    address, trust = providers.lab[machine].address, providers.lab.directory / "pebble-root.pem"
    words = ["curl", "-s", "--max-time", "20", "--cacert", str(trust), "--resolve", f"{SITE}:443:{address}"]
    done = subprocess.run(
        [*words, "-w", "\n%{http_code}", *options, f"https://{SITE}{path}"], capture_output=True, text=True, check=False
    )
    text, _, status = done.stdout.rpartition("\n")
    return status, text


def status_once_up(providers: Providers, machine: str) -> str:
    """What visitors are answered when snac, which was just started, listens."""
    end = time.monotonic() + 20
    while (status := page(providers, machine)[0]) == "502" and time.monotonic() < end:
        time.sleep(0.2)
    return status


def migrate(providers: Providers, **how: Any) -> Any:
    """Carries it over; as soon as names are waited for, somebody sets them."""
    sides = providers.sides()
    plan = make_migration(sides, **how)
    assert plan.has_changes, "\n".join(lines_of(plan))
    there = OLD if how.get("back") else NEW
    return apply_migration(plan, sides, names_seconds=30, tell=setting_names(providers, there))


def setting_names(providers: Providers, there: str) -> Tell:
    """Somebody sets them as soon as they are waited for."""

    def tell(event: Event) -> None:
        if isinstance(event, Waiting) and event.what.startswith("names to be set"):
            providers.lead_to(there)

    return tell


def test_a_rehearsal_leaves_everything_as_it_was(providers: Providers) -> None:
    report = migrate(providers, rehearse=True)
    assert report.succeeded, report.error
    assert report.predicted
    assert report.compared == {"snac": ()}
    assert page(providers, OLD)[0] == "200"
    assert page(providers, NEW)[0] == "503", "it is not reachable yet"
    providers.lab[NEW].fails("systemctl is-active snac2.service")


def cut_in(providers: Providers, phase: str) -> Tell:
    """Every connection to the new host is cut as soon as it begins to restore in that phase, by which it reads too."""
    phases: list[str] = []

    def tell(event: Event) -> None:
        if isinstance(event, StepStarted):
            phases.append(event.step)
        if isinstance(event, ItemStarted) and event.action == "restore" and phases[-1] == phase:
            providers.lab[NEW].run("pkill --signal KILL '^sshd-session$'")

    return tell


@pytest.mark.parametrize("phase", ["copy", "differences"])
def test_a_connection_that_is_cut_leaves_the_old_side_serving(providers: Providers, phase: str) -> None:
    sides = providers.sides()
    report = apply_migration(make_migration(sides), sides, names_seconds=30, tell=cut_in(providers, phase))
    assert (report.phases[-1].phase, report.phases[-1].failed) == (phase, True), report
    again = "" if phase == "copy" else "again, "
    assert report.advice == f"{OLD} serves {again}as before; do the same again"
    assert status_once_up(providers, OLD) == "200"
    assert page(providers, NEW)[0] == "503"
    providers.lab[NEW].wait_until_succeeds("! pgrep -x restic", seconds=30)  # it does not ask in vain


def test_it_leaves_and_takes_all_of_its_data_along(providers: Providers) -> None:
    post(providers.lab[OLD], "Written at the last minute")
    report = migrate(providers)
    assert report.succeeded, report.error
    assert report.compared == {"snac": ()}
    assert report.read_only is not None
    assert 0 < report.read_only < LATEST_SECONDS
    status, text = page(providers, NEW)
    assert status == "200"
    assert "The tide was out all day" in text
    assert "Written at the last minute" in text
    assert json.loads(providers.fedikit("verify", providers.new, "--json"))["results"]


def test_the_old_side_stays_closed_whatever_happens_to_it(providers: Providers) -> None:
    """Through an apply and a boot; whoever comes is told, and other servers that they shall come again."""
    old = providers.lab[OLD]
    plan = json.loads(providers.fedikit("plan", providers.old, "--json"))["hosts"][OLD]
    assert (plan["changes"], "snac is closed since" in plan["note"]) == ([], True)
    providers.fedikit("apply", providers.old, "--yes")
    old.restart()
    old.fails("systemctl start snac2.service")
    old.wait_for_port(443)
    for options in ((), ("-X", "POST", "-d", "{}"), ("-X", "OPTIONS")):
        status, text = page(providers, OLD, "/test/inbox", "-i", *options)
        assert (status, "retry-after: " in text.lower()) == ("503", True)
        assert "has moved to another server" in text


def test_it_comes_back_with_what_was_written_meanwhile(providers: Providers) -> None:
    post(providers.lab[NEW], "Greetings from the new place")
    report = migrate(providers, back=True)
    assert report.succeeded, report.error
    status, text = page(providers, OLD)
    assert status == "200"
    assert "Greetings from the new place" in text
    assert page(providers, NEW)[0] == "503"
    providers.lab[NEW].fails("systemctl is-active snac2.service")
    assert json.loads(providers.fedikit("plan", providers.old, "--json"))["hosts"][OLD]["changes"] == []


def test_within_one_environment_it_moves_to_another_host_with_its_data(providers: Providers) -> None:
    """What its plan refuses to begin empty is brought along; what it leaves, leaves once names lead elsewhere."""
    removed = providers.run("remove", "-e", str(providers.new), "--yes", "--purge", "--confirm", NEW)
    assert removed.returncode == 0, removed.stdout + removed.stderr
    providers.lab[NEW].succeed("rm --recursive /srv/backups/snac")  # that provider's, under its own key
    post(providers.lab[OLD], "Only across the yard")
    joined = providers.joined(NEW)
    refused = providers.run("plan", str(providers.configuration), "-e", str(joined))
    assert "fedikit move brings it along" in refused.stdout

    sides = load_move(joined, providers.configuration)
    report = apply_move(make_move(sides), sides, names_seconds=30, tell=setting_names(providers, NEW))
    assert report.succeeded, report.error
    assert report.compared == {"snac": ()}
    status, text = page(providers, NEW)
    assert status == "200"
    assert "The tide was out all day" in text
    assert "Only across the yard" in text
    assert page(providers, OLD)[0] != "200"
    providers.lab[OLD].fails("systemctl is-active snac2.service")
    providers.lab[OLD].succeed("test -d /var/lib/snac2/user && ! test -e /var/lib/fedikit-data/snac")
    hosts = json.loads(providers.fedikit("plan", joined, "--json"))["hosts"]
    assert [host["changes"] for host in hosts.values()] == [[], []]
