"""A real browser in front of the panel, served to the operators of a provider whose machines are directories."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException, WebDriverException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from tests.panel.scene import Provider, import_path

PASSWORD = "correct horse battery"
FLAGS = "--headless=new --no-sandbox --disable-gpu --no-first-run --disable-background-networking".split()
PATIENCE_SECONDS = 60.0
CAUGHT = """
HTMLInputElement.prototype.click = function () {
  if (this.type === "file") { this.classList.add("caught"); document.body.append(this); }
};
"""


class Served:
    """A panel's server, which can be killed and begun again."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self.begin()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def begin(self) -> None:
        command = [sys.executable, "-m", "fedikit", "panel", "serve", str(self.provider.panel)]
        environment = {**os.environ, "PYTHONPATH": import_path(self.provider.folder / "site")}
        with (self.provider.folder / "server.log").open("a") as log:
            self.process = subprocess.Popen(
                [*command, f"--port={self.port}", "--ahead=1"], stdout=log, stderr=log, env=environment
            )
        until(self._answers, "the server")

    def kill(self) -> None:
        """As a machine's power cut would."""
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(30)

    def _answers(self) -> bool:
        assert self.process.poll() is None, (self.provider.folder / "server.log").read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@contextmanager
def served(folder: Path, **rights: Any) -> Iterator[Served]:
    """The panel of Alice, and of Bob, whose agreement is not needed."""
    provider = Provider(folder)
    provider.hire("bob").hire("alice", **rights)
    words = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    for name in provider.operators:
        provider.hire(name, password=words, **(rights if name == "alice" else {}))
    server = Served(provider)
    try:
        yield server
    finally:
        server.end()


@contextmanager
def chromium() -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        yield driver
    finally:
        driver.quit()


class Seat:
    """Somebody at the browser."""

    def __init__(self, browser: webdriver.Chrome, server: Served) -> None:
        self.browser, self.server = browser, server

    def sign_in(self, name: str = "alice") -> None:
        self.browser.get(self.server.url)
        if self.browser.current_url.endswith("/login"):
            self.browser.find_element(By.ID, "name").send_keys(name)
            self.browser.find_element(By.ID, "password").send_keys(PASSWORD)
            self.browser.find_element(By.CSS_SELECTOR, "form button").click()
        self.find(".fk-tab-services")

    def find(self, selector: str) -> WebElement:
        """The first that is to be seen."""
        found: WebElement = until(lambda: self.shown(selector), selector)
        return found

    def shown(self, selector: str) -> WebElement | None:
        try:
            found = self.browser.find_elements(By.CSS_SELECTOR, selector)
            return next((element for element in found if element.is_displayed()), None)
        except StaleElementReferenceException:
            return None

    def click(self, selector: str) -> None:
        """Clicks it, once it is there and can be."""

        def clicked() -> bool:
            element = self.shown(selector)
            if element is None or not element.is_enabled():
                return False
            element.click()
            return True

        until(lambda: _tried(clicked), f"a click on {selector}")

    def hand_over(self, selector: str, file: Path) -> None:
        """Chooses a file by a button that asks for one: the browser's own window, which nobody can see, is left out."""
        self.run(CAUGHT)
        self.click(selector)
        asked = until(lambda: self.run("return document.querySelector('input.caught')"), "to be asked for a file")
        asked.send_keys(str(file))
        self.run("document.querySelector('input.caught')?.remove()")

    def page(self, name: str) -> None:
        """Goes to a page, and waits until it is drawn."""
        self.click(f".fk-tab-{name}")
        self.find(f".fk-page-{name} h2")

    def sees(self, words: str) -> None:
        until(lambda: words in str(self.run("return document.body.innerText")), f"“{words}”")

    def run(self, script: str, *values: Any) -> Any:
        return self.browser.execute_script(script, *values)


def until(holds: Callable[[], Any], what: str, seconds: float = PATIENCE_SECONDS) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := holds():
            return found
        time.sleep(0.1)
    raise AssertionError(f"waited {seconds:g} s for {what}, in vain")


def _tried(act: Callable[[], bool]) -> bool:
    try:
        return act()
    except WebDriverException:
        return False
