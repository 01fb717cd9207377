"""Package lists of a Debian release, for an apt that leaves the deployer's own lists alone."""

import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from fedikit.errors import DeadlineExceeded, StoreError
from fedikit.events import Tell, Waiting
from fedikit.model.value import Architecture, digest_of, is_codename
from fedikit.store import apt
from fedikit.store.artifact import Store
from fedikit.store.sources import ARCHIVE_KEYRING, Source, debian_sources, snapshot_sources

_MAX_AGE = 12 * 3600.0
_UPDATE_DEADLINE = 600.0
_ANSWER_DEADLINE = 120.0
_RELEASES = ("$(REPO_URI)", "$(RELEASE)", "$(CODENAME)", "$(ORIGIN)")


@dataclass(frozen=True)
class Lists:
    """The package lists of one release and architecture, from mirrors or from archives that keep what was."""

    codename: str
    architecture: str
    folder: Path
    snapshots: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not is_codename(self.codename) or self.architecture not in get_args(Architecture):
            raise StoreError(f"Debian has no release {self.codename!r} for {self.architecture!r}")

    @property
    def version(self) -> str:
        """Changes whenever the lists do."""
        return f"{self.codename} {self.architecture} {self._mark.stat().st_mtime_ns}"

    @property
    def _mark(self) -> Path:
        return self.folder / "refreshed"

    @property
    def _conf(self) -> Path:
        return self.folder / "apt.conf"

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
        return apt.run(list(command), deadline=_ANSWER_DEADLINE, conf=self._conf)

    @contextmanager
    def unchanging(self) -> Iterator[None]:
        """Nobody refreshes the lists meanwhile."""
        with _locked(self.folder / "lock", fcntl.LOCK_SH):
            yield

    def refresh(self) -> None:
        """Fetches the lists; all of them, and of the release asked for, or a StoreError.

        Of snapshots, not every one has every part of a release: there, what can be had is enough.
        """
        self._prepare()
        before = self.folder / "refreshed-before"
        if self._mark.exists():
            self._mark.replace(before)  # until these are known to be of that release, nobody takes them for it
        answer = apt.run(["apt-get", "-q", "update"], deadline=_UPDATE_DEADLINE, conf=self._conf)
        releases = self._releases()
        self._refuse_others(releases)
        if answer.returncode and not (self.snapshots and releases):
            if before.exists():
                before.replace(self._mark)
            raise StoreError(
                f"the package lists of {self.codename} could not be fetched:\n{last_lines(answer)}",
                hint="see whether `apt-get update` works on this machine; "
                "FEDIKIT_LISTS_MAX_AGE (seconds) lets older lists do",
            )
        self._mark.write_text(self._configuration)

    def _releases(self) -> list[list[str]]:
        """Of each list that came: where it is from, which suite was asked for, and what its signed release says."""
        answer = self.ask("apt-get", "indextargets", "--format", "\t".join(_RELEASES), "Created-By: Packages")
        return [line.split("\t") for line in answer.stdout.splitlines()]

    def _refuse_others(self, releases: Sequence[Sequence[str]]) -> None:
        """A mirror without TLS may serve another release, signed as well, in the place of the one asked for."""
        for uri, suite, codename, origin in releases:
            if (codename, origin) != (suite, "Debian"):
                shutil.rmtree(self.folder / "lists")
                told = f"{origin or 'nobody'}'s {codename or 'unnamed release'}"
                raise StoreError(
                    f"{uri} serves {told} in the place of Debian's {suite}; it is not used",
                    hint="the mirror is wrong, or somebody is in between: give this machine's apt another, by https",
                )

    def _prepare(self) -> None:
        for needed in ("lists/partial", "cache/archives/partial"):
            (self.folder / needed).mkdir(parents=True, exist_ok=True)
        lines = [source.line(is_current=not self.snapshots) for source in self._sources()]
        (self.folder / "sources.list").write_text("".join(f"{line}\n" for line in lines))
        self._conf.write_text(self._configuration + apt.way_to_mirrors())

    def _sources(self) -> tuple[Source, ...]:
        if not Path(ARCHIVE_KEYRING).is_file():
            hint = "apt-get install debian-archive-keyring"
            raise StoreError("Debian's archive keys are missing on this machine", hint=hint)
        return snapshot_sources(self.snapshots, self.codename) if self.snapshots else debian_sources(self.codename)

    @property
    def _configuration(self) -> str:
        return apt.configuration(
            {
                "APT::Architecture": self.architecture,
                "APT::Architectures::": self.architecture,
                "APT::Update::Error-Mode": "any",
                "Dir::Etc::sourcelist": f"{self.folder}/sources.list",
                "Dir::State::lists": f"{self.folder}/lists",
                "Dir::State::extended_states": "/dev/null",
                "Dir::State::status": "/dev/null",
                "Dir::Cache": f"{self.folder}/cache",
                "Dir::Cache::pkgcache": "",  # depends on the target's status file: writing it would only cost time
                "Dir::Cache::srcpkgcache": "srcpkgcache.bin",
            }
        )


def current_lists(
    codename: str, architecture: str, *, store: Store, tell: Tell, snapshots: Sequence[str] = ()
) -> Lists:
    """The lists of a release, fetched if they are missing or older than $FEDIKIT_LISTS_MAX_AGE (12 hours).

    They are those of the mirrors or, if any are named, of snapshots: archives that keep what mirrors drop.
    """
    mark = f"-{digest_of(sorted(snapshots))[:16]}" if snapshots else ""
    folder = store.directory / "apt" / f"{codename}-{architecture}{mark}"
    lists = Lists(codename, architecture, folder, tuple(snapshots))
    folder.mkdir(parents=True, exist_ok=True)
    if lists.age <= _max_age():
        return lists
    tell(Waiting(what=f"package lists of Debian {codename} ({architecture})"))
    with _locked(folder / "lock", fcntl.LOCK_EX):
        if lists.age > _max_age():  # else another process was faster
            lists.refresh()
    return lists


def last_lines(answer: subprocess.CompletedProcess[str]) -> str:
    """What a failed command said last, indented."""
    return apt.last_lines(f"{answer.stdout.strip()}\n{answer.stderr.strip()}")


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
