"""Telling systemd to start and stop units, and waiting for it as long as the unit says."""

from . import manager
from .command import Overdue
from .eyes import Eyes
from .hands import Hands
from .trouble import Trouble

MARGIN_SECONDS = 90
"""What is waited beyond that: for what must be there before a unit starts, and for systemd itself."""
LEAST_SECONDS = 180
MOST_SECONDS = 86400
"""How long is waited for a unit that may take as long as it likes."""
STARTING = ("ExecCondition", "ExecStartPre", "ExecStart", "ExecStartPost")
STOPPING = ("ExecStop", "ExecStopPost")
ENDINGS = 2
"""How often systemd waits for the processes of a unit that stops: once it told them to, and once it killed them."""
BEGAN = "InactiveExitTimestampMonotonic"
"""When it last began to run; `0` of a unit that never did: systemd holds nothing against it."""
ENDED_WELL = ("done", "skipped")
"""How the start of a unit ends that runs, or that its own conditions keep from running."""
PROPERTIES = (BEGAN, "TimeoutStartUSec", "TimeoutStopUSec", *STARTING, *STOPPING)
DIGITS, LETTERS = ".0123456789", "abcdefghijklmnopqrstuvwxyz"
SECONDS_IN = {"us": 1e-6, "ms": 1e-3, "s": 1, "min": 60, "h": 3600, "d": 86400, "w": 604800, "month": 2629800,
              "y": 31557600}  # fmt: skip


def tell(hands: Hands, verb: str, name: str) -> None:
    """Starts, restarts, reloads or stops a unit; trouble, with the last lines of its journal, if that does not work."""
    if verb == "start" and not hands.root and (end := manager.start(name)):
        if end not in ENDED_WELL:
            raise _fallen(hands, name, f"{verb} of {name} failed", f"Job for {name} ended so: {end}")
        return
    shown = _shown(hands, name)
    if verb in ("start", "restart") and shown.get(BEGAN) != "0":
        hands.run(["systemctl", "reset-failed", name])
    seconds = _patience(shown, verb)
    try:
        hands.run(["systemctl", verb, name], seconds=seconds)
    except Trouble as trouble:
        ended = f"did not end within {seconds} s" if isinstance(trouble.__cause__, Overdue) else "failed"
        raise _fallen(hands, name, f"{verb} of {name} {ended}", trouble.tail) from trouble


def require_up(hands: Hands, name: str) -> None:
    """Trouble, with why and the last lines of its journal, if a unit that was started is not up any more."""
    state = hands.unit(name)
    if not state["active"]:
        why = f": {state['fallen']}" if state["fallen"] else ""
        raise _fallen(hands, name, f"did not stay up: {state['condition']}{why}")


def _fallen(hands: Hands, name: str, words: str, tail: str = "") -> Trouble:
    from .ports import taken_ports  # seldom needed

    journal = hands.journal_of(name)
    taken = taken_ports(journal, name)
    return Trouble(f"{words}; {taken}" if taken else words, tail=journal or tail, hint=f"journalctl --unit {name}")


def patience(eyes: Eyes, verb: str, name: str) -> int:
    """How many seconds systemd itself may take for that, with a margin: each of a unit's commands has its time."""
    return _patience(_shown(eyes, name), verb)


def _shown(eyes: Eyes, name: str) -> dict[str, str]:
    return eyes.shown([name], PROPERTIES)[0]


def _patience(shown: dict[str, str], verb: str) -> int:
    commands = [key for key in (*STARTING, *STOPPING) if shown.get(key)]
    starting = max(1, sum(key in STARTING for key in commands)) * seconds_of(shown.get("TimeoutStartUSec", ""))
    stopping = (ENDINGS + sum(key in STOPPING for key in commands)) * seconds_of(shown.get("TimeoutStopUSec", ""))
    needed = {"restart": stopping + starting, "stop": stopping}.get(verb, starting)
    return int(min(max(needed + MARGIN_SECONDS, LEAST_SECONDS), MOST_SECONDS))


def seconds_of(span: str) -> float:
    """A span of time as systemd shows it, such as `1min 30s`; `infinity` is as long as can be."""
    if span == "infinity":
        return float("inf")
    parts = [(part.rstrip(LETTERS), part.lstrip(DIGITS)) for part in span.split()]
    return sum(float(number) * SECONDS_IN[unit] for number, unit in parts if number and unit in SECONDS_IN)


def set_enabled(hands: Hands, names: list[str], *, enabled: bool) -> None:
    """Has units start at boot, or not, all in one go: systemd reads all that it has anew each time."""
    if not (enabled and not hands.root and manager.enable(names)):
        hands.run(["systemctl", "--quiet", "enable" if enabled else "disable", *names])


def reread(hands: Hands) -> None:
    """Has systemd read all units anew."""
    if hands.root or not manager.reread():
        hands.run(["systemctl", "daemon-reload"])
