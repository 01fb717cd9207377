"""Exports, from a host in a directory whose servers are stand-ins."""

import gzip
import hashlib
import json
import os
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fedikit.data.export import export_data
from fedikit.data.export import room as room_module
from fedikit.data.export.folder import Writer, held
from fedikit.errors import ConfigurationError, FedikitError
from fedikit.events import Event, Progress
from fedikit.results.export import Export, Manifest
from fedikit.secrets import Vault
from tests.data import export_stage as scene
from tests.data.export_stage import Bucket, Kept
from tests.remote.conftest import Stage


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    stage = Stage(tmp_path / "hosts", "one") if (tmp_path / "hosts").mkdir() is None else None
    assert stage
    scene.programs(stage["one"])
    scene.files(stage["one"])
    return stage


@pytest.fixture
def server(stage: Stage) -> Iterator[Bucket]:
    vault = Vault.of(scene.deployment(stage))
    with scene.bucket(vault.value(scene.BUCKET_KEY), page=2) as server:
        jpeg = {"Content-Type": "image/jpeg", "Cache-Control": "public, max-age=3600"}
        server.objects = {
            "a/1.jpg": Kept(b"one", jpeg),
            "a/2.jpg": Kept(b"two" * 200_000, jpeg),
            "b äöü&.txt": Kept(b"three", {"Content-Type": "text/plain", "x-amz-meta-author": "somebody"}),
            "cache/x": Kept(b"remote"),
            "empty": Kept(b""),
        }
        yield server


def export(stage: Stage, server: Bucket, out: Path) -> Export:
    return export_data(scene.deployment(stage, scene.media(server), scene.VOLUME, scene.POSTGRES), out)


