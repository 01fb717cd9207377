"""What the library says in English, in the operator's language: found by the form of its sentences.

Only for people to read: nothing is decided by it, and what has no known form stays English.
"""

import re
from functools import cache

from fedikit.panel.texts import Texts

FORMS: dict[str, str] = {}
"""By the form in which the library says something, how the panel says it."""


def said(message: str, *, text: Texts) -> str:
    """A message of the library as the panel says it."""
    for pattern, words in _patterns():
        if found := pattern.fullmatch(message):
            values = {name: said(value, text=text) for name, value in found.groupdict().items()}
            return text(words, **values) if values else text(words)
    return message


def told(error: str, *, text: Texts) -> str:
    """An error's text as the panel says it: what happened and what to do, in one line."""
    lines = (said(line.strip().removeprefix("→ "), text=text) for line in error.splitlines())
    return "; ".join(line for line in lines if line)


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    """The more a form says by itself, the earlier it is tried."""
    longest = sorted(FORMS, key=lambda form: -len(re.sub(r"\{\w+\}", "", form)))
    return tuple((_pattern(form), FORMS[form]) for form in longest)


def _pattern(form: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", form)
    words = [f"(?P<{part}>.+)" if number % 2 else re.escape(part) for number, part in enumerate(parts)]
    return re.compile("".join(words), re.DOTALL)
