"""The agent on a host in a directory: files, directories, links, jobs, ledger, generations."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.agent.conftest import Host, read_answer


def test_a_plan_changes_nothing(host: Host) -> None:
    before = host.tree()
    answer = host.plan(host.directory("/etc/app"), host.file("/etc/app/a.conf", "a\n"))
    assert [change["action"] for change in answer["changes"]] == ["create", "create"]
    assert host.tree() == before
    assert not host.home.exists()


def test_a_plan_reads_no_module_that_only_orders_and_reports_need() -> None:
    others = "applying at_once command converge facts health kernel listeners order upgrade_order upgrading".split()
    code = "import sys, fedikit.agent.main; print(*(name.rpartition('.')[2] for name in sys.modules))"
    loaded = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    assert "answer" in loaded
    assert not {*others} & {*loaded}


def test_what_was_applied_is_the_same_in_the_next_plan(host: Host) -> None:
    items = [host.directory("/etc/app"), host.file("/etc/app/a.conf", "a\n"), host.symlink("/etc/app/b", "a.conf")]
    assert host.apply(*items)[-1]["event"] == "done"
    answer = host.plan(*items)
    assert answer["changes"] == []
    assert answer["same"] == 3
    assert answer["generation"] == 1


def test_removal_leaves_no_trace(host: Host) -> None:
    before = host.tree()
    host.apply(host.directory("/etc/app"), host.file("/etc/app/a.conf", "a\n"), host.symlink("/etc/app/b", "a.conf"))
    assert host.remove()[-1]["event"] == "done"
    assert host.tree() == before
    assert not host.home.exists()


def test_what_was_there_before_comes_back(host: Host) -> None:
    (host.root / "etc/motd").write_text("mine\n")
    (host.root / "etc/motd").chmod(0o600)
    before = host.tree()
    change = host.plan(host.file("/etc/motd", "ours\n"))["changes"][0]
    assert (change["action"], change["before"]) == ("update", "mine\n")
    host.apply(host.file("/etc/motd", "ours\n"))
    assert host.text("/etc/motd") == "ours\n"
    assert host.actions() == {"file:/etc/motd": "restore"}
    host.remove()
    assert host.tree() == before


def test_what_left_the_configuration_is_removed_in_reverse_order(host: Host) -> None:
    a, b = host.directory("/etc/app"), host.file("/etc/app/a.conf", "a\n")
    host.apply(a, b, host.file("/etc/stays", "s\n"))
    events = host.apply(host.file("/etc/stays", "s\n"))
    assert [event["id"] for event in events if event.get("phase") == "end"] == [
        "file:/etc/app/a.conf",
        "directory:/etc/app",
    ]
    assert not (host.root / "etc/app").exists()
    assert host.text("/etc/stays") == "s\n"


def test_a_directory_with_strangers_in_it_stays_and_is_reported(host: Host) -> None:
    host.apply(host.directory("/etc/app"))
    (host.root / "etc/app/strange").write_text("x")
    events = host.remove()
    assert "not empty" in events[0].get("kept", "") + events[1].get("kept", "")
    assert host.text("/etc/app/strange") == "x"


def test_data_is_kept_until_it_is_purged(host: Host) -> None:
    host.apply(host.directory("/srv/data", data=True))
    (host.root / "srv/data/picture").write_text("x")
    assert host.actions() == {"directory:/srv/data": "keep"}
    host.remove()
    assert host.text("/srv/data/picture") == "x"
    answer = host.plan()
    assert (answer["changes"], answer["kept"]) == ([], ["directory:/srv/data"])
    host.remove(purge=True)
    assert not (host.root / "srv/data").exists()
    assert not host.home.exists()


def test_data_that_was_there_before_fedikit_is_never_purged(host: Host) -> None:
    (host.root / "srv/data").mkdir()
    (host.root / "srv/data/picture").write_text("x")
    host.apply(host.directory("/srv/data", data=True))
    host.remove(purge=True)
    assert host.text("/srv/data/picture") == "x"


def test_a_hand_edited_file_is_reported_and_restored_with_its_edition_saved(host: Host) -> None:
    item = host.file("/etc/a", "ours\n")
    host.apply(item)
    (host.root / "etc/a").write_text("edited\n")
    change = host.plan(item)["changes"][0]
    assert (change["action"], change["drift"], change["before"]) == ("update", True, "edited\n")
    saved = next(event["saved"] for event in host.apply(item) if event.get("saved"))
    assert host.text("/etc/a") == "ours\n"
    assert Path(saved).read_text() == "edited\n"


def test_a_hand_edited_file_is_kept_where_the_plan_says_so(host: Host) -> None:
    item = host.file("/etc/a", "ours\n")
    host.apply(item)
    (host.root / "etc/a").write_text("edited\n")
    assert host.actions(item, keep_drift=True) == {"file:/etc/a": "keep"}
    host.apply(item, host.file("/etc/b", "b\n"), keep_drift=True)
    assert host.text("/etc/a") == "edited\n"


def test_a_hand_edited_file_that_leaves_is_kept_unless_purged(host: Host) -> None:
    host.apply(host.file("/etc/a", "ours\n"))
    (host.root / "etc/a").write_text("edited\n")
    host.remove()
    assert host.text("/etc/a") == "edited\n"
    host.remove(purge=True)
    assert not (host.root / "etc/a").exists()


def test_a_directory_in_the_place_of_a_file_blocks_and_is_not_touched(host: Host) -> None:
    (host.root / "etc/a").mkdir()
    assert host.actions(host.file("/etc/a", "ours\n")) == {"file:/etc/a": "blocked"}
    assert host.apply(host.file("/etc/a", "ours\n"))[-1]["code"] == "blocked"
    assert (host.root / "etc/a").is_dir()


def test_mode_is_set_before_content(host: Host) -> None:
    """No moment with a readable draft: whoever opens the file early gets nothing."""
    host.apply(host.file("/etc/secret", "x" * 100, mode="0600"))
    assert stat.S_IMODE((host.root / "etc/secret").stat().st_mode) == 0o600


def test_a_job_runs_once_and_again_when_its_inputs_change(host: Host) -> None:
    count = host.root / "count"
    script = f"echo x >> {count}"
    host.apply(host.job("count", script))
    host.apply(host.job("count", script))
    assert count.read_text() == "x\n"
    assert host.actions(host.job("count", script, fingerprint="f2")) == {"job:count": "run"}
    host.apply(host.job("count", script, fingerprint="f2"))
    assert count.read_text() == "x\nx\n"


def test_a_job_whose_check_holds_is_adopted_without_a_run(host: Host) -> None:
    job = host.job("make", f"touch {host.root}/ran", check=["true"])
    assert host.actions(job) == {"job:make": "adopt"}
    host.apply(job)
    assert not (host.root / "ran").exists()


def test_a_job_is_undone_when_it_leaves(host: Host) -> None:
    mark = host.root / "mark"
    host.apply(host.job("mark", f"touch {mark}", undo=["rm", str(mark)]))
    assert mark.exists()
    host.remove()
    assert not mark.exists()


def test_a_failing_job_shows_its_last_lines_and_the_generation_stays(host: Host) -> None:
    host.apply(host.file("/etc/a", "1\n"))
    trouble = host.apply(host.file("/etc/a", "2\n"), host.job("bad", "echo the reason; exit 3"))[-1]
    assert (trouble["event"], trouble["item"]) == ("trouble", "job:bad")
    assert "exit status 3" in trouble["message"]
    assert "the reason" in trouble["tail"]
    answer = host.plan(host.file("/etc/a", "2\n"))
    assert answer["generation"] == 1
    assert answer["last_run"]["state"] == "failed"


def test_of_a_job_that_failed_half_way_nothing_counts_as_done_whichever_configuration_is_next(host: Host) -> None:
    words = host.root / "words"
    good, bad = f"echo good >>{words}", f"echo bad >>{words}; false"
    host.apply(host.job("say", good, "f1"))
    assert host.apply(host.job("say", bad, "f2"))[-1]["event"] == "trouble"
    (change,) = host.plan(host.job("say", good, "f1"))["changes"]
    assert (change["action"], change["reasons"]) == ("run", ["did not end well when it last ran"])
    assert host.apply(host.job("say", good, "f1"))[-1]["event"] == "done"
    assert words.read_text() == "good\nbad\ngood\n"
    assert host.plan(host.job("say", good, "f1"))["changes"] == []


def test_what_a_job_has_done_is_cleared_on_the_disk_before_its_command_begins(host: Host) -> None:
    seen, ledger = host.root / "seen", host.home / "deployments/test/ledger.json"
    host.apply(host.job("look", "true", "f1"))
    host.apply(host.job("look", f"cp {ledger} {seen}", "f2"))
    assert json.loads(seen.read_text())["entries"]["job:look"]["done"] == "begun"


def test_the_check_of_a_job_is_not_believed_after_other_inputs_failed_half_way(host: Host) -> None:
    words = host.root / "words"
    good, bad = f"echo good >>{words}", f"echo bad >>{words}; false"
    assert host.apply(host.job("say", bad, "f2", check=["test", "-e", str(words)]))[-1]["event"] == "trouble"
    assert host.apply(host.job("say", good, "f1", check=["test", "-e", str(words)]))[-1]["event"] == "done"
    assert words.read_text() == "bad\ngood\n"


def test_the_check_of_a_job_that_was_cut_short_at_its_end_saves_a_second_run(host: Host) -> None:
    words = host.root / "words"
    job = host.job("say", f"echo x >>{words}; false", "f1", check=["test", "-e", str(words)])
    assert host.apply(job)[-1]["event"] == "trouble"
    assert host.actions(job) == {"job:say": "adopt"}
    assert host.apply(job)[-1]["event"] == "done"
    assert words.read_text() == "x\n"


def test_a_jobs_deadline_ends_it_and_what_it_started(host: Host) -> None:
    trouble = host.apply(host.job("slow", "sleep 60 & sleep 60", deadline=1))[-1]
    assert "did not end within 1 s" in trouble["message"]


def test_rollback_goes_back_one_generation_from_the_hosts_own_store(host: Host) -> None:
    host.apply(host.file("/etc/a", "1\n"))
    host.apply(host.file("/etc/a", "2\n"), host.file("/etc/b", "b\n"))
    assert host.apply(op="rollback")[-1]["event"] == "done"
    assert host.text("/etc/a") == "1\n"
    assert not (host.root / "etc/b").exists()
    assert host.plan(op="rollback", to=2)["target"] == 2


def test_rollback_after_a_failed_apply_goes_to_the_generation_that_stood(host: Host) -> None:
    host.apply(host.file("/etc/a", "1\n"))
    host.apply(host.file("/etc/a", "2\n"), host.job("bad", "exit 1"))
    assert host.text("/etc/a") == "2\n"
    host.apply(op="rollback")
    assert host.text("/etc/a") == "1\n"


def test_rollback_to_an_unknown_generation_names_those_that_are_kept(host: Host) -> None:
    host.apply(host.file("/etc/a", "1\n"))
    trouble = host.plan(op="rollback", to=7)
    assert "no generation 7" in trouble["message"]
    assert "kept are: 1" in trouble["message"]


def test_a_plan_is_refused_when_the_host_has_moved(host: Host) -> None:
    process = host.start(items=[host.file("/etc/a", "1\n")])
    answer = read_answer(process)
    (host.root / "etc/a").write_text("meanwhile\n")
    host.order(process, answer)
    output, _ = process.communicate(timeout=20)
    assert b'"code":"stale"' in output
    assert host.text("/etc/a") == "meanwhile\n"


def test_the_second_deployer_is_told_who_holds_the_lock(host: Host) -> None:
    slow = host.start(items=[host.job("slow", f"touch {host.root}/began; sleep 5")])
    host.order(slow, read_answer(slow), who="alice@desk")
    wait_for(host.root / "began")
    assert "alice@desk" in host.plan(host.file("/etc/a", "1\n"))["busy"]
    trouble = host.apply(host.file("/etc/a", "1\n"))[-1]
    assert trouble["code"] == "busy"
    assert "alice@desk" in trouble["message"]
    slow.communicate(timeout=20)


def test_a_damaged_content_is_noticed_dropped_and_sent_anew(host: Host) -> None:
    item = host.file("/etc/a", "1\n")
    host.apply(item)
    stored = host.home / "store" / item["sha256"]
    stored.write_text("rot")
    (host.root / "etc/a").unlink()
    trouble = host.apply(item)[-1]
    assert "damaged" in trouble["message"]
    assert host.apply(item)[-1]["event"] == "done"
    assert host.text("/etc/a") == "1\n"


def test_the_work_goes_on_when_the_deployer_is_gone_and_the_next_contact_learns_how_it_ended(host: Host) -> None:
    process = host.start(items=[host.job("slow", f"touch {host.root}/began; sleep 1"), host.file("/etc/after", "x\n")])
    host.order(process, read_answer(process), run="r-gone")
    wait_for(host.root / "began")
    process.send_signal(signal.SIGKILL)  # the one that served the channel; the worker has a session of its own
    assert process.stdout
    assert process.stdin
    process.stdout.close()
    process.stdin.close()
    process.wait(timeout=5)
    wait_for(host.root / "etc/after")
    wait_until(lambda: (host.plan()["last_run"] or {}).get("state") == "done")
    assert host.plan()["last_run"]["run"] == "r-gone"
    assert process.stderr
    process.stderr.close()


def test_two_deployments_share_a_host_but_not_an_item(host: Host) -> None:
    item = host.file("/etc/a", "1\n")
    host.apply(item, deployment="one")
    assert host.actions(item, deployment="two") == {"file:/etc/a": "blocked"}
    host.apply(host.file("/etc/b", "2\n"), deployment="two")
    host.remove(deployment="two")
    assert host.text("/etc/a") == "1\n"
    assert (host.home / "deployments/one").exists()


@pytest.mark.parametrize("kind", ["agent", "ledger"])
def test_garbage_is_reported_in_words(host: Host, kind: str) -> None:
    host.apply(host.file("/etc/a", "1\n"))
    if kind == "ledger":
        (host.home / "deployments/test/ledger.json").write_text("{")
        assert "ledger.json is damaged" in host.plan()["message"]
    else:
        assert host.plan(op="rollback", to=99)["event"] == "trouble"


def test_a_secret_file_is_neither_in_the_store_nor_in_the_ledger(host: Host) -> None:
    import hmac

    poison = "correct-horse-battery"
    seal = hmac.new(b"\0", poison.encode(), "sha256").hexdigest()
    item = {**host.file("/etc/secret", "unused", mode="0600"), "seal": seal}
    del item["sha256"]
    host.secrets = {"file:/etc/secret": poison}
    assert host.apply(item)[-1]["event"] == "done"
    assert host.text("/etc/secret") == poison
    assert host.plan(item)["changes"] == []
    found = [path for path in host.root.rglob("*") if path.is_file() and poison in path.read_text(errors="replace")]
    assert found == [host.root / "etc/secret"]


def wait_for(path: os.PathLike[str]) -> None:
    wait_until(lambda: os.path.exists(path))


def wait_until(is_true: object, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if is_true():  # type: ignore[operator]
            return
        time.sleep(0.05)
    raise AssertionError("waited in vain")


STRANGE = {
    "Ubuntu": 'ID=ubuntu\nID_LIKE=debian\nPRETTY_NAME="Ubuntu 24.04.3 LTS"\nVERSION_CODENAME=noble\n',
    "Alpine": 'ID=alpine\nPRETTY_NAME="Alpine Linux v3.22"\n',
    "Debian 11": 'ID=debian\nPRETTY_NAME="Debian GNU/Linux 11 (bullseye)"\nVERSION_CODENAME=bullseye\n',
    "testing": 'ID=debian\nPRETTY_NAME="Debian GNU/Linux forky/sid"\nVERSION_CODENAME=forky\n',
    "without a codename": 'ID=debian\nPRETTY_NAME="Debian GNU/Linux"\n',
}


@pytest.mark.parametrize("text", STRANGE.values(), ids=STRANGE)
def test_another_system_is_refused_by_its_name_before_anything_else(host: Host, text: str) -> None:
    item = host.file("/etc/a", "a\n")
    assert host.apply(item)[-1]["event"] == "done"
    (host.root / "etc/os-release").write_text(text)
    name = text.split("PRETTY_NAME=")[1].split("\n")[0].strip('"')
    (refused,) = host.apply(host.file("/etc/a", "b\n"))
    assert refused["message"] == f"is {name}: not supported, Debian 12 and 13 are"
    assert host.text("/etc/a") == "a\n"
    assert host.remove()[-1]["event"] == "done", "what is there can be taken away"
