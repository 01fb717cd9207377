"""The command line: exit statuses, words, and what it prints for programs."""

import fcntl
import json
import os
import pty
import re
import socket
import stat
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from fedikit.apply import apply_plan
from fedikit.cli import verbs
from fedikit.environment.load import load_environment
from fedikit.events import Event, HostPlanned
from fedikit.model.host import HostState
from fedikit.model.item import File
from fedikit.plan import make_plan
from fedikit.remote.directory import DirectoryMachine

CONFIGURATION = {
    "enable": True,
    "domain": "fediversity.test",
    "hello": {"enable": True},
    "snac": {"enable": False},
    "initialUser": {"displayName": "Testy", "username": "test", "email": "test@fediversity.test"},
}
NOBODY_LISTENS = """
name = "home"
[hosts.here]
address = "127.0.0.1"
port = 1
host_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOVQdbIsDJHA4QZgvZNgxjWhaO37NI4fy0OP9zcmb7Iw"
[placement]
hello = "here"
"""
THIS_MACHINE = """
name = "home"
[hosts.here]
type = "local"
[placement]
hello = "here"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "configuration.json").write_text(json.dumps(CONFIGURATION))
    (tmp_path / "environment.toml").write_text(NOBODY_LISTENS)
    return tmp_path


def fedikit(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fedikit", *words]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL
    )


def test_what_cannot_be_printed_is_said_in_a_line(folder: Path) -> None:
    for verb in (["plan"], ["secret", "recipient"], ["watch", "status"]):
        command = [sys.executable, "-m", "fedikit", *verb, "-e", "environment.toml"]
        (folder / "environment.toml").write_text(f'{THIS_MACHINE}[secrets]\nmaster_key = "env:KEY"\n')
        with open("/dev/full", "w") as full:
            done = subprocess.run(
                command, cwd=folder, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False,
                env={**os.environ, "KEY": f"fedikit-key-2:{'5' * 64}"},
            )  # fmt: skip
        assert done.returncode == 1
        assert "cannot be printed: No space left on device" in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("closed", ["<&-", ">&-", "<&- >&- 2>&-"])
def test_a_stream_that_is_closed_is_an_empty_one(folder: Path, closed: str) -> None:
    """Else the next file that is opened has its number, and takes in what is printed."""
    line = f"exec {sys.executable} -m fedikit schema environment {closed}"
    done = subprocess.run(["sh", "-c", line], cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_help_names_every_verb(folder: Path) -> None:
    text = fedikit(folder, "--help").stdout
    for verb in "apply lab plan remove rollback run runs schema secret status verify".split():
        assert f"\n  {verb} " in text


def test_a_mistake_in_a_file_is_told_with_its_path_and_exit_status_2(folder: Path) -> None:
    (folder / "configuration.json").write_text(json.dumps(CONFIGURATION | {"domian": "x", "enable": "yes"}))
    done = fedikit(folder, "plan", "-e", "environment.toml")
    assert done.returncode == 2
    assert "2 mistakes" in done.stderr
    assert "domian" in done.stderr
    assert "enable" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_file_is_a_mistake(folder: Path) -> None:
    done = fedikit(folder, "plan", "nothing.json", "-e", "environment.toml")
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert "nothing.json" in done.stderr


def test_an_unknown_host_in_limit_is_a_mistake(folder: Path) -> None:
    done = fedikit(folder, "plan", "-e", "environment.toml", "--limit", "there")
    assert done.returncode == 2
    assert "there is no host there" in done.stderr
    assert "the environment has: here" in done.stderr


@pytest.mark.parametrize("verb", ["plan", "apply", "status", "remove", "rollback"])
def test_a_host_that_is_down_is_told_in_its_place_with_exit_status_1(folder: Path, verb: str) -> None:
    done = fedikit(folder, verb, "-e", "environment.toml", *([] if verb in ("plan", "status") else ["--yes"]))
    assert done.returncode == 1
    assert "root@127.0.0.1:1 cannot be reached" in done.stdout
    assert "is the machine up?" in done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("kind", "words"),
    [("nothing", "is not there"), ("folder", "cannot be read: is a directory"), ("text", "is not one that can be read"),
     ("locked", "has a passphrase")],
)  # fmt: skip
def test_a_private_key_that_cannot_be_used_is_told_in_words(folder: Path, kind: str, words: str) -> None:
    key = folder / "key"
    if kind == "folder":
        key.mkdir()
    elif kind == "text":
        key.write_text("no key\n")
    elif kind == "locked":
        made = ed25519.Ed25519PrivateKey.generate()
        locked = serialization.BestAvailableEncryption(b"a passphrase")
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, locked)
        key.write_bytes(made.private_bytes(*form))
    if key.is_file():
        key.chmod(0o600)
    with socket.create_server(("127.0.0.1", 0)) as server:
        where = f'port = {server.getsockname()[1]}\nidentity_file = "key"'
        (folder / "environment.toml").write_text(NOBODY_LISTENS.replace("port = 1", where))
        told = fedikit(folder, "status", "-e", "environment.toml").stdout
    assert words in told
    assert "is the machine up?" not in told


def test_nothing_is_changed_unasked_where_there_is_nobody_to_ask(folder: Path) -> None:
    """The one test that plans for this very machine; a plan changes nothing."""
    (folder / "environment.toml").write_text(THIS_MACHINE)
    done = fedikit(folder, "apply", "-e", "environment.toml")
    assert done.returncode == 1
    assert "give --yes" in done.stderr


def test_the_environment_may_be_named_by_a_variable(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "environment.toml").write_text(IN_A_DIRECTORY)
    assert "FEDIKIT_ENVIRONMENT" in fedikit(folder, "status").stderr
    monkeypatch.setenv("FEDIKIT_ENVIRONMENT", "environment.toml")
    assert fedikit(folder, "status").returncode == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["aply"], 'did you mean "apply"?'),
        (["plan", "-e", "environment.toml", "--limit", "hre"], 'did you mean "here"?'),
        (["run", "delpoy"], 'did you mean "deploy"?'),
        (["plan", "-e", "environment.toml", "--jsno"], "--json"),
    ],
)
def test_who_mistypes_a_name_is_told_which_is_meant(folder: Path, words: list[str], told: str) -> None:
    done = fedikit(folder, *words)
    assert (done.returncode, told in done.stderr) == (2, True), done.stderr


def test_the_mistakes_of_both_files_come_at_once(folder: Path) -> None:
    (folder / "configuration.json").write_text(json.dumps(CONFIGURATION | {"domian": "x"}))
    (folder / "environment.toml").write_text('name = "home"\n[hosts.here]\ntype = "directory"\npaht = "x"\n')
    done = fedikit(folder, "plan", "-e", "environment.toml")
    assert done.returncode == 2
    assert "domian" in done.stderr
    assert "paht" in done.stderr


def test_files_may_name_their_schema(folder: Path) -> None:
    (folder / "environment.toml").write_text('"$schema" = "e.json"\n' + IN_A_DIRECTORY)
    off = {"$schema": "c.json", "hello": {"enable": False}}
    (folder / "configuration.json").write_text(json.dumps(CONFIGURATION | off))
    assert fedikit(folder, "plan", "-e", "environment.toml").returncode == 0
    assert "$schema" in json.loads(fedikit(folder, "schema", "configuration").stdout)["properties"]


@pytest.mark.parametrize(("is_wanted", "status"), [(False, 0), (True, 2)])
def test_a_plan_can_tell_by_its_exit_status_that_something_would_change(
    folder: Path, is_wanted: bool, status: int
) -> None:
    environment = load_environment(_in_a_directory(folder))
    machine = DirectoryMachine.at(folder / "machine")
    item = File(path="/etc/a", content="a")
    host = HostState(connection=machine.connection, items=(item,))
    if is_wanted:
        apply_plan(make_plan(environment.empty().model_copy(update={"hosts": {"here": host}})))
    done = fedikit(folder, "plan", "-e", "environment.toml", "--detailed-exitcode")
    assert done.returncode == status, done.stderr
    assert fedikit(folder, "plan", "-e", "environment.toml").returncode == 0


def _in_a_directory(folder: Path) -> Path:
    (folder / "configuration.json").write_text(json.dumps(CONFIGURATION | {"hello": {"enable": False}}))
    (folder / "environment.toml").write_text(IN_A_DIRECTORY)
    return folder / "environment.toml"


def test_a_host_that_is_not_well_is_told_by_the_exit_status(folder: Path) -> None:
    environment = load_environment(_in_a_directory(folder))
    machine = DirectoryMachine.at(folder / "machine")
    host = HostState(connection=machine.connection, items=(File(path="/etc/a", content="a"),))
    apply_plan(make_plan(environment.empty().model_copy(update={"hosts": {"here": host}})))
    words = ["status", "-e", "environment.toml"]
    assert fedikit(folder, *words, "--health").returncode == 0
    machine.path("/etc/a").write_text("b")
    assert (fedikit(folder, *words).returncode, fedikit(folder, *words, "--health").returncode) == (0, 1)


def test_json_is_all_that_is_printed(folder: Path) -> None:
    done = fedikit(folder, "plan", "-e", "environment.toml", "--json")
    assert json.loads(done.stdout)["hosts"]["here"]["error"]


@pytest.mark.parametrize("what", ["configuration", "environment"])
def test_the_schema_is_printed(folder: Path, what: str) -> None:
    assert json.loads(fedikit(folder, "schema", what).stdout)["additionalProperties"] is False


def test_the_master_key_is_made_once_and_for_its_owner_only(folder: Path) -> None:
    assert fedikit(folder, "secret", "init", "-e", "environment.toml").returncode == 0
    key = folder / "master.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    made = key.read_text()
    again = fedikit(folder, "secret", "init", "-e", "environment.toml")
    assert again.returncode == 1
    assert "exists already" in again.stderr
    assert key.read_text() == made


def test_an_unknown_secret_is_refused_by_name(folder: Path) -> None:
    done = fedikit(folder, "secret", "show", "nothing", "-e", "environment.toml")
    assert done.returncode == 1
    assert "nothing is no secret of this deployment" in done.stderr


def test_a_saved_plan_of_another_configuration_is_refused(folder: Path) -> None:
    fedikit(folder, "plan", "-e", "environment.toml", "--out", "plan.json")
    (folder / "configuration.json").write_text(json.dumps(CONFIGURATION | {"hello": {"enable": False}}))
    done = fedikit(folder, "apply", "-e", "environment.toml", "--plan", "plan.json", "--yes")
    assert done.returncode == 1
    assert "another configuration" in done.stderr


def test_a_file_that_is_no_plan_is_a_mistake(folder: Path) -> None:
    (folder / "plan.json").write_text("{}")
    done = fedikit(folder, "apply", "-e", "environment.toml", "--plan", "plan.json", "--yes")
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)


IN_A_DIRECTORY = """
name = "home"
[hosts.here]
type = "directory"
path = "machine"
"""


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (["--yes"], 2, "--confirm home"),
        (["--yes", "--confirm", "hom"], 2, "the environment's name is home"),
        (["--confirm", "hom"], 2, "the environment's name is home"),
        (["--yes", "--confirm", "home"], 0, ""),
    ],
)
def test_to_purge_takes_the_environments_name(folder: Path, words: list[str], status: int, told: str) -> None:
    (folder / "environment.toml").write_text(IN_A_DIRECTORY)
    done = fedikit(folder, "remove", "-e", "environment.toml", "--purge", *words)
    assert (done.returncode, "Traceback" in done.stderr) == (status, False), done.stderr
    assert told in done.stderr


@pytest.mark.parametrize("has_key", [True, False])
def test_a_saved_plan_is_for_its_owner_and_says_so_if_it_bears_no_seal(folder: Path, has_key: bool) -> None:
    (folder / "environment.toml").write_text(IN_A_DIRECTORY)
    (folder / "configuration.json").write_text(json.dumps(CONFIGURATION | {"hello": {"enable": False}}))
    if has_key:
        fedikit(folder, "secret", "init", "-e", "environment.toml")
    done = fedikit(folder, "plan", "-e", "environment.toml", "--out", "plan.json")
    assert done.returncode == 0, done.stderr
    assert stat.S_IMODE((folder / "plan.json").stat().st_mode) == 0o600
    assert ("bears no seal" in done.stderr) is not has_key


def test_a_renaming_is_planned_asked_for_and_done(folder: Path) -> None:
    text = '[hosts.one]\ntype = "directory"\npath = "one"\n'
    Path(folder / "old.toml").write_text(f'name = "old"\n{text}')
    Path(folder / "new.toml").write_text(f'name = "new"\n{text}')
    kept = DirectoryMachine.at(folder / "one").path("/var/lib/fedikit/deployments/old")
    kept.mkdir(parents=True)
    asked = fedikit(folder, "rename", "old", "-e", "new.toml")
    assert "old becomes new" in asked.stdout
    assert (asked.returncode, kept.is_dir()) == (1, True)
    assert fedikit(folder, "rename", "old", "-e", "old.toml").returncode == 2
    assert fedikit(folder, "rename", "older", "-e", "new.toml", "--yes").returncode == 1
    done = fedikit(folder, "rename", "old", "-e", "new.toml", "--yes", "--json")
    assert (done.returncode, json.loads(done.stdout)["hosts"]["one"]["state"]) == (0, "done")
    assert not kept.exists()


def test_what_a_change_takes_is_imported_once_and_only_where_something_would_change(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    imported: list[tuple[str, ...]] = []
    told: list[Event] = []
    monkeypatch.setattr(verbs, "import_meanwhile", lambda *modules: imported.append(modules))
    tell = verbs._getting_ready_to_change(told.append)
    tell(HostPlanned(host="one", changes=0, seconds=0.1))
    assert imported == []
    events = [HostPlanned(host=host, changes=1, seconds=0.1) for host in ("two", "three")]
    for event in events:
        tell(event)
    assert imported == [("fedikit.doctor.examine", "fedikit.data.safeguard")]
    assert told[1:] == events, "they are told as before"


def test_a_terminal_gets_errors_that_are_broken_between_words(tmp_path: Path) -> None:
    (tmp_path / "environment.toml").write_text('name = "Not So Short"')
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 40, 0, 0))
    command = [sys.executable, "-m", "fedikit", "doctor", "--environment", "environment.toml"]
    piped = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    done = subprocess.run(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=theirs, timeout=60, check=False)
    os.close(theirs)
    said = re.sub(r"\x1b\[[0-9;]*m", "", os.read(ours, 65536).decode())
    os.close(ours)
    assert (done.returncode, said.split()) == (2, piped.stderr.split())
    assert max(map(len, piped.stderr.splitlines())) > 40
    assert max(map(len, said.splitlines())) <= 40
