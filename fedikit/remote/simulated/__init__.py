"""Programs that a host in a directory has in the place of its own: what they do is simulated, inside of that directory.

Each is copied there, and runs alone: standard library only.
"""
