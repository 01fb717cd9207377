"""The parts of the panel's server, each by itself, with a clock of ours."""

import json
import stat
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest

from fedikit.errors import FedikitError
from fedikit.panel.server.caddy import Caddy
from fedikit.panel.server.files import JsonFile, private_folder
from fedikit.panel.server.notebook import PanelNotebook
from fedikit.panel.server.pages import preferred
from fedikit.panel.server.passwords import hash_of, is_right
from fedikit.panel.server.premises import Premises
from fedikit.panel.server.throttle import FREE, LONGEST_SECONDS, Throttle
from tests.panel.serving import PASSWORD, write_notebook, write_panel


class Clock:
    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def premises(tmp_path: Path, clock: Clock) -> Premises:
    return Premises(write_panel(tmp_path), clock=clock)


def test_a_session_ends_when_it_was_idle(premises: Premises, clock: Clock) -> None:
    token = premises.sessions.begin("alice")
    for _ in range(3):
        clock.now += 29 * 60
        session = premises.sessions.find(token)
        assert session
        premises.sessions.touch(session)
    clock.now += 30 * 60
    assert premises.sessions.find(token) is None


def test_a_session_ends_after_its_longest_time_however_busy(premises: Premises, clock: Clock) -> None:
    token = premises.sessions.begin("alice")
    for _ in range(12 * 3 - 1):
        clock.now += 20 * 60
        session = premises.sessions.find(token)
        assert session
        premises.sessions.touch(session)
    clock.now += 20 * 60
    assert premises.sessions.find(token) is None


def test_a_clock_that_was_put_back_lets_no_session_live_on(premises: Premises, clock: Clock) -> None:
    token = premises.sessions.begin("alice")
    clock.now -= 3600
    assert premises.sessions.find(token) is None


def test_the_file_of_sessions_has_no_token_in_it_and_is_nobody_elses(premises: Premises) -> None:
    token = premises.sessions.begin("alice")
    file = premises.state / "sessions.json"
    assert token not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(premises.state.stat().st_mode) == 0o700
    assert stat.S_IMODE((premises.state / "cookie.key").stat().st_mode) == 0o600


def test_a_state_folder_that_others_can_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "panel").mkdir(mode=0o755)
    with pytest.raises(FedikitError, match="open to others"):
        private_folder(tmp_path / "panel")


def test_a_new_factor_ends_the_sessions_from_before_it(premises: Premises) -> None:
    token = premises.sessions.begin("alice")
    premises.factor.enrol("alice")
    assert premises.sessions.find(token) is None


def test_while_the_file_has_mistakes_what_was_before_holds(premises: Premises, tmp_path: Path) -> None:
    (tmp_path / "panel.toml").write_text("[operators")
    assert set(premises.panel.operators) == {"alice", "bob"}
    write_panel(tmp_path, operators=("bob",))
    assert set(premises.panel.operators) == {"bob"}


def test_a_code_lets_in_once(premises: Premises, clock: Clock) -> None:
    uri = premises.factor.enrol("alice").uri
    secret = parse_qs(urlsplit(uri).query)["secret"][0]
    code = pyotp.TOTP(secret).at(int(clock.now))
    assert uri.startswith("otpauth://totp/fedikit:alice?")
    assert not premises.factor.accepts("alice", "")
    assert not premises.factor.accepts("alice", "000000" if code != "000000" else "111111")
    assert premises.factor.accepts("alice", f"{code[:3]} {code[3:]}")
    assert not premises.factor.accepts("alice", code)
    clock.now += 30
    assert not premises.factor.accepts("alice", code)
    assert premises.factor.accepts("alice", pyotp.TOTP(secret).at(int(clock.now)))


def test_a_code_of_a_clock_that_is_half_a_minute_off_is_right_and_none_older(premises: Premises, clock: Clock) -> None:
    secret = parse_qs(urlsplit(premises.factor.enrol("alice").uri).query)["secret"][0]
    assert not premises.factor.accepts("alice", pyotp.TOTP(secret).at(int(clock.now) - 60))
    assert premises.factor.accepts("alice", pyotp.TOTP(secret).at(int(clock.now) - 30))


def test_a_recovery_code_lets_in_once(premises: Premises) -> None:
    codes = premises.factor.enrol("alice").recovery_codes
    assert len(set(codes)) == 10
    assert premises.factor.accepts("alice", codes[0].upper())
    assert not premises.factor.accepts("alice", codes[0])
    assert premises.factor.accepts("alice", codes[1].replace("-", " "))
    kept = (premises.state / "second-factor/alice.json").read_text()
    assert not any(code in kept or code.replace("-", "") in kept for code in codes)


def test_who_guesses_waits_longer_each_time_but_never_longer_than_two_minutes(tmp_path: Path, clock: Clock) -> None:
    throttle = Throttle(JsonFile(tmp_path / "throttle.json"), b"key", clock)
    key = throttle.name("alice")
    assert [throttle.attempt([key]) for _ in range(FREE["name"])] == [0.0] * FREE["name"]
    waits = []
    for _ in range(12):
        waits.append(throttle.attempt([key]))
        clock.now += waits[-1]
        assert throttle.attempt([key]) == 0.0
    assert waits == sorted(waits)
    assert waits[0] == 1.0
    assert waits[-1] == LONGEST_SECONDS


