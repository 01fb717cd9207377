"""Choose: the configuration as a form. What is chosen is kept as a draft; only a run makes it the configuration."""

from fedikit.environment.load import load_catalogue
from fedikit.environment.schema import schema
from fedikit.errors import FedikitError
from fedikit.panel.form import Form
from fedikit.panel.order import Order
from fedikit.panel.pages.page import Page
from fedikit.panel.widgets import button, heading, markup, notice, paragraph, row


class Choose(Page):
    """The form."""

    name = "choose"
    title = "Choose"

    def enter(self) -> None:
        if self.widget.children:
            return
        try:
            described = schema(load_catalogue(), "configuration")
            self._form = Form(
                described,
                self.desk.draft(),
                text=self.text,
                may_change=self.desk.may_change,
                check=self.desk.mistakes,
                on_change=self._changed,
            )
        except FedikitError as error:
            self.show(heading(self.text(self.title)), notice(error.text, "bad"))
            return
        self._said = markup("", "fk-form-state")
        self._look = button(self.text("See what would change"), self._send, "fk-look", kind="main")
        self._back = button(self.text("Forget what I chose"), self._forget, "fk-forget")
        self._say()
        intro = self.text("Nothing changes until you have seen what would, and said yes.")
        self.show(
            heading(self.text(self.title)), paragraph(intro), self._form.widget, self._said, row(self._look, self._back)
        )

    def start_over(self) -> None:
        """Shows the draft again, which another page has replaced."""
        self.widget.children = ()

    def _changed(self) -> None:
        self.desk.keep_draft(self._form.document)
        self._say()

    def _say(self) -> None:
        count = len(self._form.mistakes)
        self._look.disabled = bool(count)
        words = self.text.plural("{n} mistake is to be mended.", "{n} mistakes are to be mended.", count)
        self._said.value = f'<p role="status" class="fk-bad">✘ {words}</p>' if count else '<p role="status"></p>'

    def _send(self) -> None:
        self.ways.order(Order(place=self.desk.place, runbook="deploy", document=self._form.document))

    def _forget(self) -> None:
        self.desk.keep_draft(self.desk.saved())
        self._form.load(self.desk.saved())
        self._say()
