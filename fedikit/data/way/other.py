"""The way by which a host reads the repository of another host's application, while neither reaches the other.

The deployer reads the repository and lends it at a gate; the host finds that at a port of its own. Who else is on that
host lacks the gate's password.
"""

import contextlib
import secrets
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from fedikit.data.way.gate import Gate
from fedikit.data.way.opening import opened_one
from fedikit.data.way.settings import PASSWORD, Settings, settings_of
from fedikit.data.way.source import Source
from fedikit.errors import ConnectionFailed, FedikitError
from fedikit.model.deployment import Deployment
from fedikit.model.host import Connection
from fedikit.remote.forward import Forward, reverse_forward
from fedikit.secrets.vault import Vault

LOOPBACK = "127.0.0.1"
_AGAIN = "see that it is up and reached, then do the same again: it goes on where it was"


@dataclass(frozen=True)
class Other:
    """A repository that is not the host's own, as the host's program is told of it.

    url       where the host finds it, as restic calls it; it holds the gate's password, and is as secret as that
    password  what the repository is sealed with
    hear      gives what could not be read so far, in words
    """

    url: SecretStr
    password: SecretStr
    hear: Callable[[], list[str]] = list

    @property
    def troubles(self) -> list[str]:
        """What could not be read so far, in words; what was asked for again may have been read since."""
        return self.hear()

    def told(self) -> dict[str, str]:
        """As the host is told of it: full of secrets."""
        return {"url": self.url.get_secret_value(), "password": self.password.get_secret_value()}


@contextlib.contextmanager
def way_to_repository(
    source: Deployment, source_host: str, application: str, target_host: str, target: Connection
) -> Iterator[Other]:
    """Lets the target read what the source host backed up of an application, as long as this is entered.

    Raises FedikitError where the repository cannot be read or the target cannot be led to it; and ConnectionFailed
    instead of what is raised within, if the reason is that either end was lost meanwhile.
    """
    settings = settings_of(source, source_host, application)
    if settings is None:
        raise FedikitError(f"{application} is not backed up on {source_host}", hint="set policies.backup, and apply")
    sealed_with = SecretStr(Vault.of(source).text(settings.beside[PASSWORD]))
    with contextlib.ExitStack() as stack:
        room = stack.enter_context(tempfile.TemporaryDirectory(prefix="fedikit-way-"))
        reached = stack.enter_context(opened_one(source, source_host, settings, Path(room)))
        gate = stack.enter_context(Gate(LOOPBACK, {settings.folder: reached}, password=secrets.token_hex(32)))
        forward = stack.enter_context(reverse_forward(target_host, target, (LOOPBACK, gate.port)))
        stack.enter_context(_told_which_end_was_lost(forward, reached, source_host, settings))
        yield Other(
            SecretStr(f"{gate.at(LOOPBACK, forward.port)}/{settings.folder}"), sealed_with, lambda: gate.troubles
        )


@contextlib.contextmanager
def _told_which_end_was_lost(forward: Forward, reached: Source, host: str, settings: Settings) -> Iterator[None]:
    try:
        yield
    except FedikitError as error:
        forward.require(because=error)
        if lost := _what_ails(reached):
            words = f"the repository {settings.url} can no longer be read: {lost}"
            raise ConnectionFailed(host, words, hint=_AGAIN) from error
        raise


def _what_ails(reached: Source) -> str:
    """Why a repository that was read cannot be any more; nothing if it can."""
    try:
        return "" if reached.size("config") is not None else "it is gone"
    except OSError as error:
        return error.strerror or str(error)
