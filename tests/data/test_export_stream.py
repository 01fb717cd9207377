"""What a host may say in an export, and what it may not: whoever has taken it over says anything."""

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fedikit.data.export import parts, stream
from fedikit.data.export.folder import Folder
from fedikit.data.export.parts import take_part
from fedikit.data.export.wanted import Wanted
from fedikit.errors import AgentFailed, ConnectionFailed, HostError
from fedikit.model.data import BucketPart, Part
from fedikit.results.export import Manifest
from fedikit.secrets import Vault
from tests.data import export_stage as scene
from tests.remote.conftest import Stage

Says = Callable[[bytes], None]
MEDIA = BucketPart(
    name="media",
    endpoint="http://127.0.0.1:1",
    region="garage",
    bucket="media",
    key_id="GK1",
    key_secret=scene.BUCKET_KEY,
)
END = b"."


def frame(kind: bytes, told: bytes | dict[str, Any] = b"") -> bytes:
    payload = told if isinstance(told, bytes) else json.dumps(told).encode()
    return kind + struct.pack(">I", len(payload)) + payload


def one(key: str, body: bytes = b"x", **told: Any) -> bytes:
    about = {"key": key, "size": len(body), "etag": "", "headers": {}, "metadata": {}} | told
    return frame(b"o", about) + frame(b"d", body) + frame(b"e", {})


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    (tmp_path / "hosts").mkdir()
    return Stage(tmp_path / "hosts", "one")


@pytest.fixture
def says(monkeypatch: pytest.MonkeyPatch) -> Says:
    """What the host says instead of running the program."""

    def say(text: bytes, then: str = "") -> None:
        program = f"import os,sys,time\nos.write(1,{text!r})\n{then}\nos._exit(0)\n".encode()
        monkeypatch.setattr(stream, "PROGRAM", program)

    return say


@pytest.fixture
def take(stage: Stage, tmp_path: Path) -> Callable[[Part], Path]:
    """Takes a part of ten bytes from the host, into a folder whose path is returned."""

    def act(part: Part) -> Path:
        deployment = scene.deployment(stage, part)
        state = deployment.hosts["one"]
        wanted = Wanted("app", "one", state, state.data["app"])
        manifest = Manifest(deployment="stage", application="app", host="one", made_by="fedikit")
        (tmp_path / "out").mkdir(exist_ok=True)
        folder = Folder.at(tmp_path / "out/app", manifest)
        take_part(part, 10, wanted, folder, Vault.of(deployment), lambda done: None)
        return folder.path

    return act


def test_whatever_a_login_prints_before_is_dropped(says: Says, take: Callable[[Part], Path]) -> None:
    says(b"Welcome!\nd\0\0" + stream.MARK + frame(b"a") + frame(b"d", b"PGDMP") + frame(END, {}))
    assert (take(scene.POSTGRES) / "database.dump").read_bytes() == b"PGDMP"


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(stream.MARK, id="no frame"),
        pytest.param(stream.MARK + frame(b"d", b"PGDMP"), id="no end"),
        pytest.param(stream.MARK + frame(b"d", b"PGDMP" * 9)[:-3], id="half a frame"),
        pytest.param(stream.MARK + frame(b"d", b"PGDMP") + frame(END, {})[:-1], id="half an end"),
    ],
)
def test_what_breaks_off_is_no_part(said: bytes, says: Says, take: Callable[[Part], Path], tmp_path: Path) -> None:
    says(said)
    with pytest.raises(ConnectionFailed, match="broke off"):
        take(scene.POSTGRES)
    assert not (tmp_path / "out/app/database.dump").exists()


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(frame(b"x"), id="unknown"),
        pytest.param(b"d\xff\xff\xff\xff", id="too long"),
        pytest.param(frame(END, b"[" * 100_000), id="nested"),
        pytest.param(frame(END, {"counts": {"a": -1}}), id="less than nothing"),
        pytest.param(frame(END, {"counts": {"a": True}}), id="no number"),
        pytest.param(frame(END, {"more": 1}), id="more than is known"),
        pytest.param(one("key"), id="an object"),
    ],
)
def test_nonsense_is_refused(said: bytes, says: Says, take: Callable[[Part], Path], tmp_path: Path) -> None:
    says(stream.MARK + said + frame(END, {}))
    with pytest.raises(AgentFailed):
        take(scene.POSTGRES)
    assert not (tmp_path / "out/app/database.dump").exists()


def test_a_host_that_prints_without_end_is_left(says: Says, take: Callable[[Part], Path]) -> None:
    says(b"hello " * 20_000)
    with pytest.raises(AgentFailed, match="nothing of an export"):
        take(scene.POSTGRES)


