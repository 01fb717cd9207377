"""Carrying out checks: side by side, each again and again until it holds or its deadline ends."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Semaphore, Thread

from fedikit.errors import SecretError
from fedikit.events import CheckFinished, Tell, tell_nobody
from fedikit.model.check import Check
from fedikit.results.check import CheckResult
from fedikit.results.verdict import Verdict
from fedikit.secrets import Vault
from fedikit.verify.attempt import attempt
from fedikit.verify.certificate import Trust
from fedikit.verify.means import Means, Shell, Stand
from fedikit.verify.visitor import Visitor
from fedikit.verify.words import Closed, OutOfTime, Refused

_PATIENCE = 5.0
_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 1.0
_SLACK = 1.0

Answers = SimpleQueue[tuple[int, CheckResult]]


def verify(
    checks: Iterable[Check],
    *,
    resolver: str | None,
    trust: Path | str | None,
    vault: Vault,
    shell: Shell,
    stand: Stand,
    known: Mapping[str, Sequence[str]] | None = None,
    workers: int = 8,
    tell: Tell = tell_nobody,
) -> Verdict:
    """Looks whether checks hold, from outside; takes as long as the slowest, at most the longest deadline and 1 s.

    `resolver` is the DNS server to ask (None: as this machine would), `trust` are further certificates to trust, a
    PEM file or its text, `shell` runs a command in a login shell on a host and returns what it prints, `stand` is the
    way to send requests from where a host stands, `known` are addresses of names that nobody is asked for, `workers`
    attempts run at the same time. A check that cannot be carried out has failed; nothing is raised.
    """
    means = Means(Visitor(resolver, Trust(trust), known=known or {}), vault, shell, stand)
    gate, answers, began = Semaphore(workers), Answers(), time.monotonic()
    trials = tuple(_Trial(check, means, began) for check in checks)
    for number, trial in enumerate(trials):
        # Daemons, for nobody can end a thread that hangs in a foreign call
        Thread(target=_carry_out, args=(number, trial, gate, answers), daemon=True).start()
    return Verdict(results=_collected(trials, answers, tell))


class _Trial:
    """A check on its way: what was tried so far."""

    def __init__(self, check: Check, means: Means, began: float) -> None:
        self._check = check
        self._means = means
        self._began = began
        self._attempts = 0
        self._seen = "wanted an attempt, saw that all workers were busy"

    @property
    def left(self) -> float:
        """Seconds until the deadline."""
        return self.ends - time.monotonic()

    @property
    def ends(self) -> float:
        return self._began + self._check.deadline

    def look(self) -> CheckResult | None:
        """Makes one attempt; a result if the check holds, or never will."""
        self._attempts += 1
        if self._attempts == 1:
            self._seen = f"wanted an end within {self._check.deadline:g} s, saw none"
        visitor = replace(self._means.visitor, patience=max(0.1, min(_PATIENCE, self.left)))
        means = replace(self._means, visitor=visitor, ends=self.ends)
        try:
            return self._result(attempt(self._check, means), passed=True)
        except Closed as error:
            return self._result(str(error), passed=False).model_copy(update={"is_closed": True})
        except (SecretError, Refused) as error:
            return self._result(str(error), passed=False)
        except OutOfTime as error:
            self._seen = str(error) if self._attempts == 1 else self._seen
        except Exception as error:  # a check that cannot be carried out has failed, whatever the reason
            self._seen = str(error) or type(error).__name__
        return None

    def given_up(self) -> CheckResult:
        """The result of a check whose time is over."""
        return self._result(self._seen, passed=False)

    def _result(self, detail: str, *, passed: bool) -> CheckResult:
        return CheckResult(
            name=self._check.name,
            application=self._check.application,
            passed=passed,
            seconds=time.monotonic() - self._began,
            detail=detail,
            attempts=self._attempts,
            check=self._check,
        )


def _carry_out(number: int, trial: _Trial, gate: Semaphore, answers: Answers) -> None:
    answers.put((number, _until_it_holds(trial, gate)))


def _until_it_holds(trial: _Trial, gate: Semaphore) -> CheckResult:
    pause = _FIRST_PAUSE
    while trial.left > 0 and gate.acquire(timeout=trial.left):
        try:
            if result := trial.look():
                return result
        finally:
            gate.release()
        if trial.left <= pause:
            break
        time.sleep(pause)
        pause = min(_LONGEST_PAUSE, pause * 1.5)
    return trial.given_up()


def _collected(trials: tuple[_Trial, ...], answers: Answers, tell: Tell) -> tuple[CheckResult, ...]:
    """The results of all checks, in their order; those that did not end in time have failed."""
    results: dict[int, CheckResult] = {}
    ends = max((trial.ends for trial in trials), default=0) + _SLACK
    while len(results) < len(trials):
        try:
            number, result = answers.get(timeout=max(0, ends - time.monotonic()))
        except Empty:
            break
        results[number] = result
        _tell_of(result, tell)
    for number in range(len(trials)):
        if number not in results:
            results[number] = trials[number].given_up()
            _tell_of(results[number], tell)
    return tuple(results[number] for number in range(len(trials)))


def _tell_of(result: CheckResult, tell: Tell) -> None:
    check = result.name
    tell(CheckFinished(check=check, passed=result.passed, seconds=result.seconds, detail=result.detail))
