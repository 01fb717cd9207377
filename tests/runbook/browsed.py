"""JupyterLab as a person has it: a server on loopback, and a real browser in which cells run."""

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium import webdriver

from tests.checks.journeys.browser import Browser

PROJECT = Path(__file__).parents[2]
DEADLINE_SECONDS = 30
FLAGS = "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --window-size=1100,1400".split()
SETTINGS = {
    "notebook-extension/tracker": {"windowingMode": "none"},
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}

_HAS_KERNEL = """
    const context = window.jupyterapp?.shell.currentWidget?.sessionContext
    return !!context?.isReady && context.session?.kernel?.status === 'idle'"""

# WCAG 2: of each text that is shown, its luminance against that of the nearest ground that is not transparent.
_CONTRASTS = """
    const parts = colour => {
        const [r, g, b, alpha = 1] = colour.match(/[\\d.]+/g).map(Number)
        return {rgb: [r, g, b], alpha}
    }
    const groundOf = node => {
        for (; node; node = node.parentElement) {
            const ground = parts(getComputedStyle(node).backgroundColor)
            if (ground.alpha > 0.99) return ground.rgb
        }
        return [255, 255, 255]
    }
    const linear = part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
    const luminance = rgb => [0.2126, 0.7152, 0.0722].reduce((sum, weight, n) => sum + weight * linear(rgb[n] / 255), 0)
    const contrastOf = element => {
        const ground = groundOf(element), {rgb, alpha} = parts(getComputedStyle(element).color)
        const seen = rgb.map((part, n) => part * alpha + ground[n] * (1 - alpha))
        const [darker, lighter] = [luminance(seen), luminance(ground)].sort((a, b) => a - b)
        return (lighter + 0.05) / (darker + 0.05)
    }
    const found = []
    for (const root of document.querySelectorAll(arguments[0])) {
        const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT)
        for (let node; node = walker.nextNode();) {
            if (node.textContent.trim() && node.parentElement.tagName !== 'STYLE')
                found.push([node.textContent, contrastOf(node.parentElement)])
        }
    }
    return found"""


@contextmanager
def serving(root: Path, home: Path, paths: str) -> Iterator[str]:
    """Serves a folder; gives the address of the page, its token included. `paths`: the kernels' PYTHONPATH."""
    settings = home / "settings/@jupyterlab"
    for name, values in SETTINGS.items():
        file = settings / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values))
    token = secrets.token_urlsafe()
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    folders = {f"JUPYTER_{name}_DIR": str(home / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
    lab = {"JUPYTERLAB_SETTINGS_DIR": str(home / "settings"), "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces")}
    environment |= {**folders, **lab, "JUPYTER_TOKEN": token, "PYTHONPATH": paths, "IPYTHONDIR": str(home / "ipython")}
    command = [sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root", "--expose-app-in-browser"]
    command += ["--ServerApp.ip=127.0.0.1", "--ServerApp.port=0", f"--ServerApp.root_dir={root}"]
    with (
        (home / "server.log").open("w") as log,
        subprocess.Popen(command, env=environment, stdout=log, stderr=log) as server,
    ):
        try:
            yield f"{_address(home, server)}lab/tree/runbooks/deploy.ipynb?token={token}"
        finally:
            server.terminate()
            server.wait(DEADLINE_SECONDS)


def _address(home: Path, server: "subprocess.Popen[bytes]") -> str:
    until = time.monotonic() + DEADLINE_SECONDS
    while not (files := list((home / "runtime").glob("jpserver-*.json"))):
        assert server.poll() is None, (home / "server.log").read_text()
        assert time.monotonic() < until, "JupyterLab does not start"
        time.sleep(0.1)
    return str(json.loads(files[0].read_text())["url"])


@contextmanager
def browsing(pictures: Path) -> Iterator["Lab"]:
    """A headless Chromium."""
    options = webdriver.ChromeOptions()
    for flag in FLAGS:
        options.add_argument(flag)
    service = webdriver.ChromeService("/usr/bin/chromedriver")
    driver = webdriver.Chrome(options, service)
    try:
        yield Lab(driver, pictures)
    finally:
        driver.quit()


class Lab(Browser):
    """The page of JupyterLab."""

    def execute(self, command: str, **options: Any) -> None:
        """Has a command of JupyterLab's begun, once it is there."""
        self.wait(lambda: self.driver.execute_script("return !!window.jupyterapp"), "JupyterLab")
        self.driver.execute_script("jupyterapp.commands.execute(arguments[0], arguments[1])", command, options)

    def run_all(self) -> None:
        """Runs all cells of the notebook that is open, as soon as its kernel is there."""
        self.wait(lambda: self.driver.execute_script(_HAS_KERNEL), "the notebook's kernel")
        self.execute("notebook:run-all-cells")

    def contrasts(self, selector: str) -> dict[str, float]:
        """By text, how much it stands out from its ground, from 1 to 21: the least, where it is there several times."""
        found: list[tuple[str, float]] = self.driver.execute_script(_CONTRASTS, selector)
        return dict(sorted(found, key=lambda one: one[1], reverse=True))

    def text(self, selector: str) -> str:
        """The text of all that fits, seen or not."""
        script = "return [...document.querySelectorAll(arguments[0])].map(one => one.textContent).join('\\n')"
        return str(self.driver.execute_script(script, selector))


def as_runbook(file: Path, parameters: Mapping[str, str]) -> None:
    """A copy of the deploy runbook with other parameters."""
    notebook = json.loads((PROJECT / "runbooks/deploy.ipynb").read_text())
    cell = next(cell for cell in notebook["cells"] if "parameters" in cell["metadata"].get("tags", ()))
    cell["source"] = [*cell["source"], *(f"\n{name} = {value!r}" for name, value in parameters.items())]
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(notebook))
