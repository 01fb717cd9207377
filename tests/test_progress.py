"""Events in a terminal and in a pipe."""

import io

from rich.console import Console

from fedikit.display.progress import TerminalProgress, lasting_line, live_line
from fedikit.events import HostFinished, ItemStarted, Progress, StepStarted


def test_a_terminal_has_one_living_line_and_keeps_what_ended() -> None:
    output = io.StringIO()
    progress = TerminalProgress(Console(file=output, force_terminal=True, width=80, color_system=None))
    progress(ItemStarted(host="hello", item="package:hello", action="create"))
    progress(HostFinished(host="hello", outcome="changed", seconds=1.0))
    progress.close()
    assert output.getvalue() == "\r\x1b[K  … hello: create package:hello\r\x1b[K  ✓ hello changed (1.0 s)\n"


def test_a_pipe_gets_a_line_now_and_then_and_no_control_characters() -> None:
    output = io.StringIO()
    progress = TerminalProgress(Console(file=output, width=80))
    for done in range(50):
        progress(Progress(what="downloading", done=done, total=50))
    progress(HostFinished(host="hello", outcome="failed", seconds=1.0, detail="no [bold]room[/]\nmore"))
    assert output.getvalue() == "  … downloading 0.0 of 0.0 MB\n  ✗ hello failed: no [bold]room[/]\n"


def test_what_lasts_and_what_lives() -> None:
    assert lasting_line(StepStarted(step="plan")) == ""
    assert live_line(StepStarted(step="plan")) == "plan"
    assert live_line(Progress(what="sending", done=500_000, total=1_000_000, host="a")) == "a: sending 0.5 of 1.0 MB"
