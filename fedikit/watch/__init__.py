"""Watching: looks again and again how a deployment is, and tells when something changes.

finding   one thing that is not well
look      what is not well just now, and what could not be seen
memory    what was known at the last look, and what is still to be told
news      what is told of a look, by what was known before; pure
message   what is told, as a value, as mail and as JSON
mail, webhook    the ways to tell
telling   sends what waits to be told
once      one look from its beginning to its end
timer     the units of systemd that look regularly
proofs    backups proven regularly, and what came of it
proof_timer      the units of systemd that prove them
"""

from fedikit.watch.once import Outcome, watch_once

__all__ = ["Outcome", "watch_once"]
