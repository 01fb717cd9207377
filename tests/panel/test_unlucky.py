"""What goes wrong around a panel: damaged files, a full disk, clocks, hosts that are down, others at work."""

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fedikit.events import StepStarted
from fedikit.panel.desk import Desk
from fedikit.panel.runner import RefusedOrder, start
from fedikit.runbook.parameters import DeployParameters
from fedikit.runbook.record import (
    EventLog,
    Record,
    RunResult,
    RunStatus,
    close_record,
    list_records,
    open_record,
    write_whole,
)
from fedikit.runbook.work import who_is_at_work
from tests.panel.scene import Provider
from tests.panel.test_page import Visitor, visit
from tests.panel.test_runs import NOTES, ended, looked_at, wait

TO_BLAME = "the panel is to blame"
BEGAN = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)


def result(**changes: Any) -> RunResult:
    fields: dict[str, Any] = {
        "runbook": "deploy", "status": RunStatus.SUCCEEDED, "exit_status": 0, "dry_run": False, "started": BEGAN,
        "finished": BEGAN + timedelta(seconds=90), "user": "alice", "runbook_sha256": "", "versions": {},
    }  # fmt: skip
    return RunResult.model_validate({**fields, **changes})


def kept(desk: Desk, **changes: Any) -> Path:
    """A record as a run leaves it."""
    folder = open_record(desk.records, "deploy", DeployParameters())
    EventLog(folder / "events.ndjson")(StepStarted(step="plan"))
    close_record(folder, result(**changes))
    return folder


async def look_everywhere(visitor: Visitor) -> dict[str, str]:
    """What every page says; none of them breaks, now or at the next glance."""
    said = {}
    for name, page in visitor.panel.pages.items():
        visitor.click(f"fk-tab-{name}")
        page._seen = None
        visitor.panel.attempt(page.glance)
        said[name] = visitor.text()
        assert TO_BLAME not in said[name], name
        assert "<h2>" in said[name], name
    return said


DAMAGED = {
    "result.json": ["", "{", "[]", '{"runbook": "deploy"}', "\0\0\0", "null"],
    "parameters.json": ["", "[]", "\0", '{"configuration": {"a": 1}}'],
    "runner.json": ["", "{}", "\0"],
    "plan.json": ["", "{}", '{"version": 99}'],
    "verdict.json": ["", "{}"],
    "events.ndjson": ['{"event": "StepSta', "\0\n[]\n{}\n", '{"event": "New", "time": "2026-11-01T12:00:00+00:00"}\n'],
}


@pytest.mark.parametrize("file", DAMAGED)
def test_a_damaged_file_in_a_record_is_told_and_hides_nothing_else(provider: Provider, file: str) -> None:
    provider.hire("bob").hire("alice", approved_by=["bob"])
    desk = provider.desk("alice")
    kept(desk, user="the first")
    for content in DAMAGED[file]:
        (kept(desk) / file).write_text(content)

    async def act(visitor: Visitor) -> None:
        said = await look_everywhere(visitor)
        assert "the first changed the services" in said["history"]
        for record in desk.runs():
            assert record.status is not RunStatus.UNREADABLE or record.folder.name in said["history"]

    visit(provider, "alice", act)
    assert len(desk.runs()) == 1 + len(DAMAGED[file])


def test_a_request_whose_plan_is_gone_can_be_declined(provider: Provider) -> None:
    provider.hire("bob").hire("alice", approved_by=["bob"])
    record = kept(provider.desk("alice"))
    provider.desk("alice").ask(provider.order("alice", dry_run=False, agreed="0" * 64), record)

    async def act(visitor: Visitor) -> None:
        visitor.click("fk-tab-requests")
        assert "This plan cannot be read" in visitor.text()
        visitor.click("fk-decline")
        assert "Nobody asks for anything" in visitor.text()

    visit(provider, "bob", act)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b'{"domain": 3, "domain": 4}'])
def test_a_damaged_draft_is_set_aside_and_one_goes_on(provider: Provider, content: bytes) -> None:
    provider.hire("alice")
    desk = provider.desk("alice")
    desk.folder.mkdir(parents=True)
    (desk.folder / "draft.json").write_bytes(content)

    async def act(visitor: Visitor) -> None:
        visitor.click("fk-tab-choose")
        assert "cannot be read" in visitor.text()
        visitor.control("notes-enable").value = True
        assert desk.draft()["notes"]["enable"] is True

    visit(provider, "alice", act)
    assert (desk.folder / "draft.damaged.json").read_bytes() == content


def test_a_damaged_configuration_is_told_on_each_page(provider: Provider) -> None:
    provider.hire("alice")
    kept(provider.desk("alice"))
    (provider.folder / "alice.json").write_text('{"domain": ')

    async def act(visitor: Visitor) -> None:
        said = await look_everywhere(visitor)
        assert "is not JSON" in said["services"]
        assert "alice.json" in said["choose"]
        assert "changed the services" in said["history"]

    visit(provider, "alice", act)


