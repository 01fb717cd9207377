"""What the cells of a runbook work with: one run, its steps, its events.

It is the same in JupyterLab, under papermill and under `fedikit run`. The last keeps a record, and names its folder
to the kernel in FEDIKIT_RECORD; where a person runs the cells, the run keeps its own.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fedikit
from fedikit.errors import ConfigurationError, FedikitError, Mistake
from fedikit.events import Event, StepFinished, StepStarted, Tell
from fedikit.model.deployment import Deployment
from fedikit.results.proof import Proofs
from fedikit.results.services import services_of
from fedikit.runbook.arguments import check_files, check_parameters, find_file
from fedikit.runbook.front_end import is_attended
from fedikit.runbook.go import offer
from fedikit.runbook.guidance import (
    InvalidInput,
    RunbookError,
    StepFailed,
    StepRefused,
    StepStopped,
    advice_for,
    show_advice,
    show_note,
)
from fedikit.runbook.history import expected_steps
from fedikit.runbook.own_record import OwnRecord
from fedikit.runbook.parameters import RunbookParameters, parameters_model
from fedikit.runbook.past import last_of
from fedikit.runbook.progress import ProgressLine
from fedikit.runbook.proving import find_prover, show_picture
from fedikit.runbook.record import RECORD, RUNBOOK, EventLog, as_line, write_whole
from fedikit.runbook.summary import Heading, NothingDone, StepTaken, Summary, show_timeline
from fedikit.secrets import Vault, secrets_of
from fedikit.secrets.redaction import find_leaks, scrub

if TYPE_CHECKING:
    from fedikit.data.migration.sides import Sides
    from fedikit.environment.environment import Environment
    from fedikit.remote.sessions import Sessions

    AnyPlan = fedikit.Plan | fedikit.UpgradePlan | fedikit.RestorePlan | fedikit.MigrationPlan
    Asked = AnyPlan | fedikit.Backups | fedikit.Status

KEPT_AS = {
    "Backups": "backups.json",
    "MigrationPlan": "migration.json",
    "Plan": "plan.json",
    "RestorePlan": "restore.json",
    "Status": "status.json",
    "UpgradePlan": "upgrade.json",
}
"""The file of the record in which an answer is kept, by its kind."""


def begin(runbook: str, /, **parameters: Any) -> "Run":
    """Begins a run of a runbook: checks the parameters, whoever put them into the cell above."""
    model = parameters_model(runbook)
    try:
        checked = check_parameters(model, parameters)
        check_files(checked)
    except ConfigurationError as error:
        raise InvalidInput(model.runbook, "pre-checks", error.message, hint=error.hint) from None
    if folder := os.environ.get(RECORD):
        return Run(checked, record=Path(folder))
    return Run(checked, own=OwnRecord.open(checked) if is_attended() else None)


class Run:
    """One run of a runbook, from `begin` to its summary."""

    def __init__(
        self, parameters: RunbookParameters, *, record: Path | None = None, own: OwnRecord | None = None
    ) -> None:
        self.parameters = parameters
        self.record = own.folder if own else record
        self._own = own
        self._earlier = own.earlier() if own else []
        self._log = EventLog(self.record / "events.ndjson") if self.record else None
        self._hidden: frozenset[str] = frozenset()
        self._line: ProgressLine | None = None
        self._inside = ""
        self._sessions: Sessions | None = None
        self._steps: list[StepTaken] = []
        self._planned = ""
        self._silent: tuple[str, ...] = ()
        self._told: list[dict[str, Any]] = []

    @property
    def is_dry_run(self) -> bool:
        """Whether this run stops before it changes anything."""
        return bool(self.parameters.is_dry_run)

    def path_of(self, parameter: str) -> Path:
        """The file that a parameter names."""
        return find_file(getattr(self.parameters, parameter))

    def hide(self, secrets: Iterable[str]) -> None:
        """Keeps these out of what the run itself writes and shows, should anything ever let one slip."""
        self._hidden |= frozenset(secrets)

    def tell(self, event: Event) -> None:
        """Takes an event: into the record, and onto the cell's progress line."""
        if isinstance(event, StepStarted | StepFinished) and event.step == self._inside:
            return  # the library's part of the step has the same name as the step
        event = self._scrubbed_event(event)
        self._told.append(as_line(event))
        if self._log:
            self._log(event)
        if self._line:
            self._line(event)

    @contextmanager
    def step(self, name: str, *, total: int = 0) -> Iterator[None]:
        """Runs a block as a step; if it fails, the error says which runbook helps next.

        `total`: how many items or checks it is about, for its progress line.
        """
        with self._own.at_work() if self._own else nullcontext():
            started = self._start(name, total)
            try:
                yield
            except FedikitError as error:
                self._end(name, started, error)
                kind = InvalidInput if error.exit_status == 2 else StepFailed
                message, hint = self._scrubbed(error.headline), self._scrubbed(error.hint)
                raise kind(self.parameters.runbook, name, message, hint=hint) from error
            except KeyboardInterrupt as error:
                self._end(name, started, error)
                raise StepStopped(self.parameters.runbook, name) from error
            except BaseException as error:
                self._end(name, started, error)
                raise
            self._end(name, started, None)

    def sessions(self, wanted: "Deployment | Environment") -> "Sessions":
        """The connections on which a plan is made; they stay open for the `apply` that follows it."""
        from fedikit.remote.sessions import Sessions

        self._close_sessions()
        self._sessions = Sessions(wanted if isinstance(wanted, Deployment) else wanted.empty(), foreseeing=True)
        return self._sessions

    def _close_sessions(self) -> None:
        if self._sessions:
            self._sessions.close()
        self._sessions = None

    def apply(self, plan: "fedikit.Plan") -> "fedikit.Report | NothingDone":
        """Applies the plan, once; in a dry run it changes nothing and says so, and asks a person who is there."""
        if self.is_dry_run:
            self._close_sessions()
            passed = self._pass_over("apply")
            return offer(plan, self.parameters, self._own.folder.parent) or passed if self._own else passed
        self._refuse_an_old_plan()
        with self.step("apply", total=sum(len(host.changes) for host in plan.hosts.values())):
            self._refuse_another_plan(plan)
            self._hide_secrets_of(plan.deployment)
            with self._sessions or nullcontext():
                report = fedikit.apply_safely(plan, sessions=self._sessions, tell=self.tell)
            self._keep("report.json", report.model_dump_json(indent=1))
            self._require(report.succeeded, report, "not every host was brought to its wanted state")
        return report

    def upgrade(self, plan: "fedikit.UpgradePlan") -> "fedikit.UpgradeReport | NothingDone":
        """Carries out the upgrade, once; in a dry run it changes nothing and says so."""
        if self.is_dry_run:
            return self._pass_over("apply")
        self._refuse_an_old_plan()
        with self.step("apply", total=sum(len(host.packages) for host in plan.hosts.values())):
            self._refuse_another_plan(plan)
            self._hide_secrets_of(plan.deployment)
            report = fedikit.apply_upgrade(plan, tell=self.tell)
            self._keep("upgraded.json", report.model_dump_json(indent=1))
            self._require(report.succeeded, report, "the upgrade ended at the first host that failed")
        return report

    def restore(self, plan: "fedikit.RestorePlan") -> "fedikit.RestoreReport | NothingDone":
        """Puts the data back as planned, once; in a dry run it changes nothing and asks a person who is there."""
        if self.is_dry_run:
            passed = self._pass_over("apply")
            return offer(plan, self.parameters, self._own.folder.parent) or passed if self._own else passed
        self._refuse_an_old_plan()
        with self.step("apply", total=sum(len(one.parts) for one in plan.applications)):
            self._refuse_another_plan(plan)
            self._hide_secrets_of(plan.deployment)
            report = fedikit.apply_restore(plan, tell=self._but_for_step("restore"))
            self._keep("restored.json", report.model_dump_json(indent=1))
            self._require(report.succeeded, report, "not every application is as it was in its backup")
        return report

    def migrate(self, plan: "fedikit.MigrationPlan", sides: "Sides") -> "fedikit.MigrationReport | NothingDone":
        """Carries applications over as planned, once; in a dry run it does not, and asks a person who is there."""
        return self._carry(plan, sides, fedikit.apply_migration)

    def move(self, plan: "fedikit.MigrationPlan", sides: "Sides") -> "fedikit.MigrationReport | NothingDone":
        """Brings data along as planned, once; in a dry run it does not, and asks a person who is there.

        Where there is nothing to bring, nothing is done.
        """
        return self._carry(plan, sides, fedikit.apply_move)

    def _carry(
        self, plan: "fedikit.MigrationPlan", sides: "Sides", apply: Callable[..., "fedikit.MigrationReport"]
    ) -> "fedikit.MigrationReport | NothingDone":
        if self.is_dry_run:
            passed = self._pass_over("apply")
            return offer(plan, self.parameters, self._own.folder.parent) or passed if self._own else passed
        self._refuse_an_old_plan()
        with self.step("apply"):
            self._refuse_another_plan(plan)
            self._hide_secrets_of(plan.source)
            self._hide_secrets_of(plan.target)
            minutes = getattr(self.parameters, "names_within", 0.0)
            report = apply(plan, sides, names_seconds=minutes * 60, tell=self.tell)
            self._keep("migrated.json", report.model_dump_json(indent=1))
            self._require(report.succeeded, report, report.error, hint=report.advice)
        return report

    def back_up(self, deployment: Deployment) -> "fedikit.BackupReport | NothingDone":
        """Has the hosts back up, once; in a dry run they do not."""
        if self.is_dry_run:
            return self._pass_over("apply")
        self._refuse_an_old_plan()
        with self.step("apply"):
            self._hide_secrets_of(deployment)
            names, limit = (getattr(self.parameters, name, ()) for name in ("applications", "limit"))
            report = fedikit.make_backup(deployment, names, limit=limit, tell=self._but_for_step("backup"))
            self._keep("backup.json", report.model_dump_json(indent=1))
            self._require(report.succeeded, report, "not every application was backed up")
        return report

    def require_lab(self) -> None:
        """Makes sure that backups can be proven here."""
        find_prover()

    def prove(self, deployment: Deployment) -> "Proofs | NothingDone":
        """Has backups restored elsewhere, once; in a dry run they are not. Pictures are shown, and kept beside it."""
        if self.is_dry_run:
            return self._pass_over("apply")
        self._refuse_an_old_plan()
        environment = self.path_of("environment")
        with self.step("apply"):
            self._hide_secrets_of(deployment)
            names, at = (getattr(self.parameters, name) for name in ("applications", "at"))
            files = (self.path_of("configuration"), environment)
            proofs = find_prover()(*files, names, at=at, tell=self.tell)
            self._keep("proofs.json", proofs.model_dump_json(indent=1))
            for proof in proofs.proofs:
                self._keep_picture(proof.picture, show_picture(proof, environment))
            self._require(proofs.succeeded, proofs, "not every backup could be proven")
        return proofs

    def require_proven(self, kept: "fedikit.Backups", proofs: "Proofs | NothingDone") -> None:
        """Makes sure that what was proven is told with the backups themselves."""
        self.require_answers(kept)
        if isinstance(proofs, NothingDone):
            return
        told = {backup.id: backup.proof for one in kept.applications for backup in one.backups}
        proven = ((proof, one.backup.id) for proof in proofs.proofs for one in proof.backups)
        lost = [name for proof, name in proven if (there := told.get(name)) is None or there.ended != proof.ended]
        self._require(not lost, kept, f"the proof does not lie beside its backup: {', '.join(lost)}")

    def require_kept(self, kept: "fedikit.Backups", report: "fedikit.BackupReport | NothingDone") -> None:
        """Makes sure that what was backed up is among what is kept."""
        self.require_answers(kept)
        if isinstance(report, NothingDone):
            return
        there = {backup.id for one in kept.applications for backup in one.backups}
        lost = [one.application for one in report.applications if one.backup and one.backup.id not in there]
        self._require(not lost, kept, f"what was backed up is not in the repository: {', '.join(lost)}")

    def verify(self, deployment: Deployment) -> "fedikit.Verdict | NothingDone":
        """Checks what serves from outside; after a dry run there is nothing new to check."""
        if self.is_dry_run:
            return self._pass_over("verify")
        with self.step("verify", total=len(deployment.checks)):
            self._hide_secrets_of(deployment)
            limit = getattr(self.parameters, "limit", ())
            verdict = fedikit.verify_deployment(deployment, limit=limit, tell=self.tell)
            self._keep("checks.xml", verdict.junit())
            self._keep("verdict.json", verdict.model_dump_json(indent=1))
            self._require(verdict.passed, verdict, self._with_silent("not every check passed"))
            self._require(not self._silent, verdict, self._with_silent("every check passed"))
        _show(services_of(deployment, limit))
        return verdict

    def require_answers(self, asked: "Asked") -> None:
        """Makes sure that every host answered and that nothing there stands in the way."""
        self._keep_answers(asked)
        if asked.has_errors:
            self._close_sessions()
        hint = "mend what is said above"
        hint = f"leave the others alone with limit=…, or {hint}" if hasattr(self.parameters, "limit") else hint
        self._require(not asked.has_errors, asked, "not every host can be worked on", hint=hint)

    def foresee(self, plan: "fedikit.Plan") -> None:
        """Says what would make the plan fail, before anything is done; stops there if the parameters say so."""
        from fedikit.doctor.examine import foresee  # needed only where something would change

        diagnosis = foresee(plan, sessions=self._sessions)
        if diagnosis.is_clear:
            return
        if getattr(self.parameters, "obstacles", "say") == "stop" and not self.is_dry_run:
            self._close_sessions()
            self._require(False, diagnosis, "something stands in the way", hint="mend it, or go on: obstacles = 'say'")
        _show(diagnosis)

    def note_answers(self, asked: "fedikit.Status") -> None:
        """Notes which hosts do not answer: the others are checked nevertheless, and the run fails in the end."""
        self._keep_answers(asked)
        self._silent = tuple(name for name, host in asked.hosts.items() if host.error)

    def require_confirmed(self, environment: "Environment") -> None:
        """Makes sure that who wants to purge named the environment."""
        purge, confirm = getattr(self.parameters, "purge", False), getattr(self.parameters, "confirm", "")
        if not purge or self.is_dry_run or confirm == environment.name:
            return
        message = f"to purge takes the environment's name: confirm = {environment.name!r}"
        raise ConfigurationError(self.parameters.runbook, [Mistake("confirm", message)])

    def require_back(self, plan: "fedikit.Plan", present: "fedikit.Status") -> None:
        """Makes sure that each host that was to go back says of its last run that it came to where it was going."""
        if self.is_dry_run:
            return
        going = {name: host.target for name, host in plan.hosts.items() if host.is_changeable}
        ended = {name: host.last_run for name, host in present.hosts.items()}
        away = [
            name
            for name, target in going.items()
            if (last := ended.get(name)) is None or (last.state, last.target) != ("done", target)
        ]
        self._require(not away, present, f"not back where they were going: {', '.join(away)}")

    def verify_back(self, plan: "fedikit.Plan") -> None:
        """Checks from outside what the hosts that went back promised then; says where there is nothing to check."""
        if self.is_dry_run:
            return
        self._hide_secrets_of(plan.deployment)
        verdict = fedikit.verify_rollback(plan, tell=self.tell)
        self._keep("checks.xml", verdict.junit())
        self._keep("verdict.json", verdict.model_dump_json(indent=1))
        for words in plan.unpromised:
            show_note(f"not checked: {words}")
        self._require(verdict.passed, verdict, "what served then does not serve again")
        self._require(not plan.has_forgeries, verdict, "a host shows other checks than it was given")
        if verdict.results:
            _show(verdict)

    def require_done(self, plan: "fedikit.Plan") -> None:
        """Makes sure that a plan made after applying has nothing left to do."""
        if not self.is_dry_run:
            self._require(plan.is_noop, plan, "there is still something to do")

    def summary(self) -> Summary:
        """Sums up the steps taken; refuses to if a secret has slipped into the record."""
        self._close_sessions()
        self._refuse_leaks()
        if self._own and all(step.outcome != "failed" for step in self._last_steps()):
            self._own.succeed()
        return Summary(self.parameters, tuple(self._steps), planned=self._planned, events=tuple(self._told))

    def _repr_html_(self) -> str:
        return self._heading()._repr_html_()

    def __repr__(self) -> str:
        return repr(self._heading())

    def _heading(self) -> Heading:
        return Heading(self.parameters, self.record, last=last_of(self._earlier, self.parameters.runbook))

    def _start(self, name: str, total: int) -> float:
        self.tell(StepStarted(step=name))
        self._inside, self._line = name, ProgressLine(name, total=total, usual=self._usual(name, total))
        return time.monotonic()

    def _usual(self, name: str, total: int) -> float | None:
        """How long the step takes as a rule; applying takes as long as there is much to change."""
        parameters = self.parameters.model_dump(mode="json")
        changes = total if name == "apply" else None
        return expected_steps(self._earlier, self.parameters.runbook, parameters, changes=changes).get(name)

    def _end(self, name: str, started: float, error: BaseException | None) -> None:
        seconds = round(time.monotonic() - started, 3)
        self._steps.append(StepTaken(name, seconds, "failed" if error else "done"))
        line, self._inside, self._line = self._line, "", None
        self.tell(StepFinished(step=name, seconds=seconds, failed=error is not None))
        if line:
            line.end(seconds, self._scrubbed(_first_line(error)) if error else "")
        if error and self._own:
            self._own.fail(error, self._scrubbed(_words(error)), name)
        if error:
            show_timeline(self._told)
            show_advice(advice_for(self.parameters.runbook, name), base=self._base())

    def _base(self) -> str:
        """Where runbooks are, as seen from the notebook that is being saved."""
        source = os.environ.get(RUNBOOK)
        if self.record is None or source is None:
            return ""
        return os.path.relpath(Path(source).parent, self.record) + "/"

    def _refuse_an_old_plan(self) -> None:
        if any(step.name == "apply" for step in self._steps):
            raise StepRefused(
                "this run has applied its plan already", hint="run the notebook from the top, for a fresh plan"
            )
        plans = [step for step in self._steps if step.name == "plan"]
        if not plans or plans[-1].outcome != "done":
            raise StepRefused("this run has no plan yet", hint="run the notebook from the top")

    def _refuse_another_plan(self, plan: "AnyPlan") -> None:
        agreed = getattr(self.parameters, "agreed", "")
        if agreed and agreed != plan.digest:
            self._close_sessions()
            message = "what would be done is no longer what was agreed to; nothing was changed"
            raise FedikitError(message, hint="look at the plan again: a host, the files or Debian's packages moved")

    def _keep_answers(self, asked: "Asked") -> None:
        self._planned = getattr(asked, "digest", self._planned)
        self._keep(KEPT_AS[type(asked).__name__], asked.model_dump_json(indent=1))

    def _but_for_step(self, name: str) -> Tell:
        """Takes the library's events, but for those of a step that is a part of ours."""

        def tell(event: Event) -> None:
            if not (isinstance(event, StepStarted | StepFinished) and event.step == name):
                self.tell(event)

        return tell

    def _hide_secrets_of(self, deployment: Deployment) -> None:
        vault = Vault.of(deployment)
        self.hide(vault.value(ref) for ref in secrets_of(deployment))

    def _refuse_leaks(self) -> None:
        leaks = find_leaks([self.record], self._hidden) if self.record else []
        if leaks:
            names = ", ".join(sorted({leak.path.name for leak in leaks}))
            hint = "delete the record, raise the secret's version, and deploy again; this should never happen"
            error = RunbookError(f"a secret stands in the record: {names}", hint=hint)
            if self._own:
                self._own.fail(error, error.headline)
            raise error

    def _last_steps(self) -> Iterable[StepTaken]:
        """Each step as it went the last time: a person may run a cell again."""
        return {step.name: step for step in self._steps}.values()

    def _pass_over(self, name: str) -> NothingDone:
        self._steps.append(StepTaken(name, 0.0, "not done: dry run"))
        return NothingDone(name)

    def _with_silent(self, words: str) -> str:
        return f"{words}, but no answer came from {', '.join(self._silent)}" if self._silent else words

    def _require(self, holds: bool, seen: Any, message: str, *, hint: str = "") -> None:
        if not holds:
            _show(seen)
            raise FedikitError(message, hint=hint)

    def _keep_picture(self, name: str, content: bytes | None) -> None:
        if self.record and content:
            try:
                (self.record / name).write_bytes(content)
            except OSError as error:
                show_note(f"the picture is not kept in the record: {error}; the run goes on")

    def _keep(self, name: str, text: str) -> None:
        """Into the record; a full disk costs that, but not the run."""
        if self.record:
            try:
                write_whole(self.record / name, self._scrubbed(text))
            except FedikitError as error:
                show_note(f"{error.message}; the run goes on")

    def _scrubbed(self, text: str) -> str:
        return scrub(text, self._hidden) if self._hidden else text

    def _scrubbed_event(self, event: Event) -> Event:
        texts = {name: self._scrubbed(value) for name, value in vars(event).items() if isinstance(value, str)}
        return replace(event, **texts) if self._hidden else event  # type: ignore[arg-type]


def _first_line(error: BaseException) -> str:
    return _words(error).partition("\n")[0]


def _words(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt):
        return "stopped"
    return error.headline if isinstance(error, FedikitError) else f"{type(error).__name__}: {error}"


def _show(value: Any) -> None:
    from IPython.display import display

    display(value)  # type: ignore[no-untyped-call]