def test_a_restart_forgives_nothing_and_a_quarter_of_an_hour_does(tmp_path: Path, clock: Clock) -> None:
    for _ in range(FREE["name"]):
        throttle = Throttle(JsonFile(tmp_path / "throttle.json"), b"key", clock)
        assert throttle.attempt([throttle.name("alice")]) == 0.0
    assert throttle.attempt([throttle.name("alice")]) > 0.0
    clock.now += 900
    assert throttle.attempt([throttle.name("alice")]) == 0.0


def test_what_was_right_is_no_try_and_takes_no_others_back(tmp_path: Path, clock: Clock) -> None:
    throttle = Throttle(JsonFile(tmp_path / "throttle.json"), b"key", clock)
    own, address = throttle.name("alice"), throttle.address("192.0.2.1")
    for _ in range(100):
        assert throttle.attempt([own, address]) == 0.0
        throttle.take_back([own, address])
    for _ in range(FREE["address"] - 1):
        assert throttle.attempt([address]) == 0.0
    assert throttle.attempt([own, address]) == 0.0
    throttle.take_back([own, address])
    assert throttle.attempt([address]) == 0.0
    assert throttle.attempt([address]) > 0.0


def test_no_name_that_was_typed_is_kept_for_it_may_be_a_password(tmp_path: Path, clock: Clock) -> None:
    throttle = Throttle(JsonFile(tmp_path / "throttle.json"), b"key", clock)
    throttle.attempt([throttle.name("hunter2")])
    assert "hunter2" not in (tmp_path / "throttle.json").read_text()


def test_addresses_of_one_network_count_as_one() -> None:
    assert Throttle.address("2001:db8::1") == Throttle.address("2001:db8::ffff:2")
    assert Throttle.address("2001:db8::1") != Throttle.address("2001:db8:0:1::1")
    assert Throttle.address("192.0.2.1") != Throttle.address("192.0.2.2")


def test_a_password_is_right_however_its_letters_are_composed() -> None:
    hashed = hash_of("schöne Wörter für alle")
    assert is_right("scho\u0308ne Wo\u0308rter fu\u0308r alle", hashed)
    assert not is_right("schone Worter fur alle", hashed)
    assert not is_right("x" * 2000, hashed)


@pytest.mark.parametrize(
    ("password", "mistake"),
    [("short", "shorter"), ("alice-alice-1", "like the name"), ("aaaaaaaaaaaaaaaa", "too few"), ("x" * 2000, "longer")],
)
def test_a_password_that_will_not_do_is_refused(password: str, mistake: str) -> None:
    with pytest.raises(FedikitError, match=mistake):
        hash_of(password, name="alice")


@pytest.mark.parametrize(
    ("accepted", "language"),
    [("de-AT,de;q=0.9,en;q=0.8", "de"), ("fr, en;q=0.5", "en"), ("", "en"), ("tlh", "en"), (";;,;", "en")],
)
def test_the_browser_says_which_language(accepted: str, language: str) -> None:
    assert preferred(accepted) == language


def test_parameters_come_after_the_notebooks_own_and_cannot_break_out(tmp_path: Path) -> None:
    notebook = PanelNotebook(write_notebook(tmp_path))
    hostile = 'x"\nraise SystemExit  # \\'
    cells = notebook.with_parameters({"operator": hostile}).cells
    names: dict[str, str] = {}
    exec(cells[0].source + "\n" + cells[1].source, names)
    assert names["operator"] == hostile
    assert len(notebook.with_parameters({}).cells) == 3
    assert notebook.imports == "import os\nimport ipywidgets\nfrom IPython.display import HTML, display"


def test_caddy_strips_what_visitors_say_of_themselves_and_nobody_commands_it(tmp_path: Path) -> None:
    caddy = Caddy("panel.example.org", acme_directory="https://ca.example/dir", acme_root=tmp_path / "root.pem")
    configuration = caddy.configuration(tmp_path / "panel.sock", tmp_path)
    first, *_, last = configuration["apps"]["http"]["servers"]["panel"]["routes"][0]["handle"]
    assert {"Forwarded", "X-Forwarded-*", "X-Real-Ip", "Remote-*"} <= set(first["request"]["delete"])
    assert last["upstreams"] == [{"dial": f"unix/{tmp_path}/panel.sock"}]
    assert configuration["admin"]["disabled"] is True
    issuer = configuration["apps"]["tls"]["automation"]["policies"][0]["issuers"][0]
    assert issuer == {
        "module": "acme",
        "ca": "https://ca.example/dir",
        "trusted_roots_pem_files": [str(tmp_path / "root.pem")],
    }
    assert json.dumps(configuration)


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "sessions.json").write_text("[")
    with pytest.raises(FedikitError, match="is damaged"):
        JsonFile(tmp_path / "sessions.json").read()


def test_the_password_of_the_tests_is_right(premises: Premises) -> None:
    assert is_right(PASSWORD, premises.panel.operators["alice"].password)
