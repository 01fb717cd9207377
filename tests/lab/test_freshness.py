"""A base image is built again when Debian has newer packages than are in it, and not under a machine that runs."""

import re
from pathlib import Path

import pytest

from fedikit.events import tell_nobody
from fedikit_lab import freshness
from fedikit_lab.freshness import is_behind
from fedikit_lab.image import CODENAME, build_image

pytestmark = pytest.mark.lab


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """What dpkg says of the base image, as it is now."""
    status = (build_image() / "var/lib/dpkg/status").read_bytes()
    copy = tmp_path / "var/lib/dpkg"
    copy.mkdir(parents=True)
    (copy / "status").write_bytes(status)
    return tmp_path


def age(tree: Path) -> None:
    """Has it an older version of a package than Debian has."""
    status = tree / "var/lib/dpkg/status"
    older, count = re.subn(rb"(?m)(^Package: procps\n(?:.+\n)*?Version: )\S+", rb"\g<1>1:1.0-1", status.read_bytes())
    assert count == 1
    status.write_bytes(older)


def test_an_image_with_the_packages_of_now_is_not_behind(tree: Path) -> None:
    assert not is_behind(tree, CODENAME, tell=tell_nobody)


def test_an_image_with_an_older_package_is_behind(tree: Path) -> None:
    age(tree)
    assert is_behind(tree, CODENAME, tell=tell_nobody)


def test_an_image_under_a_machine_that_runs_is_left_alone(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    age(tree)
    monkeypatch.setattr(freshness, "PROCESSES", tree)
    (tree / "17").mkdir()
    (tree / "17/mounts").write_text(f"overlay /run/machine overlay rw,lowerdir=/furniture:{tree},upperdir=/up 0 0\n")
    assert not is_behind(tree, CODENAME, tell=tell_nobody)
