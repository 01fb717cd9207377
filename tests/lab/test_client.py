"""The browser of the lab: it sees what the lab serves and nothing else, and obeys nobody but the deployer."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from selenium.webdriver.remote.webdriver import WebDriver

from fedikit.errors import DeadlineExceeded, FedikitError, HostError
from fedikit_lab import Lab
from fedikit_lab.state import State, save_state
from tests.checks.journeys import Browser
from tests.checks.pictures import picture, video

SITE = "snac.fediversity.test"
CONFIGURATION = {
    "enable": True,
    "domain": "fediversity.test",
    "snac": {"enable": True},
    "initialUser": {"displayName": "Testy McTestface", "username": "test", "email": "test@fediversity.test"},
}
CHOOSER = """data:text/html,<title>chooser</title><input type=file style="display: none">
<script>document.querySelector('input').onchange = event => {
  const file = event.target.files[0], shown = document.createElement(file.type.startsWith('video') ? 'video' : 'img')
  shown.src = URL.createObjectURL(file)
  document.body.append(shown)
}</script>"""
VERSION = (
    """python3 -c "import urllib.request as w; print(w.urlopen('http://{address}:9515/status', timeout=5).read())" """
)


@pytest.fixture(scope="module")
def visited(lab_directory: Callable[[str], Path]) -> Iterator[Lab]:
    """A lab with a browser, and with a server that has a certificate of the lab's authority."""
    with Lab(lab_directory("visited"), ("social",), client=True) as lab:
        lab.set_dns({SITE: lab["social"].address})
        configuration = lab.directory / "configuration.json"
        configuration.write_text(json.dumps(CONFIGURATION))
        command = [
            sys.executable,
            "-m",
            "fedikit",
            "apply",
            str(configuration),
            "-e",
            str(lab.environment_file),
            "--yes",
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        yield lab


@pytest.fixture(scope="module")
def driver(visited: Lab) -> Iterator[WebDriver]:
    with visited.client.session(trust=visited.acme_root()) as driver:
        yield driver


def complaint(driver: WebDriver, url: str, seen: Path) -> str:
    """Why the browser cannot open a page, in its own words."""
    with pytest.raises(AssertionError, match="cannot be opened") as refused:
        Browser(driver, seen).open(url)
    (reason,) = re.findall(r"net::(\w+)", str(refused.value))
    return str(reason)


@pytest.mark.lab
def test_a_page_of_another_machine_is_seen_as_a_visitor_sees_it(driver: WebDriver, tmp_path: Path) -> None:
    browser = Browser(driver, tmp_path)
    browser.open(f"https://{SITE}/test")
    assert "Testy McTestface" in browser.see("body", "the page").text
    assert driver.execute_script("return isSecureContext") is True
    seen = browser.screenshot("profile").read_bytes()
    assert seen.startswith(b"\x89PNG")
    assert int.from_bytes(seen[16:20]) == 1280


@pytest.mark.lab
def test_only_the_given_root_is_trusted(visited: Lab, tmp_path: Path) -> None:
    page = f"https://{SITE}/test"
    with visited.client.session(trust=visited.acme.authority.certificate) as driver:
        assert complaint(driver, page, tmp_path) == "ERR_CERT_AUTHORITY_INVALID"
    with visited.client.session(trust=visited.acme_root()) as driver:
        Browser(driver, tmp_path).open(page)


@pytest.mark.lab
def test_what_is_no_certificate_is_refused(visited: Lab) -> None:
    with pytest.raises(HostError, match="client: the browser cannot be told to trust"):
        visited.client.session(trust="not a certificate").__enter__()


@pytest.mark.lab
@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://example.org/", "ERR_NAME_NOT_RESOLVED"),
        ("http://192.0.2.1/", "ERR_INTERNET_DISCONNECTED|ERR_ADDRESS_UNREACHABLE"),
    ],
)
def test_there_is_nothing_but_the_lab(driver: WebDriver, tmp_path: Path, url: str, reason: str) -> None:
    assert re.fullmatch(reason, complaint(driver, url, tmp_path))


@pytest.mark.lab
def test_nobody_but_the_deployer_drives_the_browser(visited: Lab) -> None:
    ask = VERSION.format(address=visited["client"].address)
    visited["client"].wait_for_port(9515)
    subprocess.run(ask, shell=True, timeout=30, check=True, capture_output=True)
    visited["social"].fails(ask)


