"""An application's settings for its backups, and its secrets: read strictly, from files of root's."""

import json
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .places import Places
from .trouble import Trouble

FORMAT = 1
APPLY = "run an apply of the deployment, which writes it again"
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
DOMAIN = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
COMMON = {"id": str, "kind": str}
DATABASE = {**COMMON, "host": str, "port": int, "user": str, "name": str}
PARTS: dict[str, dict[str, type]] = {
    "postgresql": {**DATABASE, "encrypted": bool, "extensions": list},
    "mariadb": DATABASE,
    "bucket": {**COMMON, "endpoint": str, "region": str, "bucket": str, "key_id": str, "leave_out": list},
    "volume": {**COMMON, "path": str, "leave_out": list},
}
"""What each kind of part is described by."""
KEEP = {"daily": int, "weekly": int, "monthly": int}
REPOSITORY = {"url": str, "access_key": str, "user": str, "upload_kib": int, "download_kib": int}
AFTER = {"name": str, "run": list, "deadline": int}
WHOLE = {
    "format": int, "deployment": str, "application": str, "host": str, "repository": dict, "keep": dict,
    "check_parts": int, "parts": list, "stop": list, "after": list, "images": dict,
}  # fmt: skip
SINCE_THEN = {"domains": list, "reads": list}
"""What settings that an earlier fedikit wrote have not."""


@dataclass(frozen=True)
class Settings:
    """What is backed up, where to, and what is done around a restore. Of lists and mappings the docs tell the shape.

    domains  those of its web sites on this host; an earlier fedikit did not write them
    reads    the units of `stop` that go on while it is closed for writing only; nor these
    """

    deployment: str
    application: str
    host: str
    repository: Mapping[str, Any]
    keep: Mapping[str, int]
    check_parts: int
    parts: list[dict[str, Any]]
    stop: list[str]
    after: list[dict[str, Any]]
    images: Mapping[str, str]
    domains: list[str] = field(default_factory=list)
    reads: list[str] = field(default_factory=list)

    @property
    def expected(self) -> list[str]:
        """The ids of all parts."""
        return [part["id"] for part in self.parts]


@dataclass(frozen=True)
class Secrets:
    """An application's secrets, one a file, which nobody else may read."""

    folder: Path

    def path(self, name: str) -> Path:
        """Where a secret lies; raises Trouble if it is missing, or others could read it."""
        path = self.folder / name
        try:
            found = path.lstat()
        except FileNotFoundError as error:
            raise Trouble(f"the secret {path} is missing", hint=APPLY) from error
        if not stat.S_ISREG(found.st_mode) or found.st_mode & 0o077 or found.st_uid != os.geteuid():
            raise Trouble(f"{path} must be a file of root's that nobody else may read", hint=f"chmod 0600 {path}")
        return path

    def read(self, name: str) -> str:
        """A secret, without the end of its line."""
        return self.path(name).read_text(encoding="utf-8").rstrip("\n")

    def has(self, name: str) -> bool:
        return (self.folder / name).exists()

    def known(self) -> list[str]:
        """All that must not be told, the longest first."""
        if not self.folder.is_dir():
            return []
        texts = [file.read_text(encoding="utf-8", errors="replace").strip() for file in self.folder.iterdir()
                 if file.is_file() and file.name != "known_hosts"]  # fmt: skip
        return sorted((text for text in texts if len(text) > 3), key=len, reverse=True)


def read_settings(places: Places) -> Settings:
    """The settings of an application; raises Trouble with the place of each mistake."""
    path = places.settings
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        words = f"{places.application} has no backups on this host: {path} is not there"
        raise Trouble(words, hint="see that policies.backup is in the environment, and run an apply") from error
    except (OSError, ValueError) as error:
        raise Trouble(f"{path} cannot be read: {error}", hint=APPLY) from error
    mistakes = list(_mistakes(raw, places.application))
    if mistakes:
        raise Trouble(f"{path} is not as it must be: {'; '.join(mistakes)}", hint=APPLY)
    del raw["format"]
    return Settings(**raw)


def _mistakes(raw: Any, application: str) -> list[str]:
    newer = {name: kind for name, kind in SINCE_THEN.items() if isinstance(raw, dict) and name in raw}
    found = _of_fields(raw, WHOLE | newer, "settings")
    if found:
        return found
    if raw["format"] != FORMAT:
        return [f"format: {FORMAT} was expected, and it is {raw['format']}"]
    if raw["application"] != application:
        found.append(f"application: it is {raw['application']!r}'s")
    found += _of_fields(raw["repository"], REPOSITORY, "repository")
    found += _of_fields(raw["keep"], KEEP, "keep")
    if not found and sum(raw["keep"].values()) < 1:
        found.append("keep: nothing would be kept")
    if raw["check_parts"] < 1:
        found.append("check_parts: at least 1 was expected")
    for number, after in enumerate(raw["after"]):
        found += _of_fields(after, AFTER, f"after.{number}")
    found += [f"stop: {unit!r} is no unit" for unit in raw["stop"] if not _is_unit(unit)]
    found += [f"reads: {unit!r} is none of stop" for unit in raw.get("reads", ()) if unit not in raw["stop"]]
    found += [f"domains: {name!r} is no domain" for name in raw.get("domains", ()) if not _is_domain(name)]
    return found + _of_parts(raw["parts"])


def _is_unit(name: object) -> bool:
    return isinstance(name, str) and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9:_.@-]*\.[a-z]+", name) is not None


def _is_domain(name: object) -> bool:
    return isinstance(name, str) and DOMAIN.fullmatch(name) is not None


def _of_parts(parts: list[Any]) -> list[str]:
    found = [] if parts else ["parts: there is none"]
    for number, part in enumerate(parts):
        where = f"parts.{number}"
        kind = part.get("kind") if isinstance(part, dict) else None
        if kind not in PARTS:
            found.append(f"{where}.kind: one of {', '.join(PARTS)} was expected, and it is {kind!r}")
        else:
            found += _of_fields(part, PARTS[kind], where)
    ids = [part.get("id") for part in parts if isinstance(part, dict)]
    if len(set(ids)) < len(ids):
        found.append("parts: two have the same id")
    return found


def _of_fields(raw: Any, fields: Mapping[str, type], where: str) -> list[str]:
    if not isinstance(raw, dict):
        return [f"{where}: an object was expected"]
    found = [f"{where}.{name}: it is missing" for name in fields.keys() - raw.keys()]
    found += [f"{where}.{name}: nobody knows it" for name in raw.keys() - fields.keys()]
    for name in fields.keys() & raw.keys():
        if type(raw[name]) is not fields[name]:
            found.append(f"{where}.{name}: {fields[name].__name__} was expected")
    return sorted(found)
