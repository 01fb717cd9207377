"""Standard input, output and error: each is there, be it an empty one.

Rule: nobody may open a file before. One that got the number of a stream that was closed would take in what is printed.
"""

import contextlib
import os
import sys
from typing import NoReturn

from fedikit.errors import FedikitError


def fill_in_for_missing() -> None:
    """Puts the null device where whoever started this process closed a standard stream."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:  # always the lowest number that is free
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    sys.stdin = sys.stdin or os.fdopen(0, closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


def end_with_refusal(error: OSError) -> NoReturn:
    """Ends the process at once with what the operating system refused; what is not printed yet, nobody takes."""
    what = error.filename or "what there is to say cannot be printed"
    hint = "see that its disk is not full, and that you may write there"
    refusal = FedikitError(f"{what}: {error.strerror or error}", hint=hint)
    with contextlib.suppress(OSError):
        print(f"error: {refusal}", file=sys.stderr, flush=True)
    os._exit(refusal.exit_status)
