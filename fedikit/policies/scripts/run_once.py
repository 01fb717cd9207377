#!/usr/bin/python3 -I
"""Runs a command in a container of its own, to its end: NAME SECONDS, then what follows `podman run`.

Whoever is killed here leaves the container at work, for what it does may take hours and must not be cut in half. So
the next one who wants the same joins it instead of beginning once more; one who wants something else has it stopped.
When the seconds are over, or at SIGTERM, the container is told to end, and has a minute for that.
"""

import hashlib
import json
import signal
import subprocess
import sys
from types import FrameType
from typing import Any, NoReturn

name, seconds, *words = sys.argv[1:]
given = sys.stdin.buffer.read()
SAME = hashlib.sha256(json.dumps(words).encode() + given).hexdigest()
GRACE_SECONDS = 60
LINES = 40


def podman(*arguments: str, seconds: float | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["podman", *arguments], capture_output=True, text=True, timeout=seconds)


def look() -> dict[str, Any] | None:
    """The container of that name, if there is one."""
    seen = podman("container", "inspect", name)
    return json.loads(seen.stdout)[0] if seen.returncode == 0 else None


def is_worth_joining(container: dict[str, Any]) -> bool:
    """At work, or through with success though nobody has taken note, with the very same words."""
    state = container["State"]
    is_same: bool = container["Config"]["Labels"].get("fedikit.run") == SAME
    return is_same and (state["Status"] == "running" or (state["Status"] == "exited" and state["ExitCode"] == 0))


def end() -> None:
    podman("stop", f"--time={GRACE_SECONDS}", "--ignore", name)
    podman("rm", "--force", "--ignore", name)


def stopped(number: int, frame: FrameType | None) -> NoReturn:
    end()
    sys.exit(f"was told to end, and has ended {name}")


def join() -> None:
    status = int(podman("wait", name, seconds=float(seconds)).stdout or 1)
    done = podman("logs", f"--tail={LINES}", name)
    sys.stdout.write(done.stdout)
    sys.stderr.write(done.stderr)
    finish(status)


def begin() -> None:
    start = ["podman", "run", "--interactive", f"--name={name}", f"--label=fedikit.run={SAME}", *words]
    finish(subprocess.run(start, input=given, timeout=float(seconds)).returncode)


def finish(status: int) -> None:
    podman("rm", "--force", "--ignore", name)
    sys.exit(status)


signal.signal(signal.SIGTERM, stopped)
container = look()
is_joined = container is not None and is_worth_joining(container)
if container and not is_joined:
    end()
try:
    (join if is_joined else begin)()
except subprocess.TimeoutExpired:
    end()
    sys.exit(f"{name} was stopped: it was not through after {seconds} s")
