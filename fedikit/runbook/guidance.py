"""What helps next when a step of a runbook failed, and the errors that say so."""

import html
import re

from fedikit.errors import FedikitError

ASIDE = {"fedikit": "aside"}
"""Marks an output that a terminal shows in its own way."""

_MEND = "mend what is named above, then run {runbook}.ipynb again; no host was touched"
_AGAIN = "run {runbook}.ipynb again once the cause is mended: it goes on where it stopped"
_FROM_THE_TOP = "run {runbook}.ipynb again from the top: it goes on where it stopped"

ADVICE = {
    ("deploy", "pre-checks"): _MEND,
    (
        "deploy",
        "plan",
    ): "nothing was changed; verify.ipynb tells what still serves, then run deploy.ipynb again",
    ("deploy", "apply"): "run rollback.ipynb, or deploy.ipynb again once the cause is mended",
    ("deploy", "verify"): "run verify.ipynb again in a minute; if it still fails, rollback.ipynb",
    ("verify", "pre-checks"): _MEND,
    ("verify", "verify"): "run deploy.ipynb as a dry run: its plan names what is not as wanted",
    ("remove", "pre-checks"): _MEND,
    ("remove", "plan"): "nothing was changed; run remove.ipynb again once the hosts answer",
    ("remove", "apply"): _AGAIN,
    ("remove", "verify"): "run remove.ipynb again: its plan names what is left",
    ("rollback", "pre-checks"): _MEND,
    ("rollback", "plan"): "nothing was changed; run rollback.ipynb again once the hosts answer",
    ("rollback", "apply"): "run rollback.ipynb again, or go forward with deploy.ipynb",
    ("rollback", "verify"): "run rollback.ipynb again, or go forward with deploy.ipynb",
    ("upgrade", "pre-checks"): _MEND,
    ("upgrade", "plan"): "nothing was changed; run upgrade.ipynb again once the hosts answer",
    ("upgrade", "apply"): _AGAIN,
    ("upgrade", "verify"): "run verify.ipynb again in a minute; what fails then is mended on its host",
    ("backup", "pre-checks"): _MEND,
    ("backup", "plan"): "nothing was changed; run backup.ipynb again once the hosts and the repository answer",
    ("backup", "apply"): "mend what is named above, then run backup.ipynb again; earlier backups are as they were",
    ("backup", "verify"): "run backup.ipynb again: its plan names the backups that there are",
    ("restore", "pre-checks"): _MEND,
    ("restore", "plan"): "nothing was changed; mend what is named above, then run restore.ipynb again",
    ("restore", "apply"): _AGAIN,
    ("prove", "pre-checks"): _MEND,
    ("prove", "plan"): "mend what is named above, then run prove.ipynb again",
    ("prove", "apply"): "mend what is named above, run backup.ipynb for a newer one, then prove.ipynb again",
    ("prove", "verify"): "the proof lies beside the environment's file; run prove.ipynb again once the hosts answer",
    ("restore", "verify"): "run verify.ipynb again in a minute; restore.ipynb brings back what was there before, too",
    ("migrate", "pre-checks"): _MEND,
    ("migrate", "plan"): "nothing was changed; mend what is named above, then run migrate.ipynb again",
    ("migrate", "apply"): "run migrate.ipynb again once the cause is mended: it goes on where it stopped",
    ("migrate", "verify"): "run verify.ipynb again in a minute; migrate.ipynb goes back with back = True",
    ("move", "pre-checks"): _MEND,
    ("move", "plan"): "nothing was changed; mend what is named above, then run move.ipynb again",
    ("move", "apply"): _AGAIN,
    ("move", "verify"): "run verify.ipynb again in a minute; what was left is kept where it was",
}


def advice_for(runbook: str, step: str) -> str:
    """One sentence that names the runbook which helps next."""
    return ADVICE.get((runbook, step), _AGAIN).format(runbook=runbook)


def show_advice(sentence: str, *, base: str = "") -> None:
    """Shows the advice in the notebook, with links to the runbooks it names, found under `base`."""
    from IPython.display import display

    place = html.escape(base, quote=True)
    linked = re.sub(r"[\w-]+\.ipynb", rf'<a href="{place}\g<0>">\g<0></a>', html.escape(sentence))
    bundle = {"text/plain": f"next: {sentence}", "text/html": f"<b>next:</b> {linked}"}
    display(bundle, raw=True, metadata=ASIDE)  # type: ignore[no-untyped-call]


def show_note(sentence: str) -> None:
    """Shows something that the person should know, though the work goes on."""
    from IPython.display import display

    bundle = {"text/plain": f"note: {sentence}", "text/html": f"<b>note:</b> {html.escape(sentence)}"}
    display(bundle, raw=True)  # type: ignore[no-untyped-call]


class RunbookError(FedikitError):
    """Something a cell of a runbook says to the person before it: without a traceback."""

    def _render_traceback_(self) -> list[str]:
        return str(self).splitlines()


class StepFailed(RunbookError):
    """A step of a runbook failed; the message is the cause's, the hint the runbook that helps next."""

    def __init__(self, runbook: str, step: str, message: str, *, hint: str = "") -> None:
        self.step = step
        advice = f"next: {advice_for(runbook, step)}"
        hint = f"{hint}\n  → {advice}" if hint else advice
        super().__init__(f"{runbook}: {step} failed: {message}", hint=hint)


class InvalidInput(StepFailed):
    """A step failed because of mistakes in what a person wrote."""

    exit_status = 2


class StepStopped(RunbookError):
    """A person interrupted a step."""

    def __init__(self, runbook: str, step: str) -> None:
        went_on = "what a host was at, it brings to its end; `fedikit status` tells how far each came"
        before = went_on if step == "apply" else "nothing was changed by it"
        super().__init__(f"{runbook}: {step} was stopped", hint=f"{before}; {_FROM_THE_TOP.format(runbook=runbook)}")


class StepRefused(RunbookError):
    """A cell was run at a time when it could do harm."""