def test_what_was_chosen_before_is_shown_also_beside_a_damaged_file(provider: Provider) -> None:
    provider.hire("alice")
    desk = provider.desk("alice")
    desk.save(provider.wanted("alice", notes=NOTES))
    (desk.folder / "earlier" / "stray.json").write_text("{}")
    (desk.folder / "earlier" / "20260101T000000.000000Z.json").write_text("{")
    assert [earlier.document["domain"] for earlier in desk.earlier()] == ["alice.example.org"]


def test_records_that_cannot_be_looked_into_are_told_and_services_shown(provider: Provider) -> None:
    provider.hire("alice")
    desk = provider.desk("alice")
    desk.save(provider.wanted("alice", notes=NOTES))
    desk.records.symlink_to(desk.records)  # nobody may follow it, the system's administrator neither

    async def act(visitor: Visitor) -> None:
        assert visitor.find("fk-service-notes")
        for name in ("history", "progress", "look"):
            visitor.click(f"fk-tab-{name}")
            assert f"the records in {desk.records} cannot be read" in visitor.text()
        with pytest.raises(RefusedOrder, match="cannot be written"):
            start(provider.order("alice", document=provider.wanted("alice", notes=NOTES)))

    visit(provider, "alice", act)


# Clocks


def test_the_newest_run_is_the_last_also_where_the_clock_was_set_back(provider: Provider) -> None:
    provider.hire("alice")
    desk = provider.desk("alice")
    ahead = desk.records / "20990101T000000Z-deploy"
    ahead.mkdir(parents=True)
    write_whole(ahead / "parameters.json", DeployParameters().model_dump_json())
    names = [kept(desk).name for _ in range(2)]
    assert [record.folder.name for record in desk.runs()] == [ahead.name, *names]


def test_a_run_that_ended_before_it_began_took_no_time(provider: Provider) -> None:
    provider.hire("alice")
    kept(provider.desk("alice"), finished=BEGAN - timedelta(hours=1))
    lines = [{"time": f"2099-01-01T{hour}:00:00Z", "event": "StepStarted", "step": "plan"} for hour in (23, 10)]
    (kept(provider.desk("alice")) / "events.ndjson").write_text("".join(f"{json.dumps(line)}\n" for line in lines))

    async def act(visitor: Visitor) -> None:
        for name, said in (await look_everywhere(visitor)).items():
            assert "-3600" not in said, name
            assert '="-' not in said, name

    visit(provider, "alice", act)


# Others at work


def test_two_windows_see_the_same_run_and_the_second_order_is_refused(provider: Provider) -> None:
    provider.hire("alice")
    provider.waiting.touch()
    order = provider.order("alice", document=provider.wanted("alice", album={"enable": True}))
    agreed = looked_at(order)

    async def act(visitor: Visitor) -> None:
        other = Visitor(provider, "alice")
        try:
            visitor.panel.order(order.model_copy(update={"dry_run": False, "agreed": agreed}))
            await visitor.sees("Making the changes")
            other.click("fk-tab-progress")
            await other.sees("Making the changes")
            other.click("fk-tab-checks")
            other.click("fk-verify")
            await other.sees("alice is at work there: deploy")
            other.click("fk-tab-progress")
            provider.waiting.unlink()
            await visitor.ends()
            await other.ends()
        finally:
            other.leave()

    visit(provider, "alice", act)


def test_a_window_is_told_of_what_was_chosen_in_another(provider: Provider) -> None:
    provider.hire("alice")

    async def act(visitor: Visitor) -> None:
        other = Visitor(provider, "alice")
        try:
            for each in (visitor, other):
                each.click("fk-tab-choose")
            visitor.control("notes-enable").value = True
            await other.sees("Something else was chosen elsewhere", 5)
            assert "elsewhere" not in visitor.text()
            other.click("fk-show-theirs")
            assert other.control("notes-enable").value is True
            assert "elsewhere" not in other.text()
            other.control("album-enable").value = True
            await visitor.sees("Something else was chosen elsewhere", 5)
            visitor.control("notes-enable").value = False
            assert "elsewhere" not in visitor.text()
            assert provider.desk("alice").draft() == provider.desk("alice").saved()
        finally:
            other.leave()

    visit(provider, "alice", act)


def test_drafts_kept_at_the_same_time_are_whole(provider: Provider, tmp_path: Path) -> None:
    file = tmp_path / "draft.json"
    program = (
        "import sys; from pathlib import Path; from fedikit.runbook.record import write_whole\n"
        "for _ in range(200): write_whole(Path(sys.argv[1]), sys.argv[2] * int(sys.argv[3]))"
    )
    writers = [
        subprocess.Popen([sys.executable, "-c", program, str(file), letter, str(length)])
        for letter, length in (("a", 10), ("b", 100_000))
    ]
    seen = set()
    while any(writer.poll() is None for writer in writers):
        seen.add(file.read_text() if file.exists() else "")
    assert [writer.wait() for writer in writers] == [0, 0]
    assert seen <= {"", "a" * 10 + "\n", "b" * 100_000 + "\n"}
    assert [*tmp_path.glob(".draft*")] == []


