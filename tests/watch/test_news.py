"""When something is told: values in, values out, and a clock that goes as the test wants."""

from datetime import UTC, datetime, timedelta

import pytest

from fedikit.environment.watch import Watch
from fedikit.watch.finding import Finding, Kind
from fedikit.watch.look import Look
from fedikit.watch.memory import MOST_WAITING, Memory
from fedikit.watch.message import MOST_SHOWN, Message
from fedikit.watch.news import compare, told_before

DAY = timedelta(days=1)


def finding(what: str, kind: Kind = Kind.CHECK, host: str = "") -> Finding:
    return Finding(key=f"{kind}:{what}", kind=kind, what=what, seen="wanted this, saw that", todo="mend it", host=host)


PAGE = finding("page")


class Story:
    """Looks one after the other."""

    def __init__(self, rules: Watch | None = None) -> None:
        self.rules = rules or Watch()
        self.memory = Memory()
        self.now = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

    def look(self, *findings: Finding, after: timedelta = timedelta(minutes=10), **how: object) -> list[str]:
        message = self.message(Look(findings=findings, **how), after)  # type: ignore[arg-type]
        return [f"{change.state} {change.finding.what}" for change in message.changes]

    def message(self, look: Look, after: timedelta = timedelta(minutes=10)) -> Message:
        self.now += after
        self.memory, changes = compare(self.memory, look, self.rules, self.now)
        remaining = told_before(self.memory, changes)
        return Message(id="1", environment="stage", time=self.now, changes=changes, remaining=remaining)


def test_the_first_look_tells_only_what_is_broken() -> None:
    assert Story().look() == []
    assert Story().look(PAGE) == ["broken page"]


def test_what_breaks_is_told_after_two_looks_and_once() -> None:
    story = Story()
    story.look()
    assert [story.look(PAGE) for _ in range(4)] == [[], ["broken page"], [], []]


def test_what_is_well_again_is_told_after_two_looks_and_once() -> None:
    story = Story()
    story.look(PAGE)
    assert [story.look() for _ in range(4)] == [[], ["well page"], [], []]


def test_what_comes_and_goes_is_not_told() -> None:
    story = Story()
    story.look()
    assert [story.look(*findings) for findings in ((PAGE,), ()) * 5] == [[]] * 10


def test_what_was_told_and_comes_and_goes_stays_broken() -> None:
    story = Story()
    story.look(PAGE)
    assert [story.look(*findings) for findings in ((), (PAGE,)) * 5] == [[]] * 10
    assert story.look(after=DAY) == []


def test_how_many_looks_it_takes_can_be_said() -> None:
    story = Story(Watch(looks=3))
    story.look()
    assert [story.look(PAGE) for _ in range(4)] == [[], [], ["broken page"], []]


def test_it_is_told_again_after_a_day_all_together() -> None:
    story = Story(Watch(looks=1))
    story.look(PAGE)
    story.look(PAGE, finding("other"), after=DAY / 2)
    assert story.look(PAGE, finding("other"), after=DAY / 2) == ["still page", "still other"]
    assert story.look(PAGE, finding("other"), after=DAY / 2) == []


def test_a_certificate_is_told_of_once_a_day() -> None:
    story, ends = Story(), finding("ends", Kind.CERTIFICATE)
    told = [line for _ in range(3 * 24) for line in story.look(ends, after=timedelta(hours=1))]
    assert told == ["broken ends", "still ends", "still ends"]


@pytest.mark.parametrize("kind", [Kind.DRIFT, Kind.SECURITY])
def test_what_was_changed_by_hand_or_waits_for_an_upgrade_is_told_once(kind: Kind) -> None:
    story, drift = Story(), finding("file", kind)
    assert [story.look(drift, after=DAY) for _ in range(3)] == [["broken file"], [], []]


def test_a_clock_that_was_set_back_silences_nobody() -> None:
    story = Story()
    story.look(PAGE)
    assert story.look(PAGE, after=-30 * DAY) == ["still page"]
    assert story.look(PAGE) == []


@pytest.mark.parametrize("how", [{"is_blind": True}, {"unseen_hosts": frozenset({"one"})}])
def test_what_could_not_be_seen_is_neither_well_nor_forgotten(how: dict[str, object]) -> None:
    story, unit = Story(), finding("unit", Kind.UNIT, host="one")
    story.look()
    story.look(unit)
    assert [story.look(**how) for _ in range(3)] == [[], [], []]  # type: ignore[arg-type]
    assert story.look(unit) == ["broken unit"]
    assert [story.look(**how) for _ in range(3)] == [[], [], []]  # type: ignore[arg-type]
    assert [story.look(), story.look()] == [[], ["well unit"]]


def test_a_subject_names_what_is_worst_and_how_much_there_is_besides() -> None:
    worst = finding("mastodon does not answer")
    look = Look(findings=(finding("file", Kind.DRIFT), finding("disk", Kind.DISK), worst))
    assert Story().message(look).subject == "fedikit stage: mastodon does not answer, and 2 more"


def test_a_subject_says_whether_all_is_well_again() -> None:
    story = Story(Watch(looks=1))
    story.look(PAGE, finding("other"))
    assert story.message(Look(findings=(PAGE,))).subject == "fedikit stage: 1 well again, 1 not yet"
    assert story.message(Look()).subject == "fedikit stage: all is well again"


def test_a_mail_says_what_since_when_and_what_to_do() -> None:
    story = Story(Watch(looks=1))
    story.look(PAGE)
    text = story.message(Look(findings=(PAGE, finding("disk", Kind.DISK)))).text
    assert text.splitlines() == [
        "NOT WELL",
        "",
        "disk",
        "wanted this, saw that",
        "Since: 01 Mar 2026, 12:20 UTC",
        "What to do: mend it",
        "",
        "Not well either, and told before:",
        "- page",
        "",
        "Seen 01 Mar 2026, 12:20 UTC.",
    ]


def test_a_mail_about_very_much_can_be_read() -> None:
    message = Story().message(Look(findings=tuple(finding(f"page {number}") for number in range(1000))))
    assert message.text.count("What to do") == MOST_SHOWN
    assert f"and {1000 - MOST_SHOWN} more" in message.text


def test_what_waits_is_bounded_and_what_is_dropped_is_counted() -> None:
    story, memory = Story(), Memory()
    for _ in range(MOST_WAITING + 3):
        memory = memory.to_tell(story.message(Look()), ("webhook",))
    assert (len(memory.waiting), memory.dropped) == (MOST_WAITING, 3)
