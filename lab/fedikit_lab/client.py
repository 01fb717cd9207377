"""The lab's `client` machine: a browser that sees the lab as a visitor does, driven from the deployer by Selenium.

Names lead where the lab's DNS says, and nowhere else. The deployer itself needs no browser.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from fedikit.errors import FedikitError, HostError
from fedikit_lab.furnish import place_file, place_link
from fedikit_lab.machine import Machine
from fedikit_lab.role import Role

if TYPE_CHECKING:
    from selenium.webdriver.remote.webdriver import WebDriver

NAME = "client"
NUMBER = 3
PACKAGES = ("chromium", "chromium-driver", "libnss3-tools")
_PORT = 9515
_UNIT = "lab-browser.service"
_COMMAND_SECONDS = 60
_PAGE_SECONDS = 30
_UPLOAD_PATH = "/session/$sessionId/file"  # as ChromeDriver calls it; Selenium asks for its own server's name
_FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --hide-scrollbars --window-size=1280,900 --lang=en-US"
).split()
_SERVICE = """\
[Unit]
Description=ChromeDriver, which lends this machine's browser to the deployer

[Service]
DynamicUser=yes
StateDirectory=browser
Environment=HOME=/var/lib/browser
ExecStart=/usr/bin/chromedriver --port={port} --allowed-ips={deployer} --log-level=WARNING

[Install]
WantedBy=multi-user.target
"""
# A root of an earlier authority must not be trusted any more: the database is made anew.
_TRUST = """\
set -e
home=/var/lib/browser
database=$home/.pki/nssdb
rm -rf "$home/.pki"
mkdir -p "$database"
cat >"$database/root.pem"
certutil -d "sql:$database" -N --empty-password
certutil -d "sql:$database" -A -t C,, -n lab -i "$database/root.pem"
chown -R --reference="$home/." "$home/.pki"
"""


@dataclass(frozen=True)
class Client:
    """The browser of a running `client` machine."""

    machine: Machine

    @contextmanager
    def session(self, *, trust: str) -> Iterator["WebDriver"]:
        """A fresh browser that trusts this root certificate (PEM) and no earlier one; it is closed afterwards."""
        self.machine.wait_for_port(_PORT)
        self._trust(trust)
        driver = self._open()
        try:
            driver.set_page_load_timeout(_PAGE_SECONDS)
            driver.set_script_timeout(_PAGE_SECONDS)
            yield driver
        finally:
            _close(driver)

    def _trust(self, root: str) -> None:
        done = self.machine.run(_TRUST, stdin=root)
        if done.exit_status != 0:
            raise HostError(self.machine.name, f"the browser cannot be told to trust the root: {done.stderr.strip()}")

    def _open(self) -> "WebDriver":
        try:
            from selenium import webdriver
            from selenium.common.exceptions import WebDriverException
            from selenium.webdriver.common.proxy import Proxy
            from selenium.webdriver.remote.client_config import ClientConfig
            from selenium.webdriver.remote.command import Command
            from selenium.webdriver.remote.file_detector import LocalFileDetector
            from selenium.webdriver.remote.remote_connection import RemoteConnection
            from urllib3.exceptions import HTTPError
        except ImportError as error:
            hint = "pip install 'fedikit-lab[client]'"
            raise FedikitError("the lab's browser is driven by Selenium, which is not here", hint=hint) from error

        options = webdriver.ChromeOptions()
        for flag in _FLAGS:
            options.add_argument(flag)
        server = f"http://{self.machine.address}:{_PORT}"
        direct = Proxy({"proxyType": "DIRECT"})  # whatever proxy the deployer uses: the lab is not behind it
        config = ClientConfig(remote_server_addr=server, proxy=direct, timeout=_COMMAND_SECONDS)
        try:
            driver = webdriver.Remote(server, options=options, file_detector=LocalFileDetector(), client_config=config)
            assert isinstance(driver.command_executor, RemoteConnection)
            upload = (Command.UPLOAD_FILE, "POST", _UPLOAD_PATH)
            driver.command_executor.add_command(*upload)  # type: ignore[no-untyped-call]  # as Selenium left it
            return driver
        except (WebDriverException, HTTPError) as error:
            said = self.machine.run(f"journalctl --unit={_UNIT} --lines=10 --no-pager --output=cat").stdout
            raise HostError(self.machine.name, f"no browser started: {error}\n{said}") from error


def _close(driver: "WebDriver") -> None:
    """Ends the session; where the machine is gone, so is the session."""
    from selenium.common.exceptions import WebDriverException
    from urllib3.exceptions import HTTPError

    with suppress(WebDriverException, HTTPError):
        driver.quit()


def client_role(*, deployer: str) -> Role:
    """What makes a machine the client; nobody but the deployer may drive its browser."""
    return Role(packages=PACKAGES, furnish=partial(_furnish, deployer=deployer))


def _furnish(layer: Path, *, deployer: str) -> None:
    """Puts the browser's service into a machine's read-only layer."""
    units = layer / "etc/systemd/system"
    place_file(units / _UNIT, _SERVICE.format(port=_PORT, deployer=deployer))
    place_link(units / "multi-user.target.wants" / _UNIT, f"../{_UNIT}")
