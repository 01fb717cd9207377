"""Runs from the panel: processes of their own, one at a time, that do what their operator may and nothing else."""

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fedikit.panel.desk import Desk
from fedikit.panel.order import Order
from fedikit.panel.rights import NotAllowed
from fedikit.panel.runner import RefusedOrder, cancel, runner_of, start
from fedikit.results.plan import Plan
from fedikit.runbook.record import Record, RunStatus, read_record
from fedikit.runbook.work import who_is_at_work
from tests.panel.scene import Provider

NOTES = {"enable": True, "title": "Diary"}


def ended(record: Path, seconds: float = 60) -> Record:
    wait(lambda: read_record(record).status is not RunStatus.RUNNING, seconds)
    return read_record(record)


def wait(holds: Callable[[], bool], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.05)


def looked_at(order: Order) -> str:
    """The digest of the plan that a run which only looks made."""
    record = ended(start(order))
    assert record.status is RunStatus.SUCCEEDED, record.result
    return Plan.model_validate_json((record.folder / "plan.json").read_bytes()).digest


def deployed(provider: Provider, name: str, **applications: Any) -> Record:
    order = provider.order(name, document=provider.wanted(name, **applications))
    agreed = looked_at(order)
    return ended(start(order.model_copy(update={"dry_run": False, "agreed": agreed})))


def test_a_look_changes_neither_hosts_nor_the_file(provider: Provider) -> None:
    provider.hire("alice")
    before = (provider.folder / "alice.json").read_text()
    looked_at(provider.order("alice", document=provider.wanted("alice", notes=NOTES)))
    assert not provider.file("alice", "/etc/notes.txt").exists()
    assert (provider.folder / "alice.json").read_text() == before


def test_a_deployment_is_made_and_the_choice_becomes_the_file(provider: Provider) -> None:
    provider.hire("alice")
    record = deployed(provider, "alice", notes=NOTES)
    assert record.status is RunStatus.SUCCEEDED, record.result
    assert provider.file("alice", "/etc/notes.txt").read_text() == "Diary of alice.example.org\n"
    assert provider.desk("alice").saved()["notes"] == NOTES
    assert record.result
    assert record.result.user == "alice"
    earlier = list((provider.desk("alice").folder / "earlier").glob("*.json"))
    assert ["notes" in json.loads(file.read_text()) for file in earlier] == [False]


def test_the_host_knows_for_whom_it_was_changed(provider: Provider) -> None:
    provider.hire("alice")
    deployed(provider, "alice", notes=NOTES)
    generations = provider.folder.glob("machines/alice/var/lib/fedikit/deployments/alice/generations/*.json")
    assert [json.loads(file.read_text())["who"].partition(" for ")[2] for file in generations] == ["alice"]


def test_nothing_is_changed_by_another_plan_than_the_one_looked_at(provider: Provider) -> None:
    provider.hire("alice")
    order = provider.order("alice", document=provider.wanted("alice", notes=NOTES))
    agreed = looked_at(order)
    provider.file("alice", "/etc/notes.txt").write_text("somebody else's\n")
    record = ended(start(order.model_copy(update={"dry_run": False, "agreed": agreed})))
    assert record.status is RunStatus.FAILED
    assert record.result
    assert "no longer what was agreed to" in record.result.reason
    assert provider.file("alice", "/etc/notes.txt").read_text() == "somebody else's\n"


def test_the_second_is_told_who_is_at_work(provider: Provider) -> None:
    provider.hire("alice").hire("bob")
    provider.waiting.touch()
    order = provider.order("alice", document=provider.wanted("alice", album={"enable": True}))
    agreed = looked_at(order)
    record = start(order.model_copy(update={"dry_run": False, "agreed": agreed}))
    work = who_is_at_work(provider.folder / "alice.toml")
    assert work
    assert (work.who, work.runbook, work.record) == ("alice", "deploy", str(record))
    with pytest.raises(RefusedOrder, match="alice is at work there: deploy"):
        start(provider.order("alice", "verify"))
    assert ended(start(provider.order("bob", document=provider.wanted("bob")))).status is RunStatus.SUCCEEDED
    provider.waiting.unlink()
    assert ended(record).status is RunStatus.SUCCEEDED
    assert who_is_at_work(provider.folder / "alice.toml") is None


def test_a_run_is_cancelled_and_says_so(provider: Provider) -> None:
    provider.hire("alice")
    provider.waiting.touch()
    order = provider.order("alice", document=provider.wanted("alice", album={"enable": True}))
    agreed = looked_at(order)
    record = start(order.model_copy(update={"dry_run": False, "agreed": agreed}))
    wait(lambda: any(event["event"] == "ItemStarted" for event in read_record(record).events))
    assert cancel(record, "alice")
    assert ended(record).status is RunStatus.INTERRUPTED
    runner = runner_of(record)
    assert runner
    assert runner.cancelled_by == "alice"
    provider.waiting.unlink()
    assert not cancel(record, "alice")


def test_a_runner_that_is_killed_leaves_a_record_that_says_so_and_no_lock(provider: Provider) -> None:
    provider.hire("alice")
    provider.waiting.touch()
    order = provider.order("alice", document=provider.wanted("alice", album={"enable": True}))
    agreed = looked_at(order)
    record = start(order.model_copy(update={"dry_run": False, "agreed": agreed}))
    runner = runner_of(record)
    assert runner
    os.kill(runner.pid, signal.SIGKILL)
    assert ended(record).status is RunStatus.UNFINISHED
    assert who_is_at_work(provider.folder / "alice.toml") is None
    provider.waiting.unlink()


