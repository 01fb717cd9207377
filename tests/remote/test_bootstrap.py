"""The agent travels compiled where the host has this Python, and as sources elsewhere; what is damaged is not run."""

import json
import marshal
import os
import subprocess
import sys
import threading
import zlib
from pathlib import Path
from types import CodeType, SimpleNamespace
from typing import Any

import pytest

from fedikit.agent.channel import pack
from fedikit.agent.keeping import NAME, packed
from fedikit.errors import AgentFailed
from fedikit.model.host import Local
from fedikit.remote import bootstrap, session
from fedikit.remote.answer_messages import Answer
from fedikit.remote.contact import End

OTHER = "cb0d0d0a"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this deployer keeps compiled agents: nothing yet."""
    monkeypatch.setattr(bootstrap, "default_directory", lambda: tmp_path / "cache/store")
    monkeypatch.setattr(bootstrap, "_archive", bootstrap._archive.__wrapped__)
    return tmp_path / "cache/agents" / bootstrap.fingerprint() / NAME


def parts_of(archive: bytes) -> dict[str, tuple[str, Any]]:
    parts: dict[str, tuple[str, Any]] = marshal.loads(zlib.decompress(archive))
    return parts


def start(place: Path, root: Path, archive: bytes) -> tuple[list[bytes], subprocess.Popen[bytes]]:
    """An agent that is begun as on a host, and given the archive if it asks: what it said."""
    process = subprocess.Popen(
        [sys.executable, *bootstrap.command(place=place)[1:]], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    request = {"op": "plan", "deployment": "test", "root": str(root), "agent": bootstrap.fingerprint(), "items": []}
    sent = b"%d\n" % len(archive) + archive
    told, _ = process.communicate(
        bootstrap.program() + b"%s " % bootstrap.fingerprint().encode() + pack(request) + sent, timeout=20
    )
    return told.splitlines(keepends=True)[2:], process


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in ("etc", "var/lib/dpkg"):
        (tmp_path / "root" / folder).mkdir(parents=True)
    (tmp_path / "root/etc/os-release").write_text("ID=debian\nVERSION_CODENAME=trixie\n")
    (tmp_path / "root/var/lib/dpkg/status").touch()
    return tmp_path / "root"


# What is sent


def test_a_host_with_this_python_gets_bytecode_and_others_sources(cache: Path) -> None:
    compiled, plain = parts_of(bootstrap.archive(bootstrap.OWN_BYTECODE)), parts_of(bootstrap.archive(OTHER))
    assert compiled.keys() == plain.keys() > {"fedikit_agent", "fedikit_agent.main", "fedikit_agent.kinds.unit"}
    path, source = plain["fedikit_agent.main"]
    assert (path, compiled["fedikit_agent.main"][0]) == ("fedikit_agent/main.py",) * 2
    assert source == Path(bootstrap.__file__).parents[1].joinpath("agent/main.py").read_text()
    assert isinstance(marshal.loads(compiled["fedikit_agent.main"][1]), CodeType)


@pytest.mark.parametrize("bytecode", [bootstrap.OWN_BYTECODE, OTHER])
def test_either_starts_and_answers(cache: Path, tmp_path: Path, root: Path, bytecode: str) -> None:
    said, process = start(tmp_path / "none", root, bootstrap.archive(bytecode))
    assert bootstrap.ASKS_FOR_AGENT.fullmatch(said[0])
    assert (json.loads(said[1])["event"], process.returncode) == ("answer", 0)


def test_it_is_compiled_once_for_all_who_ask_at_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    compiled = bootstrap._compiled
    monkeypatch.undo()
    bootstrap._archive.cache_clear()
    monkeypatch.setattr(bootstrap, "_compiled", lambda: (made.append(1), compiled())[1])
    threads = [threading.Thread(target=bootstrap.archive, args=(bootstrap.OWN_BYTECODE,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    bootstrap._archive.cache_clear()
    assert made == [1]


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-9], lambda data: b"", lambda data: data[:99] + b"?" + data[100:]]
)
def test_what_was_compiled_earlier_and_is_damaged_is_compiled_anew(cache: Path, damage: Any) -> None:
    sound = bootstrap.archive(bootstrap.OWN_BYTECODE)
    cache.write_bytes(damage(cache.read_bytes()))
    assert bootstrap.archive(bootstrap.OWN_BYTECODE) == sound


def test_a_deployer_with_nowhere_to_keep_it_compiles_it_each_time(cache: Path) -> None:
    cache.parent.parent.parent.mkdir(parents=True)
    cache.parent.parent.write_text("in the way")
    assert parts_of(bootstrap.archive(bootstrap.OWN_BYTECODE))


@pytest.mark.parametrize(
    "said", [b"agent?\n", b"agent? \n", b"agent? a70d0d0aa70d0d0a\n", b"agent? ../../etc\n", b"agent? A70D0D0A\n"]
)
def test_a_question_of_another_form_is_no_question(monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    class Liar:
        def __init__(self) -> None:
            self.says, self.sent = [bootstrap.MARK + said, b""], b""

        def write(self, data: bytes) -> None:
            self.sent += data

        def read(self, seconds: float) -> bytes:
            return self.says.pop(0)

        def close(self) -> None:
            pass

        def end(self) -> End:
            return End(1)

    liar = Liar()
    monkeypatch.setattr(session, "open_contact", lambda *_: liar)
    with pytest.raises(AgentFailed):
        session.Session("one", Local()).ask({"op": "plan"}, Answer)
    assert len(liar.sent) < 5000, "it was not sent the agent"


# What is kept


def kept(place: Path, content: bytes, name: str = NAME) -> None:
    folder = place / bootstrap.fingerprint()
    folder.mkdir(parents=True)
    (folder / name).write_bytes(content)


def test_a_kept_agent_is_not_asked_for(cache: Path, tmp_path: Path, root: Path) -> None:
    kept(tmp_path / "place", bootstrap.archive(bootstrap.OWN_BYTECODE))
    said, _ = start(tmp_path / "place", root, b"")
    assert json.loads(said[0])["event"] == "answer"


@pytest.mark.parametrize("damage", ["cut short", "empty", "changed", "of another Python"])
def test_a_kept_agent_that_is_damaged_is_asked_for_anew(cache: Path, tmp_path: Path, root: Path, damage: str) -> None:
    sound = bootstrap.archive(bootstrap.OWN_BYTECODE)
    content = {"cut short": sound[:-100], "empty": b"", "changed": sound[:5000] + b"?" * 9 + sound[5009:]}
    if damage in content:
        kept(tmp_path / "place", content[damage])
    else:
        kept(tmp_path / "place", sound, f"{OTHER}.bytecode")
    said, process = start(tmp_path / "place", root, sound)
    assert said[0] == b"agent? %s\n" % bootstrap.OWN_BYTECODE.encode()
    assert (json.loads(said[1])["event"], process.returncode) == ("answer", 0)


def test_what_was_compiled_is_kept_so_and_the_rest_as_it_came(cache: Path, tmp_path: Path, root: Path) -> None:
    parts = parts_of(bootstrap.archive(OTHER))
    codes = {name: compile(text, path, "exec") for name, (path, text) in parts.items() if "kinds" not in name}
    mixed = packed(SimpleNamespace(parts=parts, codes=codes))
    contents = {name: type(content) for name, (_, content) in parts_of(mixed).items()}
    assert (contents["fedikit_agent.main"], contents["fedikit_agent.kinds.user"]) == (bytes, str)
    kept(tmp_path / "place", mixed)
    said, _ = start(tmp_path / "place", root, b"")
    assert json.loads(said[0])["event"] == "answer"


def test_a_traceback_names_the_agents_own_files(cache: Path, tmp_path: Path, root: Path) -> None:
    for bytecode in (bootstrap.OWN_BYTECODE, OTHER):
        path, content = parts_of(bootstrap.archive(bytecode))["fedikit_agent.kinds.file"]
        code = marshal.loads(content) if isinstance(content, bytes) else compile(content, path, "exec")
        assert code.co_filename == path == "fedikit_agent/kinds/file.py"


def test_agents_of_directories_are_kept_as_on_a_host(cache: Path) -> None:
    assert bootstrap.kept_agents() / bootstrap.fingerprint() / NAME == cache
    assert os.path.getsize(cache) > 100_000
