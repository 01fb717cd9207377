"""Moves that meet: others come to hosts that are left. Nothing serves twice, and what leaves leaves last."""

from collections.abc import Callable

import pytest

from fedikit.data.migration.moving import apply_move
from fedikit.events import Event, StepFinished, StepStarted, Tell
from fedikit.plan import make_plan
from fedikit.results.migration import MOVING, ONCE_CLOSED
from tests.data.migration.exchange_scene import BOTH, Exchange, Placed
from tests.data.migration.scene import Cut, cut_at
from tests.remote.conftest import Staged, staged  # noqa: F401

ORDER = tuple(phase for phase in MOVING if phase not in ONCE_CLOSED)
SWAP: Placed = {"mastodon": "two", "pixelfed": "one"}
CHAIN: Placed = {"mastodon": "two", "pixelfed": "three"}


@pytest.fixture
def exchange(staged: Staged) -> Exchange:  # noqa: F811
    return Exchange(staged)


def when(step: str, act: Callable[[], object], exchange: Exchange) -> Tell:
    def tell(event: Event) -> None:
        if event == StepStarted(step=step):
            act()
        exchange.never_twice()(event)

    return tell


def require_moved(exchange: Exchange) -> None:
    for name, host in exchange.placed.items():
        assert exchange.serving(name) == [host]
        assert exchange.by_host[host].read(name) == f"the last words of {name}"
    assert make_plan(exchange.wanted).is_noop


@pytest.mark.parametrize("placed", [SWAP, CHAIN], ids=["exchange", "chain"])
def test_applications_go_where_others_leave_with_what_was_written_last(exchange: Exchange, placed: Placed) -> None:
    """Each serves where it was until the switch, whatever is set up beside it meanwhile."""

    def write() -> None:
        for name, host in (("mastodon", "one"), ("pixelfed", "two")):
            assert exchange.serving(name) == [host]
            exchange.by_host[host].write(f"the last words of {name}", name)

    exchange.placed = placed
    plan = exchange.plan()
    assert ([one.error for one in plan.applications], plan.left) == (["", ""], ORDER)
    report = exchange.move(when("close", write, exchange))
    assert (report.error, report.compared) == ("", dict.fromkeys(BOTH, ()))
    require_moved(exchange)


def test_cut_off_an_exchange_goes_on_there(exchange: Exchange) -> None:
    exchange.placed = SWAP
    for name, host in (("mastodon", "one"), ("pixelfed", "two")):
        exchange.by_host[host].write(f"the last words of {name}", name)
    for phase in ("stage", "differences", "open", "start", "leave"):
        with pytest.raises(Cut):
            apply_move(exchange.plan(), exchange.sides, names_seconds=0, tell=cut_at(StepFinished, phase))
        exchange.never_twice()(StepFinished(step=phase, seconds=0))
    assert [done.phase for done in exchange.move().phases] == ["leave"]
    require_moved(exchange)


def test_what_fails_before_it_opens_has_both_serve_where_they_were(exchange: Exchange) -> None:
    exchange.placed = SWAP
    differs = exchange.by_host["one"].sign("differs")
    report = exchange.move(exchange.never_twice())
    assert report.phases[-1].phase == "differences"
    assert (exchange.serving("mastodon"), exchange.serving("pixelfed")) == (["one"], ["two"])
    differs.unlink()
    assert exchange.move(exchange.never_twice()).error == ""
    assert (exchange.serving("mastodon"), exchange.serving("pixelfed")) == (["two"], ["one"])
