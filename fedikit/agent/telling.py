"""Telling the deployer when work on items begins and ends."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from .batch import Tell
from .change import Change
from .ledger import Record
from .trouble import Trouble, trouble_from


@contextmanager
def told(*changes: Change, tell: Tell) -> Iterator[Record]:
    """Tells of the items; names the first of them in trouble. What is put into the record is told at the end."""
    result: Record = {}
    for change in changes:
        tell({"event": "item", "phase": "start", "id": change.id, "action": change.action})
    start, failed = time.monotonic(), True
    try:
        yield result
        failed = False
    except Trouble as trouble:
        trouble.item = changes[0].id if changes else "packages"
        raise
    except OSError as error:
        failure = trouble_from(error)
        failure.item = changes[0].id if changes else "packages"
        raise failure from error
    finally:
        seconds = round(time.monotonic() - start, 3)
        for change in changes:
            words = {"event": "item", "phase": "end", "id": change.id, "action": change.action}
            tell(
                {
                    **words,
                    "seconds": seconds,
                    "failed": failed,
                    **{key: value for key, value in result.items() if value},
                }
            )


def tell_that_it_stays(change: Change, *, tell: Tell) -> None:
    with told(change, tell=tell) as result:
        result["kept"] = words_of_what_stays(change)


def words_of_what_stays(change: Change) -> str:
    return ", ".join(change.reasons) if change.action in ("keep", "release") else ""
