"""The panel's server is killed while somebody looks, deploys and reads: runs go on, and a new server shows them."""

import shutil
from collections.abc import Iterator

import pytest

from fedikit.runbook.record import RunStatus
from fedikit.runbook.work import who_is_at_work
from tests.panel.browser import Seat, Served, chromium, served, until

pytestmark = pytest.mark.skipif(
    not shutil.which("chromedriver"), reason="needs chromium-driver: scripts/prepare browser"
)


@pytest.fixture(scope="module")
def seat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seat]:
    with served(tmp_path_factory.mktemp("panel")) as server, chromium() as browser:
        seat = Seat(browser, server)
        seat.sign_in()
        yield seat


def status(server: Served) -> RunStatus:
    return server.provider.desk("alice").runs()[-1].status


def come_back(seat: Seat) -> None:
    """The page comes back by itself when the server does, and whoever was signed in still is."""
    seat.run("window.isBefore = true")
    seat.server.begin()
    until(lambda: not seat.run("return window.isBefore"), "the page to load again", 90)
    seat.find(".fk-tab-services")


def test_it_is_killed_while_looking(seat: Seat) -> None:
    seat.page("choose")
    seat.click(".fk-field-album-enable input")
    seat.click(".fk-look")
    until(lambda: seat.server.provider.desk("alice").runs(), "the run", 30)
    seat.server.kill()
    until(lambda: status(seat.server) is not RunStatus.RUNNING, "the run's end")
    assert status(seat.server) is RunStatus.SUCCEEDED
    come_back(seat)
    seat.page("look")
    seat.find(".fk-do")


def test_it_is_killed_while_deploying(seat: Seat) -> None:
    server = seat.server
    server.provider.waiting.touch()
    seat.click(".fk-do")
    seat.sees("Making the changes")
    server.kill()
    come_back(seat)
    seat.sees("Making the changes")
    seat.sees("alice began this")
    server.provider.waiting.unlink()
    seat.sees("done in")
    assert status(server) is RunStatus.SUCCEEDED


def test_it_is_killed_while_showing(seat: Seat) -> None:
    seat.page("history")
    seat.server.kill()
    come_back(seat)
    assert who_is_at_work(seat.server.provider.folder / "alice.toml") is None
    seat.page("choose")
    assert seat.find(".fk-field-album-enable input").is_selected()


def test_a_session_ends_while_a_run_goes_on(seat: Seat) -> None:
    server = seat.server
    server.provider.waiting.touch()
    seat.page("leave")
    seat.page("choose")
    seat.click(".fk-field-notes-enable input")
    seat.click(".fk-look")
    seat.click(".fk-do")
    seat.sees("alice began this")
    (server.provider.folder / "panel" / "sessions.json").unlink()
    seat.find("#password")
    server.provider.waiting.unlink(missing_ok=True)
    until(lambda: status(server) is not RunStatus.RUNNING, "the run's end")
    seat.sign_in()
    seat.page("progress")
    seat.sees("done in")