def objects_in(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_an_export_holds_each_part_in_its_own_format(stage: Stage, server: Bucket, tmp_path: Path) -> None:
    report = export(stage, server, tmp_path / "out")
    assert report.succeeded, report
    folder = tmp_path / "out/app"
    assert (folder / "database.dump").read_bytes().startswith(b"PGDMP")
    assert (folder / "objects-media/a/2.jpg").read_bytes() == b"two" * 200_000
    assert not (folder / "objects-media/cache").exists()
    with tarfile.open(folder / "files-srv-app-storage.tar") as archive:
        names = {member.name: member for member in archive}
        assert set(names) == {
            ".",
            "./app",
            "./app/one",
            "./app/public",
            "./app/public/link",
            "./app/public/again",
            "./cache",
        }
    assert list((folder / "objects-media.lists").glob("*.options")) != []


def test_the_manifest_tells_of_every_file(stage: Stage, server: Bucket, tmp_path: Path) -> None:
    export(stage, server, tmp_path / "out")
    folder = tmp_path / "out/app"
    manifest = Manifest.model_validate_json((folder / "MANIFEST.json").read_text())
    assert [part.id for part in manifest.parts] == ["postgresql:app", "volume:/srv/app-storage", "bucket:media"]
    database, files, objects = manifest.parts
    assert (database.counts, database.version) == ({"public.statuses": 3, "public.users": 1}, "PostgreSQL 17.6")
    assert (files.counts, objects.counts) == ({"files": 2}, {"objects": 4})
    assert manifest.images == {"app-web": "docker.io/app/app:1"}
    told = {part.file: part.sha256 for part in manifest.parts} | {name: f.sha256 for name, f in manifest.files.items()}
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    besides = {
        name for name in there if name.startswith(("objects-media/", "objects-media.lists/", "objects-media.sha256"))
    }
    assert there - besides - {"MANIFEST.json"} == told.keys()
    assert {name: sha256(folder / name) for name in told} == told


def test_an_object_keeps_what_its_server_says_of_it(stage: Stage, server: Bucket, tmp_path: Path) -> None:
    export(stage, server, tmp_path / "out")
    lines = objects_in(tmp_path / "out/app/objects-media.jsonl")
    assert [line["key"] for line in lines] == ["a/1.jpg", "a/2.jpg", "b äöü&.txt", "empty"]
    assert lines[0]["headers"] == {"content-type": "image/jpeg", "cache-control": "public, max-age=3600"}
    assert lines[2]["metadata"] == {"author": "somebody"}
    assert all(line["sha256"] == sha256(tmp_path / "out/app" / line["file"]) for line in lines)


def test_what_is_said_of_an_object_beyond_ascii_stays_what_it_is(stage: Stage, server: Bucket, tmp_path: Path) -> None:
    said = {"Content-Disposition": 'inline; filename="Ångström.jpg"', "x-amz-meta-author": "Zoë"}
    raw = {name: value.encode().decode("latin-1") for name, value in said.items()}  # as the stand-in's library sends it
    server.objects = {"a": Kept(b"one", raw)}
    export(stage, server, tmp_path / "out")
    (line,) = objects_in(tmp_path / "out/app/objects-media.jsonl")
    assert line["headers"] == {"content-disposition": 'inline; filename="Ångström.jpg"'}
    assert line["metadata"] == {"author": "Zoë"}
    assert "x-amz-meta-author: Zoë" in (tmp_path / "out/app/objects-media.lists/0001.options").read_text()


def test_nobody_else_can_read_an_export(stage: Stage, server: Bucket, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir(mode=0o755)
    before = os.umask(0)
    try:
        export(stage, server, tmp_path / "out")
    finally:
        os.umask(before)
    found = [tmp_path / "out", *(tmp_path / "out").rglob("*")]
    assert {oct(stat.S_IMODE(path.stat().st_mode)) for path in found} == {"0o700", "0o600"}


def test_all_secrets_are_in_it_those_that_can_never_change_too(stage: Stage, server: Bucket, tmp_path: Path) -> None:
    export(stage, server, tmp_path / "out")
    vault, folder = Vault.of(scene.deployment(stage)), tmp_path / "out/app"
    assert (folder / "environment.env").read_text() == (
        f"DOMAIN=example.org\nDB_PASS={vault.value(scene.DATABASE)}\nENCRYPTION={vault.value(scene.PERMANENT)}\n"
    )
    assert (folder / "secrets/app/encryption").read_text() == vault.value(scene.PERMANENT)
    assert (folder / "secrets/app/bucket-key").read_text() == vault.value(scene.BUCKET_KEY)


def test_a_mariadb_comes_compressed_with_its_rows_counted(stage: Stage, tmp_path: Path) -> None:
    report = export_data(scene.deployment(stage, scene.MARIA), tmp_path / "out")
    assert report.all[0].manifest
    assert report.all[0].manifest.parts[0].counts == {"users": 2, "empty": 0}
    assert b"-- Dump completed" in gzip.decompress((tmp_path / "out/app/database.sql.gz").read_bytes())


def test_the_owners_of_files_are_those_that_the_container_knows(stage: Stage, tmp_path: Path) -> None:
    from fedikit.data.export.onhost.files import Part

    part = Part({"path": "/nowhere", "first": scene.FIRST}, {}, "")
    assert (part._inside(scene.FIRST + 33), part._inside(scene.FIRST - 1), part._inside(0)) == (33, scene.FIRST - 1, 0)


def test_links_stay_links(stage: Stage, tmp_path: Path) -> None:
    export_data(scene.deployment(stage, scene.VOLUME), tmp_path / "out")
    with tarfile.open(tmp_path / "out/app/files-srv-app-storage.tar") as archive:
        assert archive.getmember("./app/public/link").linkname == "../one"
        again, one = archive.getmember("./app/public/again"), archive.getmember("./app/one")
        assert again.islnk() or one.islnk()
        assert one.mode == 0o640


# What ends early


def test_a_dump_that_fails_is_no_part(stage: Stage, tmp_path: Path) -> None:
    stage["one"].program("pg_dump", "#!/bin/sh\nprintf PGDMP; echo 'out of memory' >&2; exit 1\n")
    report = export_data(scene.deployment(stage, scene.POSTGRES), tmp_path / "out")
    assert "pg_dump ended with exit status 1\n  | out of memory" in report.all[0].error
    assert not (tmp_path / "out/app/database.dump").exists()
    assert not (tmp_path / "out/app/MANIFEST.json").exists()


@pytest.mark.parametrize("said", ["", "exit 0", "printf nonsense"])
def test_a_dump_that_is_none_is_no_part(stage: Stage, tmp_path: Path, said: str) -> None:
    stage["one"].program("pg_dump", f"#!/bin/sh\n{said}\n")
    report = export_data(scene.deployment(stage, scene.POSTGRES), tmp_path / "out")
    assert "is no dump" in report.all[0].error


def test_a_mariadb_dump_without_its_last_line_is_no_part(stage: Stage, tmp_path: Path) -> None:
    stage["one"].program("mariadb-dump", "#!/bin/sh\necho 'CREATE TABLE `users` ('\n")
    report = export_data(scene.deployment(stage, scene.MARIA), tmp_path / "out")
    assert "has no end" in report.all[0].error


def test_a_tool_that_lacks_is_named(stage: Stage, tmp_path: Path) -> None:
    stage["one"].path("/usr/bin/pg_dump").unlink()
    report = export_data(scene.deployment(stage, scene.POSTGRES), tmp_path / "out")
    assert "there is no pg_dump on this host" in report.all[0].error
    assert "apt-get install postgresql-client" in report.all[0].error


def test_a_folder_that_is_not_there_is_no_empty_one(stage: Stage, tmp_path: Path) -> None:
    stage["one"].path("/srv/app-storage").rename(tmp_path / "away")
    with pytest.raises(FedikitError, match="is no directory"):
        export_data(scene.deployment(stage, scene.VOLUME), tmp_path / "out")


def test_what_was_cut_off_goes_on(stage: Stage, server: Bucket, tmp_path: Path) -> None:
    server.breaks_at = "b äöü&.txt"
    report = export(stage, server, tmp_path / "out")
    assert "an object ended 10 bytes too early" in report.all[0].error
    assert not (tmp_path / "out/app/MANIFEST.json").exists()
    server.breaks_at, server.fetched = "", []
    stage["one"].program("pg_dump", "#!/bin/sh\nexit 1\n")  # it is there already
    assert export(stage, server, tmp_path / "out").succeeded
    assert server.fetched == ["b äöü&.txt", "empty"]
    lines = objects_in(tmp_path / "out/app/objects-media.jsonl")
    assert [line["key"] for line in lines] == ["a/1.jpg", "a/2.jpg", "b äöü&.txt", "empty"]
    assert not list((tmp_path / "out").rglob("*.part"))


def test_a_line_that_was_cut_off_or_lost_its_object_is_fetched_again(
    stage: Stage, server: Bucket, tmp_path: Path
) -> None:
    server.breaks_at = "empty"
    export(stage, server, tmp_path / "out")
    draft = tmp_path / "out/app/objects-media.jsonl.part"
    draft.write_bytes(draft.read_bytes()[:-10])
    (tmp_path / "out/app/objects-media/a/2.jpg").write_bytes(b"two")
    server.breaks_at, server.fetched = "", []
    assert export(stage, server, tmp_path / "out").succeeded
    assert server.fetched == ["a/2.jpg", "b äöü&.txt", "empty"]


def test_lines_that_a_power_cut_made_zeros_are_written_again(stage: Stage, server: Bucket, tmp_path: Path) -> None:
    server.breaks_at = "empty"
    export(stage, server, tmp_path / "out")
    draft = tmp_path / "out/app/objects-media.jsonl.part"
    first, *_ = draft.read_bytes().splitlines(keepends=True)
    draft.write_bytes(first + bytes(100) + b"\n")
    server.breaks_at, server.fetched = "", []
    assert export(stage, server, tmp_path / "out").succeeded
    assert server.fetched == ["a/2.jpg", "b äöü&.txt", "empty"]


# Where it is written


def test_a_folder_with_something_else_in_it_is_refused(stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/letter.txt").write_text("dear")
    with pytest.raises(FedikitError, match="holds something else"):
        export_data(scene.deployment(stage, scene.VOLUME), tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["letter.txt"]


def test_a_folder_that_is_refused_stays_open_to_whom_it_was(stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/letter.txt").write_text("dear")
    (tmp_path / "out").chmod(0o1777)
    with pytest.raises(FedikitError, match="holds something else"):
        export_data(scene.deployment(stage, scene.VOLUME), tmp_path / "out")
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o1777


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_nothing_is_written_where_another_user_could_put_something_else(stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    os.chown(tmp_path / "out", 12345, 12345)
    with pytest.raises(FedikitError, match="is another user's"):
        export_data(scene.deployment(stage, scene.VOLUME), tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_two_exports_do_not_write_to_one_folder(stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with held(tmp_path / "out"), pytest.raises(FedikitError, match="another export is just being written"):
        export_data(scene.deployment(stage, scene.VOLUME), tmp_path / "out")
    assert export_data(scene.deployment(stage, scene.VOLUME), tmp_path / "out").succeeded


def test_a_folder_that_cannot_be_made_is_no_full_disk(stage: Stage, tmp_path: Path) -> None:
    with pytest.raises(FedikitError, match="see that the folder above it is there"):
        export_data(scene.deployment(stage, scene.VOLUME), tmp_path / "not there/out")


def test_a_whole_export_is_never_written_over(stage: Stage, tmp_path: Path) -> None:
    export_data(scene.deployment(stage, scene.VOLUME), tmp_path / "out")
    with pytest.raises(FedikitError, match="holds a whole export already"):
        export_data(scene.deployment(stage, scene.VOLUME), tmp_path / "out")


def test_an_export_of_another_host_is_not_gone_on_with(stage: Stage, tmp_path: Path) -> None:
    export_data(scene.deployment(stage, scene.VOLUME), tmp_path / "out")
    manifest = tmp_path / "out/app/MANIFEST.json"
    manifest.write_text(manifest.read_text().replace('"one"', '"two"'))
    manifest.rename(tmp_path / "out/app/export.part")
    with pytest.raises(FedikitError, match="holds something else"):
        export_data(scene.deployment(stage, scene.VOLUME), tmp_path / "out")


def test_too_little_room_is_said_before_anything_is_fetched(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("Usage", (), {"free": 4000})
    monkeypatch.setattr(room_module.shutil, "disk_usage", lambda _: usage)
    stage["one"].program("pg_dump", "#!/bin/sh\nexit 1\n")
    with pytest.raises(FedikitError, match="the export may take"):
        export_data(scene.deployment(stage, scene.POSTGRES), tmp_path / "out")


def test_a_full_disk_is_told_and_gone_on_from(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(file: Writer, piece: bytes) -> None:
        if len(piece) > 5000:  # an archive, and no manifest
            raise OSError(28, "No space left on device")
        usual(file, piece)

    wanted, usual = scene.deployment(stage, scene.VOLUME), Writer.write
    with monkeypatch.context() as patched:
        patched.setattr(Writer, "write", write)
        report = export_data(wanted, tmp_path / "out")
    assert "No space left on device" in report.all[0].error
    assert "it goes on where it was" in report.all[0].error
    assert export_data(wanted, tmp_path / "out").succeeded


def test_what_is_done_is_told_while_it_is_done(stage: Stage, server: Bucket, tmp_path: Path) -> None:
    heard: list[Event] = []
    export_data(scene.deployment(stage, scene.media(server)), tmp_path / "out", tell=heard.append)
    progress = [event for event in heard if isinstance(event, Progress)]
    assert (progress[-1].done, progress[-1].total) == (600_008, 600_008)
    assert progress[-1].host == "one"


def test_an_application_without_data_is_named(stage: Stage, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match='ap has no data here; did you mean "app"'):
        export_data(scene.deployment(stage, scene.VOLUME), tmp_path / "out", applications=["ap"])
    assert not (tmp_path / "out").exists()


def test_the_host_notes_who_took_its_data_along(stage: Stage, tmp_path: Path) -> None:
    stage.apply(one=[scene.VARIABLES])
    export_data(scene.deployment(stage, scene.VOLUME), tmp_path / "out")
    ledger = "".join(
        path.read_text()
        for path in stage["one"].path("/var/lib/fedikit").rglob("*")
        if path.suffix in (".json", ".ndjson", ".jsonl")
    )
    assert "took the data of app along" in ledger
