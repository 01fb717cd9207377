"""How a run is asked to stop."""

import os
import signal
import threading

import pytest

from fedikit.runbook.stopping import DeadlinePassed, RunInterrupted, StopRequest


@pytest.fixture
def no_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fedikit.runbook.stopping.GRACE", 0.0)


def test_nothing_asks_at_first() -> None:
    stop = StopRequest(3600)
    assert not stop.is_asked()
    assert not stop.is_grace_over()


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_noted_and_its_former_meaning_restored(signum: int) -> None:
    former = signal.getsignal(signum)
    stop = StopRequest()
    with stop.listening():
        os.kill(os.getpid(), signum)
    assert signal.getsignal(signum) == former
    assert stop.is_asked()
    error = stop.as_error()
    assert isinstance(error, RunInterrupted)
    assert error.signum == signum


def test_a_second_signal_ends_the_grace() -> None:
    stop = StopRequest()
    with stop.listening():
        os.kill(os.getpid(), signal.SIGINT)
        assert not stop.is_grace_over()
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.is_grace_over()


@pytest.mark.usefixtures("no_grace")
def test_a_deadline_asks_when_it_has_passed() -> None:
    stop = StopRequest(0)
    assert stop.is_asked()
    assert stop.is_grace_over()
    assert isinstance(stop.as_error(), DeadlinePassed)


def test_other_threads_leave_signals_alone() -> None:
    former, seen = signal.getsignal(signal.SIGTERM), list[object]()

    def listen() -> None:
        with StopRequest().listening():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=listen)
    thread.start()
    thread.join(timeout=10)
    assert seen == [former]
