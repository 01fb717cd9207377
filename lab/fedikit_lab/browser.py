"""A real browser on this machine, for a look at what the lab serves: headless Chromium, trusting the lab's authority.

It resolves the lab's names to the lab's addresses and every other name to nothing.
"""

import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from fedikit.errors import FedikitError

DEADLINE_SECONDS = 60
FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --hide-scrollbars --window-size=1280,800 --virtual-time-budget=5000"
).split()


def take_screenshot(url: str, picture: Path, *, addresses: Mapping[str, str], trust: Path) -> None:
    """Saves a PNG of a page as a visitor sees it; `trust` is a PEM file with the authority's root certificate."""
    rules = [f"MAP {name} {address}" for name, address in addresses.items()]
    resolver = ", ".join([*rules, "MAP * ~NOTFOUND"])
    with tempfile.TemporaryDirectory() as home:
        _trust(trust, Path(home))
        command = ["chromium", *FLAGS, f"--user-data-dir={home}/profile", f"--host-resolver-rules={resolver}"]
        _run([*command, f"--screenshot={picture.absolute()}", url], home)
    if not picture.exists():
        raise FedikitError(f"the browser saved no picture of {url}")


def _trust(certificate: Path, home: Path) -> None:
    database = home / ".pki" / "nssdb"
    database.mkdir(parents=True)
    _run(["certutil", "-d", f"sql:{database}", "-N", "--empty-password"], str(home))
    _run(["certutil", "-d", f"sql:{database}", "-A", "-t", "C,,", "-n", "lab", "-i", str(certificate)], str(home))


def _run(command: list[str], home: str) -> None:
    environment = {**os.environ, "HOME": home}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=DEADLINE_SECONDS)
    except FileNotFoundError as error:
        hint = "apt-get install chromium libnss3-tools"
        raise FedikitError(f"there is no {command[0]} on this machine", hint=hint) from error
    except subprocess.TimeoutExpired as error:
        raise FedikitError(f"{command[0]} did not end within {DEADLINE_SECONDS} s") from error
    if done.returncode:
        raise FedikitError(f"{command[0]} ended with exit status {done.returncode}: {done.stderr.strip()[-400:]}")
