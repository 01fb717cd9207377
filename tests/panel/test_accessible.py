"""The panel for everybody: by keyboard, by screen reader, in both themes, on small and on large screens."""

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from fedikit.data.migration.journal import Journal, place_of, write_journal
from fedikit.results.backup import ApplicationBackups, Backup, Backups, LastRun, Proven
from fedikit.results.migration import PHASES, MigrationPlan
from fedikit.results.names import NameFound
from tests.pages import PROJECT
from tests.panel.browser import Seat, chromium, served, until

AXE = next((PROJECT / ".venv").glob("axe-*.min.js"), None)
PAGES = ("services", "choose", "look", "progress", "checks", "backups", "history", "leave", "away")
ENDED = datetime.now(UTC) - timedelta(days=3)
KEPT = [
    Backup(id=f"20261127T02300{number}Z-1a2b3c4d", started=ENDED, ended=ENDED, bytes=7_000_000, proof=proof)
    for number, proof in enumerate([None, Proven(ended=ENDED, failed=False), Proven(ended=ENDED, failed=True)])
]
BACKUPS = Backups(
    deployment="alice",
    applications=(
        ApplicationBackups(
            host="alice",
            application="diary",
            backups=KEPT,
            last=LastRun(ended=ENDED, failed=True, error="the disk is full"),
        ),
    ),
)
INVITATION = {
    "format": "fedikit-invitation-1",
    "environment": {"name": "harbour", "hosts": {"quay": {"type": "directory", "path": "machines/quay"}}},
    "files": {"master.key": "6" * 64},
}
NAME = NameFound(name="social.example.org", wanted=("2001:db8:1234:5678:9abc:def0:1234:5678",), found=("192.0.2.1",))
SEVERE = ("serious", "critical")
pytestmark = [
    pytest.mark.skipif(not shutil.which("chromedriver"), reason="needs chromium-driver: scripts/prepare browser"),
    pytest.mark.skipif(AXE is None, reason="needs axe-core: scripts/prepare tests"),
]

RUN_AXE = """
const done = arguments[arguments.length - 1];
axe.run(document, {resultTypes: ["violations"], rules: {"color-contrast": {enabled: true}}}).then(
  (found) => done(found.violations.map((each) => [
    each.impact, each.id, each.nodes.slice(0, 4).map((node) => node.html.slice(0, 300) + " " + node.failureSummary)])),
  (error) => done([["critical", "axe", [String(error)]]]));
"""
OUTLINE = """
const seen = (element) => element.checkVisibility({visibilityProperty: true});
const all = (selector) => [...document.querySelectorAll(selector)].filter(seen);
return {
  language: document.documentElement.lang,
  headings: all("h1, h2, h3, h4").map((each) => Number(each.tagName[1])),
  nameless: all("button, a, summary").filter((each) => !each.innerText.trim()).map((each) => each.outerHTML),
  unlabelled: all("input:not([type=hidden]), select, textarea").filter((each) =>
    ![...(each.labels || [])].some((label) => label.innerText.trim()) && !each.getAttribute("aria-label"))
    .map((each) => each.outerHTML),
  wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
};
"""
OPEN_FOLDS = """
for (const fold of document.querySelectorAll(".fk-page button.fk-fold"))
  if (fold.innerText.startsWith("▸")) fold.click();
"""
FOCUSED = """
const at = document.activeElement, style = getComputedStyle(at);
return [at.className || at.tagName, style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2];
"""


@pytest.fixture(scope="module")
def seat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seat]:
    """Alice, who has deployed two services, knows of backups of one, and looks at the plan of another."""
    with served(tmp_path_factory.mktemp("panel"), may_purge=True, may_leave=True) as server, chromium() as browser:
        server.provider.knows_of_backups("alice", BACKUPS)
        seat = Seat(browser, server)
        seat.sign_in()
        seat.page("choose")
        seat.click(".fk-field-notes-enable input")
        seat.find(".fk-field-notes-title input")  # which moves what is below
        seat.click(".fk-look")
        seat.click(".fk-do")
        seat.sees("done in")
        seat.page("leave")
        seat.click(".fk-remove-all")
        seat.find(".fk-page-look .fk-to-choose, .fk-page-look .fk-do")
        begin_to_move(seat)
        yield seat


def begin_to_move(seat: Seat) -> None:
    """Alice brings another provider's file; then a move there was cut off, and names are to be set."""
    provider, file = seat.server.provider, seat.server.provider.folder / "new.invitation"
    file.write_text(json.dumps(INVITATION))
    seat.page("away")
    seat.hand_over(".fk-upload", file)
    seat.find(".fk-stage-brought")
    desk = provider.desk("alice")
    assert desk.away.other
    sides = {"source": desk.hosting.empty(), "target": desk.away.other.empty()}
    record = desk.records / "20260101T090000Z-migrate-abc123"
    record.mkdir()
    (record / "parameters.json").write_text("{}")
    plan = MigrationPlan(id="1", applications=(), names=(NAME,), **sides)
    (record / "migration.json").write_text(plan.model_dump_json())
    place = place_of(desk.away.folder / "harbour", "alice", "harbour")
    write_journal(place, Journal(id="1", closed_at=1.0, has_begun=True, done=PHASES[: PHASES.index("names")]))
    seat.find(".fk-names input")


