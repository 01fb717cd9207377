"""Buckets, against a stand-in for S3: what is listed, what is kept, what is sent again, and what is told."""

import contextlib
import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from fedikit.agent import signature as agents_own
from fedikit.data.onhost import asking, copying, s3, saving, signature, tree
from fedikit.data.onhost import bucket as bucket_module
from fedikit.data.onhost.bucket import BucketPart
from fedikit.data.onhost.names import Hidden, fits_a_file
from fedikit.data.onhost.objects import Object, side_by_side
from fedikit.data.onhost.s3 import Bucket
from fedikit.data.onhost.said import Snapshot
from fedikit.data.onhost.settings import Secrets
from fedikit.data.onhost.trouble import Absent, Trouble
from tests.data.onhost.conftest import Host
from tests.data.onhost.storage import ACCESS, NAME, Storage

ODD = (
    "a b+c&d<é>.jpg", "line\nbreak", "carriage\rreturn", "bell\x07", "null\0", "100%", "tilde~", "'quote\"", "e\u0301",
    "\u00e9", "empty//component", "//lead", "/start", "dots/../up", "dots/./here", "slash/", "back\\slash",
    "star*[x]?.jpg", "{brace}", "‛quoted␇", "x" * 300, "d/" + "y" * 250, "trail /sp ", "both", "both/under", "both-and",
)  # fmt: skip
MEDIA = {"content_type": "image/jpeg", "cache_control": "public, immutable", "x_amz_meta_author": "ana"}


@pytest.fixture
def storage() -> Iterator[Storage]:
    storage = Storage(page=7)
    yield storage
    storage.close()


@dataclass
class Folders:
    """A stand-in for a repository: its snapshots are copies of folders, in a folder; `lose` leaves files out."""

    state: Path
    lose: set[str] = field(default_factory=set)
    paths: dict[str, str] = field(default_factory=dict)
    excluded: list[str] = field(default_factory=list)
    url: str = "/srv/backups"

    def snapshot_path(self, path: str, tags: Any, exclude: Sequence[str] = (), *_: Any, **__: Any) -> Snapshot:
        id = f"{len(self.paths) + 1:08}" + "0" * 56
        self.paths[id] = path
        self.excluded += exclude
        shutil.copytree(path, self._place(id), ignore=lambda _, names: self.lose & set(names))
        return Snapshot(id, 0, 1)

    def _place(self, snapshot: str) -> Path:
        return self.state / "repository" / "ids" / snapshot[:8] / self.paths[snapshot].lstrip("/")

    def entries(self, snapshot: str, take: Callable[[dict[str, Any]], None]) -> None:
        place = self._place(snapshot)
        for found in place.rglob("*"):
            path = f"{self.paths[snapshot]}/{found.relative_to(place)}"
            take({"type": "dir" if found.is_dir() else "file", "path": path, "size": found.stat().st_size})

    def path_of(self, snapshot: str) -> str:
        return self.paths[snapshot]

    @contextlib.contextmanager
    def mount(self, folder: Path) -> Iterator[Path]:
        yield self.state / "repository"


@dataclass
class Scene:
    """An application's bucket, its host's state, and a repository."""

    storage: Storage
    repository: Any
    part: BucketPart

    def back_up(self) -> Any:
        return self.part.back_up(self.repository, ["part=bucket:media"])

    def restore(self, record: Any) -> None:
        self.part.restore(self.repository, record)

    @property
    def room(self) -> Path:
        return Path(self.repository.state) / f"bucket-{NAME}"


