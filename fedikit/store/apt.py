"""apt on the deployer, with a configuration that is ours from the first line to the last.

Of the deployer's own apt.conf only the way to the mirrors is taken over: proxies, certificates, the address family.
"""

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote

from fedikit.errors import DeadlineExceeded, StoreError

_MISSING_HINT = "the deployer must be a Debian machine with apt"
_WAY = re.compile(
    r"Acquire::(https?::([\w.-]+::)?(Proxy|Proxy-?Auto-?Detect|CaInfo|CaPath|SslCert|SslKey)(::[\w.-]+)?|ForceIPv[46])",
    re.IGNORECASE,
)
# Nothing is read but the file that starts with these lines. An archive must be signed, and tells until when it holds.
_BASIS = """\
Dir::Etc::main "/dev/null";
Dir::Etc::parts "/dev/null";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
APT::Default-Release "";
APT::Install-Recommends "false";
APT::Install-Suggests "false";
Acquire::AllowInsecureRepositories "false";
Acquire::AllowWeakRepositories "false";
Acquire::AllowDowngradeToInsecureRepositories "false";
Acquire::AllowReleaseInfoChange::Suite "true";
Acquire::AllowReleaseInfoChange::Version "true";
Acquire::Check-Date "true";
Acquire::Check-Valid-Until "true";
Acquire::ForceHash "SHA256";
Acquire::Languages "none";
Acquire::Retries "2";
Acquire::http::Timeout "30";
Acquire::https::Timeout "30";
Debug::NoLocking "true";
"""


def configuration(options: Mapping[str, str]) -> str:
    """A whole apt.conf: what always holds, and some options besides."""
    return _BASIS + _sandbox() + "".join(setting(name, value) for name, value in options.items())


def setting(name: str, value: str) -> str:
    """One line of an apt.conf. Raises StoreError for what would be more than one value there."""
    if '"' in value or "\\" in value or not value.isprintable():
        raise StoreError(f"apt cannot be told {value!r}", hint="see the name of the cache folder: FEDIKIT_CACHE")
    return f'{name} "{value}";\n'


def way_to_mirrors() -> str:
    """What the deployer's own apt.conf says of the way to the mirrors, as lines of another one."""
    answer = run(["apt-config", "dump", "--format", "%F=%V%n"], deadline=60)
    pairs = [line.partition("=")[::2] for line in answer.stdout.splitlines()]
    return "".join(setting(unquote(name), unquote(value)) for name, value in pairs if value and _WAY.fullmatch(name))


def run(command: list[str], *, deadline: float, conf: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Runs a command of apt's with this configuration; says nothing about whether it succeeded."""
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=deadline,
            env=variables(conf),
        )
    except FileNotFoundError as error:
        raise is_missing(command[0]) from error
    except subprocess.TimeoutExpired as error:
        raise DeadlineExceeded(f"{command[0]} {command[-1]}", deadline) from error


def variables(conf: Path | None = None) -> Mapping[str, str]:
    """The environment for a command of apt's that shall have this configuration, or the deployer's own."""
    return {**os.environ, "LC_ALL": "C.UTF-8", **({"APT_CONFIG": str(conf)} if conf else {})}


def is_missing(command: str) -> StoreError:
    """What to raise where a command of apt's is not there."""
    return StoreError(f"{command} is missing on this machine", hint=_MISSING_HINT)


def last_lines(said: str) -> str:
    """What a failed command said last, indented."""
    return "\n".join(f"  | {line}" for line in said.strip().splitlines()[-12:])


def _sandbox() -> str:
    """Root's apt would fetch as a user of its own, who may not write into root's cache folder."""
    return 'APT::Sandbox::User "root";\n' if os.geteuid() == 0 else ""
