"""Package lists of a Debian release, for an apt that leaves the deployer's own lists alone."""

import fcntl
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fedikit.errors import DeadlineExceeded, StoreError
from fedikit.events import Tell, Waiting
from fedikit.store.artifact import Store
from fedikit.store.sources import ARCHIVE_KEYRING, debian_sources

_MAX_AGE = 12 * 3600.0
_UPDATE_DEADLINE = 600.0
_ANSWER_DEADLINE = 120.0

# What the deployer's own apt.conf says about proxies and certificates stays; what it hooks in, or adds to the
# lists, does not. `pkgcache` depends on the target's status file, so that writing it would only cost time.
_CONFIGURATION = """\
#clear DPkg::Pre-Invoke;
#clear DPkg::Post-Invoke;
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear Acquire::IndexTargets::deb::DEP-11;
#clear Acquire::IndexTargets::deb::DEP-11-icons;
#clear Acquire::IndexTargets::deb::DEP-11-icons-small;
#clear Acquire::IndexTargets::deb::CNF;
#clear APT::Architectures;
APT::Architecture "{architecture}";
APT::Architectures {{ "{architecture}"; }};
APT::Default-Release "";
APT::Install-Recommends "false";
APT::Install-Suggests "false";
APT::Update::Error-Mode "any";
Acquire::AllowInsecureRepositories "false";
Acquire::ForceHash "SHA256";
Acquire::Languages "none";
Acquire::Retries "2";
Acquire::http::Timeout "30";
Acquire::https::Timeout "30";
Debug::NoLocking "true";
Dir::Etc::sourcelist "{folder}/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::State::lists "{folder}/lists";
Dir::State::extended_states "/dev/null";
Dir::State::status "/dev/null";
Dir::Cache "{folder}/cache";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "srcpkgcache.bin";
"""


@dataclass(frozen=True)
class Lists:
    """The package lists of one release and architecture."""

    codename: str
    architecture: str
    folder: Path

    @property
    def version(self) -> str:
        """Changes whenever the lists do."""
        return f"{self.codename} {self.architecture} {self._mark.stat().st_mtime_ns}"

    @property
    def _mark(self) -> Path:
        return self.folder / "refreshed"

    @property
    def age(self) -> float:
        """Seconds since the lists were fetched; infinite if that was never, or with other sources."""
        try:
            fetched = self._mark.stat().st_mtime
            is_same = self._mark.read_text() == self._configuration and fetched > _sources_changed()
            return time.time() - fetched if is_same else float("inf")
        except FileNotFoundError:
            return float("inf")

    def ask(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Runs an apt command on these lists; says nothing about whether it succeeded."""
        return _run([command[0], "-c", str(self.folder / "apt.conf"), *command[1:]], _ANSWER_DEADLINE)

    @contextmanager
    def unchanging(self) -> Iterator[None]:
        """Nobody refreshes the lists meanwhile."""
        with _locked(self.folder / "lock", fcntl.LOCK_SH):
            yield

    def refresh(self) -> None:
        """Fetches the lists; all of them, or a StoreError."""
        self._prepare()
        answer = _run(["apt-get", "-c", str(self.folder / "apt.conf"), "-q", "update"], _UPDATE_DEADLINE)
        if answer.returncode:
            raise StoreError(
                f"the package lists of {self.codename} could not be fetched:\n{last_lines(answer)}",
                hint="see whether `apt-get update` works on this machine; "
                "FEDIKIT_LISTS_MAX_AGE (seconds) lets older lists do",
            )
        self._mark.write_text(self._configuration)

    def _prepare(self) -> None:
        for needed in ("lists/partial", "cache/archives/partial"):
            (self.folder / needed).mkdir(parents=True, exist_ok=True)
        (self.folder / "apt.conf").write_text(self._configuration)
        (self.folder / "sources.list").write_text(_source_lines(self.codename))

    @property
    def _configuration(self) -> str:
        text = _CONFIGURATION.format(architecture=self.architecture, folder=self.folder)
        return text + sandbox_configuration()


def current_lists(codename: str, architecture: str, *, store: Store, tell: Tell) -> Lists:
    """The lists of a release, fetched if they are missing or older than $FEDIKIT_LISTS_MAX_AGE (12 hours)."""
    folder = store.directory / "apt" / f"{codename}-{architecture}"
    folder.mkdir(parents=True, exist_ok=True)
    lists = Lists(codename, architecture, folder)
    if lists.age <= _max_age():
        return lists
    tell(Waiting(what=f"package lists of Debian {codename} ({architecture})"))
    with _locked(folder / "lock", fcntl.LOCK_EX):
        if lists.age > _max_age():  # else another process was faster
            lists.refresh()
    return lists


def sandbox_configuration() -> str:
    """Root's apt would fetch as a user of its own, who may not write into root's cache folder."""
    return 'APT::Sandbox::User "root";\n' if os.geteuid() == 0 else ""


def last_lines(answer: subprocess.CompletedProcess[str]) -> str:
    """What a failed command said last, indented."""
    lines = f"{answer.stdout.strip()}\n{answer.stderr.strip()}".strip().splitlines()[-12:]
    return "\n".join(f"  | {line}" for line in lines)


def _source_lines(codename: str) -> str:
    if not Path(ARCHIVE_KEYRING).is_file():
        hint = "apt-get install debian-archive-keyring"
        raise StoreError("Debian's archive keys are missing on this machine", hint=hint)
    return "".join(f"{source.line()}\n" for source in debian_sources(codename))


def _sources_changed() -> float:
    """When the deployer's own sources changed last, which the lists follow (seconds since the epoch)."""
    files = [path for name in ("sources.list", "sources.list.d") for path in Path("/etc/apt").glob(name)]
    files += Path("/etc/apt/sources.list.d").glob("*")
    return max((path.stat().st_mtime for path in files), default=0.0)


def _max_age() -> float:
    given = os.environ.get("FEDIKIT_LISTS_MAX_AGE", "")
    try:
        return float(given or _MAX_AGE)
    except ValueError:
        raise StoreError(f"FEDIKIT_LISTS_MAX_AGE is {given!r}, which is no number of seconds") from None


def _run(command: list[str], deadline: float) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=deadline,
            env=environment,
        )
    except FileNotFoundError as error:
        hint = "the deployer must be a Debian machine with apt"
        raise StoreError(f"{command[0]} is missing on this machine", hint=hint) from error
    except subprocess.TimeoutExpired as error:
        raise DeadlineExceeded(f"{command[0]} {command[-1]}", deadline) from error


@contextmanager
def _locked(path: Path, operation: int) -> Iterator[None]:
    deadline = time.monotonic() + _UPDATE_DEADLINE
    with path.open("a") as file:
        while True:
            try:
                fcntl.flock(file, operation | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    waited = "another process to finish with the package lists"
                    raise DeadlineExceeded(waited, _UPDATE_DEADLINE, hint=f"see who holds {path}") from error
                time.sleep(0.05)
        yield