@pytest.fixture
def tree_of_files(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """What rclone shows, without rclone: of a file and a folder of one name the folder, if the file is hidden."""

    @contextlib.contextmanager
    def show(access: Any, bucket: str, folder: Path, hidden: Iterable[str]) -> Iterator[Path]:
        folder.mkdir()
        for key, kept in storage.objects.items():
            if fits_a_file(key) and key not in set(hidden):
                place = folder / key
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(kept.body)
        yield folder
        shutil.rmtree(folder)

    monkeypatch.setattr(saving, "shown", show)
    monkeypatch.setattr(bucket_module, "free", lambda folder: None)
    monkeypatch.setattr(asking, "PAUSE_SECONDS", 0.001)


@pytest.fixture
def scene(storage: Storage, tmp_path: Path, tree_of_files: None) -> Scene:
    secret = tmp_path / "secrets" / "bucket-secret"
    secret.parent.mkdir()
    secret.write_text(ACCESS[1])
    secret.chmod(0o600)
    spec = {"endpoint": f"{storage.address}/", "region": "garage", "bucket": NAME, "key_id": ACCESS[0],
            "leave_out": ["cache/"]}  # fmt: skip
    (tmp_path / "state").mkdir()
    return Scene(storage, Folders(tmp_path / "state"), BucketPart(spec, Secrets(secret.parent)))


def test_the_signer_is_the_agents_own() -> None:
    assert Path(signature.__file__).read_bytes() == Path(agents_own.__file__).read_bytes()


# Keys


@pytest.mark.parametrize(
    "key", ["a", "a/b.jpg", "a b+c&d<é>.jpg", "100%", "back\\slash", "*", "..a", "y" * 255, "é" * 127]
)
def test_such_a_key_is_a_file(key: str) -> None:
    assert fits_a_file(key)


@pytest.mark.parametrize(
    "key",
    [
        "/a",
        "a/",
        "a//b",
        "..",
        "a/../b",
        ".",
        "a\nb",
        "a\0",
        "a\x7f",
        "‛",
        "␀",
        "．",
        "／",
        "y" * 256,
        "é" * 128,
        "\ufffd",
    ],
)
def test_such_a_key_is_none(key: str) -> None:
    assert not fits_a_file(key)


def test_names_of_files_and_folders_at_once_are_found_among_sorted_keys() -> None:
    hidden = Hidden()
    keys = sorted(["a", "a-b", "a-b/c", "a/b", "a/b/c", "ab", "b", "b/c", "/lead"])
    assert len(list(hidden.watch(Object(key, 0, "", "", {}) for key in keys))) == len(keys)
    assert hidden.both == {"a", "a/b", "a-b", "b"}
    assert "lead" in hidden


def test_listings_are_laid_side_by_side() -> None:
    def listing(keys: str) -> list[Object]:
        return [Object(key, 0, "", "", {}) for key in keys]

    pairs = side_by_side(listing("abde"), listing("bcef"))
    told = ["".join(found.key if found else "-" for found in pair) for pair in pairs]
    assert told == ["a-", "bb", "-c", "d-", "ee", "-f"]


# Talking to S3


def test_every_key_is_listed_over_all_pages(storage: Storage) -> None:
    for key in ODD:
        storage.put(key, key.encode())
    with Bucket(storage.access, NAME) as bucket:
        assert [found.key for found in bucket.objects()] == sorted(ODD)
    assert storage.count("GET /media?continuation-token=") == (len(ODD) - 1) // 7


def test_a_listing_out_of_order_is_not_believed(storage: Storage) -> None:
    storage.put("a", b"")
    storage.put("b", b"")
    storage.order = lambda keys: sorted(keys, reverse=True)
    with Bucket(storage.access, NAME) as bucket, pytest.raises(Trouble, match="out of order, 'a' after 'b'"):
        list(bucket.objects())


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"<html>welcome", "answers GET /media with no XML: it is no S3 server"),
        (b"<R><Contents><Key>a</Key><Size>many</Size></Contents></R>", "in a way that nobody knows"),
        (b"<R><IsTruncated>true</IsTruncated></R>", "without an end"),
    ],
)
def test_an_answer_that_is_none_of_s3_is_told(scene: Scene, answer: bytes, words: str) -> None:
    scene.storage.answers["GET /media?"] = [(200, answer)]
    with pytest.raises(Trouble, match=words):
        scene.part.measure()