def in_theme(browser: webdriver.Chrome, theme: str) -> None:
    features = [{"name": "prefers-color-scheme", "value": theme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def severe(browser: webdriver.Chrome) -> list[Any]:
    """What axe finds that keeps people out."""
    assert AXE
    browser.execute_cdp_cmd("Runtime.evaluate", {"expression": AXE.read_text()})
    return [found for found in browser.execute_async_script(RUN_AXE) if found[0] in SEVERE]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("page", PAGES)
def test_nothing_on_a_page_keeps_anybody_out(seat: Seat, page: str, theme: str) -> None:
    in_theme(seat.browser, theme)
    seat.page(page)
    seat.run(OPEN_FOLDS)
    until(lambda: not seat.run("return document.getAnimations().length"), "the page to be still")
    assert severe(seat.browser) == []
    outline = seat.run(OUTLINE)
    assert outline["language"] == "en"
    assert outline["headings"].count(1) == 1
    for before, after in zip(outline["headings"], outline["headings"][1:], strict=False):
        assert after <= before + 1, outline["headings"]
    assert outline["nameless"] == []
    assert outline["unlabelled"] == []


@pytest.mark.parametrize("width", [360, 2560])
def test_no_page_is_wider_than_the_screen(seat: Seat, width: int) -> None:
    sizes = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    seat.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", sizes)
    try:
        wide = {}
        for page in PAGES:
            seat.page(page)
            wide[page] = seat.run(OUTLINE)["wide"]
        assert wide == dict.fromkeys(PAGES, 0)
    finally:
        seat.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def press(seat: Seat, key: str) -> tuple[str, bool]:
    """Presses a key; what has the focus then, and whether one sees that."""
    ActionChains(seat.browser).send_keys(key).perform()
    focused, is_visible = seat.run(FOCUSED)
    return focused, is_visible


def reach(seat: Seat, name: str) -> None:
    """Goes on with Tab to the control of that class; each on the way shows that it has the focus."""
    for _ in range(80):
        focused, is_visible = press(seat, Keys.TAB)
        assert is_visible, f"nobody sees that {focused} has the focus"
        if name in focused:
            return
    raise AssertionError(f"Tab never came to {name}")


def test_everything_is_done_by_keyboard_alone(seat: Seat) -> None:
    in_theme(seat.browser, "light")
    seat.browser.refresh()
    seat.find(".fk-tab-services")
    reach(seat, "fk-tab-choose")
    press(seat, Keys.ENTER)
    box = seat.find(".fk-field-album-enable input")
    before = box.is_selected()
    for _ in range(40):
        press(seat, Keys.TAB)
        if seat.run("return document.activeElement === arguments[0]", box):
            break
    press(seat, Keys.SPACE)
    until(lambda: box.is_selected() is not before, "the choice")
    reach(seat, "fk-look")
    seat.server.provider.waiting.touch()
    press(seat, Keys.SPACE)
    seat.find(".fk-page-look .fk-do")
    reach(seat, "fk-do")
    press(seat, Keys.ENTER)
    seat.sees("Making the changes")


def test_the_focus_stays_while_a_run_goes_on_and_pages_are_drawn_again(seat: Seat) -> None:
    try:
        seat.sees("Making the changes")
        for page, name in (("progress", "fk-cancel"), ("services", "fk-to-checks"), ("history", "fk-again")):
            seat.page(page)
            element = seat.find(f".fk-page-{page} .{name}")
            seat.run("arguments[0].focus()", element)
            seat.browser.execute_async_script("setTimeout(arguments[0], 2500)")
            assert name in seat.run(FOCUSED)[0], page
        seat.page("progress")
        seat.click(".fk-log-fold")
        seat.find(".fk-log pre")
        seat.browser.execute_async_script("setTimeout(arguments[0], 2500)")
        assert seat.shown(".fk-log pre"), "the log was shut"
        assert severe(seat.browser) == []
    finally:
        seat.server.provider.waiting.unlink(missing_ok=True)
    seat.sees("done in")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_in_a_record_keeps_anybody_out(seat: Seat, theme: str) -> None:
    in_theme(seat.browser, theme)
    seat.page("history")
    address = seat.find(".fk-record a").get_attribute("href")
    assert address
    seat.browser.get(address)
    assert seat.run(OUTLINE)["language"] == "en"
    content = seat.browser.page_source  # no script runs in a record, nor does axe: it looks at a copy
    seat.browser.get("about:blank")
    frame = seat.browser.execute_cdp_cmd("Page.getFrameTree", {})["frameTree"]["frame"]["id"]
    seat.browser.execute_cdp_cmd("Page.setDocumentContent", {"frameId": frame, "html": content})
    found = severe(seat.browser)
    seat.sign_in()
    assert found == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_at_the_door_keeps_anybody_out(seat: Seat, theme: str) -> None:
    in_theme(seat.browser, theme)
    if seat.shown(".fk-sign-out"):
        seat.click(".fk-sign-out")
    seat.find("#password")
    assert severe(seat.browser) == []
    outline = seat.run(OUTLINE)
    assert (outline["headings"], outline["unlabelled"], outline["nameless"]) == ([1], [], [])
