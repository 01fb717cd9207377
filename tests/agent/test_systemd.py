"""Waiting for units as long as they say."""

import pytest

from fedikit.agent.systemd import LEAST_SECONDS, MARGIN_SECONDS, MOST_SECONDS, patience, seconds_of, tell
from fedikit.agent.trouble import Trouble
from tests.agent.conftest import QuietHands


class Systemd(QuietHands):
    """Hands on a host whose systemd says that of a unit; notes how long each command may take."""

    def __init__(self, *says: str) -> None:
        super().__init__()
        self.says = says
        self.waited: list[tuple[str, int]] = []

    def ask(self, command: list[str]) -> str:
        return "".join(f"{line}\n" for line in self.says)

    def run(self, command: list[str], *, stdin: bytes = b"", user: str = "root", seconds: int = 120) -> str:
        self.waited.append((command[1], seconds))
        return ""


@pytest.mark.parametrize(
    ("span", "seconds"),
    [
        ("1min 30s", 90),
        ("5min", 300),
        ("2h 1s 500ms", 7201.5),
        ("1d", 86400),
        ("1month 1w", 2629800 + 604800),
        ("0", 0),
        ("", 0),
        ("infinity", float("inf")),
    ],
)
def test_spans_of_time_are_read_as_systemd_shows_them(span: str, seconds: float) -> None:
    assert seconds_of(span) == seconds


CONTAINER = ("TimeoutStartUSec=15min", "TimeoutStopUSec=1min 40s", "ExecStart={ podman }", "ExecStartPost={ await }")


@pytest.mark.parametrize(
    ("verb", "says", "seconds"),
    [
        ("start", CONTAINER, 2 * 900 + MARGIN_SECONDS),
        ("restart", CONTAINER, 2 * 900 + 2 * 100 + MARGIN_SECONDS),
        ("stop", (*CONTAINER, "ExecStop={ podman }", "ExecStopPost={ podman }"), 4 * 100 + MARGIN_SECONDS),
        ("start", ("TimeoutStartUSec=infinity", "ExecStart={ migrate }"), MOST_SECONDS),
        ("start", ("TimeoutStartUSec=1s", "ExecStart={ quick }"), LEAST_SECONDS),
        ("start", (), LEAST_SECONDS),  # a timer or a target has no such time
    ],
)
def test_a_unit_gets_the_time_that_it_says_it_needs(verb: str, says: tuple[str, ...], seconds: int) -> None:
    systemd = Systemd(*says)
    assert patience(systemd, verb, "app.service") == seconds
    tell(systemd, verb, "app.service")
    assert systemd.waited[-1] == (verb, seconds)


def test_a_unit_that_does_not_start_in_time_is_said_not_to_have_ended() -> None:
    class Slow(Systemd):
        def run(self, command: list[str], *, stdin: bytes = b"", user: str = "root", seconds: int = 120) -> str:
            if command[1] == "start":
                command = ["sleep", "60"]
            return super(QuietHands, self).run(command, seconds=1) if command[0] == "sleep" else ""

    with pytest.raises(Trouble, match=r"start of app.service did not end within 180 s"):
        tell(Slow(), "start", "app.service")
