"""The panel as its visitors use it, button by button; the runs are real, the machines are directories."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import ipywidgets as w
import pytest

from fedikit.panel.page import Panel, show
from fedikit.panel.texts import Texts
from fedikit.panel.words import run_in_words
from fedikit.runbook.record import RunStatus
from tests.panel.scene import Provider


def parts(widget: Any) -> Iterator[Any]:
    """A widget and all that is in it."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from parts(child)


class Visitor:
    """Somebody in front of a panel."""

    def __init__(self, provider: Provider, name: str) -> None:
        self.panel = Panel(provider.desk(name), Texts("en"))

    def find(self, name: str) -> list[Any]:
        return [part for part in parts(self.panel.widget) if name in getattr(part, "_dom_classes", ())]

    def control(self, path: str) -> Any:
        """What a field is filled in with."""
        (box,) = self.find(f"fk-field-{path}")
        return next(part for part in parts(box) if isinstance(part, w.Checkbox | w.Text | w.Textarea | w.Dropdown))

    def text(self) -> str:
        """All that can be read."""
        shown = [part for part in parts(self.panel.widget) if isinstance(part, w.HTML) and "<style>" not in part.value]
        return "\n".join(str(part.value) for part in shown)

    def click(self, name: str) -> None:
        found = [part for part in self.find(name) if isinstance(part, w.Button)]
        assert len(found) == 1, f"{len(found)} buttons {name}"
        assert not found[0].disabled, f"{name} cannot be clicked"
        found[0].click()

    async def sees(self, words: str, seconds: float = 60) -> None:
        until = time.monotonic() + seconds
        while words not in self.text():
            assert time.monotonic() < until, f"no “{words}” in:\n{self.text()}"
            await asyncio.sleep(0.1)

    async def finds(self, name: str, seconds: float = 60) -> None:
        until = time.monotonic() + seconds
        while not self.find(name):
            assert time.monotonic() < until, f"no {name} in:\n{self.text()}"
            await asyncio.sleep(0.1)

    async def ends(self, status: RunStatus = RunStatus.SUCCEEDED, seconds: float = 60) -> None:
        """Waits on the page of progress until the newest run has ended, and the page says so."""
        until = time.monotonic() + seconds
        while self.panel.page.name != "progress" or (newest := self.panel.desk.runs()[-1]).status is RunStatus.RUNNING:
            assert time.monotonic() < until, f"no end in:\n{self.text()}"
            await asyncio.sleep(0.1)
        assert newest.status is status, newest.result
        await self.sees(run_in_words(newest, text=Texts("en")).ended)

    def leave(self) -> None:
        self.panel.close()


def visit(provider: Provider, name: str, act: Callable[[Visitor], Awaitable[None]]) -> None:
    async def scene() -> None:
        visitor = Visitor(provider, name)
        try:
            await act(visitor)
        finally:
            visitor.leave()

    asyncio.run(scene())


async def deploy(visitor: Visitor) -> None:
    visitor.click("fk-tab-choose")
    visitor.control("notes-enable").value = True
    await asyncio.sleep(1)
    visitor.click("fk-look")
    await visitor.finds("fk-do")
    visitor.click("fk-do")
    await visitor.ends()


def test_a_service_is_chosen_looked_at_and_deployed(provider: Provider) -> None:
    provider.hire("alice")

    async def act(visitor: Visitor) -> None:
        assert "No service is installed" in visitor.text()
        await deploy(visitor)
        assert provider.file("alice", "/etc/notes.txt").read_text() == "Notes of alice.example.org\n"
        visitor.click("fk-tab-services")
        assert visitor.find("fk-service-notes"), visitor.text()

    visit(provider, "alice", act)


def test_who_comes_back_sees_the_run_that_goes_on(provider: Provider) -> None:
    provider.hire("alice")
    provider.waiting.touch()

    async def begin(visitor: Visitor) -> None:
        visitor.click("fk-tab-choose")
        visitor.control("album-enable").value = True
        await asyncio.sleep(1)
        visitor.click("fk-look")
        await visitor.finds("fk-do")
        visitor.click("fk-do")
        await visitor.sees("Making the changes")

    async def come_back(visitor: Visitor) -> None:
        await visitor.sees("alice began this")
        provider.waiting.unlink()
        await visitor.ends()

    visit(provider, "alice", begin)
    visit(provider, "alice", come_back)


