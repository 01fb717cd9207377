"""Proving a backup: restored into machines without a way out, with the real master key and images, and looked at.

The machines read the repository through a gate that nobody can write through. Whatever was booted goes away at the end,
also if it ends early.
"""

import contextlib
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import fedikit
from fedikit.apply import apply_plan
from fedikit.data.migration.staging import staged
from fedikit.data.way.gate import Gate
from fedikit.data.way.opening import opened
from fedikit.data.way.settings import settings_of
from fedikit.data.way.source import Source
from fedikit.environment.environment import Environment
from fedikit.errors import FedikitError
from fedikit.events import StepFinished, StepStarted, Tell, Waiting, tell_nobody
from fedikit.model.check import PageShows
from fedikit.model.configuration import Configuration
from fedikit.model.deployment import Deployment
from fedikit.model.host import Ssh
from fedikit.plan import make_plan
from fedikit.remote.sessions import Sessions
from fedikit.results.backup import Backup
from fedikit.results.proof import BackupProven, Proof, doubts_about
from fedikit.verify import verify_deployment
from fedikit.verify.certificate import Trust
from fedikit.verify.visitor import Visitor
from fedikit_lab.browser import take_screenshot
from fedikit_lab.lab import Lab
from fedikit_lab.lock import held_lock
from fedikit_lab.prove_choice import backups_to_prove
from fedikit_lab.prove_environment import Stage, hosts_of, rehearsal
from fedikit_lab.prove_post import Seen, look_at_newest_post
from fedikit_lab.prove_restore import restore_there, run_what_follows_there

PATIENCE_SECONDS = 30
BROWSER = ("chromium", "certutil")
"""The programs that it takes to look at a page."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is to be proven.

    at    a time, or the name of a backup; the newest if empty
    room  a folder for the lab; what lies in it is gone afterwards
    """

    environment: Environment
    configuration: Configuration
    application: str
    at: str = ""
    room: Path
    picture: Path | None = None


def prove_backup(asked: Asked, *, tell: Tell = tell_nobody) -> Proof:
    """Restores an application's backup into a lab, and says what came of it.

    Raises FedikitError where nothing could be tried, such as for want of a backup. Whatever is wrong from then on is
    part of the proof, which has then failed.
    """
    deployment = asked.environment.deployment(asked.configuration)
    backups = backups_to_prove(deployment, asked.application, asked.at, tell=tell)
    return _Proving(asked, deployment, backups, tell).run()


