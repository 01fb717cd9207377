"""Several applications at once, while each host works on one after the other."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from fedikit.data.migration.sides import Pair
from fedikit.errors import FedikitError
from fedikit.model.deployment import Deployment
from fedikit.remote.hosts import side_by_side

T = TypeVar("T")
AT_A_TIME = 4
"""How many applications are worked on: each may have all of its data on its way through the deployer."""


def for_each(pairs: Sequence[Pair], act: Callable[[Pair], T]) -> dict[str, T]:
    """The same for each application, side by side; what came of it by their names.

    What goes wrong with one lets the others end. Then FedikitError is raised, with what went wrong by its application.
    """
    if len(pairs) == 1:
        return {pairs[0].application: act(pairs[0])}  # its error as it is, at once where it is interrupted
    by_name = {pair.application: pair for pair in pairs}
    failed: dict[str, FedikitError] = {}

    done: dict[str, T] = {}

    def attempt(name: str) -> None:
        try:
            done[name] = act(by_name[name])
        except FedikitError as error:
            failed[name] = error

    side_by_side(list(by_name), attempt, at_a_time=AT_A_TIME)
    if failed:
        raise _all_of({name: failed[name] for name in by_name if name in failed})
    return {name: done[name] for name in by_name}


def _all_of(failed: dict[str, FedikitError]) -> FedikitError:
    words = "; ".join(f"{name}: {error.headline}" for name, error in failed.items())
    hints = [error.hint for error in failed.values() if error.hint]
    return FedikitError(words, hint="; ".join(dict.fromkeys(hints)))


class Turns:
    """One after the other on each host: it has one lock for all that changes it, and its events are told apart."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._hosts: dict[tuple[str, str], threading.Lock] = {}

    @contextmanager
    def on(self, side: Deployment, host: str) -> Iterator[None]:
        """Waits for whoever is at work there."""
        with self._guard:
            turn = self._hosts.setdefault((side.name, host), threading.Lock())
        with turn:
            yield
