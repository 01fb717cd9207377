"""What a restore would do; it changes nothing."""

from pathlib import Path
from typing import Any

from .disks import free_at
from .journal import read_journal
from .manifest import Manifest, chosen
from .moments import is_future
from .part import in_order, summary
from .trouble import Absent, trouble_from
from .work import Work


def plan_restore(work: Work, at: str) -> dict[str, Any]:
    """What would become of each part, what would be stopped, and what would run afterwards."""
    manifests = list(work.manifests.all().values())
    manifest, journal = chosen(manifests, at), read_journal(work.state)
    notes: list[str] = []
    return {
        "backup": manifest.told(),
        "parts": [_part(work, spec["id"], spec["kind"], manifest, notes) for spec in in_order(work.settings.parts)],
        "stop": work.settings.stop,
        "after": [after["name"] for after in work.settings.after],
        "bytes": manifest.bytes,
        "free": _free(work),
        "interrupted": journal.backup if journal else "",
        "notes": [
            *notes,
            *_of_another_place(work, manifest),
            *_of_others(work, manifest),
            *_of_the_future(manifests),
            *_of_damage(work),
            *_of_images(work, manifest),
        ],
    }


def _part(work: Work, identity: str, kind: str, manifest: Manifest, notes: list[str]) -> dict[str, Any]:
    """What becomes of a part; what is there now and cannot be measured, such as what is damaged, gets a note."""
    record = manifest.of_part(identity)
    becomes = _in_short(record["bytes"], record["counts"]) if record else None
    was, absent = None, False
    try:
        now = work.part(identity).measure()
        was = _in_short(now["bytes"], now["counts"])
    except Absent:
        absent = True
    except Exception as error:
        trouble = trouble_from(error)
        words = ", ".join(filter(None, (trouble.message, *trouble.tail.strip().splitlines()[-1:])))
        notes.append(f"what is there now of {identity} cannot be measured: {words}")
    return {"id": identity, "kind": kind, "was": was, "becomes": becomes, "absent": absent}


def _in_short(size: int, counts: dict[str, int]) -> dict[str, Any]:
    return {"bytes": size, "counts": summary(counts)}


def _free(work: Work) -> int:
    """The bytes that are free where volumes lie, where they are fewest."""
    volumes = [Path(spec["path"]) for spec in work.settings.parts if spec["kind"] == "volume"]
    return min(map(free_at, volumes or [work.state]))


def _of_another_place(work: Work, manifest: Manifest) -> list[str]:
    """A repository that two deployments share, say by one master key, has backups of both."""
    if manifest.deployment == work.settings.deployment:
        return []
    return [f"it is a backup of the deployment {manifest.deployment}, and this is {work.settings.deployment}"]


def _of_others(work: Work, manifest: Manifest) -> list[str]:
    """What is in one of the settings and the backup only."""
    gone = [part for part in manifest.expected if part not in work.settings.expected]
    new = [part for part in work.settings.expected if part not in manifest.expected]
    return [
        *(f"{part} is in the backup, and no part of {work.settings.application} any more" for part in gone),
        *(f"{part} is not in the backup, and stays as it is" for part in new),
    ]


def _of_images(work: Work, manifest: Manifest) -> list[str]:
    """Software that is not what it was: its data may have to be migrated again, or cannot be read by it."""
    then, now = manifest.images, work.settings.images
    what = "deploy that version before, and upgrade afterwards"
    others = [name for name in then if now.get(name, then[name]) != then[name]]
    return [f"{name} was {then[name]}, and is {now[name]}: {what}" for name in others]


def _of_damage(work: Work) -> list[str]:
    return [trouble.message for trouble in work.manifests.unreadable.values()]


def _of_the_future(manifests: list[Manifest]) -> list[str]:
    future = [one.id for one in manifests if is_future(one.ended)]
    return [f"the backup {one} is of the future: a clock is wrong; it is taken only by its name" for one in future]
