"""systemd's units: asked and told by systemctl."""

from collections.abc import Sequence

from . import command
from .trouble import Trouble

ANSWER_SECONDS = 120
START_SECONDS = 3600
"""How long units may take to stop or start: some migrate what they find first."""
_ON = ("active", "activating", "reloading", "deactivating")


def reload() -> None:
    """systemd reads its files again."""
    _systemctl("daemon-reload", seconds=ANSWER_SECONDS)


def running(units: Sequence[str]) -> list[str]:
    """Those that are up or on their way, in the same order."""
    return [unit for unit in units if property_of(unit, "ActiveState") in _ON]


def property_of(unit: str, name: str) -> str:
    """What systemd knows of a unit, also of one that there is not."""
    finished = command.run(["systemctl", "show", f"--property={name}", "--value", "--", unit], seconds=ANSWER_SECONDS)
    return finished.output.strip()


def stop(units: Sequence[str]) -> None:
    """Stops units one after the other; raises Trouble if one does not."""
    for unit in units:
        _systemctl("stop", "--", unit, seconds=START_SECONDS)


def start(unit: str) -> None:
    """Starts a unit, which may have failed before; raises Trouble if it does not start."""
    command.run(["systemctl", "reset-failed", "--", unit], seconds=ANSWER_SECONDS)
    _systemctl("start", "--", unit, seconds=START_SECONDS)


def try_to_start(unit: str) -> bool:
    """Whether a unit starts."""
    return command.run(["systemctl", "start", "--", unit], seconds=START_SECONDS).status == 0


def _systemctl(*words: str, seconds: float) -> None:
    finished = command.run(["systemctl", *words], seconds=seconds)
    if finished.status != 0:
        raise Trouble(
            f"`systemctl {words[0]} {words[-1]}` failed" if len(words) > 1 else f"`systemctl {words[0]}` failed",
            hint=f"journalctl --unit={words[-1]}" if len(words) > 1 else "journalctl -xe",
            tail=finished.tail,
        )
