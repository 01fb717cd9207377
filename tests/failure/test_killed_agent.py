"""The agent is killed with SIGKILL at every step by which it changes a host; run again, the end is the same.

Of the files of its own that it deletes when it leaves, at the first and the last in each folder.
"""

import re
import time
from collections.abc import Callable
from itertools import groupby, zip_longest

import pytest

from fedikit.model.item import Directory, File, Item, Job, Package, Symlink, Unit, User
from fedikit.results.report import Report
from fedikit_lab import Lab
from tests.failure.saboteur import killed_at, steps_made
from tests.failure.scene import Scene
from tests.failure.view import changes, record_of, view_of

pytestmark = pytest.mark.lab

SERVICE = "[Service]\nExecStart=/bin/sleep {}\n[Install]\nWantedBy=multi-user.target\n"
# Before fedikit there is a file in the place of ours, and a running service whose file ours replaces.
BEFORE = f"""
echo mine >/etc/motd; chmod 0600 /etc/motd
printf '{SERVICE.format(1111)}' >/etc/systemd/system/old.service
systemctl enable --now --quiet old.service
"""
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGm9b2Q0 somebody"
FILES: list[Item] = [
    Directory(path="/etc/app", mode="0750"),
    File(path="/etc/app/app.conf", content="a = 1\n"),
    File(path="/etc/motd", content="ours\n"),
    Symlink(path="/etc/app/link", target="app.conf"),
    User(name="worker", authorized_keys=(KEY,)),
    Job(name="migrate", run=("sh", "-c", "echo x >/srv/migrated"), undo=("rm", "-f", "/srv/migrated")),
]
SERVICES: list[Item] = [
    File(path="/etc/app.conf", content="a = 1\n"),
    File(path="/etc/systemd/system/app.service", content=SERVICE.format(2222)),
    Unit(name="app.service", restart_on=("file:/etc/app.conf", "file:/etc/systemd/system/app.service")),
    File(path="/etc/systemd/system/old.service", content=SERVICE.format(3333)),
    Unit(name="old.service", restart_on=("file:/etc/systemd/system/old.service",)),
]
PACKAGES: list[Item] = [Package(name="hello"), Package(name="jq")]
HOSTS = ("one", "two")
AGENTS_FILE = re.compile(r"os\.remove (/var/lib/fedikit/agent\.leaving/.*)/")


class Trial:
    """Two machines on which the same is made and taken away again, undisturbed or not."""

    def __init__(self, lab: Lab, items: list[Item]) -> None:
        self.machines = [lab[name] for name in HOSTS]
        self.scene = Scene(lab, *HOSTS)
        self.wanted = dict.fromkeys(HOSTS, items)
        self.wrong: list[str] = []
        self.begin_anew()
        self.untouched = [view_of(machine) for machine in self.machines]
        with killed_at({}):
            assert self.scene.apply(**self.wanted).succeeded
            self.making = steps_made(self.machines[0])
            self.made = [(view_of(machine), record_of(machine)) for machine in self.machines]
            assert self.scene.remove().succeeded
            self.leaving = steps_made(self.machines[0])
        self._compare_with_untouched("undisturbed", [0, 0])

    def begin_anew(self) -> None:
        for machine in self.machines:
            machine.reset()
            machine.succeed(BEFORE)

    def make(self) -> None:
        report = self.scene.apply(**self.wanted)
        assert report.succeeded, report

    def leave(self) -> None:
        report = self.scene.remove()
        assert report.succeeded, report

    def kill_making(self, steps: list[int]) -> None:
        with killed_at(dict(zip(HOSTS, steps, strict=True))):
            assert_killed(self.scene.apply(**self.wanted))
        until_free(lambda: self.scene.apply(**self.wanted))
        for machine, (view, record), step in zip(self.machines, self.made, steps, strict=True):
            differences = changes(view, view_of(machine))
            differences += [] if record_of(machine) == record else [f"record: {record_of(machine)} is not {record}"]
            self._note(f"making killed before {self.making[step - 1]}", differences)

    def kill_leaving(self, steps: list[int]) -> None:
        with killed_at(dict(zip(HOSTS, steps, strict=True))):
            assert_killed(self.scene.remove())
        until_free(self.scene.remove)
        self._compare_with_untouched("leaving", steps)

    def kill_at_each(self, making: list[int], leaving: list[int]) -> None:
        """Each step once; two at a time, one on each machine. What makes fewer steps is left alone for the rest."""
        for making_now, leaving_now in zip_longest(pairs(making), pairs(leaving)):
            found = len(self.wrong)
            try:
                self.kill_making(making_now) if making_now else self.make()
                self.kill_leaving(leaving_now) if leaving_now else self.leave()
            except AssertionError as error:
                self.wrong.append(str(error))
            if len(self.wrong) > found:
                self.begin_anew()

    def _compare_with_untouched(self, what: str, steps: list[int]) -> None:
        for machine, view, step in zip(self.machines, self.untouched, steps, strict=True):
            self._note(f"{what} killed before {self.leaving[step - 1]}", changes(view, view_of(machine)))

    def _note(self, what: str, differences: list[str]) -> None:
        self.wrong += [f"{what}: {difference}" for difference in differences]


def test_killed_at_any_step_and_run_again_the_end_is_the_same(lab: Lab) -> None:
    trial = Trial(lab, FILES)
    trial.kill_at_each(all_steps(trial.making), all_steps(trial.leaving))
    assert not trial.wrong, "\n".join(trial.wrong)


@pytest.mark.parametrize("items", [SERVICES, PACKAGES], ids=["services", "packages"])
def test_the_same_for_services_and_packages(lab: Lab, items: list[Item]) -> None:
    trial = Trial(lab, items)
    trial.kill_at_each(own_steps(trial.making), own_steps(trial.leaving))
    assert not trial.wrong, "\n".join(trial.wrong)


def all_steps(steps: list[str]) -> list[int]:
    """Of the agent's own files, which go one after another, only the first and the last in each folder."""

    def run_of(number: int) -> str | int:
        found = AGENTS_FILE.match(steps[number - 1])
        return found[1] if found else number

    runs = [list(run) for _, run in groupby(range(1, len(steps) + 1), run_of)]
    return [number for run in runs for number in dict.fromkeys((run[0], run[-1]))]


def own_steps(steps: list[str]) -> list[int]:
    """The steps that are not the same for everything: outside of fedikit's record, in apt's folder there, or when it
    notes an item."""
    return [
        number
        for number, step in enumerate(steps, 1)
        if "/var/lib/fedikit" not in step
        or "/var/lib/fedikit/store/tmp" in step
        or (step.startswith("os.rename") and "ledger" in step)
    ]


def pairs(steps: list[int]) -> list[list[int]]:
    """Two at a time; the last one twice if they are odd."""
    return [[steps[n], steps[min(n + 1, len(steps) - 1)]] for n in range(0, len(steps), 2)]


def assert_killed(report: Report) -> None:
    assert all("killed" in host.error for host in report.hosts.values()), report


def until_free(act: Callable[[], Report], seconds: float = 30) -> None:
    """Does it until no command of the killed agent keeps the host busy any more; then it must succeed."""
    deadline = time.monotonic() + seconds
    report = act()
    while time.monotonic() < deadline and any("at work" in host.error for host in report.hosts.values()):
        time.sleep(0.2)
        report = act()
    assert report.succeeded, [host.error for host in report.hosts.values()]
