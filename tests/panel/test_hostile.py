"""Hostile words in every place from which a panel takes any: nothing of them becomes part of a page."""

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import ipywidgets as w
import pytest

from fedikit.panel.documents import LARGEST_DOCUMENT
from fedikit.panel.page import show
from fedikit.panel.runner import RefusedOrder, start
from fedikit.runbook.record import RunStatus, close_record
from tests.panel.scene import Provider
from tests.panel.test_page import Visitor, parts, visit
from tests.panel.test_unlucky import TO_BLAME, kept, look_everywhere, result

HOSTILE = "\"'><img src=x onerror=window.__pwned=1><script>window.__pwned=1</script>\x1b[2J{x}{0.__class__}%s`\u202e"
ELEMENTS = set(
    "h1 h2 h3 p ul ol li a code pre progress span div b i br table thead tbody tr th td details summary "
    "svg g rect path text title desc defs pattern style em strong".split()
)
ADDRESSES = ("https://", "records/")


class Elements(HTMLParser):
    """What is in a piece of HTML that may do something."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.strange: list[str] = []
        self.feed(content)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.strange += [tag] if tag not in ELEMENTS else []
        for name, value in attrs:
            if name.startswith("on") or name in ("src", "srcdoc", "action", "formaction", "xlink:href"):
                self.strange.append(f"{tag} {name}")
            if name == "href" and not (value or "").startswith(ADDRESSES):
                self.strange.append(f"{tag} {name}={value}")
            if name == "style" and "url" in (value or ""):
                self.strange.append(f"{tag} {name}={value}")


def assert_harmless(visitor: Visitor) -> None:
    for part in parts(visitor.panel.widget):
        if isinstance(part, w.HTML):
            assert Elements(part.value).strange == [], part.value[:500]
        assert not getattr(part, "description_allow_html", False)


def open_all(visitor: Visitor) -> None:
    for _ in range(3):
        for part in list(parts(visitor.panel.widget)):
            if isinstance(part, w.Button) and ("▸" in part.description or part.icon == "caret-right"):
                part.click()


def fill_in(visitor: Visitor, words: str) -> int:
    """Enters the words into every field that takes any; says how many there are."""
    fields = [part for part in parts(visitor.panel.widget) if isinstance(part, w.Text | w.Textarea | w.Password)]
    for field in fields:
        field.value = words
        assert_harmless(visitor)
    return len(fields)


def test_what_is_pasted_into_every_field_stays_text(provider: Provider) -> None:
    provider.hire("alice")
    provider.desk("alice").keep_draft(provider.wanted("alice", mastodon={"enable": False}))

    async def act(visitor: Visitor) -> None:
        visitor.click("fk-tab-choose")
        for name in ("notes", "album"):
            visitor.control(f"{name}-enable").value = True
        open_all(visitor)
        assert fill_in(visitor, HOSTILE) > 8
        assert visitor.find("fk-look")[0].disabled
        assert TO_BLAME not in visitor.text()
        assert (
            HOSTILE in json.dumps(provider.desk("alice").draft(), ensure_ascii=False).encode().decode("unicode_escape")
            or provider.desk("alice").draft()["domain"] == HOSTILE.strip()
        )
        provider.desk("alice").save(provider.desk("alice").draft())
        await look_everywhere(visitor)
        assert_harmless(visitor)

    visit(provider, "alice", act)
    with pytest.raises(RefusedOrder, match="domain"):
        start(provider.order("alice", document=provider.desk("alice").saved()))


def test_a_megabyte_is_refused_and_what_was_kept_stays(provider: Provider) -> None:
    provider.hire("alice")

    async def act(visitor: Visitor) -> None:
        visitor.click("fk-tab-choose")
        visitor.control("notes-enable").value = True
        open_all(visitor)
        before = provider.desk("alice").draft()
        title = visitor.control("notes-title")
        title.value = "x" * LARGEST_DOCUMENT
        assert f"is larger than {LARGEST_DOCUMENT} bytes" in visitor.text()
        assert max(len(part.value) for part in parts(visitor.panel.widget) if isinstance(part, w.HTML)) < 20_000
        assert visitor.find("fk-look")[0].disabled
        assert provider.desk("alice").draft() == before
        title.value = "Diary"
        assert provider.desk("alice").draft()["notes"]["title"] == "Diary"
        assert "is larger" not in visitor.text()

    visit(provider, "alice", act)
    huge = provider.wanted("alice", notes={"enable": True, "title": "x" * LARGEST_DOCUMENT})
    with pytest.raises(RefusedOrder, match="larger than"):
        start(provider.order("alice", document=huge))


def hostile_records(provider: Provider) -> None:
    """What a host, or whoever wrote a file, could have put into records."""
    desk = provider.desk("alice")
    desk.save(provider.wanted("alice", notes={"enable": True, "title": HOSTILE}))
    desk.save(provider.wanted("alice", notes={"enable": True, "title": "Diary"}))
    kept(desk, user=HOSTILE, reason=HOSTILE, failed_step=HOSTILE, status=RunStatus.FAILED, exit_status=1)
    (desk.records / f"20260101T000000Z-{HOSTILE.replace('/', '')}").mkdir()
    strange = next(desk.records.glob("20260101*"))
    (strange / "parameters.json").write_text(json.dumps({"configuration": HOSTILE}))
    (strange / "result.json").write_text("{")
    newest = kept(desk)
    events: list[dict[str, Any]] = [
        {"event": "StepStarted", "step": HOSTILE},
        {"event": "ItemStarted", "host": HOSTILE, "item": HOSTILE},
        {"event": "ItemFinished", "host": HOSTILE, "item": HOSTILE, "action": HOSTILE, "seconds": 1, "failed": True},
        {"event": "Waiting", "host": HOSTILE, "what": HOSTILE},
        {"event": "HostFinished", "host": HOSTILE, "outcome": "failed", "detail": HOSTILE},
        {"event": "CheckFinished", "check": HOSTILE, "passed": False, "seconds": 1, "detail": HOSTILE},
    ]
    lines = [json.dumps({"time": "2026-11-01T12:00:00+00:00", **event}) for event in events]
    (newest / "events.ndjson").write_text("\n".join([*lines, ""]))
    close_record(newest, result(reason=HOSTILE, status=RunStatus.FAILED, exit_status=1, failed_step=HOSTILE))
    verdict = {"results": [_failed_check(HOSTILE)]}
    (newest / "verdict.json").write_text(json.dumps(verdict))


def _failed_check(words: str) -> dict[str, Any]:
    return {"check": words, "application": "notes", "domain": words, "passed": False, "seconds": 1, "detail": words}


def test_what_hosts_and_files_say_stays_text(provider: Provider) -> None:
    provider.hire("alice")
    hostile_records(provider)

    async def act(visitor: Visitor) -> None:
        for name in visitor.panel.pages:
            visitor.click(f"fk-tab-{name}")
            open_all(visitor)
            assert TO_BLAME not in visitor.text(), name
            assert_harmless(visitor)
            assert "\x1b" not in visitor.text(), name

    visit(provider, "alice", act)


def test_a_hostile_name_in_the_providers_file_is_refused(provider: Provider, tmp_path: Path) -> None:
    provider.hire("alice")
    panel = provider.panel.read_text().replace("[operators.alice]", f"[operators.{json.dumps(HOSTILE)}]")
    provider.panel.write_text(panel)
    shown = show(panel=str(provider.panel), operator=HOSTILE)
    assert Elements(shown.value).strange == []
