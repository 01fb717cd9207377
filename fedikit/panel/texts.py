"""What the panel says, in the operator's language: English in the code, others in `locale/LANGUAGE.po` (gettext)."""

from functools import cache
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

LANGUAGES = {"en": "English", "de": "Deutsch"}
"""What the panel speaks, by its code, each in its own name."""
_LOCALE = Path(__file__).parent / "locale"


class Texts:
    """The texts of one language. What is not translated stays English."""

    def __init__(self, language: str = "en") -> None:
        self.language = language if language in LANGUAGES else "en"
        self._catalog = _catalog(self.language)

    def __call__(self, text: str, /, **values: object) -> str:
        """The text in this language, with `{name}` filled in."""
        return self._translated(text).format(**values) if values else self._translated(text)

    def plural(self, one: str, many: str, n: int, /, **values: object) -> str:
        """The text for so many things; `{n}` stands for their number."""
        message = self._catalog.get(one) if self._catalog else None
        forms = message.string if message and isinstance(message.string, tuple) else ()
        chosen = forms[0 if n == 1 else 1] if len(forms) > 1 and all(forms) else (one if n == 1 else many)
        return str(chosen).format(n=n, **values)

    def _translated(self, text: str) -> str:
        message = self._catalog.get(text) if self._catalog else None
        return str(message.string) if message and isinstance(message.string, str) and message.string else text


@cache
def _catalog(language: str) -> Catalog | None:
    file = _LOCALE / f"{language}.po"
    if not file.is_file():
        return None
    with file.open("rb") as stream:
        return read_po(stream, locale=language)
