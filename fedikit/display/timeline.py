"""Draws a run as a picture (SVG): a lane a host, and when it was at what; and how long runs took over time.

It is read without colour, in a dark theme and by a screen reader: what failed has a hatch and a cross, and all that is
drawn stands in a table too. Every name is escaped.
"""

import hashlib
import html
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from statistics import median
from typing import Any, get_args

from fedikit.display.spans import Span, merged, spans_of
from fedikit.errors import visible
from fedikit.results.migration import Phase

Say = Callable[..., str]
"""Translates an English text, and fills in its values."""

WIDTH, LABELS, RIGHT, LANE, BAR, TOP, AXIS = 1000.0, 150.0, 14.0, 30.0, 20.0, 6.0, 26.0
NARROWEST = 3.0
"""What is narrower cannot be told apart."""
ROWS, ROWS_A_LANE = 150, 6
NAME_LENGTH = 300
COLOURS = {"step": "#6b7280", "plan": "#6b7280", "sending": "#7a5ea8", "item": "#2f6db0", "check": "#2b7a4b"}
"""Each shows on white and on black, and white shows on it."""
FAILED = "#c23b4b"
STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
RUN, CHECKS = "", "\0checks"
WORDS = (
    *("pre-checks", "plan", "fetch", "apply", "verify", "backup", "restore", "sending", "skipped", "failed"),
    *get_args(Phase),
)
"""What steps, phases and states are called in events: whoever translates should know these."""
HEADS = ("Where", "What", "Began after", "Took", "Ended")


def english(words: str, /, **values: object) -> str:
    """The words as they stand in the code."""
    return words.format(**values) if values else words


def timeline_svg(events: Sequence[Mapping[str, Any]], *, text: Say = english, now: datetime | None = None) -> str:
    """A run's events as HTML: a picture, and a table with the same for who cannot see it. Empty if there are none.

    `events`: as a record has them, each with its `time`. `now`: until when what goes on is drawn.
    """
    spans = spans_of(events, now)
    return _Picture(spans, text).html() if spans else ""


