"""See: what checks saw from outside, what to do about failures, and the first user's password, on request."""

import asyncio
import html
from collections.abc import Iterator
from datetime import UTC, datetime

import ipywidgets as w

from fedikit.disclosure import disclose
from fedikit.errors import FedikitError
from fedikit.panel.amounts import age
from fedikit.panel.order import Order
from fedikit.panel.owners import spelt
from fedikit.panel.pages.page import Page
from fedikit.panel.pages.services import latest_verdict, newest
from fedikit.panel.widgets import Fold, Tone, bullets, column, heading, markup, notice, paragraph
from fedikit.panel.words import verdict_in_words
from fedikit.results.verdict import Verdict
from fedikit.secrets import secrets_of


def _tone(verdict: Verdict) -> Tone:
    if not verdict.results:
        return "plain"
    return "good" if verdict.passed else "bad"


class Checks(Page):
    """The newest verdict."""

    name = "checks"
    title = "Checks"

    def seen(self) -> object:
        return (*self.desk.marks(), next(newest(self.desk, "verdict.json"), None))

    def refresh(self) -> None:
        seen = latest_verdict(self.desk)
        self.show(
            heading(self.text("Is all well?")),
            *(self._verdict(*seen) if seen else [paragraph(self.text("Nobody has looked yet."))]),
            self.button(self.text("Look now"), self._look, "fk-verify", kind="main"),
            *self._passwords(),
        )

    def _look(self) -> None:
        self.ways.order(Order(place=self.desk.place, runbook="verify"))

    def _verdict(self, when: datetime, verdict: Verdict) -> Iterator[w.Widget]:
        yield paragraph(self.text("Looked at {when}:", when=age(when, datetime.now(UTC), text=self.text)))
        said = verdict_in_words(verdict, text=self.text)
        yield notice(said.sentence, _tone(verdict), "fk-verdict")
        for words in said.applications:
            lines = [notice(words.sentence, "good" if words.works else "bad")]
            lines += [bullets([f"{each.what}: {each.do}" for each in words.problems])] if words.problems else []
            yield column(*lines, classes=("fk-card", f"fk-checked-{words.application}"))

    def _passwords(self) -> Iterator[w.Widget]:
        try:
            deployment = self.desk.hosting.deployment(self.desk.chosen())
        except FedikitError:
            return
        names = sorted({secret.name for secret in secrets_of(deployment) if secret.name.endswith("/initial-user")})
        for name in names:
            application = name.partition("/")[0]
            label = self.text("The password of the first user of {application}", application=spelt(application))
            yield Fold(label, lambda name=name: self._password(name), f"fk-password-{application}").widget  # type: ignore[misc]

    def _password(self, name: str) -> w.Widget:
        """It is shown for as long as the fold is open; the machines that use it note who saw it, before it is seen."""
        shown = markup(f"<p>{html.escape(self.text('The machines are told who sees it …'))}</p>", "fk-secret")

        async def tell() -> None:
            try:
                deployment = self.desk.hosting.deployment(self.desk.chosen())
                values = await asyncio.to_thread(disclose, deployment, name)
                shown.value = f"<p><code>{html.escape(' '.join(values))}</code></p>"
            except FedikitError as error:
                shown.value = f'<p class="fk-bad">✘ {html.escape(error.text)}</p>'

        self._telling = asyncio.ensure_future(tell())
        return shown
