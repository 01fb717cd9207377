"""What is read on while a migration has closed it for writing, until it is closed wholly: never do both serve."""

import pytest

from fedikit.events import Event, StepFinished, StepStarted, Tell
from fedikit.panel.said import said
from fedikit.panel.texts import Texts
from tests.data.migration.scene import Cut, Scene, Side, cut_at
from tests.data.migration.test_phases import never_both, require_one_serves


@pytest.fixture
def readable(scene: Scene) -> Scene:
    for side in (scene.old, scene.new):
        side.is_read()
    return scene


def looking(scene: Scene, side: Side, seen: dict[str, tuple[str, bool]]) -> Tell:
    """Notes of each phase as it begins why a side is closed, and whether its unit runs."""

    def tell(event: Event) -> None:
        never_both(scene)(event)
        if isinstance(event, StepStarted):
            seen[event.step] = (side.why_closed, side.serves)

    return tell


def test_it_is_read_until_just_before_the_other_side_opens_on_both_ways(readable: Scene) -> None:
    seen: dict[str, tuple[str, bool]] = {}
    assert readable.migrate(looking(readable, readable.old, seen)).error == ""
    assert [seen[phase] for phase in ("close", "differences", "open")] == [("", True), *[("reading", True)] * 2]
    assert [seen[phase] for phase in ("start", "names", "verify")] == [("moving", False)] * 2 + [("moved", False)]
    require_one_serves(readable, readable.new, "the first words")
    seen.clear()
    assert readable.migrate(looking(readable, readable.new, seen), back=True).error == ""
    assert (seen["differences"], readable.new.why_closed) == (("reading", True), "moved")
    require_one_serves(readable, readable.old, "the first words")


def test_cut_off_in_the_window_no_reader_is_left_where_the_other_side_opened(readable: Scene) -> None:
    """When the work of each phase is done and not yet written down: so each is done twice."""
    for phase, stands in (
        ("close", ("reading", True)),
        ("differences", ("reading", True)),
        ("open", ("moving", False)),
    ):
        with pytest.raises(Cut):
            readable.migrate(cut_at(StepFinished, phase))
        assert (readable.old.why_closed, readable.old.serves) == stands
    assert readable.migrate(never_both(readable)).error == ""
    require_one_serves(readable, readable.new, "the first words")


def test_a_side_that_cannot_be_closed_wholly_keeps_the_other_from_opening(readable: Scene) -> None:
    def fails_then(event: Event) -> None:
        never_both(readable)(event)
        if event == StepStarted(step="open"):
            readable.old.sign("fails")

    report = readable.migrate(fails_then)
    assert (report.phases[-1].phase, report.phases[-1].failed) == ("open", True)
    assert (readable.old.serves, readable.new.serves, readable.new.is_closed) == (True, False, True)


def test_what_fails_meanwhile_has_it_written_to_again(readable: Scene) -> None:
    readable.new.sign("differs")
    assert readable.migrate(never_both(readable)).advice == "old serves again, as before; do the same again"
    require_one_serves(readable, readable.old, "the first words")


def test_a_host_that_cannot_show_that_nobody_writes_closes_it_wholly(scene: Scene) -> None:
    scene.old.reads = scene.new.reads = ("mastodon.service",)
    seen: dict[str, tuple[str, bool]] = {}
    assert scene.migrate(looking(scene, scene.old, seen)).error == ""
    assert seen["differences"] == ("moving", False)


def test_an_old_side_of_an_earlier_fedikit_closes_it_wholly_and_the_report_says_so(readable: Scene) -> None:
    readable.old.sign("earlier")
    seen: dict[str, tuple[str, bool]] = {}
    report = readable.migrate(looking(readable, readable.old, seen))
    assert (report.error, seen["differences"]) == ("", ("moving", False))
    (close,) = (done for done in report.phases if done.phase == "close")
    assert close.detail == (
        "mastodon cannot be read meanwhile: on here, its program of backups is of an earlier fedikit, "
        "which knows of no readers"
    )
    require_one_serves(readable, readable.new, "the first words")


def test_a_plan_says_beforehand_that_the_old_side_may_close_it_wholly(readable: Scene) -> None:
    assert not [note for note in readable.plan().applications[0].notes if "meanwhile" in note]
    settings = readable.old.machine.path("/etc/fedikit/data/mastodon.json")
    settings.write_text(settings.read_text().replace('"images": {}, ', ""))
    note = readable.plan().applications[0].notes[-1]
    assert note.startswith("here is not as this fedikit would set it up")
    assert note.endswith("apply old before")
    assert said(note, text=Texts("de")).startswith("Vielleicht kann auch niemand lesen")