def test_what_will_be_destroyed_takes_the_domain(provider: Provider) -> None:
    provider.hire("alice", may_purge=True)

    async def act(visitor: Visitor) -> None:
        await deploy(visitor)
        visitor.click("fk-tab-leave")
        visitor.click("fk-remove-all")
        await visitor.finds("fk-purge")
        visitor.click("fk-purge")
        await visitor.finds("fk-typed")
        assert visitor.find("fk-do")[0].disabled
        visitor.find("fk-typed")[0].value = "example.org"
        assert visitor.find("fk-do")[0].disabled
        visitor.find("fk-typed")[0].value = "alice.example.org"
        visitor.click("fk-do")
        await visitor.ends()
        assert not provider.file("alice", "/srv/notes").exists()

    visit(provider, "alice", act)


def test_once_all_is_taken_away_nothing_is_said_to_be_well(provider: Provider) -> None:
    provider.hire("alice")

    async def act(visitor: Visitor) -> None:
        await deploy(visitor)
        visitor.click("fk-tab-leave")
        visitor.click("fk-remove-all")
        await visitor.finds("fk-do")
        visitor.click("fk-do")
        await visitor.ends()
        visitor.click("fk-home")
        assert "Everything was taken away" in visitor.text()
        assert not visitor.find("fk-service-notes")

    visit(provider, "alice", act)


def test_what_the_provider_has_no_host_for_is_not_offered(provider: Provider) -> None:
    provider.hire("alice")

    async def act(visitor: Visitor) -> None:
        visitor.click("fk-tab-choose")
        assert visitor.find("fk-application-notes")
        assert not visitor.find("fk-application-mastodon")

    visit(provider, "alice", act)


def test_what_was_chosen_before_can_be_chosen_again(provider: Provider) -> None:
    provider.hire("alice")

    async def act(visitor: Visitor) -> None:
        await deploy(visitor)
        visitor.click("fk-tab-history")
        visitor.click("fk-again")
        assert visitor.control("notes-enable").value is False
        visitor.click("fk-look")
        await visitor.sees("otes will be removed from alice; its data stays there")

    visit(provider, "alice", act)


def test_what_another_must_agree_to_is_asked_for_and_agreed_to(provider: Provider) -> None:
    provider.hire("bob").hire("alice", approved_by=["bob"])

    async def ask(visitor: Visitor) -> None:
        visitor.click("fk-tab-choose")
        visitor.control("notes-enable").value = True
        await asyncio.sleep(1)
        visitor.click("fk-look")
        await visitor.finds("fk-do")
        visitor.click("fk-do")
        await visitor.sees("bob can agree to it now")
        assert not provider.file("alice", "/etc/notes.txt").exists()

    async def agree(visitor: Visitor) -> None:
        visitor.click("fk-tab-requests")
        assert "notes will be installed on alice" in visitor.text()
        visitor.click("fk-agree")
        await visitor.sees("It has begun")
        await visitor.sees("Nobody asks for anything")

    async def see(visitor: Visitor) -> None:
        visitor.click("fk-tab-progress")
        await visitor.ends()
        assert not visitor.find("fk-tab-requests")

    visit(provider, "alice", ask)
    visit(provider, "bob", agree)
    visit(provider, "alice", see)
    assert provider.file("alice", "/etc/notes.txt").exists()


def test_a_mistake_in_the_files_is_shown_in_the_panels_place(provider: Provider) -> None:
    provider.hire("alice")
    shown = show(panel=str(provider.panel), operator="mallory")
    assert "mallory is not an operator here" in shown.value


@pytest.mark.parametrize("language", ["en", "de"])
def test_the_panel_speaks_the_operators_language(provider: Provider, language: str) -> None:
    provider.hire("alice")

    async def act() -> None:
        panel = Panel(provider.desk("alice"), Texts(language))
        said = {"en": "Your services", "de": "Ihre Dienste"}[language]
        assert any(said == getattr(part, "description", "") for part in parts(panel.widget))
        panel.close()

    asyncio.run(act())
