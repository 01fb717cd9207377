"""What this machine lacks to be a deployer: Debian, room, lists, keys."""

import os
import shutil
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from fedikit.errors import SecretError
from fedikit.model.deployment import Deployment
from fedikit.model.host import Ssh
from fedikit.results.diagnosis import DEPLOYER, Finding
from fedikit.secrets import Vault, secrets_of
from fedikit.secrets.master import MasterKey
from fedikit.store import default_directory

LEAST_FREE = 1_000_000_000
OLD_LISTS = 12 * 3600.0


def examine_deployer(deployment: Deployment) -> Iterator[Finding]:
    """Every matter of this machine."""
    yield _release()
    yield _lists()
    yield _cache()
    yield from _programs(deployment)
    yield from _master_key(deployment)
    for path in dict.fromkeys(_identity_files(deployment)):
        yield _key(path)


def _found(matter: str, problem: str, seen: str, remedy: str = "") -> Finding:
    """An obstacle if there is a problem."""
    state = "obstacle" if problem else "well"
    return Finding.model_validate(
        {
            "host": DEPLOYER,
            "matter": matter,
            "state": state,
            "seen": problem or seen,
            "remedy": remedy if problem else "",
        }
    )


def _release() -> Finding:
    try:
        lines = Path("/etc/os-release").read_text().splitlines()
    except OSError:
        lines = []
    fields = {name: value.strip('"') for name, _, value in (line.partition("=") for line in lines)}
    is_debian = fields.get("ID") == "debian" and shutil.which("apt-get")
    problem = "" if is_debian else f"{fields.get('PRETTY_NAME', 'this')} is not Debian: packages cannot be resolved"
    return _found("release", problem, fields.get("PRETTY_NAME", ""), "run fedikit on a Debian 12 or 13 machine")


def _lists() -> Finding:
    """How old the newest package lists are: they come anew by themselves, if a mirror can be reached."""
    marks = (default_directory() / "apt").glob("*/refreshed")
    newest = max((mark.stat().st_mtime for mark in marks), default=None)
    if newest is None:
        return _found("package lists", "", "none yet: they are fetched when a host first lacks a package")
    hours = (time.time() - newest) / 3600
    return _found("package lists", "", f"{hours:.0f} hours old; fetched anew after {OLD_LISTS / 3600:.0f}")


def _cache() -> Finding:
    place = default_directory()
    while not place.is_dir():
        place = place.parent
    free = shutil.disk_usage(place).free
    problem = f"{free / 1e9:.1f} GB are free in {place}" if free < LEAST_FREE else ""
    return _found("cache", problem, f"{free / 1e9:.1f} GB free", "free some space; fedikit store prune --days 30")


def _programs(deployment: Deployment) -> Iterator[Finding]:
    if any(item.has_image for state in deployment.hosts.values() for item in state.items):
        problem = "" if shutil.which("skopeo") else "skopeo is not there, which fetches images"
        yield _found("images", problem, "skopeo is there", "apt-get install skopeo")


def _master_key(deployment: Deployment) -> Iterator[Finding]:
    if not secrets_of(deployment):
        return
    reference, problem, remedy = deployment.secrets.master_key, "", ""
    try:
        MasterKey.load(reference, base=Path())
    except SecretError as error:
        problem, remedy = error.message, error.hint
    yield _found("master key", problem, f"can be read ({reference})", remedy)
    if not problem:
        yield from _sealed_files(deployment)


def _sealed_files(deployment: Deployment) -> Iterator[Finding]:
    """Those that hold what applications brought along from another provider."""
    vault = Vault.of(deployment)
    for file in deployment.secrets.sealed:
        seen, problem, remedy = "", "", ""
        try:
            brought = vault.opened(Path(file))
            seen = f"{file} can be opened: what {brought.application} brought along from {brought.deployment}"
        except SecretError as error:
            problem, remedy = error.message, error.hint
        yield _found("sealed secrets", problem, seen, remedy)


def _identity_files(deployment: Deployment) -> list[str]:
    connections = (state.connection for state in deployment.hosts.values())
    return [each.identity_file for each in connections if isinstance(each, Ssh) and each.identity_file]


def _key(path: str) -> Finding:
    try:
        status = os.stat(path)
    except OSError as error:
        problem, remedy = f"{path}: {(error.strerror or str(error)).lower()}", "see identity_file in the environment"
    else:
        is_open = bool(status.st_mode & (stat.S_IRWXG | stat.S_IRWXO))
        problem, remedy = f"{path} may be read by others" if is_open else "", f"chmod 600 {path}"
    return _found("SSH key", problem, f"{path} is there, for its owner only", remedy)
