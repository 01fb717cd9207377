"""Package files are fetched by apt's downloader, from a small mirror here and from the machine's own."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fedikit.errors import DeadlineExceeded, StoreError
from fedikit.events import Event, Progress, tell_nobody
from fedikit.store import Deb, Store, fetch
from fedikit.store.download import batches_of

from .conftest import SmallMirror, resolve_for_trixie

FETCHER = """
import sys
from pathlib import Path
from fedikit.store import Deb, Store, fetch
name, sha256, size, uri, file_name, directory = sys.argv[1:]
deb = Deb(name, "1.0", "all", sha256, int(size), uri, file_name)
fetch([deb], store=Store(Path(directory)), tell=lambda event: print(event, flush=True))
"""


def fetch_elsewhere(deb: Deb, store: Store) -> subprocess.Popen[str]:
    """Starts another process that fetches a package file into the same store."""
    fields = [deb.name, deb.sha256, str(deb.size), deb.uri, deb.file_name, str(store.directory)]
    command = [sys.executable, "-c", FETCHER, *fields]
    return subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True)


def kept(store: Store) -> set[str]:
    return {path.name for path in (store.directory / "sha256").rglob("*") if path.is_file()}


def test_hello_comes_from_the_mirror_once(session_store: Store) -> None:
    debs = resolve_for_trixie({"hello": None}, store=session_store)
    hello = next(deb for deb in debs if deb.name == "hello")
    events: list[Event] = []
    fetch([hello], store=session_store, tell=events.append)
    session_store.verify(hello.sha256)
    assert session_store.path(hello.sha256).read_bytes().startswith(b"!<arch>")
    assert events[-1] == Progress(what="packages", done=hello.size, total=hello.size)
    events.clear()
    fetch([hello], store=session_store, tell=events.append)
    assert events == []


def test_a_damaged_file_in_the_store_is_fetched_anew(store: Store, mirror: SmallMirror) -> None:
    deb = mirror.deb("hello", b"whole")
    fetch([deb], store=store, tell=tell_nobody)
    store.path(deb.sha256).write_bytes(b"wh0le")
    fetch([deb], store=store, tell=tell_nobody)
    assert store.path(deb.sha256).read_bytes() == b"whole"
    assert len(mirror.asked) == 2


def test_progress_is_told_in_bytes_and_only_grows(store: Store, mirror: SmallMirror) -> None:
    debs = [mirror.deb("slow", b"x" * 4000, slow=0.5), mirror.deb("fast", b"y" * 1000)]
    events: list[Event] = []
    fetch(debs, store=store, tell=events.append)
    done = [event.done for event in events if isinstance(event, Progress) and event.total == 5000]
    assert len(done) == len(events) > 3
    assert done == sorted(done)
    assert done[-1] == 5000
    assert any(0 < bytes_ < 5000 for bytes_ in done)


def test_a_file_with_another_hash_is_refused_and_not_kept(store: Store, mirror: SmallMirror) -> None:
    deb = mirror.deb("hello", b"as promised")
    mirror.files["/hello_1.0_all.deb"] = b"as swapped!"
    with pytest.raises(StoreError, match=r"(?s)could not be fetched.*Hash Sum mismatch"):
        fetch([deb], store=store, tell=tell_nobody)
    assert kept(store) == set()
    assert list((store.directory / "incoming").iterdir()) == []


def test_a_file_that_the_mirror_lacks_is_named_with_a_hint(store: Store, mirror: SmallMirror) -> None:
    deb = mirror.deb("hello", b"gone")
    mirror.files.clear()
    with pytest.raises(StoreError, match=r"(?s)hello_1\.0_all\.deb.*404") as caught:
        fetch([deb], store=store, tell=tell_nobody)
    assert "FEDIKIT_LISTS_MAX_AGE" in caught.value.hint


def test_a_mirror_that_falls_silent_ends_at_the_deadline(
    store: Store, mirror: SmallMirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fedikit.store.download._PATIENCE", 0.3)
    began = time.monotonic()
    with pytest.raises(DeadlineExceeded, match="packages to arrive"):
        fetch([mirror.deb("hello", b"x" * 100, slow=5)], store=store, tell=tell_nobody)
    assert time.monotonic() - began < 2
    assert kept(store) == set()


def test_a_killed_fetch_leaves_nothing_half_and_can_be_repeated(store: Store, mirror: SmallMirror) -> None:
    deb = mirror.deb("hello", b"x" * 100_000, slow=2)
    with fetch_elsewhere(deb, store) as process:
        assert process.stdout is not None
        while "done=0" in process.stdout.readline():
            """Until some of it has arrived."""
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert kept(store) == set()
    mirror.slow.clear()
    fetch([deb], store=store, tell=tell_nobody)
    store.verify(deb.sha256)


def test_two_processes_may_fetch_the_same_at_once(store: Store, mirror: SmallMirror) -> None:
    deb = mirror.deb("hello", b"x" * 100_000, together=2)
    with fetch_elsewhere(deb, store) as one, fetch_elsewhere(deb, store) as other:
        one.communicate(timeout=30)
        other.communicate(timeout=30)
    assert (one.returncode, other.returncode) == (0, 0)
    assert len(mirror.asked) == 2
    store.verify(deb.sha256)


def sized(*megabytes: int) -> list[Deb]:
    return [Deb(f"p{n}", "1", "all", "", size * 2**20, "", f"p{n}_1_all.deb") for n, size in enumerate(megabytes)]


@pytest.mark.parametrize(
    ("sizes", "workers", "expected"),
    [
        ((1, 1, 1), 6, [3]),
        ((40, 30, 10, 10), 6, [40, 30, 10, 10]),
        ((40, 30, 10, 10), 2, [50, 40]),
        ((90,), 6, [90]),
    ],
)
def test_files_are_spread_evenly_over_as_many_connections_as_are_worth_while(
    sizes: tuple[int, ...], workers: int, expected: list[int]
) -> None:
    batches = batches_of(sized(*sizes), workers)
    assert [sum(deb.size for deb in batch) // 2**20 for batch in batches] == expected
    assert sum(len(batch) for batch in batches) == len(sizes)
