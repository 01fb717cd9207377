"""Package lists are of the release asked for, whatever a mirror serves, and fetched by a configuration that is ours."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from fedikit.errors import StoreError
from fedikit.events import tell_nobody
from fedikit.store import Source, Store, fetch
from fedikit.store import apt as own_apt
from fedikit.store.lists import Lists, current_lists

from .conftest import SmallMirror, resolve_for_trixie

Serve = Callable[..., None]


@pytest.fixture(scope="module")
def bookworm(session_store: Store) -> Lists:
    """The lists of another release, as Debian signed them."""
    return current_lists("bookworm", "amd64", store=session_store, tell=tell_nobody)


@pytest.fixture
def serve(bookworm: Lists, mirror: SmallMirror, monkeypatch: pytest.MonkeyPatch) -> Serve:
    """A mirror that has bookworm's signed files in the place of any suite."""

    def serve(*suites: str, ask_for: str) -> None:
        files = {path.name: path.read_bytes() for path in (bookworm.folder / "lists").iterdir() if path.is_file()}
        (signed,) = (name for name in files if name.endswith("_dists_bookworm_InRelease"))
        packages = files[signed.replace("InRelease", "main_binary-amd64_Packages")]
        for suite in suites:
            mirror.files[f"/debian/dists/{suite}/InRelease"] = files[signed]
            mirror.files[f"/debian/dists/{suite}/main/binary-amd64/Packages"] = packages
        address = f"http://127.0.0.1:{mirror.server.server_port}/debian"
        sources = tuple(Source(address, suite, ("main",)) for suite in suites)
        monkeypatch.setattr(
            "fedikit.store.lists.debian_sources", lambda codename: sources if codename == ask_for else ()
        )

    return serve


def lists_of(codename: str, store: Store) -> Lists:
    return current_lists(codename, "amd64", store=store, tell=tell_nobody)


def test_a_mirror_that_serves_what_was_asked_for_is_believed(serve: Serve, store: Store) -> None:
    serve("bookworm", ask_for="bookworm")
    assert "hello" in lists_of("bookworm", store).ask("apt-cache", "madison", "--", "hello").stdout


@pytest.mark.parametrize("suite", ["trixie", "trixie-updates", "trixie-security"])
def test_another_release_in_the_place_of_the_one_asked_for_is_refused(suite: str, serve: Serve, store: Store) -> None:
    serve(suite, ask_for="trixie")
    with pytest.raises(StoreError, match=f"/debian/? serves Debian's bookworm in the place of Debian's {suite}"):
        resolve_for_trixie({"hello": None}, store=store)
    assert not (store.directory / "apt" / "trixie-amd64" / "lists").exists()


def test_older_lists_that_were_right_do_not_cover_for_wrong_ones(
    serve: Serve, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve("bookworm", ask_for="bookworm")
    lists = lists_of("bookworm", store)
    (store.directory / "apt" / "bookworm-amd64").rename(store.directory / "apt" / "trixie-amd64")
    serve("trixie", ask_for="trixie")
    monkeypatch.setenv("FEDIKIT_LISTS_MAX_AGE", "0")
    with pytest.raises(StoreError, match="in the place of"):
        lists_of("trixie", store)
    monkeypatch.setenv("FEDIKIT_LISTS_MAX_AGE", "1e9")
    with pytest.raises(StoreError, match="in the place of"):
        lists_of("trixie", store)
    assert not (lists.folder / "refreshed").exists()


@pytest.mark.parametrize(
    ("codename", "architecture"),
    [
        ("trixie", 'amd64"; APT::Update::Pre-Invoke { "touch /tmp/pwned"; }; APT::Foo "x'),
        ("trixie", "../../x"),
        ("trixie", "amd65"),
        ('trixie"; x', "amd64"),
        ("../trixie", "amd64"),
        ("trixie\n", "amd64"),
        ("-o", "amd64"),
    ],
)
def test_a_release_or_machine_that_debian_does_not_know_touches_nothing(
    codename: str, architecture: str, store: Store
) -> None:
    with pytest.raises(StoreError, match="Debian has no release"):
        current_lists(codename, architecture, store=store, tell=tell_nobody)
    assert not store.directory.exists()


@pytest.fixture
def hooked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A deployer's own configuration of apt with hooks in it, and what makes archives less safe."""
    trace = tmp_path / "trace"
    conf = tmp_path / "deployers.conf"
    hooks = ("APT::Update::Pre-Invoke", "APT::Update::Post-Invoke", "APT::Update::Post-Invoke-Success")
    lines = [f'{hook} {{"touch {trace}";}};' for hook in hooks]
    lines += ['Acquire::Check-Valid-Until "false";', 'Acquire::AllowInsecureRepositories "true";']
    lines += ['Acquire::http::Proxy::somewhere.test "http://proxy.test:3128/";']
    conf.write_text("\n".join(lines) + "\n")
    monkeypatch.setenv("APT_CONFIG", str(conf))
    return trace


def test_the_deployers_own_configuration_tells_the_way_and_nothing_else(
    hooked: Path, serve: Serve, mirror: SmallMirror, store: Store
) -> None:
    serve("bookworm", ask_for="bookworm")
    lists = lists_of("bookworm", store)
    fetch([mirror.deb("hello", b"whole")], store=store, tell=tell_nobody)

    assert not hooked.exists()
    said = lists.ask("apt-config", "dump").stdout
    assert 'Acquire::Check-Valid-Until "true";' in said
    assert 'Acquire::AllowInsecureRepositories "false";' in said
    assert 'Acquire::http::Proxy::somewhere.test "http://proxy.test:3128/";' in said
    assert "touch" not in said
    assert os.environ["APT_CONFIG"] not in said


@pytest.mark.parametrize("value", ['a"b', "a\nb", "a\\b", "a\x1bb"])
def test_what_would_be_more_than_one_value_is_refused(value: str) -> None:
    with pytest.raises(StoreError, match="cannot be told"):
        own_apt.setting("Dir::Cache", value)
