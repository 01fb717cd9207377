"""Executes a notebook with papermill and our engine, and judges how that ended by what was raised."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.engines import papermill_engines
from papermill.exceptions import PapermillExecutionError
from papermill.execute import execute_notebook

from fedikit.runbook.engine import NEVER_READY, Ends, RunbookEngine
from fedikit.runbook.guidance import InvalidInput, RunbookError, StepFailed, StepRefused, StepStopped
from fedikit.runbook.record import RunStatus
from fedikit.runbook.stopping import DeadlinePassed, RunInterrupted

papermill_engines.register("fedikit", RunbookEngine)  # as the entry point does where fedikit is installed

_SPEAKS_FOR_ITSELF = {kind.__name__ for kind in (RunbookError, StepFailed, InvalidInput, StepRefused, StepStopped)}


@dataclass(frozen=True)
class Ending:
    """How the execution of a notebook ended."""

    status: RunStatus
    exit_status: int
    reason: str = ""


def execute(source: Path, output: Path, *, parameters: dict[str, Any], **options: Any) -> Ending:
    """Executes the notebook from `source` into `output`; `options` are those of the engine."""
    ends: Ends = []
    try:
        execute_notebook(
            _literal(source),
            _literal(output),
            parameters=parameters,
            engine_name="fedikit",
            progress_bar=False,
            ends=ends,
            **options,
        )
    except PapermillExecutionError as error:
        return _failure(error)
    except RunInterrupted as error:
        return Ending(RunStatus.INTERRUPTED, 128 + error.signum, str(error))
    except (DeadlinePassed, CellTimeoutError) as error:
        return Ending(RunStatus.TIMED_OUT, 3, str(error))
    except DeadKernelError as error:
        is_early = str(error) == NEVER_READY
        return Ending(RunStatus.KERNEL_DIED, 4, NEVER_READY if is_early else "the kernel died, as when memory runs out")
    except OSError as error:
        return _unsaved(ends, (error.strerror or str(error)).lower())
    return Ending(RunStatus.SUCCEEDED, 0)


def _unsaved(ends: Ends, why: str) -> Ending:
    """The notebook could not be saved in the end, or not be begun; how its cells ended is known nevertheless."""
    if not ends:
        return Ending(RunStatus.FAILED, 1, f"the run's notebook cannot be written: {why}; nothing was begun")
    if ends[0] is None:
        return Ending(RunStatus.FAILED, 1, f"all cells succeeded, but the run's notebook cannot be written: {why}")
    failure = _failure(ends[0])
    return Ending(failure.status, failure.exit_status, f"{failure.reason}; the run's notebook cannot be written: {why}")


def _failure(error: Any) -> Ending:
    """A cell raised; the kernel tells only the names of what was raised."""
    reason = error.evalue if error.ename in _SPEAKS_FOR_ITSELF else f"{error.ename}: {error.evalue}"
    if error.ename == InvalidInput.__name__:
        return Ending(RunStatus.INVALID, 2, reason)
    return Ending(RunStatus.FAILED, 1, reason)


def _literal(path: Path) -> str:
    """Papermill takes paths as format strings."""
    return str(path).replace("{", "{{").replace("}", "}}")
