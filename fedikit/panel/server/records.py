"""The record of a run, shown as a page without scripts, in a sandbox: what it says may be a host's own words."""

import asyncio
import re
from pathlib import Path

from tornado.web import HTTPError

from fedikit.panel.desk import Desk
from fedikit.panel.server.guard import Guard

_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{0,100}")
_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'"
_LARGEST_BYTES = 50_000_000


class RecordPage(Guard):
    """The executed notebook of one of the operator's own runs."""

    is_page = True

    @property
    def content_security_policy(self) -> str:
        return _POLICY

    async def get(self, name: str) -> None:
        notebook = self._notebook(name)
        body = await asyncio.to_thread(_as_html, notebook)
        self.finish(self.pages.render("record.html", title=name, body=body))

    def _notebook(self, name: str) -> Path:
        if not self.session or not _NAME.fullmatch(name):
            raise HTTPError(404)
        folder = Desk.at(self.own_place()).records / name
        found = [file for file in sorted(folder.glob("*.ipynb")) if file.is_file() and not file.is_symlink()]
        if folder.is_symlink() or not found or found[0].stat().st_size > _LARGEST_BYTES:
            raise HTTPError(404)
        return found[0]


def _as_html(notebook: Path) -> str:
    from nbconvert import HTMLExporter  # half a second, and most visitors read no record

    exporter = HTMLExporter(template_name="basic", exclude_input_prompt=True, exclude_output_prompt=True)
    body, _resources = exporter.from_filename(str(notebook))
    return str(body)
