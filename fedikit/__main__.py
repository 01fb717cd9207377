"""`python -m fedikit` is the command line.

Python looks for modules where it is started; `python -P -m fedikit` and the command `fedikit` do not.
"""

import sys

if not sys.flags.safe_path:
    del sys.path[0]  # from here on, nothing is imported from the current folder

from fedikit.cli import main

main()
