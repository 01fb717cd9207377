"""How migrations are drawn: what would be done from where to where, and how it stands."""

import pytest

from fedikit.display.drawing import lines_of, mimebundle, summary_of
from fedikit.model.deployment import Deployment
from fedikit.results.migration import (
    BACKWARDS,
    PHASES,
    ApplicationMigration,
    MigrationPlan,
    MigrationReport,
    Moved,
    PhaseDone,
)
from fedikit.results.names import NameFound
from fedikit.results.restoring import Amount

PART = Moved(id="postgresql:mastodon", kind="postgresql", there=Amount(bytes=2_000_000, counts={"rows": 300}))
MASTODON = ApplicationMigration(application="mastodon", source="one", target="two", parts=(PART,))
NAME = NameFound(name="mastodon.example.org", wanted=("192.0.2.9",), found=("192.0.2.1",))


def plan(**about: object) -> MigrationPlan:
    sides = {name: Deployment(name=name, hosts={}) for name in ("old", "new")}
    usual = {"id": "m1", "source": sides["old"], "target": sides["new"], "applications": (MASTODON,), "names": (NAME,)}
    return MigrationPlan.model_validate({**usual, **about})


def drawn(value: MigrationPlan | MigrationReport) -> str:
    return "\n".join(lines_of(value, 200))


def test_a_plan_names_what_goes_where_and_each_phase_in_its_order() -> None:
    text = drawn(plan())
    assert "mastodon  one of old  → two of new" in text
    assert "postgresql:mastodon  300 rows, 2.0 MB, as of its last backup" in text
    assert "mastodon.example.org  192.0.2.1 → 192.0.2.9" in text
    assert "you set them, and it waits" in text
    places = [text.index(f". {phase}") for phase in PHASES]
    assert places == sorted(places)
    assert summary_of(plan()).plain == "1 application from old to new, 2.0 MB."


def test_a_plan_of_a_move_says_what_becomes_of_media_sites() -> None:
    one = {"domain": "media.example.org", "application": "mastodon", "target": "two"}
    text = drawn(plan(sites=({**one, "source": "one"},)))
    assert "media.example.org  comes to two; one passes its visitors on until its name leads there" in text
    text = drawn(plan(sites=(one,)))
    assert "media.example.org  comes to two; its certificate is issued once its name leads there" in text


def test_a_plan_of_the_way_back_has_the_roles_exchanged() -> None:
    text = drawn(plan(direction="back", left=BACKWARDS, sets_names=True, ttl=60))
    assert "mastodon  two of new  → one of old" in text
    assert "the new side is closed: from here on nobody can write" in text
    assert "the old side may run" in text
    assert "fedikit sets them; others may remember the old ones for 1 min" in text


def test_where_nobody_wrote_to_the_new_side_the_old_one_just_opens() -> None:
    text = drawn(plan(direction="back", left=("reopen",)))
    assert "the old side is opened again: nobody wrote to the new one" in text
    assert text.endswith("old opens again; nobody has written to new.")


def test_a_plan_that_cannot_be_carried_out_names_no_phases() -> None:
    text = drawn(plan(applications=(MASTODON.model_copy(update={"error": "two has it already"}),)))
    assert "two has it already" in text
    assert "close" not in text
    assert text.endswith("Not every application can be carried over: nothing is done.")


@pytest.mark.parametrize(
    ("about", "words"),
    [
        ({"read_only": 8.1, "predicted": 4.2}, "nobody could write for 8.1 s; 4.2 s by the rehearsal"),
        ({"read_only": 8.1}, "nobody could write for 8.1 s\n"),
        ({"is_rehearsal": True, "predicted": 4.2}, "nobody could write for about 4.2 s\n"),
    ],
)
def test_a_report_says_how_long_nobody_could_write(about: dict[str, object], words: str) -> None:
    report = MigrationReport.model_validate({"id": "m1", "run": "r1", "compared": {"mastodon": ()}, **about})
    assert words in drawn(report)
    assert "= mastodon is on both sides the same" in drawn(report)


def test_a_report_says_what_failed_and_how_it_stands() -> None:
    failed = PhaseDone(phase="close", seconds=2, failed=True, detail="one: it starts although it must not")
    advice = "old serves again, as before; do the same again"
    report = MigrationReport(id="m1", run="r1", phases=(failed,), error="one: <b>it starts</b>", advice=advice)
    text = drawn(report)
    assert "✗ close" in text
    assert text.index("one: <b>it starts</b>") < text.index(f"→ {advice}") < text.index("migration m1: failed.")
    assert "<b>it" not in mimebundle(report)["text/html"], "words of hosts are no markup"
