"""One apply, as who carries it out sees it: what is asked for, what would change, and what there is to do it with."""

from collections.abc import Callable
from typing import Any, NamedTuple

from .change import Comparison, Wish
from .hands import Hands
from .ledger import Ledger, Record
from .others import Others
from .work import Work

Tell = Callable[[dict[str, Any]], None]


class Batch(NamedTuple):
    """What one apply is about. `debs` are the packages that are to be installed for it."""

    hands: Hands
    wish: Wish
    comparison: Comparison
    ledger: Ledger
    work: Work
    others: Others
    debs: list[Record]
    tell: Tell