@pytest.mark.lab
def test_a_picture_travels_to_the_browser_and_is_shown_there(driver: WebDriver, tmp_path: Path) -> None:
    browser = chosen(driver, tmp_path / "picture.png", picture())
    assert browser.loaded_picture("img", "blob:")
    assert driver.execute_script("return document.querySelector('img').naturalWidth") == 320
    with pytest.raises(DeadlineExceeded, match="a picture from https://media to be loaded"):
        replace(browser, seconds=0.3).loaded_picture("img", "https://media")


@pytest.mark.lab
def test_a_video_travels_to_the_browser_and_is_played_there(driver: WebDriver, tmp_path: Path) -> None:
    browser = chosen(driver, tmp_path / "video.mp4", video())
    assert browser.loaded_video("blob:")
    assert driver.execute_script("return document.querySelector('video').duration") == 2
    play = "const shown = document.querySelector('video'); shown.muted = true; return shown.play()"
    driver.execute_script(play)  # its promise is broken if the video is
    assert driver.execute_script("return document.querySelector('video').videoWidth") == 256


@pytest.mark.lab
@pytest.mark.parametrize("name", ["picture.png", "video.mp4"])
def test_what_is_broken_is_not_taken_for_loaded(driver: WebDriver, tmp_path: Path, name: str) -> None:
    browser = replace(chosen(driver, tmp_path / name, b"broken"), seconds=0.5)
    with pytest.raises(DeadlineExceeded, match="to be loaded"):
        _ = browser.loaded_picture("img", "blob:") if name == "picture.png" else browser.loaded_video("blob:")


def chosen(driver: WebDriver, file: Path, content: bytes) -> Browser:
    """A page to which a file was given."""
    file.write_bytes(content)
    browser = Browser(driver, file.parent)
    browser.open(CHOOSER)
    browser.choose_file("input", file, "the field")
    return browser


@pytest.mark.lab
def test_a_wait_in_vain_says_for_what_and_leaves_what_was_seen(driver: WebDriver, tmp_path: Path) -> None:
    browser = Browser(driver, tmp_path / "seen", seconds=0.3)
    browser.open(CHOOSER)
    with pytest.raises(DeadlineExceeded, match=r"waited 0\.3 s for the moon, in vain; last seen: data:.*\(chooser\)"):
        browser.see("#moon", "the moon")
    assert {path.name for path in browser.pictures.iterdir()} == {"failed-the-moon.png", "failed-the-moon.html"}
    with pytest.raises(AssertionError, match=r"https://nowhere\.test cannot be opened: .*ERR_NAME_NOT_RESOLVED"):
        browser.open("https://nowhere.test")


@pytest.mark.lab
def test_a_session_leaves_no_browser_behind_also_when_it_was_broken_off(visited: Lab) -> None:
    count = "pgrep --full --count -- '--type=gpu-process' || true"
    before = visited["client"].succeed(count)
    with pytest.raises(ZeroDivisionError):
        _break_off(visited, count, before)
    deadline = time.monotonic() + 10
    while visited["client"].succeed(count) != before:
        assert time.monotonic() < deadline, "the browser runs on"


def _break_off(visited: Lab, count: str, before: str) -> None:
    with visited.client.session(trust=visited.acme_root()):
        assert visited["client"].succeed(count) != before
        raise ZeroDivisionError


@pytest.mark.lab
def test_a_proxy_of_the_deployer_is_not_asked_for_the_lab(visited: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with visited.client.session(trust=visited.acme_root()) as driver:
        assert driver.title == ""


@pytest.mark.lab
def test_the_client_is_no_target(visited: Lab) -> None:
    assert visited.machines == ("social", "client", "acme")
    assert "hosts.social" in visited.environment_file.read_text()
    assert "client" not in visited.environment_file.read_text()


def test_a_lab_without_a_client_says_so(tmp_path: Path) -> None:
    save_state(tmp_path, State(subnet=3, machines={"hello": 11}))
    with pytest.raises(FedikitError, match="the lab has no client\n  → boot it with client=True"):
        _ = Lab(tmp_path).client


def test_no_other_machine_is_called_client(tmp_path: Path) -> None:
    with pytest.raises(FedikitError, match="no machine of the lab can be called 'client'"):
        Lab(tmp_path, ["client"])


def test_without_selenium_the_browser_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_state(tmp_path, State(subnet=3, machines={"client": 3}))
    monkeypatch.setitem(sys.modules, "selenium", None)
    with pytest.raises(FedikitError, match=r"(?s)driven by Selenium.*pip install 'fedikit-lab\[client\]'"):
        Lab(tmp_path).client._open()
