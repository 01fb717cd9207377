"""A sheet of paper as text: files that people can print, keep, and type again years later.

    == environment.toml
    001 3f9c  name = "lab"
    002 a1b2  [hosts.one]
    == 5 lines

Each line of a file has its number and check digits over what it says and where it stands, so that a slip is found at
its line. A line that is too long for paper goes on in the next one, behind a `+`. All else is for people.
"""

import re
import zlib
from collections.abc import Iterator, Mapping

from fedikit.errors import ConfigurationError, Mistake

WIDTH = 80
"""How many characters of a file stand in one line: with what is before them, a page of A4 in a fixed font has room."""
_LINE = re.compile(r"\s*(?P<number>[0-9]{3,5}) +(?P<check>[0-9a-fA-F]{4}) (?P<more>[ +])(?P<text>.*)")
_HEAD = re.compile(r"\s*== +(?P<name>[A-Za-z0-9._-]{1,100})\s*")
_END = re.compile(r"\s*== +(?P<count>[0-9]+) lines?\s*")


def write_sheet(words: str, files: Mapping[str, str]) -> str:
    """The sheet: what people are to know, then each file. Spaces at the ends of lines are left out."""
    parts = ["\n".join(_lines(name, text)) for name, text in files.items()]
    return "\n\n".join([words.rstrip(), *parts]) + "\n"


def read_sheet(text: str) -> dict[str, str]:
    """The files of a sheet. Raises ConfigurationError with every line that cannot be what was printed."""
    files: dict[str, list[str]] = {}
    mistakes: list[Mistake] = []
    for name, rows, count in _blocks(text):
        mistakes += _mistakes_in(name, rows, count)
        mistakes += [Mistake(name, "is there twice")] if name in files else []
        files[name] = rows
    if mistakes or not files:
        none = Mistake("the sheet", "has no file in it: no line begins with ==")
        raise ConfigurationError("the sheet", mistakes or [none], hint="compare these lines with the paper")
    return {name: _joined(rows) for name, rows in files.items()}


def _lines(name: str, text: str) -> Iterator[str]:
    yield f"== {name}"
    pieces = [piece for line in text.splitlines() for piece in _pieces(line.expandtabs(4).rstrip())]
    for number, (more, piece) in enumerate(pieces, 1):
        yield f"{number:03d} {_check(name, number, more + piece)} {more}{piece}".rstrip()
    yield f"== {len(pieces)} line{'s' if len(pieces) != 1 else ''}"


def _pieces(line: str) -> Iterator[tuple[str, str]]:
    """A line's pieces, cut where no space is that paper would not show."""
    more = " "
    while len(line) > WIDTH:
        cut = _cut(line)
        yield more, line[:cut]
        line, more = line[cut:], "+"
    yield more, line


def _cut(line: str) -> int:
    """Between two letters if there are two together, else before a space."""
    places = range(WIDTH, 0, -1)
    within = (place for place in places if " " not in line[place - 1 : place + 1])
    return next(within, next(place for place in places if line[place - 1] != " "))


def _check(name: str, number: int, text: str) -> str:
    return f"{zlib.crc32(f'{name} {number} {text.rstrip()}'.encode()) & 0xFFFF:04x}"


def _blocks(text: str) -> Iterator[tuple[str, list[str], int | None]]:
    """Each file's name, its lines as they stand there, and how many there are to be; None if its end is missing."""
    name, rows = "", list[str]()
    for line in text.splitlines():
        if (end := _END.fullmatch(line)) and name:
            yield name, rows, int(end["count"])
            name, rows = "", list[str]()
        elif head := _HEAD.fullmatch(line):
            if name:
                yield name, rows, None
            name, rows = head["name"], []
        elif name and line.strip():
            rows.append(line)
    if name:
        yield name, rows, None


def _mistakes_in(name: str, rows: list[str], count: int | None) -> Iterator[Mistake]:
    for expected, row in enumerate(rows, 1):
        found = _LINE.fullmatch(_with_text(row))
        if not found:
            yield Mistake(f"{name} line {expected}", "should be a number, four check digits and the text")
        elif int(found["number"]) != expected:
            yield Mistake(f"{name} line {expected}", f"is not there: line {int(found['number'])} stands in its place")
            return
        elif _check(name, expected, found["more"] + found["text"]) != found["check"].lower():
            yield Mistake(f"{name} line {expected}", f"is not what was printed: its check digits are {found['check']}")
    if count is None:
        yield Mistake(name, "does not end: the line with == and the number of its lines is missing")
    elif count != len(rows):
        yield Mistake(name, f"has {len(rows)} lines, {count} were printed")


def _with_text(row: str) -> str:
    """An empty line's text is lost on paper."""
    return row if re.fullmatch(r"\s*[0-9]+ +[0-9a-fA-F]{4} .*", row) else f"{row.rstrip()}  "


def _joined(rows: list[str]) -> str:
    text = ""
    for row in rows:
        found = _LINE.fullmatch(_with_text(row))
        assert found, "it was checked"
        text += found["text"].rstrip() if found["more"] == "+" else f"\n{found['text'].rstrip()}"
    return f"{text.removeprefix(chr(10))}\n"
