"""The panel's page: its frame at once, then what the notebook displays, as the kernel says it."""

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

from nbclient import NotebookClient
from nbclient.exceptions import CellControlSignal, CellExecutionError, DeadKernelError
from tornado.web import HTTPError

from fedikit.errors import visible
from fedikit.panel.server.assets import widget_extensions
from fedikit.panel.server.guard import Guard
from fedikit.panel.server.kernels import Kernels, Started
from fedikit.panel.server.notebook import PanelNotebook
from fedikit.panel.server.pages import ASSETS

_LOG = logging.getLogger(__name__)
_CELL_SECONDS = 60


class PanelPage(Guard):
    """A page of the panel: a kernel of its own, with the operator's own parameters, which no browser can choose."""

    is_page = True
    _started: Started | None = None

    async def get(self) -> None:
        if not self.session:
            raise HTTPError(403)
        kernels: Kernels = self.settings["kernels"]
        started = self._started = kernels.take(self.session)
        pages = self.pages
        head, _, foot = pages.render("panel.html", **self._frame(started)).partition("<!-- outputs -->")
        self.write(head)
        await self.flush()
        try:
            for output in await self._outputs(started, pages.text.language):
                self.write(pages.render("output.html", output=output))
        except (CellExecutionError, CellControlSignal, DeadKernelError, RuntimeError, OSError) as error:
            _LOG.error("the panel's notebook failed: %s", visible(str(error)))
            kernels.end_soon(started.id)
            self.write(pages.render("failure.html"))
        self.finish(foot)

    def on_connection_close(self) -> None:
        """Nobody waits for the page any more."""
        if self._started:
            self.settings["kernels"].end_soon(self._started.id)

    def _frame(self, started: Started) -> dict[str, Any]:
        configuration: dict[str, Any] = {
            "appUrl": "panel/",
            "baseUrl": "/",
            "extensionConfig": {},
            "federated_extensions": widget_extensions(),
            "fullLabextensionsUrl": f"{ASSETS}/widgets",
            "fullMathjaxUrl": None,
            "fullStaticUrl": f"{ASSETS}/voila",
            "jupyterLabTheme": "light",
            "kernelId": started.id,
            "mathjaxConfig": None,
            "progressiveRendering": False,
            "terminalsAvailable": False,
        }
        return {
            "title": self.pages.text("Your services"),
            "configuration": configuration,
            "kernel_id": started.id,
            "operator": self.session.operator if self.session else "",
            "xsrf_token": self.xsrf_token.decode(),
        }

    async def _outputs(self, started: Started, language: str) -> list[Any]:
        notebook: PanelNotebook = self.settings["notebook"]
        filled = notebook.with_parameters({**self.own_place().model_dump(), "language": language})
        client = await asyncio.shield(started.ready)
        kernel = self.settings["kernels"].manager.get_kernel(started.id)
        run = NotebookClient(filled, km=kernel, timeout=_CELL_SECONDS)
        run.kc = client
        try:
            for index, cell in enumerate(filled.cells):
                if cell.cell_type == "code":
                    await run.async_execute_cell(cell, index, store_history=False)
        finally:
            client.stop_channels()
        return list(_displayed(filled))


def _displayed(notebook: Any) -> Iterator[dict[str, Any]]:
    """What the cells display, as Voilà's front end takes it."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.output_type in ("display_data", "execute_result"):
                yield {**output, "trusted": True}
