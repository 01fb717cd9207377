"""Gives a deployment's record another name. What it holds stays as it is: nothing else on the host says whose it is.

The record is one folder, and is renamed in one step: whoever is cut off leaves it whole, under one of both names.
"""

import os
from typing import Any

from .ledger import Ledger, flush_folder, is_deployed
from .lock import lock
from .trouble import Trouble

Record = dict[str, Any]


def state_of(home: str, former: str, name: str) -> str:
    """How far it is: "ready", "done", "nothing" where neither name is known, "both" where another has the new name."""
    states = {(True, False): "ready", (False, True): "done", (False, False): "nothing", (True, True): "both"}
    return states[is_deployed(home, former), is_deployed(home, name)]


def rename(home: str, former: str, name: str, about: Record) -> None:
    """Does it, holding the host's lock; `about` says who, when, and in which run."""
    with lock(home, {"who": about["who"], "since": about["time"], "run": about["run"]}):
        state = state_of(home, former, name)
        if state == "both":
            raise Trouble(f"has deployments of both names by now, {former} and {name}; nothing was done", code="stale")
        if state == "ready":
            ledger = Ledger(home, former)
            ledger.note({"time": about["time"], "who": about["who"], "note": f"renamed {former} to {name}"})
            os.rename(ledger.directory, Ledger(home, name).directory)
            flush_folder(os.path.dirname(ledger.directory))