class _Picture:
    def __init__(self, spans: Sequence[Span], text: Say) -> None:
        self._spans = spans
        self._text = text
        self._end = max(max(span.ended for span in spans), 0.1)
        self._per_second = (WIDTH - LABELS - RIGHT) / self._end
        self._id = _id_of(repr(spans))
        self._lanes = list(dict.fromkeys(_lane(span) for span in spans if _lane(span) not in (RUN, CHECKS)))
        checks = [CHECKS] if any(span.kind == "check" for span in spans) else []
        self._lanes = [RUN, *self._lanes, *checks]

    def html(self) -> str:
        table = f"<details><summary>{_plain(self._text('As a table'))}</summary>{self._table()}</details>"
        return f'<div class="fk-timeline" style="overflow-x:auto">{self._svg()}{table}</div>'

    def _svg(self) -> str:
        height = TOP + LANE * len(self._lanes) + AXIS
        title, about = self._text("What was done when"), self._about()
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="{self._id}t {self._id}d" '
            f'viewBox="0 0 {WIDTH:g} {height:g}" width="100%" '
            'style="min-width:900px;font:13px system-ui,sans-serif;color:var(--jp-content-font-color1,currentColor)">'
            f'<title id="{self._id}t">{_plain(title)}</title><desc id="{self._id}d">{_plain(about)}</desc>'
            f"{_hatch(self._id)}{self._axis(height)}{''.join(self._drawn_lanes())}</svg>"
        )

    def _about(self) -> str:
        failed = [span.what for span in self._spans if span.failed and span.kind != "step"]
        hosts = len([lane for lane in self._lanes if lane not in (RUN, CHECKS)])
        words = self._text("{seconds} s in all; hosts: {hosts}", seconds=round(self._end, 1), hosts=hosts)
        return f"{words}; {self._text('failed: {names}', names=', '.join(failed[:5]))}" if failed else words

    def _axis(self, height: float) -> str:
        step = next((step for step in STEPS if self._end / step <= 8), STEPS[-1])
        bottom = height - AXIS
        parts = []
        for number in range(int(self._end / step) + 1):
            x = self._x(number * step)
            parts.append(
                f'<path d="M{x:.1f} {TOP:g}V{bottom:.1f}" stroke="currentColor" stroke-opacity=".18"/>'
                f'<text x="{x:.1f}" y="{bottom + 17:.1f}" text-anchor="middle" fill="currentColor" '
                f'font-size="12">{clock(number * step)}</text>'
            )
        return "".join(parts)

    def _drawn_lanes(self) -> Iterator[str]:
        for number, lane in enumerate(self._lanes):
            y = TOP + LANE * number + (LANE - BAR) / 2
            name = _shortened(self._name(lane), 20)
            yield (
                f'<text x="{LABELS - 10:g}" y="{y + BAR / 2 + 4.5:.1f}" text-anchor="end" fill="currentColor">'
                f"{_plain(name)}</text>"
            )
            own = [span for span in self._spans if _lane(span) == lane]
            bars = [_as_drawn(span) for span in own if span.kind != "end"]
            yield from (self._bar(span, y) for span in merged(bars, NARROWEST / self._per_second))
            yield from (self._cross(self._x(span.ended), y + BAR / 2, span) for span in own if _is_bad_end(span))

    def _name(self, lane: str) -> str:
        return {RUN: self._text("Steps"), CHECKS: self._text("Checks")}.get(lane, lane)

    def _bar(self, span: Span, y: float) -> str:
        x = self._x(span.began)
        width = max(NARROWEST - 0.6, span.seconds * self._per_second - 0.6)
        shape = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{BAR:g}" rx="2"'
        colour = FAILED if span.failed else COLOURS[span.kind]
        dashes = ' fill-opacity=".45" stroke="currentColor" stroke-dasharray="4 3"' if span.is_open else ""
        hatch = f'<rect {shape} fill="url(#{self._id}h)"/>' if span.failed else ""
        cross = self._cross(x + width / 2, y + BAR / 2) if span.failed and width < 60 else ""
        label = self._label(span, x, y, width)
        title = f"<title>{_plain(self._told(span))}</title>"
        return f'<g>{title}<rect {shape} fill="{colour}"{dashes}/>{hatch}{cross}{label}</g>'

    def _label(self, span: Span, x: float, y: float, width: float) -> str:
        if width < 44:
            return ""
        words = f"✕ {self._short(span)}" if span.failed else self._short(span)
        halo = f' stroke="{FAILED}" stroke-width="4" paint-order="stroke"' if span.failed else ""
        fill = "currentColor" if span.is_open else "#fff"
        return (
            f'<text x="{x + 5:.1f}" y="{y + BAR / 2 + 4.5:.1f}" fill="{fill}"{halo} font-size="12">'
            f"{_plain(_shortened(words, int((width - 8) / 6.4)))}</text>"
        )

    def _cross(self, x: float, y: float, span: Span | None = None) -> str:
        lines = f"M{x - 4:.1f} {y - 4:.1f}l8 8m0-8l-8 8"
        title = f"<title>{_plain(self._told(span))}</title>" if span else ""
        under = f'<path d="{lines}" stroke="#fff" stroke-width="5"/>'
        return f'<g>{title}{under}<path d="{lines}" stroke="{FAILED}" stroke-width="2.5"/></g>'

    def _short(self, span: Span) -> str:
        if span.count > 1:
            return self._text("{n} things", n=span.count)
        if span.kind == "item":
            return span.what.partition(":")[2].rpartition("/")[2] or span.what
        return self._text(span.what)

    def _told(self, span: Span) -> str:
        """All that is known of it."""
        what = self._text(span.what)[:NAME_LENGTH]
        if span.count > 1:
            what = f"{self._text('{n} things', n=span.count)}: {what}"
        ended = f", {self._outcome(span)}" if span.failed or span.is_open else ""
        detail = f": {span.detail[:NAME_LENGTH]}" if span.detail and span.failed else ""
        took = f", {span.seconds:.1f} s" if span.seconds else ""
        return f"{what}{took}{ended}{detail}"

    def _outcome(self, span: Span) -> str:
        if span.failed:
            return self._text("skipped") if span.what == "skipped" else self._text("failed")
        return self._text("not ended") if span.is_open else self._text("done")

    def _x(self, seconds: float) -> float:
        return LABELS + seconds * self._per_second

    # The same as a table

    def _table(self) -> str:
        head = "".join(f'<th scope="col">{_plain(self._text(word))}</th>' for word in HEADS)
        rows = "".join(self._row(span) for span in self._told_spans())
        return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"

    def _told_spans(self) -> list[Span]:
        """Of each lane what failed and what took longest, in its order."""
        found: list[Span] = []
        for lane in self._lanes:
            own = [span for span in self._spans if _lane(span) == lane and (span.kind != "end" or span.failed)]
            most = sorted(own, key=lambda span: (not span.failed, -span.seconds))[:ROWS_A_LANE]
            found += sorted(most, key=lambda span: span.began)
        return found[:ROWS]

    def _row(self, span: Span) -> str:
        what = self._text(span.what)[:NAME_LENGTH] + (
            f": {span.detail[:NAME_LENGTH]}" if span.failed and span.detail else ""
        )
        cells = (self._name(_lane(span)), what, f"{span.began:.1f} s", f"{span.seconds:.1f} s", self._outcome(span))
        return f"<tr>{''.join(f'<td>{_plain(cell)}</td>' for cell in cells)}</tr>"


