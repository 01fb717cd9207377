"""A host in a temporary directory, and the real agent run on it as it is over SSH: under a bare python3."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fedikit.agent import dbus
from fedikit.agent.channel import pack
from fedikit.agent.hands import Hands
from fedikit.remote import bootstrap

Item = dict[str, Any]
STATUS = """Package: base-files
Status: install ok installed
Version: 13.8

Package: libfoo1
Status: install ok installed
Version: 1.0
Depends: libc6

"""


class Host:
    """A directory that looks like a host; `plan` and `apply` run the agent on it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.contents: dict[str, bytes] = {}
        self.secrets: dict[str, str] = {}
        for folder in ("etc/skel", "var/lib/dpkg", "usr", "srv"):
            (root / folder).mkdir(parents=True)
        (root / "etc/passwd").write_text(f"root:x:{os.getuid()}:{os.getgid()}:root:/root:/bin/bash\n")
        (root / "etc/group").write_text(f"root:x:{os.getgid()}:\nsudo:x:27:\n")
        (root / "etc/os-release").write_text("ID=debian\nVERSION_CODENAME=trixie\n")
        (root / "var/lib/dpkg/status").write_text(STATUS)
        self.home = root / "var/lib/fedikit"

    def file(self, path: str, text: str, **fields: str) -> Item:
        sha256 = hashlib.sha256(text.encode()).hexdigest()
        self.contents[sha256] = text.encode()
        permissions = {"mode": "0644", "owner": "root", "group": "root"}
        return {"id": f"file:{path}", "kind": "file", "path": path, "sha256": sha256, **permissions, **fields}

    def directory(self, path: str, *, data: bool = False) -> Item:
        permissions = {"mode": "0755", "owner": "root", "group": "root"}
        return {"id": f"directory:{path}", "kind": "directory", "path": path, "data": data, **permissions}

    def symlink(self, path: str, target: str) -> Item:
        return {"id": f"symlink:{path}", "kind": "symlink", "path": path, "target": target}

    def job(self, name: str, script: str, fingerprint: str = "f1", **fields: Any) -> Item:
        commands = {"run": ["sh", "-c", script], "check": [], "undo": [], "user": "root", "deadline": 20}
        return {"id": f"job:{name}", "kind": "job", "name": name, "fingerprint": fingerprint, **commands, **fields}

    def start(self, **request: Any) -> subprocess.Popen[bytes]:
        """A running agent that has been given its request."""
        process = subprocess.Popen(
            [sys.executable, *bootstrap.command()[1:]],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        asked = {
            "op": "plan",
            "deployment": "test",
            "root": str(self.root),
            "agent": bootstrap.fingerprint(),
            "seal": "00",
        }
        length, body = pack(asked | request).split(b"\n", 1)
        assert process.stdin
        process.stdin.write(bootstrap.program() + b"%s %s\n" % (bootstrap.fingerprint().encode(), length) + body)
        archive = bootstrap.archive(bootstrap.OWN_BYTECODE)
        process.stdin.write(b"%d\n" % len(archive) + archive)
        process.stdin.flush()
        return process

    def plan(self, *items: Item, **request: Any) -> dict[str, Any]:
        """The agent's answer."""
        process = self.start(items=list(items), **request)
        answer = read_answer(process)
        process.communicate(timeout=20)
        return answer

    def actions(self, *items: Item, **request: Any) -> dict[str, str]:
        """What would happen, by item id."""
        return {change["id"]: change["action"] for change in self.plan(*items, **request)["changes"]}

    def order(self, process: subprocess.Popen[bytes], answer: dict[str, Any], **fields: Any) -> None:
        blobs = {sha256: self.contents[sha256] for sha256 in answer.get("contents", ())}
        order: dict[str, Any] = {
            "run": "r1", "who": "tester", "note": "apply", "aim": {}, "basis": answer["basis"],
            "debs": [], "secrets": self.secrets,
            "blobs": [{"sha256": sha256, "size": len(content)} for sha256, content in blobs.items()],
        }  # fmt: skip
        assert process.stdin
        process.stdin.write(pack(order | fields) + b"".join(blobs.values()))
        process.stdin.flush()

    def apply(self, *items: Item, order: dict[str, Any] | None = None, **request: Any) -> list[dict[str, Any]]:
        """Plans and applies; returns the agent's events, the last is "done" or "trouble"."""
        process = self.start(items=list(items), **request)
        answer = read_answer(process)
        if answer["event"] == "trouble":
            process.communicate(timeout=20)
            return [answer]
        self.order(process, answer, **(order or {}))
        output, errors = process.communicate(timeout=30)
        events = [json.loads(line) for line in output.splitlines()]
        assert events, errors.decode()
        return events

    def remove(self, **request: Any) -> list[dict[str, Any]]:
        return self.apply(forget=True, **request)

    def tree(self) -> dict[str, str]:
        """Every path below the root but fedikit's own, with what it is."""
        paths = [path for path in self.root.rglob("*") if self.home not in (path, *path.parents)]
        return {str(path.relative_to(self.root)): _picture(path) for path in sorted(paths)}

    def text(self, path: str) -> str:
        return (self.root / path.lstrip("/")).read_text()


@pytest.fixture(autouse=True)
def no_systemd(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """What plays a host in this very process reaches no systemd of this machine."""
    monkeypatch.setattr(dbus, "PRIVATE", str(tmp_path / "no-systemd"))
    yield
    dbus.hang_up()


class QuietHands(Hands):
    """Hands that run no command."""

    def run(self, command: list[str], *, stdin: bytes = b"", user: str = "root", seconds: int = 120) -> str:
        return ""


def _picture(path: Path) -> str:
    mode = f"{path.lstat().st_mode:o}"
    if path.is_symlink():
        return f"{mode} → {os.readlink(path)}"
    return f"{mode} {path.read_text()}" if path.is_file() else mode


def read_answer(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    assert process.stdout
    assert process.stderr
    line = process.stdout.readline()
    while line in (b"\n", bootstrap.MARK, b'{"event":"alive"}\n') or bootstrap.ASKS_FOR_AGENT.fullmatch(line):
        line = process.stdout.readline()
    assert line, process.stderr.read().decode()
    answer: dict[str, Any] = json.loads(line)
    return answer


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)