def test_what_is_wrong_with_the_choice_is_told_and_the_file_stays(provider: Provider) -> None:
    provider.hire("alice")
    before = (provider.folder / "alice.json").read_text()
    wrong = provider.order("alice", document={"domain": "not a domain", "notes": {"titel": 3}})
    for order in (wrong, wrong.model_copy(update={"dry_run": False, "agreed": "0" * 64})):
        with pytest.raises(RefusedOrder, match=r"(?s)domain.*initialUser.*notes\.titel"):
            start(order)
    assert (provider.folder / "alice.json").read_text() == before
    assert provider.desk("alice").runs() == []


RIGHTS: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("no plan", {}, {"dry_run": False}, "a plan must be looked at first"),
    (
        "an application",
        {"applications": ["album"]},
        {"document": {"notes": {"enable": True}}},
        r"notes\.enable: is not yours to change",
    ),
    ("the domain", {"settings": []}, {"document": {"domain": "other.example.org"}}, "domain: is not yours to change"),
    ("a purge", {}, {"purge": True}, "to destroy data"),
    ("a consent", {}, {"consent": ("other.example.org",)}, "to destroy data"),
    (
        "a purge untyped",
        {"may_purge": True},
        {"purge": True, "dry_run": False, "agreed": "0" * 64, "confirmed": "alice"},
        "takes the domain, typed",
    ),
    ("a way back", {"settings": ["notes"]}, {"runbook": "rollback"}, "a generation may hold what others changed"),
    ("nobody's consent", {"approved_by": ["bob"]}, {"dry_run": False, "agreed": "0" * 64}, "must agree: bob"),
    (
        "their own consent",
        {"approved_by": ["bob"]},
        {"dry_run": False, "agreed": "0" * 64, "approver": "alice"},
        "must agree: bob",
    ),
]


@pytest.mark.parametrize(("rights", "fields", "reason"), [row[1:] for row in RIGHTS], ids=[row[0] for row in RIGHTS])
def test_what_an_operator_may_not_is_refused_by_the_runner(
    provider: Provider, rights: dict[str, Any], fields: dict[str, Any], reason: str
) -> None:
    provider.hire("bob").hire("alice", **rights)
    if "document" in fields:
        fields = {**fields, "document": {**provider.desk("alice").saved(), **fields["document"]}}
    with pytest.raises(RefusedOrder, match=reason):
        start(provider.order("alice", **fields))
    assert provider.desk("alice").runs() == []


def test_removing_needs_the_right_to_each_application(provider: Provider) -> None:
    provider.hire("alice")
    deployed(provider, "alice", notes=NOTES)
    provider.hire("alice", applications=["album"])
    (provider.folder / "alice.json").write_text(json.dumps({**provider.wanted("alice"), "notes": NOTES}))
    with pytest.raises(RefusedOrder, match="notes is not theirs to remove"):
        start(provider.order("alice", "remove"))


def test_who_is_not_in_the_file_may_do_nothing(provider: Provider) -> None:
    provider.hire("alice")
    with pytest.raises(RefusedOrder, match="mallory is not an operator here"):
        start(provider.order("mallory", "verify"))
    with pytest.raises(NotAllowed):
        Desk.at(provider.place("mallory"))


def test_what_an_operator_agreed_to_is_done_with_anothers_consent(provider: Provider) -> None:
    provider.hire("bob").hire("alice", approved_by=["bob"], may_purge=True)
    order = provider.order("alice", document=provider.wanted("alice", notes=NOTES))
    wanted = order.model_copy(update={"dry_run": False, "agreed": looked_at(order)})
    provider.desk("alice").ask(wanted, provider.desk("alice").runs()[-1].folder)
    (asking,) = provider.desk("bob").others()
    request = asking.request()
    assert request
    another = wanted.model_copy(update={"approver": "bob", "purge": True, "confirmed": "alice.example.org"})
    with pytest.raises(RefusedOrder, match="must agree: bob"):
        start(another)
    agreed = request.order.model_copy(update={"approver": "bob"})
    record = ended(start(agreed))
    assert record.result
    assert record.result.user == "alice, agreed to by bob"
    with pytest.raises(RefusedOrder, match="must agree: bob"):
        start(agreed)


def test_everything_is_removed_and_data_stays(provider: Provider) -> None:
    provider.hire("alice")
    deployed(provider, "alice", notes=NOTES)
    order = provider.order("alice", "remove")
    record = ended(start(order.model_copy(update={"dry_run": False, "agreed": looked_at(order)})))
    assert record.status is RunStatus.SUCCEEDED, record.result
    assert not provider.file("alice", "/etc/notes.txt").exists()
    assert provider.file("alice", "/srv/notes").is_dir()


def test_a_draft_outlives_the_page(provider: Provider) -> None:
    provider.hire("alice")
    chosen = provider.wanted("alice", notes=NOTES)
    provider.desk("alice").keep_draft(chosen)
    assert provider.desk("alice").draft() == chosen
    provider.desk("alice").keep_draft(provider.desk("alice").saved())
    assert "notes" not in provider.desk("alice").draft()
