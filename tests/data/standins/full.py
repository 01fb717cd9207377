"""A host whose disk is full, for the agent and for the program of backups: nothing new is written below its root.

It is as long as there is `run/full`; the lines in that name the only folders that are, if there are any.
"""

import errno
import os
import sys


def watch(root):
    """From now on this process, and what is forked from it, finds the disk full."""
    marker = f"{root}/run/full"

    def hook(event, told):
        if event == "os.mkdir":
            path, flags = told[0], os.O_CREAT
        elif event == "open" and isinstance(told[2], int) and told[2] & os.O_CREAT:
            path, flags = told[0], told[2]
        else:
            return
        if is_on_it(path, flags) and os.path.exists(marker) and is_named(path):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)

    def is_on_it(path, flags):
        """What is in /run lies in memory; what is there already is opened."""
        if not isinstance(path, str) or "lock" in path:
            return False
        if not path.startswith("/"):
            return True
        return (
            path.startswith(f"{root}/")
            and not path.startswith(f"{root}/run/")
            and not (os.path.exists(path) and not flags & os.O_TRUNC)
        )

    def is_named(path):
        with open(marker) as lines:
            folders = lines.read().split()
        return not folders or any(path.startswith(f"{root}{folder}") for folder in folders)

    sys.addaudithook(hook)
