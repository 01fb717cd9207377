"""What a cell says, instead of a traceback, that uses a name which is not there, or that somebody stops.

Most often the kernel was started anew, and the cells above have not run in it; or Python's words were spelt as JSON's.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

SPELT = {"true": "True", "yes": "True", "false": "False", "no": "False", "null": "None", "none": "None"}
RUNBOOKS_OWN = frozenset(
    "run runbook chosen hosting wanted deployment plan report status present verdict configuration environment limit "
    "purge drift consent agreed confirm to dry_run sides".split()
)
FROM_THE_TOP = "this kernel has not run the cells above: run the notebook from the top"


def explain_names(shell: "InteractiveShell") -> None:
    """Has a running IPython say it in words."""
    shell.set_custom_exc((NameError, KeyboardInterrupt), _told)  # type: ignore[no-untyped-call]


def advice_on(name: str) -> str:
    """What to do about a name that is not there; nothing if it is none of ours."""
    if name in SPELT:
        return f"Python spells it {SPELT[name]}, with a capital letter"
    return f"there is no `{name}` yet: {FROM_THE_TOP}" if name in RUNBOOKS_OWN else ""


def _told(shell: Any, kind: type, error: BaseException, trace: Any, tb_offset: int | None = None) -> list[str]:
    """Shows it, as IPython leaves to who explains an error."""
    lines = _words(error) or shell.InteractiveTB.structured_traceback(kind, error, trace, tb_offset=tb_offset)
    shell._showtraceback(kind, error, lines)  # the only way that reaches a notebook
    return list(lines)


def _words(error: BaseException) -> list[str]:
    if isinstance(error, KeyboardInterrupt):
        return ["stopped; run the notebook again from the top"]
    advice = advice_on(getattr(error, "name", "") or "")
    return [f"{error}", f"  → {advice}"] if advice else []
