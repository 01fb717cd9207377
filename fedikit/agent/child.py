"""Waiting for child processes; without `subprocess`: to import it takes longer than most commands."""

import os
import select


def has_ended(process: int, seconds: float) -> bool:
    """Waits for a child process, so long at most; it is still to be asked how it ended."""
    end = os.pidfd_open(process)
    try:
        return bool(select.select([end], [], [], seconds)[0])
    finally:
        os.close(end)
