#!/usr/bin/python3 -I
"""Gives what lies in a directory to the numbers that a container's users have on the host: FIRST DIRECTORY.

Data from before containers had numbers of their own belongs to small ones. Whatever was shifted stays as it is, so this
can be cut off and repeated. It follows no link, and reaches files through their directories only.
"""

import os
import sys

first, directory = int(sys.argv[1]), sys.argv[2]
COUNT = 65536


def shifted(number: int) -> int:
    return number + first if number < COUNT else -1


for _, folders, files, descriptor in os.fwalk(directory):
    for name in [*folders, *files]:
        try:
            seen = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
            owner, group = shifted(seen.st_uid), shifted(seen.st_gid)
            if (owner, group) != (-1, -1):
                os.chown(name, owner, group, dir_fd=descriptor, follow_symlinks=False)
        except FileNotFoundError:  # whoever uses the directory has taken it away meanwhile
            continue
