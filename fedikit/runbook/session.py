"""What the cells of a runbook work with: one run, its steps, its events.

It is the same in JupyterLab, under papermill and under `fedikit run`. The last keeps a record, and names its folder
to the kernel in FEDIKIT_RECORD; where a person runs the cells, the run keeps its own.
"""

import os
from pathlib import Path
from typing import Any

from fedikit.errors import ConfigurationError
from fedikit.runbook.arguments import check_files, check_parameters
from fedikit.runbook.changing import Changing
from fedikit.runbook.checking import Checking
from fedikit.runbook.front_end import is_attended
from fedikit.runbook.guidance import InvalidInput
from fedikit.runbook.keeping import Keeping
from fedikit.runbook.own_record import OwnRecord
from fedikit.runbook.parameters import parameters_model
from fedikit.runbook.record import RECORD


def begin(runbook: str, /, **parameters: Any) -> "Run":
    """Begins a run of a runbook: checks the parameters, whoever put them into the cell above."""
    model = parameters_model(runbook)
    try:
        checked = check_parameters(model, parameters)
        check_files(checked)
    except ConfigurationError as error:
        raise InvalidInput(model.runbook, "pre-checks", error.message, hint=error.hint) from None
    if folder := os.environ.get(RECORD):
        return Run(checked, record=Path(folder))
    return Run(checked, own=OwnRecord.open(checked) if is_attended() else None)


class Run(Changing, Keeping, Checking):
    """One run of a runbook, from `begin` to its summary."""
