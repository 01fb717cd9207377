"""Quadlet: a container described in a file, of which systemd makes a unit (podman-systemd.unit)."""

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from fedikit.model.request import CommandHealth, Container, HttpHealth, OneOffJob, Task
from fedikit.policies.numbers import COUNT

FOLDER = "/etc/fedikit"
AWAIT = f"{FOLDER}/await-http"


def job_name(application: str, request: OneOffJob | Task) -> str:
    """What the job is called on the host that runs a command of an application's."""
    return f"{application} {request.name}"


def ready_name(container: Container) -> str:
    """What the job is called that waits for a container's work to begin."""
    return f"{container.name} ready"


class OnHost(NamedTuple):
    """What a container has of the host.

    mounts     paths of the host, and where the container sees each
    first      the number there of the container's user 0
    variables  files with variables that it shares with others
    """

    mounts: Mapping[str, str]
    first: int
    variables: Sequence[str] = ()


def quadlet(container: Container, image: str, seen: OnHost) -> str:
    """The text of its file."""
    sections = {
        "Unit": [
            f"Description={container.name}, a container",
            "Wants=network-online.target",
            "After=network-online.target",
            "StartLimitIntervalSec=0",
        ],
        "Container": _container(container, image, seen),
        "Service": _service(container),
        "Install": ["WantedBy=multi-user.target"],
    }
    return "\n".join("\n".join([f"[{name}]", *lines, ""]) for name, lines in sections.items())


def _container(container: Container, image: str, seen: OnHost) -> list[str]:
    lines = [f"Image={image}", f"ContainerName={container.name}", "Pull=never", "Network=host"]
    lines += [f"{numbers}Map=0:{seen.first}:{COUNT}" for numbers in ("UID", "GID")]
    if container.command:
        lines.append(f"Exec={' '.join(map(_quoted, container.command))}")
    if container.user:
        user, _, group = container.user.partition(":")
        lines += [f"User={user}", *([f"Group={group}"] if group else [])]
    lines += [f"EnvironmentFile={path}" for path in seen.variables]
    lines += [f"Environment={_quoted(f'{name}={value}')}" for name, value in container.environment.items()]
    lines += [f"Volume={path}:{inside}" for path, inside in seen.mounts.items()]
    lines.append(f"StopTimeout={container.stop_seconds}")
    if container.stop_signal:
        lines.append(f"StopSignal={container.stop_signal}")
    if isinstance(container.health, CommandHealth):
        command = _plain(json.dumps(container.health.command))
        lines += [f"HealthCmd={command}", "HealthInterval=30s"]
        lines += [f"HealthStartPeriod={container.start_seconds}s", f"HealthStartupCmd={command}"]
        lines += ["HealthStartupInterval=1s", "Notify=healthy"]
    return lines


def _service(container: Container) -> list[str]:
    # 143: ended by SIGTERM, as it was told
    lines = ["Restart=always", "RestartSec=2", "SuccessExitStatus=143", f"TimeoutStartSec={container.start_seconds}"]
    lines.append(f"TimeoutStopSec={container.stop_seconds + 10}")
    if isinstance(container.health, HttpHealth):
        wait = await_command(container.health, container.start_seconds)
        lines.append(f"ExecStartPost={' '.join(map(_quoted, wait))}")
    return lines


def await_command(health: HttpHealth, seconds: int) -> tuple[str, ...]:
    """What waits on the host until it is healthy."""
    url = f"http://127.0.0.1:{health.port}{health.path}"
    return ("/usr/bin/python3", "-I", AWAIT, url, health.domain or "-", str(seconds))


def _plain(text: str) -> str:
    """Text in which systemd shall find no specifier and no variable."""
    return text.replace("%", "%%").replace("$", "$$")


def _quoted(word: str) -> str:
    """One word as systemd reads it."""
    escaped = _plain(word.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n"))
    return f'"{escaped}"' if escaped != word or not word or set(word) & set(" '\t;") else word
