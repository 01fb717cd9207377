"""The files that pages need: a closed list, made once from what the installed distributions say they brought.

Nothing in a request is ever made part of a path.
"""

import json
import mimetypes
from functools import cache
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from tornado.web import HTTPError

from fedikit.errors import FedikitError
from fedikit.panel.server.guard import Guard
from fedikit.panel.server.pages import TEMPLATES

OPEN = ("style.css", "icon.svg")
"""What the sign-in page needs."""
_OWN = (*OPEN, "panel.js")
_VOILA = "share/jupyter/voila/templates/base/static/"
_EXTENSIONS = "share/jupyter/labextensions/"
_WIDGETS = {
    "jupyterlab_widgets": f"{_EXTENSIONS}@jupyter-widgets/jupyterlab-manager/",
    "voila": "share/jupyter/voila/labextensions/@voila-dashboards/widgets-manager8/",
}
_THEMES = "share/jupyter/nbconvert/templates/lab/static/theme-"
_SERVED = {".js", ".css", ".svg", ".woff", ".woff2", ".ttf"}


class Asset(Guard):
    """One of the files. Browsers may keep it: in another version it is at another place."""

    def get(self, name: str) -> None:
        file = assets().get(name)
        if file is None:
            raise HTTPError(404)
        self.set_header("Content-Type", mimetypes.guess_type(file.name)[0] or "application/octet-stream")
        self.set_header("Cache-Control", "private, max-age=31536000, immutable")
        self.finish(file.read_bytes())


class OpenAsset(Asset):
    """Those that the sign-in page needs."""

    is_open = True


@cache
def assets() -> dict[str, Path]:
    """Each file by its name in addresses."""
    found = {name: TEMPLATES / name for name in _OWN}
    found |= {f"voila/{file.name}": file for file in _files_of("voila", _VOILA)}
    for package, folder in _WIDGETS.items():
        name = "/".join(Path(folder).parts[-2:])
        found |= {f"widgets/{name}/static/{file.name}": file for file in _files_of(package, f"{folder}static/")}
    found |= {file.name: file for file in _files_of("nbconvert", _THEMES) if file.suffix == ".css"}
    return {name: file for name, file in found.items() if file.suffix in _SERVED}


@cache
def widget_extensions() -> list[dict[str, Any]]:
    """What Voilà's front end loads besides: the widgets, and what connects them to the kernel."""
    extensions = []
    for package, folder in _WIDGETS.items():
        (description,) = _files_of(package, f"{folder}package.json")
        content = json.loads(description.read_text())
        extensions.append({"name": content["name"], **content["jupyterlab"]["_build"]})
    return extensions


def _files_of(package: str, start: str) -> list[Path]:
    """The files that a distribution brought below a folder."""
    brought = distribution(package).files or []
    found = [Path(str(file.locate())).resolve() for file in brought if start in file.as_posix()]
    if not found:
        raise FedikitError(f"the package {package} has no files {start}", hint="install fedikit[panel] anew")
    return found
