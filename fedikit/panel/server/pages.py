"""The pages that are written here, in the visitor's language: signing in, the panel's frame, errors, records."""

from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from fedikit.panel.texts import LANGUAGES, Texts

TEMPLATES = Path(__file__).parent / "template"
ASSETS = f"/static/{version('fedikit')}"
"""Where the files of pages are: another place in another version, so that browsers may keep them."""


class Pages:
    """Writes pages; `wanted` is the operator's language, else the browser's preference decides."""

    def __init__(self, wanted: str, accepted: str = "") -> None:
        self.text = Texts(wanted or preferred(accepted))

    def error(self, status: int) -> str:
        """What is wrong, for people."""
        text = self.text
        words = {
            403: text("You may not do this, or the page is too old. Load it again."),
            404: text("There is no such page."),
            421: text("The panel is not served under this name."),
        }
        return self.render("error.html", title=text("That did not work"), message=words.get(status, text("Try again.")))

    def render(self, template: str, **values: Any) -> str:
        """The page; what is put in is escaped."""
        return (
            _templates()
            .get_template(template)
            .render(text=self.text, language=self.text.language, assets=ASSETS, **values)
        )


def preferred(accepted: str) -> str:
    """The first of our languages in an Accept-Language header, as its order says; English if there is none."""
    for choice in accepted.split(","):
        language = choice.partition(";")[0].strip().partition("-")[0].lower()
        if language in LANGUAGES:
            return language
    return "en"


@cache
def _templates() -> Environment:
    return Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
