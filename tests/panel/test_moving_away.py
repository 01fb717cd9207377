"""Moving to another provider from the panel: looked at, rehearsed, moved, come back. Machines are directories."""

import json
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import pytest

from fedikit.data.migration.journal import Journal, place_of, write_journal
from fedikit.display.timeline import timeline_svg
from fedikit.errors import ConfigurationError, FedikitError
from fedikit.panel.away_words import misfits_in_words, move_in_words, names_to_set, outcome_in_words, phases_in_words
from fedikit.panel.names_table import names_html
from fedikit.panel.rights import NotAllowed
from fedikit.panel.runner import RefusedOrder, start
from fedikit.panel.texts import Texts
from fedikit.results.migration import (
    BACKWARDS,
    PHASES,
    REHEARSED,
    ApplicationMigration,
    MigrationPlan,
    MigrationReport,
    Moved,
    Phase,
)
from fedikit.results.names import NameFound
from fedikit.results.restoring import Amount
from fedikit.runbook.work import EnvironmentBusy, at_work
from tests.panel.moving_scene import DOMAIN, NAME, Moving
from tests.panel.scene import Provider
from tests.panel.test_hostile import HOSTILE, Elements
from tests.panel.test_page import Visitor, visit

EN, DE = Texts("en"), Texts("de")
BACK = "fedikit migrate --back"


@pytest.fixture
def moving(provider: Provider) -> Moving:
    return Moving(provider)


def upload(visitor: Visitor, content: bytes) -> None:
    """As a browser hands a file over."""
    (button,) = visitor.find("fk-upload")
    about = {"name": "new", "type": "", "size": len(content), "last_modified": datetime.now(UTC)}
    button.value = ({**about, "content": memoryview(content)},)


async def have_it_done(visitor: Visitor, *, typed: str = DOMAIN) -> None:
    await visitor.finds("fk-do", 240)
    if boxes := visitor.find("fk-typed"):
        boxes[0].value = typed
    visitor.click("fk-do")
    await visitor.ends(seconds=240)
    visitor.click("fk-to-away")


def test_everything_is_brought_rehearsed_moved_and_comes_back(moving: Moving) -> None:
    moving.deploy()

    async def act(visitor: Visitor) -> None:
        visitor.click("fk-tab-away")
        upload(visitor, moving.invitation)
        assert "You brought the file of harbour." in visitor.text()
        moving.furnish()
        visitor.click("fk-rehearse")
        await have_it_done(visitor)
        assert "The rehearsal went well. Nobody could write for about" in visitor.text()
        assert (moving.serves(moving.old), moving.serves(moving.new)) == (True, False)
        visitor.click("fk-move")
        await visitor.finds("fk-do", 240)
        assert "letters goes from alice (alice) to quay (harbour), with 1 file and 1 kB." in visitor.text()
        (deed,) = visitor.find("fk-do")
        assert deed.disabled
        moving.write("the last words")
        await have_it_done(visitor)
        assert "Your services are with harbour now." in visitor.text()
        assert "letters is on quay." in visitor.text()
        assert (moving.serves(moving.old), moving.serves(moving.new)) == (False, True)
        assert moving.place(moving.new).read_text() == "the last words"
        moving.place(moving.new).write_text("words of the other side")
        visitor.click("fk-tab-services")
        assert "Your services are with harbour now." in visitor.text()
        visitor.click("fk-tab-away")
        visitor.click("fk-back")
        await have_it_done(visitor)
        assert (moving.serves(moving.old), moving.serves(moving.new)) == (True, False)
        assert moving.place(moving.old).read_text() == "words of the other side"
        assert "Your services are here." in visitor.text()

    visit(moving.provider, "alice", act)


# What is brought


def journal(moving: Moving, **about: Any) -> None:
    """A move has come so far."""
    place = place_of(moving.away, "alice", NAME)
    place.parent.mkdir(exist_ok=True)
    write_journal(place, Journal(id="20261127T023000Z-1a2b3c4d", **about))


