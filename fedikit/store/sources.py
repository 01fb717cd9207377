"""Where Debian packages come from: the deployer's own apt sources, told for the release that is wanted.

No mirror is named here; whoever keeps the deployer has already chosen one.
"""

import platform
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass

from fedikit.errors import StoreError

ARCHIVE_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_POCKETS = ("", "-updates", "-security")
_FIELDS = ("TARGET_OF", "CREATED_BY", "REPO_URI", "RELEASE", "COMPONENT", "ORIGIN")


@dataclass(frozen=True, order=True)
class Source:
    """One suite of a package archive."""

    uri: str
    suite: str
    components: tuple[str, ...]

    def line(self, signed_by: str = ARCHIVE_KEYRING, *, is_current: bool = True) -> str:
        """The source as one line of a sources.list, trusted through one keyring; one of the past may have run out."""
        options = f"signed-by={signed_by}" + ("" if is_current else " check-valid-until=no")
        return f"deb [{options}] {self.uri} {self.suite} {' '.join(self.components)}"


def debian_sources(codename: str) -> tuple[Source, ...]:
    """The archives of a Debian release ("trixie"), on the mirrors that the deployer itself uses.

    The release first, then its updates and its security updates, as far as the deployer has them.
    Raises StoreError when this machine is no Debian, or its apt knows no Debian archive.
    """
    own_codename = _own_codename()
    sources = translated(_index_targets(), own_codename, codename)
    if not sources:  # nothing was fetched yet: then apt tells its sources only without their release information
        sources = translated(_index_targets("--no-release-info"), own_codename, codename)
    if not any(source.suite == codename for source in sources):
        raise StoreError(
            f"no Debian archive for {codename}: apt on this machine has no source for {own_codename} main",
            hint="give apt a source with that release and component (man sources.list), then try again",
        )
    return sources


def snapshot_sources(uris: Iterable[str], codename: str) -> tuple[Source, ...]:
    """Each archive with every part of a release that it may have: they keep security updates apart, or not."""
    return tuple(Source(uri.rstrip("/"), f"{codename}{pocket}", ("main",)) for uri in uris for pocket in _POCKETS)


def translated(targets: Iterable[str], own_codename: str, codename: str) -> tuple[Source, ...]:
    """The sources of one release, from the index targets of another; what is not Debian's is left out."""
    found = {(uri, pocket) for uri, pocket in (_pocket_of(line, own_codename) for line in targets) if uri}
    ordered = sorted(found, key=lambda source: (_POCKETS.index(source[1]), source[0]))
    return tuple(Source(uri, f"{codename}{pocket}", ("main",)) for uri, pocket in ordered)


def _pocket_of(line: str, own_codename: str) -> tuple[str, str]:
    """The mirror and the pocket of one index target; no mirror when it is not Debian's main archive."""
    target_of, created_by, uri, release, component, origin = line.split("\t")
    pocket = release.removeprefix(own_codename)
    is_main = (target_of, created_by, component) == ("deb", "Packages", "main")
    is_own = release.startswith(own_codename) and pocket in _POCKETS
    is_foreign = origin not in ("Debian", "$(ORIGIN)")  # unknown until apt has fetched its lists
    return (uri.rstrip("/"), pocket) if is_main and is_own and not is_foreign else ("", "")


def _own_codename() -> str:
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        release = {}
    if release.get("ID") != "debian" or not release.get("VERSION_CODENAME"):
        raise StoreError(
            f"packages come through Debian's apt, this machine is {release.get('PRETTY_NAME', 'unknown')}",
            hint="run fedikit on Debian 12 or newer",
        )
    return release["VERSION_CODENAME"]


def _index_targets(*options: str) -> list[str]:
    wanted = "\t".join(f"$({field})" for field in _FIELDS)
    command = ["apt-get", "indextargets", *options, "--format", wanted]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        hint = "see what apt says to: apt-get indextargets"
        raise StoreError(f"apt could not name its sources: {error}", hint=hint) from error
    return answer.stdout.splitlines()