def test_two_operators_work_at_once_but_not_on_the_same_machines(provider: Provider) -> None:
    provider.hire("alice").hire("bob").hire("carol")
    provider.hire("carol", environment="alice.toml")  # the provider's mistake
    provider.waiting.touch()
    runs = {}
    for name in ("alice", "bob"):
        order = provider.order(name, document=provider.wanted(name, album={"enable": True}))
        runs[name] = start(order.model_copy(update={"dry_run": False, "agreed": looked_at(order)}))
    with pytest.raises(RefusedOrder, match="alice is at work there: deploy"):
        start(provider.order("carol", document=provider.wanted("carol", notes=NOTES)))
    provider.waiting.unlink()
    assert [ended(record).status for record in runs.values()] == [RunStatus.SUCCEEDED] * 2


# A full disk


@pytest.fixture
def small_disk(provider: Provider) -> Iterator[Path]:
    """The panel's state folder, on a disk of 256 kB."""
    state = provider.folder / "panel"
    state.mkdir(mode=0o700)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k,mode=700", "none", str(state)])
    if mounted.returncode:
        pytest.skip("mounts a small disk, which needs root")
    yield state
    subprocess.run(["umount", "--lazy", str(state)], check=True)


def fill(state: Path) -> None:
    with (state / "ballast").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return


def test_a_full_disk_is_told_and_what_was_there_stays(provider: Provider, small_disk: Path) -> None:
    provider.hire("alice")
    desk = provider.desk("alice")
    desk.keep_draft(provider.wanted("alice", notes=NOTES))
    before = (provider.folder / "alice.json").read_bytes(), desk.draft()
    fill(small_disk)
    for order in (
        provider.order("alice", document=provider.wanted("alice", album={"enable": True})),
        provider.order("alice", document=desk.draft(), dry_run=False, agreed="0" * 64),
        provider.order("alice", "verify"),
    ):
        with pytest.raises(RefusedOrder, match="no space left on device"):
            start(order)

    async def act(visitor: Visitor) -> None:
        visitor.click("fk-tab-choose")
        visitor.control("album-enable").value = True
        assert "no space left on device" in visitor.text()
        assert "Traceback" not in visitor.text()

    visit(provider, "alice", act)
    assert ((provider.folder / "alice.json").read_bytes(), desk.draft()) == before
    assert [file.name for file in desk.folder.iterdir() if file.name.endswith(".new")] == []
    (small_disk / "ballast").unlink()
    assert ended(start(provider.order("alice", document=desk.draft()))).status is RunStatus.SUCCEEDED


def test_a_disk_that_is_full_during_a_run_leaves_no_lock_and_does_not_stop_the_machines(
    provider: Provider, small_disk: Path
) -> None:
    provider.hire("alice")
    provider.waiting.touch()
    order = provider.order("alice", document=provider.wanted("alice", album={"enable": True}, notes=NOTES))
    record = start(order.model_copy(update={"dry_run": False, "agreed": looked_at(order)}))
    wait(lambda: any(event["event"] == "ItemStarted" for event in Record(record, RunStatus.RUNNING).events))
    fill(small_disk)
    provider.waiting.unlink()
    wait(lambda: who_is_at_work(provider.folder / "alice.toml") is None)
    assert provider.file("alice", "/etc/notes.txt").read_text() == "Diary of alice.example.org\n"
    assert list_records(provider.desk("alice").records)[-1].status is not RunStatus.SUCCEEDED

    async def act(visitor: Visitor) -> None:
        await look_everywhere(visitor)

    visit(provider, "alice", act)
    (small_disk / "ballast").unlink()
    again = ended(start(order))
    assert again.status is RunStatus.SUCCEEDED, again.result


# Hosts


@pytest.mark.parametrize("how", ["closed port", "no folder"])
def test_a_host_that_is_down_is_told_and_what_to_do(provider: Provider, how: str) -> None:
    provider.hire("alice")
    if how == "closed port":
        environment = (provider.folder / "alice.toml").read_text()
        key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
        ssh = f'[hosts.alice]\naddress = "127.0.0.1"\nport = 1\nuser = "root"\nhost_key = "{key}"\n'
        head, _, tail = environment.partition('[hosts.alice]\ntype = "directory"\npath = "machines/alice"\n')
        (provider.folder / "alice.toml").write_text(head + ssh + tail)
    else:
        machine = provider.folder / "machines" / "alice"
        machine.rename(machine.with_name("away"))
        machine.write_text("not a machine")

    async def act(visitor: Visitor) -> None:
        visitor.panel.order(provider.order("alice", document=provider.wanted("alice", notes=NOTES)))
        await visitor.sees("alice cannot be asked", 90)
        said = visitor.text()
        assert "Nothing will be changed" in said
        assert "Traceback" not in said
        assert not visitor.find("fk-do")
        (before,) = visitor.panel.desk.runs()
        visitor.click("fk-look-again")
        await visitor.sees("are being asked")
        await visitor.sees("alice cannot be asked", 90)
        assert [record.folder == before.folder for record in visitor.panel.desk.runs()] == [True, False]

    visit(provider, "alice", act)
