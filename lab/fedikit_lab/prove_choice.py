"""Which backups are proven: on each host of the application the one that is asked for, made by what runs now."""

import re
from datetime import UTC, datetime

from fedikit.data.backups import list_backups
from fedikit.data.kept import Kept, applications_kept
from fedikit.data.moment import as_asked
from fedikit.data.way.settings import settings_of
from fedikit.errors import FedikitError, HostError
from fedikit.events import Tell, tell_nobody
from fedikit.model.deployment import Deployment
from fedikit.results.backup import AHEAD, Backup

_NAME = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}")


def backups_to_prove(
    deployment: Deployment, application: str, at: str = "", *, tell: Tell = tell_nobody
) -> dict[str, Backup]:
    """By host, the backup of that name, or the newest that had ended by `at`, or of all; none of the future.

    Raises FedikitError where there is none, or where other images run now than those that wrote it.
    """
    kept, when = applications_kept(deployment, [application]), as_asked(at)
    found = {one.host: _chosen(deployment, one, when, tell) for one in kept}
    for one in kept:
        settings = settings_of(deployment, one.host, application)
        _require_the_same_images(settings.images if settings else {}, found[one.host])
    return found


def _chosen(deployment: Deployment, kept: Kept, at: str, tell: Tell) -> Backup:
    listed = list_backups(deployment, [kept.application], limit=[kept.host], tell=tell).applications[0]
    if listed.error:
        raise HostError(kept.host, f"its backups of {kept.application} could not be listed: {listed.error}")
    if _NAME.fullmatch(at):
        found = [backup for backup in listed.backups if backup.id == at]
    else:
        until = datetime.fromisoformat(at) if at else datetime.now(UTC) + AHEAD
        found = [backup for backup in listed.backups if backup.is_regular and backup.ended <= until]
    if not found:
        when = f" of {at} or before" if at else ""
        hint = "see which there are: fedikit backup list; or make one: fedikit backup now"
        raise HostError(kept.host, f"there is no backup of {kept.application}{when}", hint=hint)
    return found[0]


def _require_the_same_images(images: dict[str, str], backup: Backup) -> None:
    others = [
        f"{name} was {backup.images[name]} then, and is {now} now"
        for name, now in images.items()
        if backup.images.get(name, now) != now
    ]
    if others:
        hint = "make a backup with what runs now (fedikit backup now), or prove it with the configuration of then"
        raise FedikitError(f"the backup {backup.id} was made by another version: {'; '.join(others)}", hint=hint)