def test_a_server_that_is_busy_is_asked_again(scene: Scene) -> None:
    scene.storage.answers["GET /media?"] = [(503, b"SlowDown"), (500, b"")]
    assert scene.part.measure() == {"bytes": 0, "counts": {"objects": 0}}


def test_a_bucket_that_is_not_there_is_absent(scene: Scene) -> None:
    scene.part.name = "another"
    with pytest.raises(Absent, match="refuses GET /another with HTTP status 404") as caught:
        scene.part.measure()
    assert "an apply makes the bucket" in caught.value.hint


def test_a_key_that_is_refused_is_told_with_what_to_do(scene: Scene) -> None:
    scene.part.access = scene.part.access._replace(secret="former")
    with pytest.raises(Trouble, match="HTTP status 403") as caught:
        scene.back_up()
    assert "see whether the application's key still has its rights" in caught.value.hint
    assert "SignatureDoesNotMatch" in caught.value.tail


def test_a_server_that_is_not_there_is_told(scene: Scene) -> None:
    scene.storage.close()
    with pytest.raises(Trouble, match=r"S3 does not answer at http://127.0.0.1:.*refused"):
        scene.part.measure()


# Backup


def test_all_objects_come_into_the_backup_with_what_is_kept_beside_them(scene: Scene) -> None:
    for key in ODD:
        scene.storage.put(key, key.encode(), **MEDIA)
    scene.storage.put("cache/other", b"1234")
    record = scene.back_up()
    assert record["counts"] == {"objects": len(ODD)}
    assert record["bytes"] == sum(len(key.encode()) for key in ODD)
    before = scene.storage.contents()
    scene.storage.objects.clear()
    scene.restore(record)
    assert scene.storage.contents() == {key: kept for key, kept in before.items() if key != "cache/other"}


def test_what_is_kept_beside_an_object_is_asked_for_once(scene: Scene) -> None:
    scene.storage.put("a", b"a", **MEDIA)
    scene.storage.put("b", b"b")
    scene.back_up()
    assert scene.storage.count("HEAD") == 2
    scene.storage.put("b", b"b", content_type="text/plain")
    record = scene.back_up()
    assert scene.storage.count("HEAD") == 1
    before = scene.storage.contents()
    scene.storage.objects.clear()
    scene.restore(record)
    assert scene.storage.contents() == before


def test_what_is_left_out_is_not_read(scene: Scene) -> None:
    scene.part.leave_out = ["cache/", "odd*[x]"]
    scene.storage.put("a", b"a")
    assert scene.back_up()["counts"] == {"objects": 1}
    folder = scene.room / "objects"
    assert scene.repository.excluded == [f"{folder}/cache/*", rf"{folder}/odd\*\[x\]*"]


def meanwhile(scene: Scene, act: Callable[[], None]) -> None:
    """Does that when the listing after the snapshot is asked for."""
    original = scene.repository.entries

    def entries(*words: Any) -> None:
        original(*words)
        act()

    scene.repository.entries = entries


def test_objects_that_are_deleted_meanwhile_are_no_failure(scene: Scene) -> None:
    for key in ("read-before", "unread", "odd//one", "stays"):
        scene.storage.put(key, b"1")
    scene.repository.lose = {"unread"}
    stays = {"stays": scene.storage.contents()["stays"]}

    def delete() -> None:
        scene.storage.objects = {key: kept for key, kept in scene.storage.objects.items() if key in stays}

    meanwhile(scene, delete)
    record = scene.back_up()
    assert record["counts"] == {"objects": 2}
    scene.restore(record)
    assert set(scene.storage.objects) == {"read-before", "stays"}


def test_an_object_that_is_there_and_did_not_come_in_is_named(scene: Scene) -> None:
    scene.storage.put("a/lost", b"1")
    scene.storage.put("b", b"1")
    scene.repository.lose = {"lost"}
    with pytest.raises(Trouble, match="1 objects are in bucket media and did not come into the backup: 'a/lost'"):
        scene.back_up()


