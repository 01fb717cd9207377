"""Our papermill engine: what it saves is true, whatever ends a run.

Papermill's own marks a notebook as completed when a cell times out or the kernel dies, and loses the running
cell's output on SIGTERM. Here the failed cell says so, those after it stay pending, and the kernel is asked
before it is killed. It is `papermill --engine fedikit`, too.
"""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from ipykernel.kernelspec import make_ipkernel_cmd
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_core.utils import ensure_event_loop
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbclient.util import ensure_async
from nbformat.v4 import new_output
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import Engine
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

from fedikit.runbook.guidance import ASIDE
from fedikit.runbook.stopping import DeadlinePassed, RunInterrupted, StopRequest

_LOG = logging.getLogger(__name__)
_LOG.addHandler(logging.NullHandler())

NEVER_READY = "the kernel died before it was ready: is a file in ~/.ipython/profile_default/startup broken?"
_LOOK = 0.2  # seconds between two looks at whether the kernel lives and whether to stop

ENDINGS = (RunInterrupted, DeadlinePassed, CellTimeoutError, DeadKernelError)
Ends = list[CellExecutionError | None]
"""How the cells ended, once they did: nothing went wrong, or what a cell raised."""


class RunbookEngine(Engine):  # type: ignore[misc] # papermill is untyped
    """Executes a runbook in a kernel of this very Python, over encrypted channels."""

    @classmethod
    def execute_notebook(cls, nb: Any, kernel_name: str, output_path: str | None = None, **options: Any) -> Any:
        """Executes and saves the notebook, with papermill's banner whatever ended it."""
        try:
            return super().execute_notebook(nb, kernel_name, output_path=output_path, **options)
        except ENDINGS:
            _put_banner(nb, output_path)
            raise

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: Any,
        kernel_name: str,
        *,
        stop: StopRequest | None = None,
        environment: dict[str, str] | None = None,
        show: Callable[[str], None] | None = None,
        ends: Ends | None = None,
        start_timeout: int = 60,
        execution_timeout: int | None = None,
        **options: Any,
    ) -> None:
        """Executes the cells.

        `environment` is the kernel's. `stop` tells when to end before the end. `show` gets what cells display.
        `ends` is told how they ended, whether or not that could be saved.
        """
        nb_man.save = _as_far_as_there_is_room(nb_man.save)
        client = RunbookClient(
            nb_man,
            stop=stop or StopRequest(),
            show=show,
            kernel_name=kernel_name,
            startup_timeout=start_timeout,
            timeout=execution_timeout,
            **{name: options[name] for name in ("log_output", "stdout_file", "stderr_file") if name in options},
        )
        with client.stop.listening(), ThreadPoolExecutor(1) as pool:
            pool.submit(client.execute_in_own_loop, environment).result()
        if ends is not None:
            ends.append(client.failure)


class RunbookClient(PapermillNotebookClient):  # type: ignore[misc] # papermill is untyped
    """Executes cells and marks each as what became of it."""

    def __init__(self, nb_man: Any, *, stop: StopRequest, show: Callable[[str], None] | None, **options: Any) -> None:
        self.stop = stop
        self._show = show
        self._is_interrupted = False
        self.failure: CellExecutionError | None = None
        encrypted = Config({"KernelManager": {"transport_encryption": "required"}})
        super().__init__(
            nb_man,
            config=encrypted,
            log=_LOG,
            shutdown_kernel="immediate",
            store_widget_state=False,
            **options,
        )

    def execute_in_own_loop(self, environment: dict[str, str] | None) -> None:
        """Executes the notebook in this thread, which has no event loop yet and keeps none."""
        try:
            self.execute(**({} if environment is None else {"env": environment}))
        finally:
            ensure_event_loop().close()

    def start_new_kernel_client(self) -> Any:
        """Waits until the kernel is ready; raises DeadKernelError if that does not come."""
        try:
            return super().start_new_kernel_client()
        except RuntimeError as error:
            raise DeadKernelError(NEVER_READY) from error

    def create_kernel_manager(self) -> Any:
        """This Python's own kernel, whatever kernels the user has put into his folders under its name.

        Where it is started may be anybody's folder: nothing is imported from there.
        """
        manager = super().create_kernel_manager()
        manager.kernel_spec_manager = KernelSpecManager(kernel_dirs=[])
        manager.kernel_spec.argv = make_ipkernel_cmd(
            python_arguments=["-P"], extra_arguments=["--InteractiveShellApp.ignore_cwd=True"]
        )
        return manager

    def papermill_execute_cells(self) -> None:
        """Executes the cells up to the first that fails."""
        for index, cell in enumerate(self.nb.cells):
            try:
                self._execute(cell, index)
            except CellExecutionError as error:
                self.failure = error
                return

    def _execute(self, cell: Any, index: int) -> None:
        self.nb_man.cell_start(cell, index)
        try:
            self._execute_unless_stopped(cell, index)
        except BaseException as error:
            self.nb_man.cell_exception(cell, cell_index=index, exception=error)
            if not isinstance(error, CellExecutionError):
                _append_error(cell, error)
            raise
        finally:
            self.nb_man.cell_complete(cell, cell_index=index)

    def _execute_unless_stopped(self, cell: Any, index: int) -> None:
        if cell.cell_type != "code":
            return
        try:
            if not self.stop.is_asked():
                self.execute_cell(cell, index)
                return
        except BaseException as error:
            if not self.stop.is_asked():
                raise
            raise self.stop.as_error() from error
        raise self.stop.as_error()

    def process_message(self, *arguments: Any, **options: Any) -> Any:
        """Takes a message of the kernel in, and shows it if it is something that a cell displays."""
        output = super().process_message(*arguments, **options)
        if output and self._show and output.get("metadata", ASIDE) != ASIDE:
            self._show(output["data"].get("text/plain", ""))
        return output

    async def _async_poll_kernel_alive(self) -> None:
        """Looks after the running cell; cancelling the wait for its reply ends it (as nbclient does)."""
        while not self.stop.is_grace_over() and await ensure_async(self.kc.is_alive()):
            if self.stop.is_asked() and not self._is_interrupted:
                self._is_interrupted = True
                await ensure_async(self.km.interrupt_kernel())
            await asyncio.sleep(_LOOK)
        self.task_poll_for_reply.cancel()


def _as_far_as_there_is_room(save: Callable[..., None]) -> Callable[..., None]:
    """What cannot be saved now may be later: a full disk ends no work on hosts."""

    def save_if_possible(*arguments: Any, **options: Any) -> None:
        with suppress(OSError):
            save(*arguments, **options)

    return save_if_possible


def _put_banner(nb: Any, output_path: str | None) -> None:
    from papermill.execute import raise_for_execution_errors  # it imports the engines, and so this module

    with suppress(PapermillExecutionError):
        raise_for_execution_errors(nb, output_path)


def _append_error(cell: Any, error: BaseException) -> None:
    name, words = type(error).__name__, str(error).partition("\n")[0]
    output = {"ename": name, "evalue": words, "traceback": [f"{name}: {words}"]}
    cell.outputs.append(new_output("error", **output))  # type: ignore[no-untyped-call]
