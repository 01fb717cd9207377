"""What stands under a field: its help, what may be entered, and what is wrong there. HTML, with everything escaped."""

import re
from collections.abc import Iterator, Mapping, Sequence
from html import escape

from fedikit.errors import Mistake, visible
from fedikit.model.mistake import WHOLE
from fedikit.panel.fields import FORGET, Entry, Field, Group, Lines, Part
from fedikit.panel.texts import Texts

LONGEST = 300
"""Of a message, so many characters are shown."""
_VALUE = re.compile(r'"(?:[^"\\]|\\.)*"|-?\b\d+(?:\.\d+)?\b')
_CODE = re.compile("`([^`]+)`")
_NAMES = "abcdefgh"


def slug(path: str) -> str:
    """A field's path as it stands in the names of classes; `form` for the whole."""
    return path.replace(".", "-") or "form"


def note_html(part: Part, text: Texts, *, is_fixed: bool = False, state: str = "") -> str:
    """What a field or a group is for, and what may be entered there."""
    heading = f"<h3>{escape(text(part.title))}</h3>" if isinstance(part, Group) else ""
    fixed = text("Your provider decides this.") if is_fixed else ""
    words = " ".join(_help(part, text))
    return heading + _paragraph("fk-help", words) + _paragraph("fk-state", state) + _paragraph("fk-fixed", fixed)


def summary_html(count: int, text: Texts) -> str:
    """How many mistakes there are, at the head of the form."""
    words = text.plural("{n} setting needs your attention.", "{n} settings need your attention.", count)
    return f'<div class="fk-summary" role="status">{_paragraph("fk-mistake", f"⚠ {words}") if count else ""}</div>'


def secret_words(is_set: bool, entry: Entry, text: Texts) -> str:
    """What there is to know of a secret without seeing it."""
    if entry is FORGET:
        return text("The one that is set will be forgotten.")
    if entry:
        return text("A new one was entered; it is not shown again.")
    return text("One is set; leave this empty to keep it.") if is_set else ""


def mistakes_html(path: str, mistakes: Sequence[str]) -> str:
    """What is wrong, told to screen readers when it appears."""
    words = "".join(_paragraph("fk-mistake", f"⚠ {cut(mistake)}") for mistake in mistakes)
    return f'<div class="fk-error fk-error-{escape(slug(path))}" role="alert">{words}</div>' if words else ""


def said(place: Part, mistake: Mistake, parts: Mapping[str, Part], text: Texts) -> str:
    """A mistake as it is told at a place: what is further down is called by its title, a list's entry by its number."""
    message = translated(mistake.message, text)
    if not mistake.path or mistake.path == WHOLE:
        return message
    if isinstance(place, Lines) and mistake.path.isdigit():
        return text("line {n}: {message}", n=int(mistake.path) + 1, message=message)
    return f"{' › '.join(_titles(place.path, mistake.path.split('.'), parts, text))}: {message}"


def translated(message: str, text: Texts) -> str:
    """The model's words in the operator's language; {a}, {b} stand for what was entered, and for numbers."""
    values: list[str] = []

    def name(found: re.Match[str]) -> str:
        values.append(found[0])
        return f"{{{_NAMES[len(values) - 1]}}}"

    if "{" in message or "}" in message:
        return text(message)
    template = _VALUE.sub(name, message, count=len(_NAMES))
    return text(template, **dict(zip(_NAMES, values, strict=False))) if values else text(message)


def cut(words: str) -> str:
    """At most LONGEST characters, those that are not seen written out."""
    shown = visible(words[: LONGEST + 1])
    return shown if len(words) <= LONGEST else f"{shown[:LONGEST]}…"


def _help(part: Part, text: Texts) -> list[str]:
    words = [text(part.help)] if part.help else []
    if isinstance(part, Lines):
        words.append(text("One in each line."))
        if part.options:
            words.append(text("Possible are: {options}.", options=", ".join(part.options)))
    elif isinstance(part, Field) and part.examples:
        words.append(text("For example: {example}", example=", ".join(part.examples)))
    return words


def _titles(path: str, steps: Sequence[str], parts: Mapping[str, Part], text: Texts) -> Iterator[str]:
    for step in steps:
        path = f"{path}.{step}" if path else step
        yield text(parts[path].title) if path in parts else step


def _paragraph(name: str, words: str) -> str:
    html = _CODE.sub(r"<code>\1</code>", escape(words))
    return f'<p class="{name}">{html}</p>' if words else ""
