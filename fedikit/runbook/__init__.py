"""Runbooks: parameterised notebooks that operate hosts, how they are run, and the records they leave.

In a notebook's cells: `run = runbook.begin("deploy", …)`; `runbook.last_run("deploy")` shows what the last one came to.
From outside: `run_runbook("deploy", {…})`.
"""

import sys

# A third of a second instead of two: papermill's schema validation would build 35 grammars that nobody uses.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]

from fedikit.runbook.past import last_run  # noqa: E402
from fedikit.runbook.record import Record, RunResult, RunStatus, list_records, read_record  # noqa: E402
from fedikit.runbook.runner import run_runbook  # noqa: E402
from fedikit.runbook.session import Run, begin  # noqa: E402

__all__ = ["Record", "Run", "RunResult", "RunStatus", "begin", "last_run", "list_records", "read_record", "run_runbook"]