def test_an_object_that_came_in_part_only_is_named(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.storage.put("a", b"whole")
    original = scene.repository.snapshot_path

    def cut(path: str, *words: Any, **more: Any) -> Any:
        for file in Path(path).glob("a"):
            file.write_bytes(b"who")
        return original(path, *words, **more)

    scene.repository.snapshot_path = cut
    with pytest.raises(Trouble, match="did not come into the backup: 'a'"):
        scene.back_up()


def test_what_is_written_anew_or_comes_meanwhile_is_of_one_piece_or_not_in_the_backup(scene: Scene) -> None:
    scene.storage.put("a", b"first", **MEDIA)

    def write() -> None:
        scene.storage.put("a", b"other", content_type="text/plain")
        scene.storage.put("new", b"new")

    meanwhile(scene, write)
    record = scene.back_up()
    assert record["counts"] == {"objects": 1}
    expected = scene.storage.contents()["a"]
    scene.storage.objects.clear()
    scene.restore(record)
    assert scene.storage.contents() == {"a": expected}


def test_an_object_that_ends_too_early_is_no_object(scene: Scene) -> None:
    scene.storage.put("a//b", b"whole")
    scene.storage.objects["a//b"].headers["content-length"] = "9"
    with pytest.raises(Trouble, match="an object ended 4 bytes too early"):
        scene.back_up()


def test_an_object_that_has_no_room_is_named_before_it_is_read(scene: Scene) -> None:
    """Whatever the listing said of it."""
    scene.storage.put("odd//one", b"1", content_length=str(1 << 50))
    with pytest.raises(Trouble, match="'odd//one' can only be kept by way of") as caught:
        scene.back_up()
    assert "it has 1,125,899,906,842,624 bytes" in caught.value.hint


def test_a_bucket_that_is_suddenly_empty_is_no_backup(host: Host, storage: Storage, tree_of_files: None) -> None:
    bucket = {"id": "bucket:media", "kind": "bucket", "endpoint": storage.address, "region": "garage", "bucket": NAME,
              "key_id": ACCESS[0], "leave_out": []}  # fmt: skip
    host.settings(parts=[bucket])
    host.secret("bucket-secret", ACCESS[1])
    host.done("backup")
    storage.put("a", b"a")
    host.done("backup")
    storage.objects.clear()
    told = host.trouble("backup")
    assert told["message"] == "bucket media is empty, and had 1 objects in the last backup"
    assert told["part"] == "bucket:media"
    assert [backup["parts"][0]["counts"] for backup in host.backups()] == [{"objects": 1}, {"objects": 0}]


# Restore


@pytest.fixture
def full(scene: Scene) -> Scene:
    for number in range(20):
        scene.storage.put(f"files/{number:02}.jpg", f"picture {number}".encode(), **MEDIA)
    return scene


def test_only_what_differs_is_sent_and_what_was_not_there_goes(full: Scene) -> None:
    before, record = full.storage.contents(), full.back_up()
    full.storage.put("files/03.jpg", b"pictures 3", **MEDIA)
    full.storage.put("files/04.jpg", b"picture 4", content_type="text/html")
    full.storage.put("files/05.jpg", b"picture 5", **MEDIA)
    del full.storage.objects["files/06.jpg"]
    for key in ("new", "bell\x07", "a<&>\n", "cache/kept"):
        full.storage.put(key, b"1")
    full.restore(record)
    assert (full.storage.count("PUT"), full.storage.count("POST"), full.storage.count("DELETE")) == (3, 1, 1)
    assert full.storage.objects.pop("cache/kept")
    assert full.storage.contents() == before
    full.restore(record)
    assert full.storage.count("PUT") == full.storage.count("DELETE") == full.storage.count("POST") == 0
    assert full.part.differences(record) == []


def test_a_restore_that_was_cut_off_goes_on_where_it_was(full: Scene) -> None:
    before, record = full.storage.contents(), full.back_up()
    full.storage.objects.clear()
    full.storage.answers["PUT /media/files/13"] = [(507, b"full")]
    with pytest.raises(Trouble, match=r"refuses PUT /media/files/13.jpg with HTTP status 507"):
        full.restore(record)
    done = len(full.storage.objects)
    full.storage.count("PUT")
    full.restore(record)
    assert full.storage.count("PUT") == 20 - done < 20
    assert full.storage.contents() == before


def test_large_objects_go_up_in_pieces_and_leave_none_if_one_fails(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (s3, copying):
        monkeypatch.setattr(module, "PIECE_BYTES", 10, raising=False)
    scene.storage.put("film", bytes(range(35)), **MEDIA)
    before, record = scene.storage.contents(), scene.back_up()
    scene.storage.objects.clear()
    scene.storage.answers["PUT /media/film?partNumber=3"] = [(507, b"full")]
    with pytest.raises(Trouble, match="507"):
        scene.restore(record)
    assert scene.storage.uploads == {}
    scene.restore(record)
    assert scene.storage.contents() == before
    assert scene.storage.objects["film"].etag.endswith("-4")


def test_etags_of_objects_in_pieces_are_never_compared(scene: Scene) -> None:
    """Both of these say the same, and only one of them is the same."""
    scene.storage.put("same", b"1111", etag="ab-2")
    scene.storage.put("other", b"2222", etag="cd-2")
    before, record = scene.storage.contents(), scene.back_up()
    scene.storage.put("same", b"1111", etag="ab-2")
    scene.storage.put("other", b"3333", etag="cd-2")
    scene.restore(record)
    assert scene.storage.contents() == before
    assert scene.storage.count("PUT") == 1
    assert scene.storage.count("GET /media/same") == 1
    assert not list(scene.room.glob("settled*"))


def test_what_was_found_out_by_reading_is_remembered_after_a_cut(scene: Scene) -> None:
    scene.storage.put("a", b"1111", etag="ab-2")
    scene.storage.put("b", b"2222")
    record = scene.back_up()
    scene.storage.put("a", b"1111", etag="cd-4")
    del scene.storage.objects["b"]
    scene.storage.answers["PUT /media/b"] = [(507, b"full")]
    with pytest.raises(Trouble, match="507"):
        scene.restore(record)
    scene.restore(record)
    assert scene.storage.count("GET /media/a") == 1


def test_bytes_that_are_not_those_that_were_listed_are_told(full: Scene) -> None:
    record = full.back_up()
    (damaged,) = (Path(full.repository.state) / "repository").rglob("07.jpg")
    damaged.write_bytes(b"pixture 7")
    full.storage.objects.clear()
    with pytest.raises(Trouble, match=r"bucket media is not as it was: 'files/07.jpg'"):
        full.restore(record)
    assert len(full.storage.objects) == 20, "all that can be had is there"


def test_a_listing_that_lacks_objects_deletes_nothing(full: Scene) -> None:
    record = full.back_up()
    (listing,) = (Path(full.repository.state) / "repository").rglob("objects.jsonl")
    listing.write_text("".join(listing.read_text().splitlines(keepends=True)[:5]))
    with pytest.raises(Trouble, match="the listing of the backup has 5 objects, and was to have 20"):
        full.restore(record)
    assert len(full.storage.objects) == 20


def test_who_else_writes_meanwhile_is_noticed(full: Scene) -> None:
    record = full.back_up()
    del full.storage.objects["files/00.jpg"]
    full.storage.meanwhile = lambda request: full.storage.put("intruder", b"1") if request.startswith("PUT") else None
    with pytest.raises(Trouble, match="not as it was: 'intruder'") as caught:
        full.restore(record)
    assert "see who else writes to it" in caught.value.hint


def test_differences_are_told_in_words(full: Scene) -> None:
    record = full.back_up()
    full.storage.put("more", b"x" * 5000)
    assert full.part.differences(record) == [
        "bucket media has 21 objects, the backup 20", "bucket media holds 5,190 bytes, the backup 190",
    ]  # fmt: skip


# The tree of files


def test_no_secret_is_on_rclones_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[Any] = []

    def start(words: Sequence[str], environment: Any, **_: Any) -> Any:
        called.append((words, environment))
        raise Trouble("seen")

    monkeypatch.setattr(tree.command, "start", start)
    access = signature.Access("http://127.0.0.1:1", "garage", *ACCESS)
    with pytest.raises(Trouble, match="seen"), tree.shown(access, NAME, tmp_path / "objects", ["bo*th", "b{o}th"]):
        pass
    ((words, environment),) = called
    assert environment["RCLONE_CONFIG_BUCKET_SECRET_ACCESS_KEY"] == ACCESS[1]
    assert not any(secret in word for word in words for secret in ACCESS)
    assert (tmp_path / "hidden").read_text() == "/bo\\*th\n/b\\{o\\}th\n"


LEADS_AWAY = ("{outside}", "../../../../../../../../../..{outside}", "link", "folder/secret")


@pytest.mark.parametrize("key", LEADS_AWAY)
def test_a_backup_that_leads_elsewhere_puts_nothing_of_this_host_into_the_bucket(
    scene: Scene, tmp_path: Path, key: str
) -> None:
    """It may be another's: its keys, its links and its folders say nothing of where this host's own files lie."""
    outside = tmp_path / "outside/secret"
    outside.parent.mkdir()
    outside.write_text("of this host")
    scene.storage.put("picture", b"of the bucket")
    record = scene.back_up()
    data, listing = (scene.repository._place(record["snapshots"][name]) for name in ("data", "listing"))
    (data / "link").symlink_to(outside)
    (data / "folder").symlink_to(outside.parent)
    evil = Object(key.format(outside=outside), 12, "", "2026-11-27T10:00:00.000Z", {})
    (listing / "objects.jsonl").write_text(json.dumps(evil._asdict()) + "\n")
    with pytest.raises(Trouble, match="leads elsewhere"):
        scene.restore(record)
    assert b"of this host" not in [kept.body for kept in scene.storage.objects.values()]


def test_a_listing_that_is_a_link_is_not_read(scene: Scene, tmp_path: Path) -> None:
    scene.storage.put("picture", b"of the bucket")
    record = scene.back_up()
    listing = scene.repository._place(record["snapshots"]["listing"]) / "objects.jsonl"
    listing.rename(tmp_path / "secret")
    listing.symlink_to(tmp_path / "secret")
    with pytest.raises(Trouble, match="leads elsewhere"):
        scene.restore(record)
    assert list(scene.storage.objects) == ["picture"]


@pytest.mark.parametrize(
    "changes",
    [
        {"headers": {"x-amz-copy-source": "/others/secret"}}, {"headers": {"x-amz-acl": "public-read"}},
        {"headers": {"x-amz-object-lock-legal-hold": "ON"}}, {"headers": {"authorization": "x"}}, {"headers": []},
        {"headers": {"content-type": 7}}, {"key": ""}, {"key": 7}, {"size": "1"}, {"size": -1}, {"aside": "/etc"},
    ],
)  # fmt: skip
def test_a_listing_has_nothing_done_but_to_write_objects(full: Scene, changes: dict[str, Any]) -> None:
    record = full.back_up()
    (listing,) = (Path(full.repository.state) / "repository").rglob("objects.jsonl")
    first, *others = listing.read_text().splitlines(keepends=True)
    listing.write_text("".join([json.dumps({**json.loads(first), **changes}) + "\n", *others]))
    before, asked = full.storage.contents(), len(full.storage.asked)
    with pytest.raises(Trouble, match="is no listing of a bucket"):
        full.restore(record)
    assert full.storage.contents() == before
    assert not [request for request in full.storage.asked[asked:] if not request.startswith("GET")]
