"""`python -m fedikit` is the command line."""

from fedikit.cli import main

main()
