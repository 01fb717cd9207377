"""Choose: the configuration as a form. What is chosen is kept as a draft; only a run makes it the configuration."""

from collections.abc import Mapping
from typing import Any

from fedikit.environment.load import load_catalogue
from fedikit.environment.schema import JsonSchema, schema
from fedikit.errors import ConfigurationError, FedikitError
from fedikit.model.configuration import own_keys
from fedikit.panel.form import Form
from fedikit.panel.order import Order
from fedikit.panel.owners import spelt
from fedikit.panel.pages.page import Page
from fedikit.panel.widgets import close, column, heading, markup, notice, paragraph, row

CHOSEN_ELSEWHERE = (
    "Something else was chosen elsewhere, in another window or by your provider. Go on here, and this holds."
)


class Choose(Page):
    """The form."""

    name = "choose"
    title = "Choose"

    def enter(self) -> None:
        if self.widget.children:
            self.glance()
            return
        self._seen = self.seen()
        try:
            draft = self._draft()
            self._form = Form(
                self._described(draft),
                draft,
                text=self.text,
                may_change=self.desk.rights.may_change,
                check=self.desk.mistakes,
                on_change=self._changed,
            )
        except FedikitError as error:
            self.show(heading(self.text(self.title)), notice(error.text, "bad"))
            return
        self._moved = column(classes=("fk-moved",))
        self._said = markup("", "fk-form-state")
        self._look = self.button(self.text("See what would change"), self._send, "fk-look", kind="main")
        self._back = self.button(self.text("Forget what I chose"), self._forget, "fk-forget")
        self._say()
        intro = self.text("Nothing changes until you have seen what would, and said yes.")
        self.show(
            heading(self.text(self.title)),
            paragraph(intro),
            self._moved,
            self._form.widget,
            self._said,
            row(self._look, self._back),
        )

    def _described(self, draft: Mapping[str, Any]) -> JsonSchema:
        """What can be chosen here: no applications that the provider has no host for, unless they are chosen."""
        described = schema(load_catalogue(), "configuration")
        offered = self.desk.hosting.placement.keys() | draft.keys() | own_keys()
        parts = {name: part for name, part in described["properties"].items() if name in offered}
        for name in parts.keys() - own_keys():
            parts[name] = {**parts[name], "title": spelt(name)}
        return {**described, "properties": parts}

    def start_over(self) -> None:
        """Shows the draft again, which another page has replaced."""
        self.show()

    def seen(self) -> object:
        return self.desk.marks()

    def refresh(self) -> None:
        """Says so if something else was chosen elsewhere: in another window, or in the file."""
        if self.widget.children:
            is_another = self.desk.draft() != self._form.document
            self._tell_moved(self.text(CHOSEN_ELSEWHERE) if is_another else "")

    def _draft(self) -> dict[str, Any]:
        """What was chosen last; where that cannot be read, what the file holds."""
        try:
            return self.desk.draft()
        except ConfigurationError:
            aside = self.desk.set_draft_aside()
            words = "What you chose last cannot be read, and begins anew from what holds now. It is kept in {path}."
            self.ways.say(self.text(words, path=aside))
            return self.desk.saved()

    def _tell_moved(self, words: str) -> None:
        before = self._moved.children
        theirs = self.button(self.text("Show that"), self._load, "fk-show-theirs") if words else None
        self._moved.children = (notice(words, "warn"), theirs) if theirs else ()
        for part in before:
            close(part)

    def _load(self) -> None:
        self._form.load(self.desk.draft())
        self._tell_moved("")
        self._say()

    def _changed(self) -> None:
        self.ways.attempt(self._keep)
        self._say()

    def _keep(self) -> None:
        self.desk.keep_draft(self._form.document)
        self._seen = self.seen()
        self._tell_moved("")
        self.ways.say("")

    def _say(self) -> None:
        count = len(self._form.mistakes)
        self._look.disabled = bool(count)
        words = self.text.plural("{n} mistake is to be mended.", "{n} mistakes are to be mended.", count)
        self._said.value = f'<p role="status" class="fk-bad">✘ {words}</p>' if count else '<p role="status"></p>'

    def _send(self) -> None:
        self.ways.order(Order(place=self.desk.place, runbook="deploy", document=self._form.document))

    def _forget(self) -> None:
        self.desk.keep_draft(self.desk.saved())
        self._load()
