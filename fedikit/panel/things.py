"""What a plan is about, by the names that people know."""

from collections.abc import Sequence

from fedikit.model.item import class_of
from fedikit.panel.amounts import listed
from fedikit.panel.texts import Texts
from fedikit.results.plan import PlannedChange

_NAMED = 5
"""How many things are named before the rest is counted."""


class Things:
    """In one language."""

    def __init__(self, text: Texts) -> None:
        self.text = text

    def all_of(self, changes: Sequence[PlannedChange]) -> str:
        """Several of them, in a row."""
        names = [self.one(change.id) for change in changes[:_NAMED]]
        if rest := len(changes) - _NAMED:
            names += [self.text.plural("{n} more", "{n} more", rest)] if rest > 0 else []
        return listed(names, text=self.text)

    def one(self, identity: str) -> str:
        """The item with that id."""
        kind, _, name = identity.partition(":")
        words = {
            "package": "the package {name}",
            "file": "the file {name}",
            "directory": "the folder {name}",
            "symlink": "the link {name}",
            "user": "the user {name}",
            "unit": "the service {name}",
            "job": "the task {name}",
            "image": "the container image {name}",
            "database": "the database {name}",
            "bucket": "the media store {name}",
            "cluster": "the media store {name}",
            "firewall": "the firewall",
        }
        return self.text(words.get(kind, "{name}"), name=class_of(identity).plain_name(name))
