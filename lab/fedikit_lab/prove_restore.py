"""Restoring a backup on a machine of a proof, by the program that hosts have for it."""

import json

from pydantic import ValidationError

from fedikit.errors import FedikitError
from fedikit.policies.backup_units import PROGRAM
from fedikit.remote.data_messages import RestoreDone
from fedikit_lab.machine import Machine

RESTORE_SECONDS = 24 * 3600
FOLLOW_SECONDS = 4 * 3600


def restore_there(machine: Machine, application: str, backup: str) -> RestoreDone:
    """Puts the data of that backup where the application will find it; nothing starts. Raises FedikitError."""
    options = f"--backup {backup} --without-saving --read-only --leave-down"
    done = machine.run(_spelt("restore", application, options), seconds=RESTORE_SECONDS)
    if done.exit_status:
        raise FedikitError(_trouble_in(done.stdout))
    try:
        return RestoreDone.model_validate_json(json.dumps(json.loads(done.stdout.splitlines()[-1])["restored"]))
    except (ValueError, KeyError, IndexError, ValidationError) as error:
        raise FedikitError("the program of backups did not say what it restored") from error


def run_what_follows_there(machine: Machine, application: str) -> None:
    """What the application wants run once it is up with data that was restored. Raises FedikitError."""
    done = machine.run(_spelt("follow", application), seconds=FOLLOW_SECONDS)
    if done.exit_status:
        raise FedikitError(_trouble_in(done.stdout))


def _spelt(verb: str, application: str, options: str = "") -> str:
    return f"python3 -I -B {PROGRAM} {verb} {application} {options}"


def _trouble_in(output: str) -> str:
    """What the program said went wrong, with the part that it was at."""
    try:
        told = json.loads(output.splitlines()[-1])
        return ": ".join(filter(None, (str(told.get("part", "")), str(told["message"]))))
    except (ValueError, KeyError, IndexError):
        return "the program of backups ended, and said nothing"
