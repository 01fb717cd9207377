"""A check: whether the repository is whole. Each reads another share of its contents, so that all is read in turn."""

import json
from typing import Any

from .places import write_whole
from .trouble import Trouble, trouble_from
from .work import Work

FILE = "check.json"


def check(work: Work) -> dict[str, Any]:
    """Checks the repository and the next share of its contents, and writes down how it ended; the result."""
    share = _next_share(work)
    try:
        work.repository.open()
        with work.telling.step(f"share {share} of {work.settings.check_parts}"):
            work.repository.check(share, work.settings.check_parts)
            _require_all_snapshots(work)
    except Exception as error:
        trouble = trouble_from(error)
        work.result.checked(work.telling.clean(trouble.message))
        raise trouble from error
    write_whole(work.state / FILE, json.dumps({"share": share}))
    work.result.checked("")
    return work.result.values


def _require_all_snapshots(work: Work) -> None:
    """Every snapshot that a backup names is there."""
    there = {snapshot["id"] for snapshot in work.repository.snapshots()}
    for manifest in work.manifests.all().values():
        if manifest.snapshots - there:
            hint = "somebody forgot it by hand; that backup cannot be restored whole"
            raise Trouble(f"the backup {manifest.id} lacks snapshots that it names", hint=hint)


def _next_share(work: Work) -> int:
    """Shares are numbered from 1; one that failed is read again."""
    try:
        last = int(json.loads((work.state / FILE).read_text())["share"])
    except (OSError, ValueError, KeyError, TypeError):
        last = 0
    return last % work.settings.check_parts + 1
