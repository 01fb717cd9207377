"""Backups and restores from the panel: listed, looked at, and put back by who may; the machines are directories."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fedikit.apply import apply_plan
from fedikit.data.backups import list_backups, make_backup
from fedikit.panel.backup_words import backup_in_words, proof_in_words, restore_in_words
from fedikit.panel.order import Order
from fedikit.panel.rights import NotAllowed
from fedikit.panel.runner import RefusedOrder, start
from fedikit.panel.texts import Texts
from fedikit.plan import make_plan
from fedikit.results.backup import Backup, Proven
from fedikit.results.restoring import Amount, ApplicationRestore, PartReplaced, RestorePlan
from fedikit.runbook.record import RunStatus
from tests.panel.scene import Provider
from tests.panel.test_page import Visitor, visit
from tests.panel.test_runs import ended
from tests.remote.conftest import Stage, stage, staged  # noqa: F401

DIARY = {"enable": True}
DOMAIN = "alice.example.org"
ENDED = datetime.now(UTC) - timedelta(days=3, hours=1)
EN, DE = Texts("en"), Texts("de")


@pytest.fixture
def kept(provider: Provider) -> Provider:
    """Alice keeps a diary, which was backed up, and written in since."""
    desk = provider.hire("alice").keeps_diary("alice").desk("alice")
    desk.save(provider.wanted("alice", diary=DIARY))
    deployment = desk.deployment(desk.saved())
    assert apply_plan(make_plan(deployment)).succeeded
    provider.file("alice", "/srv/diary/page").write_text("the first words")
    assert make_backup(deployment).succeeded
    provider.file("alice", "/srv/diary/page").write_text("other words, since")
    return provider


def newest_backup(provider: Provider) -> str:
    """Its name, once the machine was asked for the list, and the record says so."""
    desk = provider.desk("alice")
    listed = list_backups(desk.deployment(desk.saved()))
    provider.knows_of_backups("alice", listed)
    return listed.applications[0].backups[0].id


def entitle(provider: Provider, **rights: Any) -> None:
    """Gives Alice other rights; what she chose stays."""
    chosen = provider.desk("alice").saved()
    provider.hire("alice", **rights).keeps_diary("alice")
    (provider.folder / "alice.json").write_text(json.dumps(chosen))


def planned(provider: Provider, **about: Any) -> tuple[Order, RestorePlan]:
    order = provider.order("alice", "restore", application="diary", backup=newest_backup(provider), **about)
    record = ended(start(order))
    assert record.status is RunStatus.SUCCEEDED, record.result
    return order, RestorePlan.model_validate_json((record.folder / "restore.json").read_bytes())


def test_a_backup_is_found_looked_at_and_put_back(kept: Provider) -> None:
    page = kept.file("alice", "/srv/diary/page")

    async def act(visitor: Visitor) -> None:
        visitor.click("fk-tab-backups")
        visitor.click("fk-list-backups")
        await visitor.finds("fk-restore")
        assert "Nobody has proven yet that it can be restored." in visitor.text()
        visitor.click("fk-restore")
        await visitor.finds("fk-do")
        assert "diary on alice goes back to the backup of" in visitor.text()
        assert "The folder /srv/diary: 1 file and 1 kB now, 1 file and 1 kB then." in visitor.text()
        (deed,), (typed,) = visitor.find("fk-do"), visitor.find("fk-typed")
        assert deed.disabled
        typed.value = "bob.example.org"
        assert deed.disabled
        typed.value = DOMAIN
        assert page.read_text() == "other words, since"
        visitor.click("fk-do")
        await visitor.ends()
        assert page.read_text() == "the first words"
        visitor.click("fk-tab-look")
        assert "There is no plan to look at" in visitor.text()

    visit(kept, "alice", act)


def test_backing_up_needs_no_plan_and_is_seen_in_the_list(kept: Provider) -> None:
    async def act(visitor: Visitor) -> None:
        visitor.click("fk-tab-backups")
        visitor.click("fk-back-up")
        await visitor.ends()
        visitor.click("fk-tab-backups")
        assert len(visitor.find("fk-backup")) == 2

    visit(kept, "alice", act)


def test_where_nothing_is_backed_up_that_is_said(provider: Provider) -> None:
    provider.hire("alice")

    async def act(visitor: Visitor) -> None:
        visitor.click("fk-tab-backups")
        assert "Nothing is backed up here" in visitor.text()
        assert not visitor.find("fk-back-up")

    visit(provider, "alice", act)


def test_what_a_machine_says_of_a_failure_is_text(kept: Provider) -> None:
    kept.file("alice", "/run/data-fails").write_text("<img src=x onerror=alert(1)>")
    desk = kept.desk("alice")
    assert not make_backup(desk.deployment(desk.saved())).succeeded
    newest_backup(kept)

    async def act(visitor: Visitor) -> None:
        visitor.click("fk-tab-backups")
        assert "The last attempt failed" in visitor.text()
        assert "<img" not in visitor.text()

    visit(kept, "alice", act)


def test_only_the_plan_that_was_looked_at_is_carried_out_and_with_the_domain_typed(kept: Provider) -> None:
    order, plan = planned(kept)
    for about in ({"agreed": plan.digest}, {"confirmed": DOMAIN}, {"agreed": plan.digest, "confirmed": "other.org"}):
        with pytest.raises(RefusedOrder):
            start(order.model_copy(update={"dry_run": False, **about}))
    other = order.model_copy(update={"dry_run": False, "agreed": "0" * 64, "confirmed": DOMAIN})
    assert ended(start(other)).status is RunStatus.FAILED
    assert kept.file("alice", "/srv/diary/page").read_text() == "other words, since"


@pytest.mark.parametrize(
    ("about", "words"),
    [
        ({"application": "", "backup": "20261127T023000Z-1a2b3c4d"}, "names one application and its backup"),
        ({"application": "diary"}, "names one application and its backup"),
        ({"application": "diary", "backup": "20261127T023000Z-1a2b3c4d"}, "diary is not theirs to restore"),
    ],
)
def test_who_may_not_change_an_application_restores_none_of_it(
    provider: Provider, about: dict[str, str], words: str
) -> None:
    provider.hire("alice", applications=["notes"]).keeps_diary("alice")
    with pytest.raises(NotAllowed, match=words):
        provider.desk("alice").rights.permit(provider.order("alice", "restore", **about))


def test_who_may_not_restore_sees_backups_without_the_button(kept: Provider) -> None:
    newest_backup(kept)
    entitle(kept, applications=["notes"])

    async def act(visitor: Visitor) -> None:
        visitor.click("fk-tab-backups")
        assert visitor.find("fk-backup")
        assert not visitor.find("fk-restore")

    visit(kept, "alice", act)


def test_another_agrees_to_a_restore_that_is_told_to_them(kept: Provider) -> None:
    kept.hire("bob")
    entitle(kept, approved_by=["bob"])
    order, plan = planned(kept)
    record = kept.desk("alice").runs()[-1].folder
    wanted = order.model_copy(update={"dry_run": False, "agreed": plan.digest, "confirmed": DOMAIN})
    with pytest.raises(RefusedOrder, match="one of these must agree"):
        start(wanted)
    kept.desk("alice").ask(wanted, record)

    async def act(visitor: Visitor) -> None:
        visitor.click("fk-tab-requests")
        assert "diary on alice goes back to the backup of" in visitor.text()
        visitor.click("fk-agree")
        await visitor.sees("It has begun")

    visit(kept, "bob", act)
    assert ended(kept.desk("alice").runs()[-1].folder).status is RunStatus.SUCCEEDED
    assert kept.file("alice", "/srv/diary/page").read_text() == "the first words"


def test_an_order_is_for_a_name_of_a_backup_and_nothing_else(provider: Provider) -> None:
    provider.hire("alice")
    for about in ({"backup": "newest"}, {"backup": "../.."}, {"application": "--purge x"}):
        with pytest.raises(ValueError, match="pattern"):
            provider.order("alice", "restore", **about)


# In words


def backup(**about: Any) -> Backup:
    usual = {"id": "20261127T023000Z-1a2b3c4d", "started": ENDED, "ended": ENDED, "bytes": 1_200_000_000}
    return Backup.model_validate({**usual, **about})


def test_a_backup_is_told_with_its_age_size_and_reason() -> None:
    assert backup_in_words(backup(), text=EN).endswith(", 3 days ago: 1.2 GB")
    assert backup_in_words(backup(reason="upgrade"), text=DE).endswith(
        "vor 3 Tagen: 1,2 GB, vor einer Aktualisierung gemacht"
    )


@pytest.mark.parametrize(
    ("proof", "words"),
    [
        (None, "Nobody has proven yet that it can be restored."),
        (Proven(ended=ENDED, failed=False), "Proven 3 days ago: it was restored elsewhere, and worked."),
        (Proven(ended=ENDED, failed=True), "Its last proof, 3 days ago, failed: do not rely on it."),
    ],
)
def test_a_proof_is_told(proof: Proven | None, words: str) -> None:
    assert proof_in_words(proof, text=EN) == words


def plan_of(stage: Stage, *parts: PartReplaced, **about: Any) -> RestorePlan:  # noqa: F811
    one = ApplicationRestore(
        host="one", application="mastodon", backup=backup(), parts=parts, bytes=5_000_000, free=10**10, **about
    )
    return RestorePlan(deployment=stage.wants(one=[]), applications=(one,))


def test_a_restore_is_told_part_by_part(stage: Stage) -> None:  # noqa: F811
    rows = Amount(bytes=9_000_000, counts={"table a": 3, "table b": 4})
    words = restore_in_words(
        plan_of(
            stage,
            PartReplaced(id="postgresql:mastodon", was=rows, becomes=rows),
            PartReplaced(id="bucket:mastodon", becomes=Amount(bytes=1000, counts={"objects": 1})),
            PartReplaced(id="volume:/srv/x", becomes=Amount(), absent=True),
            PartReplaced(id="volume:/srv/y"),
            stop=("web.service",),
            interrupted="20261127T023000Z-1a2b3c4d",
        ),
        text=EN,
        seconds=100,
    )
    assert words.replaced[1:] == (
        "The database mastodon: 7 rows and 9 MB now, 7 rows and 9 MB then.",
        "The media store mastodon: what is there now is replaced by 1 object and 1 kB.",
        "The folder /srv/x: nothing is there now; 1 kB come from the backup.",
        "The folder /srv/y is in no backup and stays as it is.",
    )
    assert words.meanwhile == (
        "What is there now is backed up before: you can go back to it, too, for a week.",
        "The service stands still meanwhile.",
        "A restore was cut off here; this one brings it to an end.",
        "It takes: 5 MB to fetch and about 2 minutes.",
    )


def test_why_an_application_cannot_be_restored_is_told(stage: Stage) -> None:  # noqa: F811
    plan = plan_of(stage)
    broken = plan.applications[0].model_copy(update={"error": "the repository is gone\n  → mount its disk"})
    words = restore_in_words(plan.model_copy(update={"applications": (broken,)}), text=EN)
    assert words.refused == ("Mastodon on one: the repository is gone; mount its disk",)
    assert not words.replaced
    assert not words.meanwhile
