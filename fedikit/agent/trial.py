"""A trial: rules that are in force until they are confirmed over a new connection, or undone.

    /run/fedikit-firewall/TOKEN.pending     the rules from before, while the new ones are on trial
    /run/fedikit-firewall/TOKEN.confirmed   the same, once the deployer came anew
    /run/fedikit-firewall/TOKEN.undone      the same, while they are being put back

Who renames the pending file decides, and only one can: the deployer's new contact, the agent at its deadline, or,
should it be gone, a timer of systemd's. All is forgotten when the host starts: then only confirmed rules are loaded.
"""

import contextlib
import os
import secrets
import time
from typing import NamedTuple

from . import nftables
from .eyes import Eyes
from .hands import Hands
from .trouble import Trouble

FOLDER = "/run/fedikit-firewall"
PENDING, CONFIRMED, UNDONE = ".pending", ".confirmed", ".undone"
LOOK_SECONDS = 0.1
UNDOING_SECONDS = 30
"""How long the timer may take to put rules back."""
# What the timer runs: it needs no Python, and no agent.
UNDO = """\
mv "$1.pending" "$1.undone" 2>/dev/null || exit 0
nft -f "$1.undone" || nft delete table inet fedikit
rm -f "$1.undone"
"""


class Trial(NamedTuple):
    """Rules on trial; `path` is that of its files, without their endings."""

    token: str
    path: str

    @property
    def timer(self) -> str:
        return f"fedikit-firewall-{self.token[:8]}"


def begin(hands: Hands, seconds: int) -> Trial:
    """Arms the undoing: from now on the rules that are in force come back by themselves, unless they are confirmed."""
    end_all(hands)
    folder = hands.real(FOLDER)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    token = secrets.token_hex(16)
    trial = Trial(token, os.path.join(folder, token))
    with open(trial.path + PENDING, "w", encoding="utf-8") as file:
        file.write(nftables.REPLACED + nftables.listing(hands))
    timing = [f"--unit={trial.timer}", f"--on-active={seconds}s", "--timer-property=AccuracySec=100ms"]
    try:
        hands.run(["systemd-run", "--quiet", "--collect", *timing, "/bin/sh", "-c", UNDO, "fedikit", trial.path])
    except Trouble as trouble:
        os.unlink(trial.path + PENDING)
        trouble.message = f"nothing would undo it, should it lock the deployer out: {trouble.message}"
        raise
    return trial


def is_confirmed(trial: Trial, seconds: float) -> bool:
    """Whether the deployer comes anew within so many seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and os.path.exists(trial.path + PENDING):
        time.sleep(LOOK_SECONDS)
    return os.path.exists(trial.path + CONFIRMED)


def confirm(eyes: Eyes, token: str) -> None:
    """What the deployer's new contact does; trouble if it comes too late."""
    path = os.path.join(eyes.real(FOLDER), os.path.basename(token))
    try:
        os.rename(path + PENDING, path + CONFIRMED)
    except FileNotFoundError as error:
        words = "there is no firewall to confirm: it has been undone, or confirmed already"
        raise Trouble(words, hint="plan again") from error


def undo(hands: Hands, trial: Trial) -> bool:
    """Puts the rules from before back, unless they were confirmed meanwhile; says whether they are back."""
    with contextlib.suppress(FileNotFoundError):
        os.rename(trial.path + PENDING, trial.path + UNDONE)
        _put_back(hands, trial)
    if os.path.exists(trial.path + CONFIRMED):
        return False
    deadline = time.monotonic() + UNDOING_SECONDS
    while os.path.exists(trial.path + UNDONE) and time.monotonic() < deadline:  # the timer is at it
        time.sleep(LOOK_SECONDS)
    if os.path.exists(trial.path + UNDONE):  # who was at it is gone
        _put_back(hands, trial)
    return True


def end(hands: Hands, trial: Trial) -> None:
    """What was decided is done: nothing of the trial is left."""
    with contextlib.suppress(Trouble):  # it is gone already if it has run
        hands.run(["systemctl", "stop", f"{trial.timer}.timer"])
    _forget(trial.path + CONFIRMED)
    with contextlib.suppress(OSError):
        os.rmdir(os.path.dirname(trial.path))


def end_all(hands: Hands) -> None:
    """Ends what an agent left that was killed: rules that were never confirmed are not the ones to go back to."""
    folder = hands.real(FOLDER)
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
        token, _ = os.path.splitext(name)
        trial = Trial(token, os.path.join(folder, token))
        undo(hands, trial)
        end(hands, trial)


def _put_back(hands: Hands, trial: Trial) -> None:
    try:
        hands.run(["nft", "-f", trial.path + UNDONE])
    except Trouble:
        nftables.delete(hands)  # open is better than cut off
    _forget(trial.path + UNDONE)


def _forget(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
