"""Which settings a plan changes: the lines that differ have upstream's names for them, and the schema knows those."""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from fedikit.panel.owners import catalogue
from fedikit.results.plan import PlannedChange

_NAMED = re.compile(r'^[+-]\s*"?([A-Za-z_][A-Za-z0-9_]*)"?\s*[=:]')


def settings_changed(application: str, changes: Iterable[PlannedChange]) -> list[str]:
    """The titles of an application's settings that differ in its files, in the schema's order."""
    known = _titles(application)
    named = {name for change in changes for name in _names(change)}
    return list(dict.fromkeys(title for upstream, title in known.items() if upstream in named))


def settings_chosen(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, list[str]]:
    """By application, the titles of the settings in which two configurations' documents differ."""
    return {name: titles for name in catalogue() if (titles := _differing(name, before.get(name), after.get(name)))}


def _differing(application: str, before: Any, after: Any) -> list[str]:
    was, becomes = (part if isinstance(part, Mapping) else {} for part in (before, after))
    properties = catalogue()[application].settings.model_json_schema()["properties"]
    keys = [key for key in properties if key != "enable" and was.get(key) != becomes.get(key)]
    return [properties[key].get("title", key) for key in keys]


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
