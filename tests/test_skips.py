"""A test that is left out is told by name, and fails the run where none may be left out."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

NEEDS_MACHINES = "tests/failure/test_reboot.py"


@pytest.mark.parametrize(("no_skips", "status"), [("0", 0), ("1", 1)])
def test_a_test_left_out_fails_the_run_where_none_may_be(no_skips: str, status: int) -> None:
    variables = {**os.environ, "FEDIKIT_LAB": "0", "FEDIKIT_NO_SKIPS": no_skips}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", NEEDS_MACHINES]

    done = subprocess.run(command, cwd=Path(__file__).parents[1], env=variables, capture_output=True, text=True)

    assert (done.returncode, done.stderr) == (status, "")
    assert f"{NEEDS_MACHINES}: boots real machines" in done.stdout