def test_what_is_brought_is_for_its_owner_only_and_is_forgotten_whole(moving: Moving) -> None:
    moving.provider.desk("alice").away.keep(moving.invitation)
    files = [path for path in moving.away.iterdir() if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE(moving.away.stat().st_mode) == 0o700
    moving.provider.desk("alice").away.forget()
    assert moving.provider.desk("alice").away.file is None
    assert not [path for path in moving.away.iterdir() if not path.name.startswith(".")]


def test_a_file_that_is_refused_is_told_point_by_point_and_the_one_before_stays(moving: Moving) -> None:
    moving.provider.desk("alice").away.keep(moving.invitation)
    written = json.loads(moving.invitation)
    written["environment"]["hosts"]["<b>here</b>"] = {"type": "local"}
    written["environment"]["secrets"]["master_key"] = "command:touch /tmp/pwned"

    async def act(visitor: Visitor) -> None:
        visitor.click("fk-tab-away")
        visitor.click("fk-other")
        upload(visitor, json.dumps(written).encode())
        assert "That file cannot be taken." in visitor.text()
        assert "<b>" not in visitor.text()
        assert "You brought the file of harbour." in visitor.text()

    visit(moving.provider, "alice", act)
    assert moving.provider.desk("alice").away.file
    assert not (moving.away.parent / ".draft").exists()


def test_a_file_by_this_providers_own_name_is_refused(moving: Moving) -> None:
    written = json.loads(moving.invitation)
    written["environment"]["name"] = "alice"
    with pytest.raises(FedikitError, match="as this one does"):
        moving.provider.desk("alice").away.keep(json.dumps(written).encode())
    assert not moving.provider.desk("alice").away.name


def test_directories_are_taken_from_a_stranger_only_where_all_is_a_trial(moving: Moving) -> None:
    file = moving.provider.folder / "alice.toml"
    file.write_text(file.read_text() + '\n[hosts.real]\ntype = "local"\n')
    with pytest.raises(ConfigurationError, match="should be ssh"):
        moving.provider.desk("alice").away.keep(moving.invitation)


@pytest.mark.parametrize(
    ("about", "words"),
    [
        ({"closed_at": 1.0}, "a move has begun"),
        ({"has_begun": True}, "a move has begun"),
        ({"direction": "back"}, "a move has begun"),
        ({"done": ("close", "verify")}, "a move has begun"),
        ({"done": PHASES, "has_begun": True}, ""),
        ({"done": REHEARSED}, ""),
    ],
)
def test_the_file_that_a_move_began_with_stays_until_it_is_over(
    moving: Moving, about: dict[str, Any], words: str
) -> None:
    away = moving.provider.desk("alice").away
    away.keep(moving.invitation)
    journal(moving, **about)
    if not words:
        away.keep(moving.invitation)
        away.forget()
        assert moving.provider.desk("alice").away.journal
        return
    for change in (lambda: away.keep(moving.invitation), away.forget):
        with pytest.raises(FedikitError, match=words):
            change()
    assert away.file


def test_from_there_nobody_is_led_to_a_third_provider(moving: Moving) -> None:
    away = moving.provider.desk("alice").away
    away.keep(moving.invitation)
    journal(moving, done=PHASES, has_begun=True)
    written = json.loads(moving.invitation)
    written["environment"]["name"] = "third"
    with pytest.raises(FedikitError, match="everything is with harbour"):
        away.keep(json.dumps(written).encode())
    assert away.name == NAME


def test_no_file_is_changed_under_a_run(moving: Moving) -> None:
    away = moving.provider.desk("alice").away
    away.keep(moving.invitation)
    assert away.file
    with at_work(away.file, "alice", "migrate"):
        for change in (lambda: away.keep(moving.invitation), away.forget):
            with pytest.raises(EnvironmentBusy):
                change()


def test_a_page_is_drawn_where_the_providers_own_file_is_broken(moving: Moving) -> None:
    moving.bring()
    (moving.provider.folder / "alice.toml").write_text("name = ")

    async def act(visitor: Visitor) -> None:
        for page in ("services", "away"):
            visitor.click(f"fk-tab-{page}")
            assert visitor.find(f"fk-page-{page}")[0].children, page
            assert "is not TOML" in visitor.text(), page

    visit(moving.provider, "alice", act)


# Who may


@pytest.mark.parametrize(
    "rights",
    [
        {"may_leave": False},
        {"may_leave": True, "settings": ["letters"]},
        {"may_leave": True, "applications": ["letters"]},
        {"may_leave": True, "applications": ["letters", "notes", "album", "diary"]},
    ],
)
def test_who_may_not_change_everything_moves_nothing_and_brings_nothing(
    provider: Provider, rights: dict[str, Any]
) -> None:
    moving = Moving(provider)
    moving.bring()
    provider.hire("alice", **rights)
    with pytest.raises(NotAllowed, match="is the provider's to allow"):
        provider.desk("alice").rights.permit(provider.order("alice", "migrate", rehearse=True))
    with pytest.raises(NotAllowed, match="is the provider's to allow"):
        provider.desk("alice").rights.require_may_leave()

    async def act(visitor: Visitor) -> None:
        assert not visitor.find("fk-tab-away")

    visit(provider, "alice", act)


@pytest.mark.parametrize(
    ("about", "words"),
    [
        ({"dry_run": False, "agreed": "1" * 64}, "to move everything takes the domain, typed"),
        ({"dry_run": False, "agreed": "1" * 64, "confirmed": "x.org"}, "to move everything takes the domain, typed"),
        ({"dry_run": False, "agreed": "1" * 64, "back": True}, "to move everything takes the domain, typed"),
        ({"dry_run": False, "confirmed": DOMAIN}, "a plan must be looked at first"),
        ({"dry_run": False, "rehearse": True}, "a plan must be looked at first"),
        ({"document": {"domain": "x.org"}}, "changes nothing"),
    ],
)
def test_a_move_is_agreed_to_as_it_was_looked_at(moving: Moving, about: dict[str, Any], words: str) -> None:
    moving.bring()
    with pytest.raises(NotAllowed, match=words):
        moving.provider.desk("alice").rights.permit(moving.provider.order("alice", "migrate", **about))


def test_a_rehearsal_takes_no_domain_and_a_run_without_a_file_is_refused(moving: Moving) -> None:
    order = moving.provider.order("alice", "migrate", dry_run=False, rehearse=True, agreed="1" * 64)
    with pytest.raises(RefusedOrder, match="nobody has brought"):
        start(order)
    moving.bring()
    moving.provider.desk("alice").rights.permit(order)


def test_another_agrees_to_a_move_that_is_told_to_them(provider: Provider) -> None:
    provider.hire("bob")
    moving = Moving(provider, approved_by=["bob"])
    moving.bring()
    desk = provider.desk("alice")
    order = provider.order("alice", "migrate", dry_run=False, agreed="1" * 64, confirmed=DOMAIN)
    with pytest.raises(NotAllowed, match="one of these must agree: bob"):
        desk.rights.permit(order)
    record = provider.folder / "record"
    record.mkdir()
    (record / "migration.json").write_text(plan_of(moving).model_dump_json())
    desk.ask(order, record)
    desk.rights.permit(order.model_copy(update={"approver": "bob"}))

    async def act(visitor: Visitor) -> None:
        visitor.click("fk-tab-requests")
        assert "Everything is moved, with all data:" in visitor.text()
        assert "letters goes from alice (alice) to quay (harbour)" in visitor.text()
        assert visitor.find("fk-agree")

    visit(provider, "bob", act)


# In words


def plan_of(moving: Moving, **about: Any) -> MigrationPlan:
    desk = moving.provider.desk("alice")
    assert desk.away.other
    chosen = desk.chosen()
    part = Moved(id="volume:/srv/letters", there=Amount(bytes=5_000_000, counts={"files": 3}))
    letters = ApplicationMigration(application="letters", source="alice", target="quay", parts=(part,))
    sides = {"source": desk.hosting.deployment(chosen), "target": desk.away.other.deployment(chosen)}
    return MigrationPlan.model_validate({"id": "1", "applications": (letters,), **sides, **about})


NAMES = (
    NameFound(name=DOMAIN, wanted=("192.0.2.7", "2001:db8::7"), found=("192.0.2.1",)),
    NameFound(name="media.example.org", wanted=("192.0.2.7",)),
    NameFound(name="there.example.org", wanted=("192.0.2.7",), found=("192.0.2.7",)),
)


def test_a_move_is_told_with_what_moves_who_notices_and_what_stays(moving: Moving) -> None:
    moving.bring()
    words = move_in_words(plan_of(moving, predicted=95.0, names=NAMES), text=EN)
    assert words.moves == ("letters goes from alice (alice) to quay (harbour), with 3 files and 5 MB.",)
    assert words.meanwhile[0] == "Nobody can write for about 2 minutes: so the rehearsal says."
    assert words.stays[0].startswith("What is here stays, closed")
    assert words.names == (
        (DOMAIN, "A", "192.0.2.7", "192.0.2.1"),
        (DOMAIN, "AAAA", "2001:db8::7", "192.0.2.1"),
        ("media.example.org", "A", "192.0.2.7", "nowhere"),
    )
    german = move_in_words(plan_of(moving, predicted=95.0), text=DE)
    assert german.meanwhile[0] == "Niemand kann schreiben für etwa 2 Minuten: Das sagt die Probe."


def test_names_that_are_set_by_themselves_are_nobodys_to_set(moving: Moving) -> None:
    moving.bring()
    plan = plan_of(moving, names=NAMES, sets_names=True)
    assert not list(names_to_set(plan, text=EN))
    assert "Names are led there without your doing." in move_in_words(plan, text=EN).meanwhile


@pytest.mark.parametrize(
    ("about", "words", "lacking"),
    [
        ({}, "Nobody knows yet for how long.", "so the rehearsal says"),
        ({"is_rehearsal": True, "left": REHEARSED}, "Nothing is closed, and nobody notices.", "Nobody can write"),
        ({"done": ("close",)}, "It was cut off; it goes on where it was.", "Nobody knows"),
        ({"direction": "back", "left": BACKWARDS}, "What was written on the other side comes along.", "stay what"),
        ({"direction": "back", "left": ("reopen",)}, "Your services open here again, as they were", "Nobody can"),
    ],
)
def test_each_way_is_told_as_what_it_is(moving: Moving, about: dict[str, Any], words: str, lacking: str) -> None:
    moving.bring()
    told = " ".join(move_in_words(plan_of(moving, **about), text=EN).meanwhile)
    assert words in told
    assert lacking not in told


def test_what_does_not_fit_is_told_and_nothing_else_promised(moving: Moving) -> None:
    moving.bring()
    plan = plan_of(moving, names=NAMES)
    error = "quay has it already, and not by this migration: what is there would be replaced; remove it there first: "
    unfit = plan.applications[0].model_copy(update={"error": f"{error}fedikit remove --purge"})
    words = move_in_words(plan.model_copy(update={"applications": (unfit,)}), text=EN)
    expected = "letters: On quay there is something of it already, which would be replaced. "
    assert words.refused == (f"{expected}Ask the new provider to remove it",)
    assert (words.moves, words.meanwhile, words.stays, words.names) == ((), (), (), ())


def test_what_is_to_be_known_of_an_application_is_told_in_the_operators_language(moving: Moving) -> None:
    moving.bring()
    plan = plan_of(moving)
    noted = plan.applications[0].model_copy(
        update={"notes": ("it has no backup yet: the first copy makes one, of all of it",)}
    )
    words = move_in_words(plan.model_copy(update={"applications": (noted,)}), text=DE)
    assert words.meanwhile[-1].startswith("letters: Davon gibt es noch keine Sicherung")


def test_what_came_of_it_is_told() -> None:
    about = {"id": "1", "run": "2"}
    advice = "alice is closed, and harbour may have been written to: mend it, and do the same again; or go back with "
    failed = MigrationReport(
        **about, error="names do not lead to harbour yet; to be set: x", advice=f"{advice}what was written: {BACK}"
    )
    told = outcome_in_words(failed, text=EN)
    assert told[0] == "It did not come to its end: names do not lead to harbour yet; to be set: x"
    assert told[1].startswith("Here it is closed, and somebody may have written at harbour")
    assert outcome_in_words(MigrationReport(**about, read_only=51.0), text=DE) == (
        "Niemand konnte schreiben für 51 s.",
    )


def test_phases_are_told_by_how_far_they_are(moving: Moving) -> None:
    moving.bring()
    events = [
        {"event": "StepStarted", "step": "secrets"},
        {"event": "StepFinished", "step": "secrets", "failed": False},
        {"event": "StepStarted", "step": "stage"},
    ]
    assert list(phases_in_words(plan_of(moving, left=REHEARSED), events, text=EN)) == [
        "Handing over the keys of your services: done",
        "Setting up the machines of the new provider …",
        "Copying everything, while your services go on: yet to come",
    ]


@pytest.mark.parametrize("phase", get_args(Phase))
def test_the_picture_of_a_move_names_its_phases_in_the_operators_language(phase: str) -> None:
    began = {"event": "StepStarted", "step": phase, "time": "2026-11-27T02:30:00+00:00"}
    ended = {**began, "event": "StepFinished", "seconds": 9.0, "failed": False, "time": "2026-11-27T02:30:09+00:00"}
    picture = timeline_svg([began, ended], text=DE)
    assert DE(phase) in picture
    assert f">{phase}<" not in picture


def test_nothing_in_a_table_of_names_is_markup() -> None:
    found = Elements(names_html([(HOSTILE,) * 4], text=EN)).strange
    assert set(found) == {"input"}


# What is shown of a move


def test_what_the_new_provider_does_not_take_is_told_before_anything_is_tried(moving: Moving) -> None:
    moving.bring()
    moving.provider.keeps_diary("alice")
    desk = moving.provider.desk("alice")
    desk.save({**desk.saved(), "diary": {"enable": True}})

    async def act(visitor: Visitor) -> None:
        visitor.click("fk-tab-away")
        assert "The new provider does not take all of it:" in visitor.text()
        assert "diary is not offered there. Ask the new provider to offer it, or switch it off here" in visitor.text()
        line = "placement.diary: is missing: the application is enabled, but placed on no host"
        assert line not in visitor.text()
        visitor.click("fk-word-for-word")
        assert line in visitor.text()
        assert not visitor.find("fk-move")
        assert not visitor.find("fk-rehearse")
        assert visitor.find("fk-other")

    visit(moving.provider, "alice", act)


def test_what_does_not_fit_and_has_no_words_yet_is_one_sentence_in_the_operators_language() -> None:
    lines = ["policies.database: is missing, but letters asks for it", "hosts.a: is odd", "hosts.b: is odd"]
    assert misfits_in_words(lines, text=DE) == (
        "letters braucht etwas, das dort nicht angeboten wird (database). Bitten Sie den neuen Anbieter darum",
        "Seine Datei passt nicht zu dem, was Sie hier ausgewählt haben. Bitten Sie den neuen Anbieter, sie zu "
        "berichtigen.",
    )


def test_what_is_not_backed_up_there_does_not_go_there(moving: Moving) -> None:
    desk = moving.provider.desk("alice")
    desk.save({**desk.saved(), "notes": {"enable": True}})
    moving.new_file.write_text(moving.new_file.read_text().replace("[placement]\n", '[placement]\nnotes = "quay"\n'))
    moving.bring()

    async def act(visitor: Visitor) -> None:
        visitor.click("fk-tab-away")
        assert "notes is not backed up by alice, and only what is backed up can move." in visitor.text()

    visit(moving.provider, "alice", act)


def test_after_a_cut_the_page_says_where_services_are_and_which_names_to_set(moving: Moving) -> None:
    moving.bring()
    record: Path = moving.provider.desk("alice").records / "20260101T080000Z-migrate-abc123"
    record.mkdir(parents=True)
    (record / "parameters.json").write_text("{}")
    (record / "migration.json").write_text(plan_of(moving, names=NAMES).model_dump_json())
    journal(moving, closed_at=1.0, has_begun=True, done=PHASES[: PHASES.index("names")])

    async def act(visitor: Visitor) -> None:
        visitor.click("fk-tab-away")
        assert "The move to harbour has begun, and is not at its end." in visitor.text()
        assert 'value="2001:db8::7"' in visitor.text()
        assert visitor.find("fk-move")
        assert visitor.find("fk-back")
        assert not visitor.find("fk-upload")
        assert not visitor.find("fk-rehearse")

    visit(moving.provider, "alice", act)
