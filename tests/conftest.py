"""What all tests share: the lab, apart from the user's own. FEDIKIT_LAB=0 leaves out what needs it.

With FEDIKIT_NO_SKIPS=1, as in `make test`, a run in which any test was left out fails.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from fedikit_lab import Lab
from fedikit_lab.teardown import take_down

LABS = Path(tempfile.gettempdir()) / "fedikit-test-labs"
BootLab = Callable[..., Lab]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get("FEDIKIT_LAB") != "0":
        return
    left_out = pytest.mark.skip(reason="boots real machines; left out by FEDIKIT_LAB=0")
    for item in items:
        if item.get_closest_marker("lab"):
            item.add_marker(left_out)


def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    left_out = len(reporter.stats.get("skipped", ())) if reporter else 0
    if left_out and os.environ.get("FEDIKIT_NO_SKIPS") == "1":
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        reporter.write_line(f"\nFEDIKIT_NO_SKIPS=1: {left_out} tests were left out, which are listed below", red=True)


@pytest.fixture(scope="session")
def lab_directory() -> Iterator[Callable[[str], Path]]:
    """Gives directories for labs; whatever was booted there is down after the session, also after a killed one."""
    own = LABS / str(os.getpid())
    for directory in LABS.glob("*/"):
        if not Path(f"/proc/{directory.name}").exists() or directory == own:
            clear_labs(directory)
    yield lambda name: own / name
    clear_labs(own)


def clear_labs(directory: Path) -> None:
    for lab in directory.glob("*/"):
        take_down(Lab(lab).name)
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def boot_lab(lab_directory: Callable[[str], Path]) -> BootLab:
    """Boots machines that live until the end of the session: boot_lab("one", "two", acme=True)."""
    count = iter(range(1000))

    def boot(*machines: str, acme: bool = False, disk: Mapping[str, int] | None = None) -> Lab:
        lab = Lab(lab_directory(f"lab{next(count)}"), machines, acme=acme, disk=disk)
        lab.up()
        return lab

    return boot


@pytest.fixture(scope="session")
def lab(boot_lab: BootLab) -> Lab:
    """Two machines, `one` and `two`, and `acme`. Leave them as they were, or reset them."""
    return boot_lab("one", "two", acme=True)
