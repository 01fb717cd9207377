"""What systemd says of a unit, judged: for plans, for the end of an apply, and for whoever asks how a host is."""

import time
from typing import Any

State = dict[str, Any]
PROPERTIES = (
    "Id", "LoadState", "LoadError", "ActiveState", "SubState", "UnitFileState", "CanReload", "NeedDaemonReload",
    "Result", "NRestarts", "StateChangeTimestampMonotonic",
)  # fmt: skip
FALLEN_OVER = "auto-restart"
"""The sub-state of a unit that fell over, and that systemd will start once more: active, by its state."""
STEADY_SECONDS = 10
"""How long a unit that systemd had to start again must be up to be taken for running."""
SEVERAL = 2
"""From how many starts by systemd on a unit counts as one that does not stay up."""
ENABLED = ("enabled", "enabled-runtime", "static", "generated", "transient", "alias", "indirect")
FIXED = ("static", "generated", "transient")
"""Units of which nobody can say whether they start at boot but what made them."""
ABSENCES = {"masked": "masked", "not-found": "missing"}
"""How systemd says that a unit cannot be, and the word for that."""
BROKEN = ("bad-setting", "error")


def state_of(shown: dict[str, str]) -> State:
    """The state of a unit by its properties.

    exists, active, enabled, can_reload   in the senses of the item `unit`
    is_fixed    whether it starts at boot is not for anybody to say
    condition   systemd's word for whether it is active
    masked      how the mask is taken away; empty if there is none
    broken      why systemd cannot use its file; empty if it can
    fallen      why it is not up though it was started; empty if it is, or was not
    is_unsteady whether it is up just now, after systemd had to start it again
    """
    load, active = shown["LoadState"], shown["ActiveState"]
    fallen = _fallen(shown)
    return {
        "exists": load not in ABSENCES,
        "active": active in ("active", "reloading", "activating") and not fallen,
        "enabled": shown["UnitFileState"] in ENABLED,
        "is_fixed": shown["UnitFileState"] in FIXED,
        "can_reload": shown["CanReload"] == "yes",
        "condition": active,
        "masked": _unmasking(shown) if load == "masked" else "",
        "broken": _words_of(shown.get("LoadError", ""), load) if load in BROKEN else "",
        "fallen": fallen,
        "is_unsteady": active != "failed" and shown["SubState"] != FALLEN_OVER and _is_back(shown),
    }


def condition_of(shown: dict[str, str]) -> State:
    """How a unit is, in a word, for how many seconds, and how often systemd had to start it again."""
    since = _number(shown, "StateChangeTimestampMonotonic")
    return {
        "state": _word_for(shown),
        "seconds": max(0.0, time.monotonic() - since / 1e6) if since else 0.0,
        "restarts": _number(shown, "NRestarts"),
    }


def _word_for(shown: dict[str, str]) -> str:
    load = shown["LoadState"]
    if load in ABSENCES:
        return ABSENCES[load]
    return "restarting" if shown["SubState"] == FALLEN_OVER else shown["ActiveState"]


def _unmasking(shown: dict[str, str]) -> str:
    is_until_boot = shown["UnitFileState"] == "masked-runtime"
    return f"systemctl unmask {'--runtime ' if is_until_boot else ''}{shown['Id']}"


def _words_of(error: str, load: str) -> str:
    """systemd's own words, which it writes behind the error's name: `org.freedesktop.… "words"`."""
    return error.partition('"')[2].rstrip('"') or load


def _fallen(shown: dict[str, str]) -> str:
    """Why it is not up; a unit that was just started again by systemd counts as up once it is steady."""
    result = shown.get("Result", "")
    why = f" ({result})" if result not in ("", "success") else ""
    if shown["ActiveState"] == "failed":
        return f"it failed{why}"
    is_again = _number(shown, "NRestarts") >= SEVERAL and _is_back(shown)
    return f"it falls over again and again{why}" if shown["SubState"] == FALLEN_OVER or is_again else ""


def _is_back(shown: dict[str, str]) -> bool:
    """Whether systemd had to start it again, once or more often, and it has not shown yet that it stays up."""
    return _number(shown, "NRestarts") > 0 and not _is_steady(shown)


def _is_steady(shown: dict[str, str]) -> bool:
    since = _number(shown, "StateChangeTimestampMonotonic") / 1e6
    return shown["ActiveState"] == "inactive" or time.monotonic() - since > STEADY_SECONDS


def _number(shown: dict[str, str], name: str) -> int:
    text = shown.get(name, "")
    return int(text) if text.isdecimal() and text.isascii() else 0
