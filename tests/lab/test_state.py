"""What a lab remembers, and what it is called."""

import stat
from pathlib import Path

import pytest

from fedikit.errors import DeadlineExceeded, FedikitError
from fedikit_lab import Lab
from fedikit_lab.authority import issue, kept_authority
from fedikit_lab.image import cache_directory
from fedikit_lab.keys import kept_key
from fedikit_lab.lock import held_lock
from fedikit_lab.state import State, lab_name, load_state, save_state


def test_a_lab_is_called_after_the_place_of_its_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert lab_name(Path(".lab")) == lab_name(tmp_path / ".lab")
    assert lab_name(tmp_path / "a") != lab_name(tmp_path / "b")


def test_a_machine_keeps_its_number_for_good(tmp_path: Path) -> None:
    state = State(subnet=3, dns={"a.test": "10.77.3.11"}).with_machine("b").with_machine("a")
    assert state.machines == {"b": 11, "a": 12}
    assert state.with_machine("b") == state
    save_state(tmp_path, state)
    assert load_state(tmp_path) == state


def test_a_new_lab_remembers_nothing(tmp_path: Path) -> None:
    assert load_state(tmp_path) == State()


@pytest.mark.parametrize("name", ["acme", "Hello", "a.b", "", "-a", "a" * 33])
def test_a_name_that_no_machine_can_have_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(FedikitError, match="no machine of the lab can be called"):
        Lab(tmp_path, [name])


def test_an_unknown_machine_is_answered_with_those_known(tmp_path: Path) -> None:
    save_state(tmp_path, State(subnet=3, machines={"hello": 11}))
    with pytest.raises(FedikitError, match="no machine 'helo'; it has: hello"):
        Lab(tmp_path)["helo"]


def test_a_key_is_made_once_and_read_by_its_owner_alone(tmp_path: Path) -> None:
    key = kept_key(tmp_path / "keys" / "id")
    assert kept_key(tmp_path / "keys" / "id") == key
    assert key.public.startswith("ssh-ed25519 AAAA")
    assert stat.S_IMODE((tmp_path / "keys" / "id").stat().st_mode) == 0o600


def test_the_authority_stays_and_its_certificates_do_not(tmp_path: Path) -> None:
    authority = kept_authority(tmp_path)
    assert kept_authority(tmp_path) == authority
    assert issue(authority, ("acme.lab",), "10.77.1.2") != issue(authority, ("acme.lab",), "10.77.1.2")


def test_a_lock_is_waited_for_within_its_time(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with held_lock(path, seconds=0), pytest.raises(DeadlineExceeded, match=r"waited 0\.2 s for the lock"):
        _take(path, seconds=0.2)
    _take(path, seconds=0)


def _take(path: Path, seconds: float) -> None:
    with held_lock(path, seconds=seconds):
        pass


def test_the_cache_is_where_the_user_wants_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.delenv("FEDIKIT_CACHE", raising=False)
    assert cache_directory() == tmp_path / "xdg" / "fedikit"
    monkeypatch.setenv("FEDIKIT_CACHE", str(tmp_path / "own"))
    assert cache_directory() == tmp_path / "own"
