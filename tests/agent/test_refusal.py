"""What even root may not do is told with its cause, and whose a file or a container is that is there already."""

import errno
import hashlib
import json
import os
import subprocess
from pathlib import Path

import pytest

from fedikit.agent import edits, refusal
from fedikit.agent.hands import Hands
from fedikit.agent.trouble import Trouble
from tests.agent.conftest import Host

DEFAULT = "the package's own\n"


def last_words(host: Host, *items: dict[str, object]) -> str:
    trouble = host.apply(*items)[-1]
    assert trouble["event"] == "trouble"
    return f"{trouble['message']} → {trouble['hint']}"


@pytest.fixture
def forbidding(host: Host) -> object:
    """Forbids changes of a path by a flag; all is allowed again in the end."""
    marked: list[tuple[str, Path]] = []

    def forbid(letter: str, path: Path) -> None:
        if subprocess.run(["chattr", f"+{letter}", path], check=False, capture_output=True).returncode:
            pytest.skip("this file system knows no such flags, or this is not root")
        marked.append((letter, path))

    yield forbid
    for letter, path in marked:
        subprocess.run(["chattr", f"-{letter}", path], check=True)


@pytest.mark.parametrize(("letter", "words"), [("i", "is immutable"), ("a", "may only be appended to")])
@pytest.mark.parametrize("where", ["/etc/a", "/etc"])
def test_a_file_that_must_not_be_changed_says_so(host: Host, forbidding, letter: str, words: str, where: str) -> None:  # type: ignore[no-untyped-def]
    (host.root / "etc/a").write_text("kept\n")
    if (letter, where) == ("a", "/etc"):
        (host.root / "etc/a").unlink()
    forbidding(letter, host.root / where.lstrip("/"))
    item = host.file("/etc/a", "new\n")
    told = last_words(host, item)
    assert f"/etc/a cannot be changed: {where} {words} (chattr +{letter}) → chattr -{letter} {where}" in told
    assert not (host.root / "etc/a").exists() or host.text("/etc/a") == "kept\n"


@pytest.mark.parametrize(
    ("number", "free_inodes", "words", "code"),
    [
        (errno.EROFS, 1, "/etc is on a disk that is mounted read-only", "failed"),
        (errno.ENOSPC, 1, "the disk of /etc has no space left", "disk"),
        (errno.ENOSPC, 0, "the disk of /etc has no inodes left", "disk"),
        (errno.EDQUOT, 1, "the quota of /etc is used up", "disk"),
        (errno.EPERM, 1, "Operation not permitted", "failed"),
    ],
)
def test_what_a_disk_refuses_is_told_with_the_cause(
    host: Host, monkeypatch: pytest.MonkeyPatch, number: int, free_inodes: int, words: str, code: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    figures = os.statvfs(host.root)
    monkeypatch.setattr(edits, "write", refuse)
    fields = (*figures[:6], free_inodes, *figures[7:])
    monkeypatch.setattr(os, "fstatvfs", lambda _: os.statvfs_result((*fields[:7], free_inodes, *fields[8:])))
    with pytest.raises(Trouble) as caught:
        Hands(str(host.root)).write("/etc/a", b"", owner="root", group="root", mode="0644")
    assert (caught.value.message, caught.value.code) == (f"/etc/a cannot be changed: {words}", code)


def test_a_file_on_the_way_is_named(host: Host) -> None:
    (host.root / "srv/app").write_text("a file\n")
    assert "/srv/app is a file, not a directory" in last_words(host, host.file("/srv/app/conf/a", "1\n"))
    assert "/srv/app is a file, not a directory" in last_words(host, host.directory("/srv/app/conf"))


def test_errors_that_have_other_causes_pass(host: Host) -> None:
    with pytest.raises(IsADirectoryError), refusal.explained(Hands(str(host.root)).files, "/etc/a"):
        raise IsADirectoryError(errno.EISDIR, "is a directory")


def test_a_program_that_may_not_be_run_says_so(host: Host) -> None:
    (host.root / "srv/tool").write_text("#!/bin/sh\n")
    told = last_words(host, host.job("tool", "", run=[str(host.root / "srv/tool")]))
    assert "may not be run → is it executable, and on a disk that is not mounted noexec?" in told


# Whose it is


@pytest.mark.parametrize("text", [DEFAULT, "edited\n"])
def test_a_packages_own_configuration_is_nobodys_edition(host: Host, text: str) -> None:
    item = host.file("/etc/app.conf", "ours\n")
    assert host.apply(host.job("fails", "exit 1"), item)[-1]["event"] == "trouble"
    (host.root / "etc/app.conf").write_text(text)
    md5 = hashlib.md5(DEFAULT.encode(), usedforsecurity=False).hexdigest()
    status = f"Package: app\nStatus: install ok installed\nVersion: 1\nConffiles:\n /etc/app.conf {md5}\n\n"
    (host.root / "var/lib/dpkg/status").write_text(status)
    (change,) = [change for change in host.plan(item)["changes"] if change["id"] == item["id"]]
    assert change.get("drift", False) == (text != DEFAULT)


@pytest.mark.parametrize("is_ours", [False, True])
def test_a_container_that_somebody_started_by_hand_is_not_replaced(host: Host, is_ours: bool) -> None:
    records = host.root / "var/lib/containers/storage/overlay-containers/containers.json"
    records.parent.mkdir(parents=True)
    records.write_text(json.dumps([{"id": "c1", "names": ["other" if is_ours else "app"]}]))
    (host.root / "etc/containers/systemd").mkdir(parents=True)
    item = host.file("/etc/containers/systemd/app.container", "[Container]\n")
    from fedikit.agent.kinds.file import FileKind

    class Still(Hands):
        def unit(self, name: str) -> dict[str, object]:
            return {"active": False}

    hands = Still(str(host.root))
    conflict = FileKind().conflict(item, FileKind().observe(hands, item))
    words = "there is a container app that was not started by systemd; rename it (podman rename), or take it away"
    assert conflict == ("" if is_ours else f"{words} (podman rm)")
