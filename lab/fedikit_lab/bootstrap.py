"""Debian trees on this machine, made by mmdebstrap from the mirrors that the deployer's own apt uses."""

import os
import subprocess
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from fedikit.errors import DeadlineExceeded, FedikitError
from fedikit.events import Tell, Waiting
from fedikit.store.sources import ARCHIVE_KEYRING, debian_sources

# What runs so takes its processes and its mounts along when fedikit is killed.
ALONE = ("setpriv", "--pdeathsig=KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
_SECONDS = 900
_LAST_LINES = 15


def bootstrap(tree: Path, codename: str, options: Iterable[str], *, moment: int, tell: Tell) -> None:
    """Makes the tree of a Debian release as if it were made at a moment, in seconds since 1970.

    `options` are mmdebstrap's: the variant, the packages, what is left out.
    """
    sources = "".join(f"{source.line(ARCHIVE_KEYRING)}\n" for source in debian_sources(codename))
    fetching = [f"--aptopt={option}" for option in _fetching_options()]

    def hear(line: str) -> None:
        if line.startswith("I: "):
            tell(Waiting(what=f"Debian {codename}: {line[3:]}"))

    command = ["mmdebstrap", *options, *fetching, codename, str(tree), "-"]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(moment)}
    hint = "see that apt works here: apt-get update"
    follow(command, given=sources, hear=hear, seconds=_SECONDS, hint=hint, environment=environment)


def _fetching_options() -> list[str]:
    """What the deployer's own apt is told about fetching (proxies, dates), without which it may reach nothing."""
    dump = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, timeout=30, check=True)
    wanted = ("Acquire::http::", "Acquire::https::", "Acquire::Check-", "Acquire::Retries")
    return [line for line in dump.stdout.splitlines() if line.startswith(wanted)]


def follow(
    command: list[str],
    *,
    hear: Callable[[str], None],
    seconds: float,
    hint: str,
    given: str = "",
    environment: Mapping[str, str] | None = None,
) -> None:
    """Runs a long command, which dies with fedikit, and hears each line of its standard error when it is said.

    Raises FedikitError with its last lines and the hint when it fails, DeadlineExceeded when it takes too long.
    """
    said: list[str] = []
    late = threading.Event()
    with _started(command, environment) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        watchdog = threading.Timer(seconds, _end, (process, late))
        watchdog.start()
        try:
            process.stdin.write(given)
            process.stdin.close()
            for line in process.stderr:
                said.append(line.strip())
                hear(said[-1])
            status = process.wait()
        finally:
            watchdog.cancel()
            process.kill()
    last = "\n".join(said[-_LAST_LINES:])
    if late.is_set():
        raise DeadlineExceeded(f"`{command[0]}` to end", seconds, last=last)
    if status != 0:
        raise FedikitError(f"`{command[0]}` failed with status {status}:\n{last}", hint=hint)


def _end(process: subprocess.Popen[str], late: threading.Event) -> None:
    late.set()
    process.kill()


def _started(command: list[str], environment: Mapping[str, str] | None) -> subprocess.Popen[str]:
    try:
        return subprocess.Popen(
            [*ALONE, *command],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
    except OSError as error:
        raise FedikitError(f"`{ALONE[0]}` could not be started: {error}", hint="apt-get install util-linux") from error
