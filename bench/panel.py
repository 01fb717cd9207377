"""Measures the panel as a browser meets it, and what a visitor takes of memory; writes `bench/panel.json`.

.venv/bin/python bench/panel.py [--runs 5] [--notebook FILE] [--out FILE]

Cold is a browser that never was here, and no kernel ahead; warm is one that comes again, with a kernel ahead.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import nbformat
from argon2 import PasswordHasher
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

RESULTS = Path(__file__).resolve().parent / "panel.json"
PASSWORD = "correct horse battery"
DEADLINE_SECONDS = 60
REST_SECONDS = 8  # until the next kernel is ahead
FLAGS = "--headless=new --no-sandbox --disable-gpu --no-first-run --disable-background-networking".split()
PARAMETERS = 'configuration = ""\nenvironment = ""\npanel = ""\noperator = ""\nlanguage = ""'
PAGE = """import ipywidgets
from IPython.display import display
import fedikit.panel.desk
fields = [ipywidgets.Text(description=f"Field {number}") for number in range(30)]
display(ipywidgets.VBox([*fields, ipywidgets.Button(description=operator)]))"""


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=5, metavar="N", help="readings of each figure, the median counts")
    parser.add_argument("--notebook", type=Path, metavar="FILE", help="the page; 30 text fields and a button if absent")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="FILE", help="where the results go")
    given = parser.parse_args(words)
    with tempfile.TemporaryDirectory(prefix="fedikit-bench-") as name:
        notebook = given.notebook.absolute() if given.notebook else write_page(Path(name))
        figures = {"cores": os.cpu_count(), "runs": given.runs, **measured(Path(name), notebook, given.runs)}
    given.out.write_text(json.dumps(figures, indent=1) + "\n")
    print(text_of(figures))
    return 0


def measured(folder: Path, notebook: Path, runs: int) -> dict[str, Any]:
    readings: dict[str, list[Any]] = {"cold": [], "new_browser": [], "warm": []}
    for _ in range(runs):
        with serving(folder, notebook, ahead=0) as server, browser() as driver:
            readings["cold"].append(sign_in(driver, server))
    starts = []
    with serving(folder, notebook, ahead=2) as server:
        starts.append(server.start_seconds)
        before = server.memory()
        for _ in range(runs):
            time.sleep(REST_SECONDS)
            with browser() as driver:
                readings["new_browser"].append(sign_in(driver, server))
                time.sleep(REST_SECONDS)
                driver.get(server.url)
                readings["warm"].append(arrival(driver))
        with browser() as driver:
            sign_in(driver, server)
            time.sleep(REST_SECONDS)
            while_visited = server.memory()
    return {
        **{f"{name}_s": median(seconds for _, seconds in pairs) for name, pairs in readings.items()},
        **{f"{name}_frame_s": median(seconds for seconds, _ in pairs) for name, pairs in readings.items()},
        "start_s": median(starts),
        "server_mb": before["server_mb"],
        "kernel_mb": before["kernel_mb"],
        "visitor_mb": round(while_visited["all_mb"] - before["all_mb"], 1),
        "readings": {name: [seconds for _, seconds in pairs] for name, pairs in readings.items()},
    }


@dataclass(frozen=True)
class Server:
    process: "subprocess.Popen[bytes]"
    url: str
    start_seconds: float

    def memory(self) -> dict[str, float]:
        """Megabytes, by each process's share of what it has in common with others (PSS)."""
        command = ["pgrep", "-P", str(self.process.pid), "-f", "ipykernel_launcher"]
        pids = [int(pid) for pid in subprocess.run(command, capture_output=True, text=True).stdout.split()]
        kernels = [share_of(pid) for pid in pids]
        own = share_of(self.process.pid)
        return {
            "server_mb": round(own, 1),
            "kernel_mb": round(median(kernels), 1),
            "all_mb": own + sum(kernels),
        }


def share_of(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


@contextmanager
def serving(folder: Path, notebook: Path, *, ahead: int) -> Iterator[Server]:
    hashed = PasswordHasher().hash(PASSWORD)
    (folder / "panel.toml").write_text(
        f'[operators.alice]\npassword = "{hashed}"\nconfiguration = "alice.json"\nenvironment = "hosts.toml"\n'
    )
    command = [sys.executable, "-m", "fedikit", "panel", "serve", "panel.toml", "--port=18867", f"--ahead={ahead}"]
    start = time.monotonic()
    process = subprocess.Popen([*command, f"--notebook={notebook}"], cwd=folder, stderr=subprocess.DEVNULL)
    try:
        url = "http://127.0.0.1:18867"
        while not answers(url) and time.monotonic() - start < DEADLINE_SECONDS:
            time.sleep(0.02)
        server = Server(process, url, round(time.monotonic() - start, 3))
        time.sleep(REST_SECONDS)
        yield server
    finally:
        process.terminate()
        process.wait(DEADLINE_SECONDS)


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/login").status_code == 200
    except httpx.TransportError:
        return False


@contextmanager
def browser() -> Iterator[webdriver.Chrome]:
    """A browser that never was anywhere."""
    options = webdriver.ChromeOptions()
    for flag in FLAGS:
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
    try:
        yield driver
        driver.get("about:blank")  # the page is left, and its kernel ends
        time.sleep(1)
    finally:
        driver.quit()


def sign_in(driver: webdriver.Chrome, server: Server) -> tuple[float, float]:
    driver.get(f"{server.url}/login")
    driver.find_element(By.ID, "name").send_keys("alice")
    driver.find_element(By.ID, "password").send_keys(PASSWORD)
    driver.find_element(By.CSS_SELECTOR, "form button").click()
    return arrival(driver)


def arrival(driver: webdriver.Chrome) -> tuple[float, float]:
    """Seconds from asking for the page until its frame was painted, and until its widgets were there."""
    end = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < end:
        if arrived := driver.execute_script("return document.body.dataset.arrived"):
            paint = driver.execute_script("return performance.getEntriesByName('first-contentful-paint')[0].startTime")
            return round(paint / 1000, 3), int(arrived) / 1000
        time.sleep(0.05)
    raise SystemExit(f"no widgets within {DEADLINE_SECONDS} s")


def write_page(folder: Path) -> Path:
    parameters = nbformat.v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})
    notebook = nbformat.v4.new_notebook(cells=[parameters, nbformat.v4.new_code_cell(PAGE)])
    nbformat.write(notebook, folder / "page.ipynb")
    return folder / "page.ipynb"


def text_of(figures: dict[str, Any]) -> str:
    rows = [
        ("the server answers after", f"{figures['start_s']:.2f} s"),
        ("cold: widgets (frame)", f"{figures['cold_s']:.2f} s ({figures['cold_frame_s']:.2f})"),
        ("new browser, kernel ahead", f"{figures['new_browser_s']:.2f} s ({figures['new_browser_frame_s']:.2f})"),
        ("warm: widgets (frame)", f"{figures['warm_s']:.2f} s ({figures['warm_frame_s']:.2f})"),
        ("server", f"{figures['server_mb']:.0f} MB"),
        ("a kernel ahead", f"{figures['kernel_mb']:.0f} MB"),
        ("a visitor more", f"{figures['visitor_mb']:.0f} MB"),
    ]
    return "\n".join(f"{name:<28}{figure:>18}" for name, figure in rows)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
