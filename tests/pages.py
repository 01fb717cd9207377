"""The documentation as its tests read it: pages with sections, tables, links, and blocks of code."""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

PROJECT = Path(__file__).parents[1]
FENCE = re.compile(r"^(?P<indent> *)```(?P<info>[^\n`]*)\n(?P<text>.*?)^(?P=indent)```$", re.DOTALL | re.MULTILINE)
HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    """A fenced block of code; words after its language say what is special about it."""

    page: str
    language: str
    tag: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}: {self.text.splitlines()[0] if self.text else ''}"


@dataclass(frozen=True)
class Page:
    """One Markdown page of the project."""

    path: Path

    def __str__(self) -> str:
        return str(self.path.relative_to(PROJECT))

    @cached_property
    def text(self) -> str:
        return self.path.read_text()

    @cached_property
    def prose(self) -> str:
        """The page without its blocks of code."""
        return FENCE.sub("", self.text)

    @property
    def blocks(self) -> Iterator[Block]:
        for found in FENCE.finditer(self.text):
            language, _, tag = found["info"].partition(" ")
            yield Block(str(self), language, tag, textwrap.dedent(found["text"]))

    @property
    def links(self) -> list[str]:
        return LINK.findall(self.prose)

    @property
    def anchors(self) -> set[str]:
        return {anchor_of(title) for _, title in HEADING.findall(self.prose)}

    def section(self, title: str) -> str:
        """What stands below a heading, up to the next one of its level."""
        found = re.search(rf"^(#+) {re.escape(title)}$", self.prose, re.MULTILINE)
        assert found, f"{self} has no section {title!r}"
        rest = self.prose[found.end() :]
        end = re.search(rf"^#{{1,{len(found[1])}}} ", rest, re.MULTILINE)
        return rest[: end.start()] if end else rest


def anchor_of(title: str) -> str:
    """The anchor that forges give a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def rows_of(text: str) -> list[list[str]]:
    """The cells of all tables in a text, without their heads."""
    lines = [line.strip() for line in text.splitlines()]
    below = [*lines[1:], ""]
    bodies = [line for line, next_line in zip(lines, below, strict=True) if is_row(line) and not is_rule(next_line)]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in bodies]


def is_row(line: str) -> bool:
    return line.startswith("|") and not is_rule(line)


def is_rule(line: str) -> bool:
    return line.startswith("|--")


def code_in(text: str) -> list[str]:
    """What stands between backticks."""
    return re.findall(r"`([^`\n]+)`", text)


PAGES = [Page(path) for path in [*sorted(PROJECT.glob("*.md")), *sorted((PROJECT / "docs").rglob("*.md"))]]


def section_of(title: str) -> str:
    """What stands below a heading that one page alone has."""
    (found,) = (each for each in PAGES if re.search(rf"^#+ {re.escape(title)}$", each.prose, re.MULTILINE))
    return found.section(title)


def page(name: str) -> Page:
    """A page by its path in the project."""
    return Page(PROJECT / name)


def blocks(language: str) -> list[Block]:
    """All blocks in one language."""
    return [block for each in PAGES for block in each.blocks if block.language == language]
