"""The program as a whole: one at a time, events on standard output alone, and how it ends."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fedikit.data import onhost
from fedikit.data.onhost.places import Places
from fedikit.data.onhost.program import main
from tests.data.onhost.conftest import KILLED, Host

SLOW = "#!/bin/sh\ntouch {mark}; exec sleep 60\n"


@contextmanager
def at_work(host: Host, *words: str) -> "Iterator[subprocess.Popen[bytes]]":
    """The program in a process of its own, whose restic does not end."""
    real, mark = (host.programs / "restic").read_text(), host.root / "at-work"
    (host.programs / "restic").write_text(SLOW.format(mark=mark))
    line = [sys.executable, "-c", KILLED, host.path, str(host.root), *words]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        while not mark.exists():
            time.sleep(0.01)
        (host.programs / "restic").write_text(real)
        try:
            yield process
        finally:
            process.kill()


def test_two_at_once_are_refused_and_the_first_is_named(host: Host) -> None:
    with at_work(host, "backup", "app") as first:
        status, events = host.run("backup")
        assert status == 3
        message = events[-1]["message"]
        assert message.startswith("a backup of app is at work since 20")
        assert message.endswith(f"(process {first.pid})")
        assert host.backups() == []
    host.done("backup")


def test_whoever_listened_and_went_stops_no_backup(host: Host) -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    assert main(["backup", "app"], places=lambda name: Places(name, host.root), stream=Gone()) == 0
    assert len(host.backups()) == 1


def test_a_fault_of_the_programs_own_is_trouble_and_is_written_down(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fedikit.data.onhost.volume.VolumePart.back_up", lambda *_: {}["nothing"])
    trouble = host.trouble("backup")
    assert trouble["message"] == "the program failed: KeyError: 'nothing'"
    assert trouble["part"] == "volume:app"
    assert host.result()["last"]["error"] == trouble["message"]


def test_what_a_part_says_has_no_control_characters(host: Host) -> None:
    (host.programs / "restic").write_text("#!/bin/sh\nprintf 'a\\033[31mred\\nb' >&2; exit 1\n")
    assert host.trouble("backup")["tail"] == "a?[31mred\nb"


@pytest.mark.parametrize("words", [["backup", "../etc"], ["erase", "app"], ["restore", "app", "--backup", "../x"]])
def test_what_it_is_not_made_for_is_refused(words: list[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        main(words)
    assert refused.value.code == 2


def test_it_runs_alone_as_it_is_brought_to_a_host(tmp_path: Path) -> None:
    """Nothing of fedikit is there, and standard output is for events alone."""
    source = Path(onhost.__file__).parent
    (tmp_path / "onhost").mkdir()
    for file in source.glob("*.py"):
        (tmp_path / "onhost" / file.name).write_text(file.read_text())
    (tmp_path / "__main__.py").write_text((source / "__main__.py").read_text())
    line = [sys.executable, "-I", "-S", str(tmp_path), "list", "nothing-of-that-name"]
    finished = subprocess.run(line, capture_output=True, text=True, cwd="/", env={"PATH": os.environ["PATH"]})
    assert finished.returncode == 1
    (event,) = map(json.loads, finished.stdout.splitlines())
    assert event["message"].startswith("nothing-of-that-name has no backups on this host")
    assert event["message"] in finished.stderr


def test_asked_to_stop_it_ends_its_restic_and_writes_down_that_it_did(host: Host) -> None:
    mark, stop = host.root / "at-work", "import signal; signal.signal(signal.SIGTERM, program._stop); "
    (host.programs / "restic").write_text(SLOW.format(mark=mark))
    source = KILLED.replace("import main\n", "import main\nfrom fedikit.data.onhost import program\n" + stop + "\n")
    line = [sys.executable, "-c", source, host.path, str(host.root), "backup", "app"]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        while not mark.exists():
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 1
    assert host.result()["last"]["error"] == "it was asked to stop, and did"
