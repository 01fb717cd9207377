"""What can go wrong, as one tree.

FedikitError                 anything fedikit says in words; exit status 1
├── ConfigurationError       mistakes in a file that a person wrote; all at once, exit status 2
│   └── SeveralFiles         those of several files
├── HostError                one host; carries its name
│   ├── ConnectionFailed     not reachable, or not let in
│   │   └── HostKeyRefused   the key is not the one that the environment names
│   ├── HostBusy             another deployer holds the host's lock
│   ├── StalePlan            the host moved since it was planned
│   ├── ItemFailed           an item could not be made so; carries the last lines of output
│   └── AgentFailed          the agent itself failed or spoke nonsense
├── DnsRefused               the DNS server gives no answer, or does not do what it was asked
├── StoreError               an artifact could not be found, fetched or verified
├── SecretError              a secret is missing or may not be had
└── DeadlineExceeded         a wait ended without what it waited for
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass


class FedikitError(Exception):
    """The root: says what was wanted, where, and what happened; the hint says what to do next."""

    exit_status = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    @property
    def headline(self) -> str:
        """What happened, and where; without the hint."""
        return self.message

    @property
    def text(self) -> str:
        """What happened and what to do next, for where it stands beside its place anyway."""
        return _hinted(self.message, self.hint)

    def __str__(self) -> str:
        return _hinted(self.headline, self.hint)


_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff]"
)


def visible(text: str) -> str:
    """The text with what would act on a terminal, or turn the order of its letters, written out as escapes."""
    return _HIDDEN.sub(lambda match: f"\\x{ord(match[0]):02x}" if ord(match[0]) < 256 else _escape(match[0]), text)


def _escape(character: str) -> str:
    return f"\\u{ord(character):04x}"


def _hinted(words: str, hint: str) -> str:
    return f"{words}\n  → {hint}" if hint else words


def _visible(character: str) -> str:
    """A character as a terminal may have it: what a file holds could be meant for the terminal."""
    return character if character.isprintable() or character == "\n" else ascii(character)[1:-1]


@dataclass(frozen=True, order=True)
class Mistake:
    """One mistake in a file: the dotted path to it, and what is wrong there."""

    path: str
    message: str

    def __str__(self) -> str:
        return "".join(map(_visible, f"{self.path}: {self.message}"))


class ConfigurationError(FedikitError):
    """Every mistake of one file, each named by its path, before any host is touched."""

    exit_status = 2

    def __init__(self, source: str, mistakes: Sequence[Mistake], *, hint: str = "") -> None:
        self.source = source
        self.mistakes = tuple(mistakes)
        count = "1 mistake" if len(self.mistakes) == 1 else f"{len(self.mistakes)} mistakes"
        lines = "\n".join(f"  {mistake}" for mistake in self.mistakes)
        super().__init__(f"{source}: {count}\n{lines}", hint=hint)


class SeveralFiles(ConfigurationError):
    """The mistakes of several files, file by file."""

    def __init__(self, errors: Sequence[ConfigurationError]) -> None:
        mistakes = [mistake for error in errors for mistake in error.mistakes]
        super().__init__(" and ".join(error.source for error in errors), mistakes)
        self.message = "\n".join(error.text for error in errors)
        self.args = (self.message,)


class HostError(FedikitError):
    """Something about one host: its name and what happened there are kept apart.

    Its words may be the host's own: what would act on a terminal is written out.
    """

    def __init__(self, host: str, message: str, *, hint: str = "") -> None:
        self.host = host
        super().__init__(visible(message), hint=visible(hint))

    @property
    def headline(self) -> str:
        return f"{self.host}: {self.message}"


class ConnectionFailed(HostError):
    """The host could not be reached, or did not let us in."""


class HostKeyRefused(ConnectionFailed):
    """The host showed a key that is not the one the environment names."""


class HostBusy(HostError):
    """Another deployer is changing this host just now."""


class StalePlan(HostError):
    """The host is no longer as it was when the plan was made; nothing was changed."""


class ItemFailed(HostError):
    """An item could not be brought to its wanted state."""

    def __init__(self, host: str, item: str, message: str, *, tail: str = "", hint: str = "") -> None:
        self.item = item
        self.tail = tail
        shown = "".join(f"\n  | {line}" for line in tail.splitlines()[-20:])
        super().__init__(host, f"{item}: {message}{shown}", hint=hint)


class AgentFailed(HostError):
    """The agent on the host failed in a way it has no words for."""


class DnsRefused(FedikitError):
    """The DNS server gives no answer, or does not do what it was asked."""


class StoreError(FedikitError):
    """An artifact could not be found, fetched or verified."""


class SecretError(FedikitError):
    """A secret is missing, or may not be had this way."""


class DeadlineExceeded(FedikitError):
    """A wait ended without what it waited for."""

    def __init__(self, awaited: str, seconds: float, *, last: str = "", hint: str = "") -> None:
        seen = f"; last seen: {last}" if last else ""
        super().__init__(f"waited {seconds:g} s for {awaited}, in vain{seen}", hint=hint)
