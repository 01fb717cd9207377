"""Words for what went otherwise than wanted."""

import ssl
from collections.abc import Iterator

# What servers send that have nothing to show for the name that they are asked for.
_ALERTS_WITHOUT_CERTIFICATE = ("TLSV1_ALERT_INTERNAL_ERROR", "TLSV1_UNRECOGNIZED_NAME")


class Unmet(Exception):
    """What a check wants is not so, or not yet: what was wanted and what was seen, in words."""

    def __init__(self, *, wanted: str, seen: str) -> None:
        super().__init__(f"wanted {wanted}, saw {seen}")
        self.seen = seen


class Refused(Unmet):
    """It never will be so by asking again, and asking again does harm: software counts wrong logins."""


class Closed(Refused):
    """The application is closed, and says so itself: it will answer once somebody opens it, and not before."""


class OutOfTime(Unmet):
    """The attempt came too late to see anything; what an earlier one saw tells more."""


def in_words(error: BaseException, place: str) -> str:
    """Why nothing came from a place, as the innermost error that names a reason says."""
    for cause in causes_of(error):
        match cause:
            case TimeoutError():
                return f"no answer from {place} in time"
            case ConnectionRefusedError():
                return f"connection refused by {place}"
            case ssl.SSLError():
                return f"no TLS with {place}: {_of_tls(cause.reason or 'closed')}"
            case OSError(strerror=str() as reason):
                return f"{reason.lower()}: {place}"
    return f"{str(error) or type(error).__name__} ({place})"


def _of_tls(reason: str) -> str:
    plain = reason.replace("_", " ").lower()
    return f"{plain}; it may have no certificate for the name yet" if reason in _ALERTS_WITHOUT_CERTIFICATE else plain


def causes_of(error: BaseException) -> Iterator[BaseException]:
    """An error, what caused it, what caused that, and so on."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
