"""The picture of a run: what is in it, for those who see it and for those who do not."""

import xml.etree.ElementTree as ElementTree
from datetime import timedelta

from fedikit.display.spans import spans_of
from fedikit.display.timeline import clock, durations_svg, timeline_svg
from tests.runs import BEGAN, at, item, large_run, step

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = '"><script>alert(1)</script>&'


def tree_of(picture: str) -> ElementTree.Element:
    return ElementTree.fromstring(picture)


def words(tree: ElementTree.Element, tag: str) -> list[str]:
    return ["".join(element.itertext()) for element in tree.iter(f"{SVG}{tag}")]


def test_a_lane_a_host_and_its_items_by_name() -> None:
    events = [
        *step("apply", 0, 20),
        *item("social", "job:snac initial user", 2, 12),
        *item("media", "unit:a.service", 1, 9),
    ]
    events.sort(key=lambda event: str(event["time"]))
    tree = tree_of(timeline_svg(events))
    drawn = words(tree, "text")
    assert {"Steps", "media", "social", "snac initial user", "a.service", "0 s", "20 s"} <= set(drawn)
    assert "job:snac initial user, 10.0 s" in words(tree, "title")


def test_what_failed_is_seen_without_colour_and_told() -> None:
    events = [
        *item("social", "job:migrations", 1, 9, failed=True),
        at(9, "HostFinished", host="social", outcome="failed", seconds=9, detail="the disk is full"),
    ]
    picture = timeline_svg(events)
    tree = tree_of(picture)
    assert "✕ migrations" in words(tree, "text")
    assert any(element.get("fill", "").startswith("url(#") for element in tree.iter(f"{SVG}rect"))
    assert "job:migrations" in words(tree, "desc")[0]
    assert any("the disk is full" in title for title in words(tree, "title"))


def test_who_cannot_see_it_has_a_name_a_description_and_a_table() -> None:
    tree = tree_of(timeline_svg(large_run(3, 20)))
    svg = next(tree.iter(f"{SVG}svg"))
    named = {element.get("id") for element in tree.iter() if element.get("id")}
    assert svg.get("role") == "img"
    assert set((svg.get("aria-labelledby") or "").split()) <= named
    cells = ["".join(cell.itertext()) for cell in tree.iter("td")]
    assert {"Steps", "plan", "host1", "host3", "failed"} <= set(cells)


def test_what_goes_on_lasts_until_now() -> None:
    events = [at(0, "StepStarted", step="plan")]
    (span,) = spans_of(events, BEGAN + timedelta(seconds=7))
    assert (span.what, span.seconds, span.is_open) == ("plan", 7, True)
    assert "not ended" in timeline_svg(events, now=BEGAN + timedelta(seconds=7))


def test_names_of_hosts_are_never_markup() -> None:
    failed = at(9, "HostFinished", host=HOSTILE, outcome="failed", seconds=9, detail=HOSTILE)
    check = at(9, "CheckFinished", check=HOSTILE, passed=False, seconds=1, detail=HOSTILE)
    picture = timeline_svg([*step(HOSTILE, 0, 9), *item(HOSTILE, HOSTILE, 0, 9, failed=True), failed, check])
    assert "<script" not in picture
    tree_of(picture)


def test_thousands_of_events_make_a_small_picture() -> None:
    for hosts, items in ((1, 1000), (10, 100), (60, 17)):
        assert len(timeline_svg(large_run(hosts, items)).encode()) < 200_000


def test_texts_come_from_whoever_shows_it() -> None:
    picture = timeline_svg(step("plan", 0, 9), text=lambda words, /, **_: words.upper())
    assert "PLAN" in picture
    assert "AS A TABLE" in picture


def test_no_events_make_no_picture() -> None:
    assert timeline_svg([]) == durations_svg([]) == ""


def test_how_long_runs_took_is_told_too() -> None:
    tree = tree_of(durations_svg([(BEGAN + timedelta(days=day), 60 + day) for day in range(3)]))
    assert words(tree, "desc") == ["Runs: 3. The last took 62 s, half of them less than 61 s, the longest 62 s"]
    assert len(list(tree.iter(f"{SVG}rect"))) == 3


def test_a_time_on_an_axis_is_short() -> None:
    assert [clock(seconds) for seconds in (0, 0.5, 30, 125, 3600)] == ["0 s", "0.5 s", "30 s", "2:05", "1:00:00"]