def test_a_silent_host_is_left(says: Says, take: Callable[[Part], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    says(stream.MARK, "time.sleep(60)")
    monkeypatch.setattr(stream, "_patience", lambda connection: 0.2)
    with pytest.raises(ConnectionFailed, match=r"said nothing for 0\.2 s"):
        take(scene.POSTGRES)


def test_a_stream_without_end_is_ended(
    says: Says, take: Callable[[Part], Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(parts, "SPARE_BYTES", 1000)
    says(stream.MARK, f"while True: os.write(1,{frame(b'd', b'x' * 100)!r})")
    with pytest.raises(AgentFailed, match="twice what it had told"):
        take(scene.POSTGRES)
    assert not (tmp_path / "out/app/database.dump").exists()


def test_objects_without_end_are_ended_though_they_are_empty(
    says: Says, take: Callable[[Part], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "SPARE_BYTES", 10_000)
    says(stream.MARK + b"".join(one(f"{number:05}", b"") for number in range(50)) + frame(END, {}))
    with pytest.raises(AgentFailed, match="twice what it had told"):
        take(MEDIA)


def test_trouble_there_is_told_without_what_acts_on_a_terminal(says: Says, take: Callable[[Part], Path]) -> None:
    says(stream.MARK + frame(b"!", {"message": "no \x1b[31mdump", "hint": "wait", "tail": "last\x07"}))
    with pytest.raises(HostError) as caught:
        take(scene.POSTGRES)
    assert str(caught.value) == "one: no \\x1b[31mdump\n  | last\\x07\n  → wait"


# Keys


LEADING_OUT = ["../../escaped", "/escaped", "a//b", "a/../../../escaped", ".", "a/", "new\nline", "x" * 256, "nul\0"]


def test_keys_that_are_no_paths_lead_nowhere(says: Says, take: Callable[[Part], Path], tmp_path: Path) -> None:
    says(stream.MARK + b"".join(one(key) for key in sorted(LEADING_OUT)) + frame(END, {}))
    folder = take(MEDIA)
    assert list((folder / "objects-media").iterdir()) == []
    assert len(list((folder / "objects-media.numbered").iterdir())) == len(LEADING_OUT)
    assert not [path for path in tmp_path.rglob("*") if path.name == "escaped"]
    lines = [json.loads(line) for line in (folder / "objects-media.jsonl").read_text().splitlines()]
    assert sorted(line["key"] for line in lines) == sorted(LEADING_OUT)


def test_a_key_and_another_below_it_are_both_kept(says: Says, take: Callable[[Part], Path]) -> None:
    says(stream.MARK + one("a", b"file") + one("a/b", b"below") + one("b/c") + frame(END, {}))
    folder = take(MEDIA)
    assert (folder / "objects-media/a").read_bytes() == b"file"
    assert (folder / "objects-media.numbered/000001").read_bytes() == b"below"
    assert (folder / "objects-media/b/c").is_file()


def test_nothing_is_written_through_a_link(says: Says, take: Callable[[Part], Path], tmp_path: Path) -> None:
    says(stream.MARK + one("link/x") + frame(END, {}))
    (tmp_path / "out/app").mkdir(parents=True)
    (tmp_path / "out/app/export.part").write_text(
        Manifest(deployment="stage", application="app", host="one", made_by="fedikit").model_dump_json()
    )
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out/app/objects-media").mkdir()
    (tmp_path / "out/app/objects-media/link").symlink_to(tmp_path / "elsewhere")
    assert (take(MEDIA) / "objects-media.numbered/000001").is_file()
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(one("b") + one("a"), id="order"),
        pytest.param(one("a") + one("a"), id="twice"),
        pytest.param(one("a", b"xx", size=1), id="longer"),
        pytest.param(one("a", b"x", size=2), id="shorter"),
        pytest.param(one("a", headers={"cache-control": "x\n--config=evil"}), id="an option among headers"),
        pytest.param(one("a", headers={"x-amz-copy-source": "/other/secret"}), id="a header that asks for another"),
        pytest.param(one("a", metadata={"na me": "x"}), id="a name of a header"),
        pytest.param(frame(b"d", b"x"), id="bytes of nothing"),
    ],
)
def test_objects_that_cannot_be_are_refused(
    said: bytes, says: Says, take: Callable[[Part], Path], tmp_path: Path
) -> None:
    says(stream.MARK + said + frame(END, {}))
    with pytest.raises(AgentFailed):
        take(MEDIA)
    assert not (tmp_path / "out/app/objects-media.jsonl").exists()
