"""A bucket's objects as files: a list that tells of each, and of those alike a list of their own, for rclone.

objects-NAME/            each object by its key
objects-NAME.numbered/   those whose key is no path on a disk, by a number
objects-NAME.jsonl       one line an object, written when it is there: key, file, size, ETag, headers, SHA-256
objects-NAME.sha256      for sha256sum
objects-NAME.lists/      files with the same headers: their names, and the options by which rclone sends them so
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fedikit.data.export.folder import (
    Writer,
    checksum_line,
    make_private,
    new_file,
    open_private,
    settle,
    told_in_words,
)
from fedikit.data.export.messages import Figures, ObjectTold, understood
from fedikit.data.export.stream import Frame
from fedikit.errors import AgentFailed, visible
from fedikit.remote.messages import MISTRUST
from fedikit.results.export import ExportedFile

LONGEST_NAME = 255
MADE_ANEW = {"mtime"}
"""What rclone notes by itself."""


class Objects:
    """One bucket's objects; what an earlier export that was cut off has of them stays."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._plain, self._numbered = f"objects-{name}", f"objects-{name}.numbered"
        self._whole = folder / f"objects-{name}.jsonl"
        self._draft = folder / f"objects-{name}.jsonl.part"
        self._sums = folder / f"objects-{name}.sha256"
        self._lists = folder / f"objects-{name}.lists"
        self.count = self._bytes = self._numbers = 0
        self.last_key = ""
        self._go_on()

    def take(self, host: str, frames: Iterator[Frame]) -> tuple[Figures, ExportedFile, int]:
        """All objects of the stream; the figures of the list, and the bytes of all objects."""
        make_private(self._folder / self._plain)
        with told_in_words(self._draft), open_private(self._draft, os.O_APPEND) as lines:
            for letter, payload in frames:
                if letter == ".":
                    figures = understood(host, payload, Figures)
                elif letter == "o":
                    lines.write(self._take_one(host, understood(host, payload, ObjectTold), frames))
                    lines.flush()
                else:
                    raise AgentFailed(host, "sent something else between two objects", hint=MISTRUST)
            os.sync()
            settle(lines)
        return figures, self._end(), self._bytes

    # Inside

    def _go_on(self) -> None:
        """Takes up what is there, up to the first object that is not as its line says."""
        if not self._draft.is_file():
            return
        whole = 0
        with self._draft.open("rb") as lines:
            for line in lines:
                told = _told_by(line)
                if told is None or not self._is_there(told):
                    break
                whole += len(line)
                self._note(told)
        os.truncate(self._draft, whole)

    def _is_there(self, told: dict[str, Any]) -> bool:
        file: Path = self._folder / told["file"]
        return file.is_file() and file.stat().st_size == told["size"]

    def _note(self, told: dict[str, Any]) -> None:
        self.count += 1
        self._bytes += told["size"]
        self._numbers += told["file"].startswith(f"{self._numbered}/")
        self.last_key = told["key"]

    def _take_one(self, host: str, told: ObjectTold, frames: Iterator[Frame]) -> bytes:
        """An object's bytes, as they follow; returns its line."""
        if told.key.encode() <= self.last_key.encode():
            raise AgentFailed(host, "sent objects out of their order", hint=MISTRUST)
        place = self._place_of(told.key)
        with open_private(self._folder / place, os.O_TRUNC) as file:
            writer = Writer(file)
            for letter, payload in frames:
                if letter != "d" or writer.bytes + len(payload) > told.size:
                    break
                writer.write(payload)
        if letter != "e" or writer.bytes != told.size:
            raise AgentFailed(host, f"sent another length of {visible(told.key)} than it had told", hint=MISTRUST)
        line = {"key": told.key, "file": place, **told.model_dump(exclude={"key"}), "sha256": writer.figures.sha256}
        self._note(line)
        return f"{json.dumps(line)}\n".encode()

    def _place_of(self, key: str) -> str:
        """Where an object is written to: by its key, or by a number where its key is no path, or another's is in it."""
        if is_path(key):
            path = self._folder / self._plain / key
            steps = [step for step in reversed(path.parents) if step.is_relative_to(self._folder / self._plain)]
            if not path.is_dir() and not any(step.is_file() or step.is_symlink() for step in steps):
                for step in steps:
                    make_private(step)
                return f"{self._plain}/{key}"
        make_private(self._folder / self._numbered)
        return f"{self._numbered}/{self._numbers + 1:06}"

    def _end(self) -> ExportedFile:
        """The list is whole: it gets its name, and what is made of it is there."""
        groups: dict[str, list[str]] = {}
        digest = hashlib.sha256()
        with self._draft.open("rb") as lines, new_file(self._sums) as sums:
            for line in lines:
                digest.update(line)
                told = json.loads(line)
                sums.write(checksum_line(told["sha256"], told["file"]).encode())
                if told["file"].startswith(f"{self._plain}/"):
                    groups.setdefault(_options(told), []).append(told["key"])
        self._write_lists(groups)
        os.replace(self._draft, self._whole)
        return ExportedFile(bytes=self._whole.stat().st_size, sha256=digest.hexdigest())

    def _write_lists(self, groups: dict[str, list[str]]) -> None:
        shutil.rmtree(self._lists, ignore_errors=True)
        make_private(self._lists)
        for number, (options, keys) in enumerate(groups.items(), start=1):
            with new_file(self._lists / f"{number:04}.options") as file:
                file.write(options.encode())
            with new_file(self._lists / f"{number:04}.files") as file:
                file.write("".join(f"{key}\n" for key in keys).encode())


def _told_by(line: bytes) -> dict[str, Any] | None:
    """What a line of the list says; None if it was cut off, or a power cut left something else in its place."""
    try:
        told: dict[str, Any] = json.loads(line)
    except ValueError:
        return None
    return told if line.endswith(b"\n") else None


def is_path(key: str) -> bool:
    """Whether a key can be the path of a file: below its folder, and in one line."""
    steps = key.split("/")
    return (
        key.isprintable()
        and all(step not in ("", ".", "..") for step in steps)
        and all(len(step.encode()) <= LONGEST_NAME for step in steps)
    )


def _options(told: dict[str, Any]) -> str:
    """What tells rclone the headers of an object, an option a line."""
    own = {f"x-amz-meta-{name}": value for name, value in told["metadata"].items() if name not in MADE_ANEW}
    return "".join(f"--header-upload={name}: {value}\n" for name, value in sorted((told["headers"] | own).items()))
