"""What the host of a provider that wants nobody to leave may answer: each is told in words, and harms nothing."""

import json
from typing import Any

import pytest

from fedikit.events import Event, StepStarted
from tests.data.migration.scene import APPLICATION, Scene
from tests.data.migration.test_phases import never_both, require_one_serves

NEVER = {"migration": "another", "since": "never"}
LIES: list[tuple[str, str]] = [
    ("copy", "\x1b[2Jrubbish\n"),
    (
        "differences",
        json.dumps({"event": "done", "result": {"newest": {"id": "../../etc/cron.d", "parts": []}}}) + "\n",
    ),
]


@pytest.mark.parametrize(("phase", "words"), LIES)
def test_what_is_no_answer_is_said_and_the_old_side_stays_what_it_is(scene: Scene, phase: str, words: str) -> None:
    speaks = scene.old.machine.path("/run/data-speaks")

    def tell(event: Event) -> None:
        if event == StepStarted(step=phase):
            speaks.write_text(words)

    report = scene.migrate(tell)
    assert report.error.startswith(f"{APPLICATION} could not be backed up on here: ")
    assert "\x1b" not in report.error
    assert report.advice.endswith("do the same again")
    assert not scene.new.serves
    speaks.unlink()
    assert scene.migrate(never_both(scene)).error == ""
    require_one_serves(scene, scene.new, "the first words")


def test_who_says_that_it_is_closed_in_rubbish_is_not_believed(scene: Scene) -> None:
    """Nor opened by guess: whether it serves is not known, so the new side does not."""
    told: dict[str, Any] = {"event": "done", "closed": NEVER}

    def tell(event: Event) -> None:
        if event == StepStarted(step="close"):
            scene.old.sign("speaks", json.dumps(told) + "\n")

    report = scene.migrate(tell)
    assert (report.phases[-1].phase, report.phases[-1].failed) == ("close", True)
    assert "here" in report.error
    assert "could not be opened again" in report.advice
    assert not scene.new.serves
