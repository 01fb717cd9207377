"""Which settings a plan changes: the lines that differ have upstream's names for them, and the schema knows those."""

import difflib
import re
from collections.abc import Iterable, Iterator
from functools import cache

from fedikit.panel.owners import catalogue
from fedikit.results.plan import PlannedChange

_NAMED = re.compile(r'^[+-]\s*"?([A-Za-z_][A-Za-z0-9_]*)"?\s*[=:]')


def settings_changed(application: str, changes: Iterable[PlannedChange]) -> list[str]:
    """The titles of an application's settings that differ in its files, in the schema's order."""
    known = _titles(application)
    named = {name for change in changes for name in _names(change)}
    return list(dict.fromkeys(title for upstream, title in known.items() if upstream in named))


def _names(change: PlannedChange) -> Iterator[str]:
    if change.before is None or change.after is None:
        return
    lines = difflib.unified_diff(change.before.splitlines(), change.after.splitlines(), n=0, lineterm="")
    for line in list(lines)[2:]:
        if found := _NAMED.match(line):
            yield found[1]


@cache
def _titles(application: str) -> dict[str, str]:
    """The title of each setting by what upstream calls it."""
    known = catalogue().get(application)
    if known is None:
        return {}
    properties = known.settings.model_json_schema()["properties"].values()
    return {part["upstream"]: part["title"] for part in properties if "upstream" in part and "title" in part}