def durations_svg(durations: Sequence[tuple[datetime, float]], *, text: Say = english) -> str:
    """How long runs took, the oldest first, as a small picture. Empty if there are none."""
    if not durations:
        return ""
    shown = durations[-40:]
    seconds = [took for _, took in shown]
    longest, gap = max(*seconds, 0.1), 320 / len(shown)
    about = text(
        "Runs: {n}. The last took {last} s, half of them less than {middle} s, the longest {longest} s",
        n=len(shown),
        last=round(seconds[-1], 1),
        middle=round(median(seconds), 1),
        longest=round(max(seconds), 1),
    )
    bars = "".join(
        f'<rect x="{number * gap + gap * 0.1:.1f}" y="{56 - 44 * took / longest:.1f}" width="{min(gap * 0.8, 24):.1f}" '
        f'height="{44 * took / longest:.1f}" fill="{COLOURS["item"]}"{"" if number == len(shown) - 1 else _PALE}>'
        f"<title>{when:%Y-%m-%d %H:%M}, {took:.1f} s</title></rect>"
        for number, (when, took) in enumerate(shown)
    )
    name = _id_of(repr(shown))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="fk-durations" role="img" aria-labelledby="{name}t {name}d" '
        'viewBox="0 0 400 64" width="100%" style="max-width:400px;font:12px system-ui,sans-serif">'
        f'<title id="{name}t">{_plain(text("How long it took"))}</title><desc id="{name}d">{_plain(about)}</desc>'
        f'{bars}<path d="M0 56.5H320" stroke="currentColor" stroke-opacity=".4"/>'
        f'<text x="326" y="16" fill="currentColor">{clock(longest)}</text>'
        '<text x="326" y="60" fill="currentColor">0</text></svg>'
    )


_PALE = ' fill-opacity=".55"'


def clock(seconds: float) -> str:
    """A time on an axis: `0.5 s`, `30 s`, `2:05`, `1:00:00`."""
    if seconds < 60:
        return f"{round(seconds, 1):g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _lane(span: Span) -> str:
    return CHECKS if span.kind == "check" else span.lane


def _as_drawn(span: Span) -> Span:
    """Checks begin all at once: of each, it shows when it ended."""
    return replace(span, began=span.ended) if span.kind == "check" else span


def _is_bad_end(span: Span) -> bool:
    return span.kind == "end" and span.failed


def _hatch(name: str) -> str:
    lines = '<path d="M0 6L6 0" stroke="#fff" stroke-opacity=".55" stroke-width="1.5"/>'
    return f'<defs><pattern id="{name}h" width="6" height="6" patternUnits="userSpaceOnUse">{lines}</pattern></defs>'


def _id_of(content: str) -> str:
    """A name that no other picture on the page has."""
    return f"fk{hashlib.sha256(content.encode('utf-8', 'replace')).hexdigest()[:8]}"


def _shortened(words: str, length: int) -> str:
    return words if len(words) <= length else f"{words[: max(1, length - 1)]}…"


def _plain(words: str) -> str:
    return html.escape(visible(words))