@dataclass
class _Proving:
    """One proof at work."""

    asked: Asked
    deployment: Deployment
    backups: dict[str, Backup]
    tell: Tell
    proven: dict[str, BackupProven] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    checks: int = 0
    post: Seen = field(default_factory=Seen)
    picture: str = ""

    def run(self) -> Proof:
        started = time.monotonic()
        for host, backup in self.backups.items():
            settings = settings_of(self.deployment, host, self.asked.application)
            self.failures += doubts_about(backup, settings.parts if settings else ())
        if self.asked.picture:
            self.asked.picture.unlink(missing_ok=True)
        with _room_of_ones_own(self.asked.room) as room:
            self._in_the_lab(room)
        return Proof(
            deployment=self.deployment.name,
            application=self.asked.application,
            fedikit=fedikit.__version__,
            ended=datetime.now(UTC).replace(microsecond=0),
            seconds=round(time.monotonic() - started, 3),
            backups=tuple(self._came_of(host) for host in self.backups),
            checks=self.checks,
            failures=tuple(self.failures),
            post=self.post.address,
            no_post=self.post.none,
            picture=self.picture,
        )

    def _came_of(self, host: str) -> BackupProven:
        backup = self.backups[host]
        return self.proven.get(host) or BackupProven(host=host, backup=backup, error=f"{backup.id} was not restored")

    def _in_the_lab(self, room: Path) -> None:
        """A lab that does not come up is no fault of the backup's, and no proof; all else is part of it."""
        environment, configuration, application = (
            self.asked.environment, self.asked.configuration, self.asked.application,
        )  # fmt: skip
        names = hosts_of(environment, configuration, application)
        with contextlib.ExitStack() as stack:
            sources: dict[str, Source] = {}
            with self._noted():
                sources = stack.enter_context(opened(self.deployment, application, room))
            if not sources:
                return
            lab = stack.enter_context(Lab(room / "lab", names, images=False, tell=self.tell))
            gate = stack.enter_context(Gate(lab.deployer_address, sources, password=""))
            wanted = rehearsal(environment, configuration, application, _stage(lab, names, gate.url))
            lab.announce(wanted)
            with self._noted():
                self._try(lab, gate, wanted)

    def _try(self, lab: Lab, gate: Gate, wanted: Deployment) -> None:
        """The application meets its own data from its first start on, as wherever it is brought to."""
        self._deploy(staged(wanted, [self.asked.application]))
        for host in self.backups:
            self._restore(lab, host, gate)
        self._deploy(wanted)
        for host in self.backups:
            run_what_follows_there(lab[host], self.asked.application)
        self._verify(wanted)
        self._open_the_newest_post(wanted)
        self._take_picture(lab, wanted)

    @contextlib.contextmanager
    def _noted(self) -> Iterator[None]:
        """What goes wrong is a part of the proof, which ends with it."""
        try:
            yield
        except FedikitError as error:
            self.failures.append(error.text)

    @contextlib.contextmanager
    def _step(self, name: str) -> Iterator[None]:
        self.tell(StepStarted(step=name))
        started, failed = time.monotonic(), True
        try:
            yield
            failed = False
        finally:
            seconds = round(time.monotonic() - started, 3)
            self.tell(StepFinished(step=name, seconds=seconds, failed=failed))

    def _deploy(self, wanted: Deployment) -> None:
        with Sessions(wanted) as sessions:
            plan = make_plan(wanted, sessions=sessions, tell=self.tell)
            report = apply_plan(plan, sessions=sessions, tell=self.tell)
        failed = [f"{host.host}: {host.error}" for host in report.hosts.values() if host.error]
        if failed or not report.succeeded:
            raise FedikitError(f"the application could not be set up in the lab: {'; '.join(failed)}")

    def _restore(self, lab: Lab, host: str, gate: Gate) -> None:
        backup, application = self.backups[host], self.asked.application
        self.tell(Waiting(what=f"{backup.id} to be restored"))
        with self._step("restore"):
            try:
                restored = restore_there(lab[host], application, backup.id)
            except FedikitError as error:
                words = " ".join([error.headline, *gate.troubles])
                self.proven[host] = BackupProven(host=host, backup=backup, error=words)
                raise FedikitError(f"{application} cannot be restored from it") from error
            self.proven[host] = BackupProven(host=host, backup=backup, differences=restored.differences)

    def _verify(self, wanted: Deployment) -> None:
        mine = tuple(check for check in wanted.checks if check.application == self.asked.application)
        verdict = verify_deployment(wanted.model_copy(update={"checks": mine}), tell=self.tell)
        self.checks = sum(result.passed for result in verdict.results)
        self.failures += [f"{one.name}: {one.detail}" for one in verdict.results if not one.passed]

    def _open_the_newest_post(self, wanted: Deployment) -> None:
        chosen, name = self.asked.configuration, self.asked.application
        where = chosen.catalogue[name].newest_post(chosen.settings(name), chosen.context)
        if where:
            visitor = Visitor(wanted.network.dns, Trust(wanted.network.trust), PATIENCE_SECONDS)
            self.post = look_at_newest_post(where, visitor)
            self.failures += filter(None, [self.post.wrong])

    def _take_picture(self, lab: Lab, wanted: Deployment) -> None:
        """Of the newest post, or of a page that shows something of the application's, if there is a browser here."""
        pages = [check.url for check in wanted.checks if isinstance(check, PageShows)]
        pages = [self.post.address, *pages] if self.post.address else pages
        if not pages or self.asked.picture is None or not all(map(shutil.which, BROWSER)):
            return
        self.asked.picture.parent.mkdir(mode=0o700, exist_ok=True)
        addresses = {record.name: record.address for record in wanted.dns}
        trust = lab.directory / "pebble-root.pem"
        take_screenshot(pages[0], self.asked.picture, addresses=addresses, trust=trust)
        self.picture = self.asked.picture.name


def _stage(lab: Lab, names: list[str], repository: str) -> Stage:
    machines = {name: lab[name] for name in names}
    return Stage(
        machines={
            name: Ssh(address=one.address, host_key=one.host_key, identity_file=str(one.key_file))
            for name, one in machines.items()
        },
        dns=lab.acme.address,
        authority=lab.acme.authority.certificate,
        trust=lab.acme_root(),
        repository=repository,
    )


@contextlib.contextmanager
def _room_of_ones_own(room: Path) -> Iterator[Path]:
    """The folder, and nobody else at it; what one that was killed left there is taken down first."""
    room.parent.mkdir(mode=0o700, exist_ok=True)
    with held_lock(room.with_name(f"{room.name}.lock"), seconds=1):
        try:
            Lab(room / "lab").down()
            room.mkdir(mode=0o700, exist_ok=True)
            yield room
        finally:
            shutil.rmtree(room, ignore_errors=True)
