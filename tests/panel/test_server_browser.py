"""The panel in a real browser: what its script does, and that the page needs nothing that the policy forbids."""

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

from tests.panel.serving import PASSWORD, Server, begin, serving, wait_for

FLAGS = "--headless=new --no-sandbox --disable-gpu --no-first-run --disable-background-networking".split()
CELLS = """
import ipywidgets
from IPython.display import display
text, button, said = ipywidgets.Text(description="Word"), ipywidgets.Button(description="Say it"), ipywidgets.HTML()
for name, widget in {"text": text, "button": button, "said": said}.items():
    widget.add_class(f"fk-{name}")
button.on_click(lambda _: setattr(said, "value", f"{operator} said {len(text.value)} letters"))
display(ipywidgets.VBox([text, button, said]))
"""
pytestmark = pytest.mark.skipif(not shutil.which("chromedriver"), reason="needs chromium-driver")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("panel"), cells=CELLS) as server:
        yield server


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    yield driver
    driver.quit()


@pytest.fixture
def panel(server: Server, browser: webdriver.Chrome) -> webdriver.Chrome:
    """The browser, at the panel, as Alice."""
    browser.get(server.url)
    if browser.current_url.endswith("/login"):
        browser.find_element(By.ID, "name").send_keys("alice")
        browser.find_element(By.ID, "password").send_keys(PASSWORD)
        browser.find_element(By.CSS_SELECTOR, "form button").click()
    wait_for(lambda: has_arrived(browser), "the widgets")
    return browser


def has_arrived(browser: webdriver.Chrome) -> bool:
    return bool(browser.execute_script("return document.body.dataset.arrived"))


def kernel_of(browser: webdriver.Chrome) -> str:
    return str(browser.execute_script("return document.body.dataset.kernel || ''"))


def is_shown(browser: webdriver.Chrome, selector: str) -> bool:
    return any(element.is_displayed() for element in browser.find_elements(By.CSS_SELECTOR, selector))


def test_widgets_work_and_the_page_asks_for_nothing_that_the_policy_forbids(panel: webdriver.Chrome) -> None:
    assert not is_shown(panel, ".fk-loading")
    panel.find_element(By.CSS_SELECTOR, ".fk-text input").send_keys("seven!!\t")
    panel.find_element(By.CSS_SELECTOR, ".fk-button").click()
    said = panel.find_element(By.CSS_SELECTOR, ".fk-said")
    wait_for(lambda: said.text == "alice said 7 letters", "the answer")
    entries = panel.get_log("browser")
    assert not [entry for entry in entries if entry["level"] == "SEVERE" or "Content Security" in entry["message"]]


def test_a_page_that_is_loaded_again_or_left_ends_its_kernel(server: Server, panel: webdriver.Chrome) -> None:
    first = kernel_of(panel)
    panel.refresh()
    wait_for(lambda: has_arrived(panel), "the widgets")
    assert kernel_of(panel) != first
    panel.get("about:blank")
    wait_for(lambda: len(server.kernels()) == 1, "the kernels' end, but for the one ahead")


def test_a_lost_connection_is_told_and_the_page_comes_back(server: Server, panel: webdriver.Chrome) -> None:
    before = kernel_of(panel)
    os.kill(server.process.pid, signal.SIGKILL)
    server.process.wait()
    wait_for(lambda: is_shown(panel, ".fk-lost"), "the banner", 10)
    server.process = begin(server.folder, server.port)
    wait_for(lambda: kernel_of(panel) not in ("", before) and has_arrived(panel), "the page")
    assert not is_shown(panel, ".fk-lost")


def test_who_is_signed_out_elsewhere_comes_to_the_sign_in_page(server: Server, panel: webdriver.Chrome) -> None:
    (server.state / "sessions.json").unlink()
    wait_for(lambda: panel.current_url.endswith("/login"), "the sign-in page", 10)


def test_the_button_signs_out(panel: webdriver.Chrome) -> None:
    panel.find_element(By.CSS_SELECTOR, ".fk-sign-out").click()
    wait_for(lambda: panel.current_url.endswith("/login"), "the sign-in page", 10)
    panel.back()
    wait_for(lambda: is_shown(panel, "#password"), "the sign-in page", 10)


def test_without_scripts_one_can_sign_in_and_is_told_what_is_missing(server: Server, tmp_path: Path) -> None:
    options = webdriver.ChromeOptions()
    for flag in [*FLAGS, "--blink-settings=scriptEnabled=false"]:
        options.add_argument(flag)
    with webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver"))) as plain:
        plain.get(server.url)
        plain.find_element(By.ID, "name").send_keys("bob")
        plain.find_element(By.ID, "password").send_keys(PASSWORD)
        plain.find_element(By.CSS_SELECTOR, "form button").click()
        wait_for(lambda: "JavaScript" in plain.page_source, "the words")
