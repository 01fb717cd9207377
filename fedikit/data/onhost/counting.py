"""What is counted of a database, and how two counts differ, in words.

Counts are numbers by name: the rows of each table by "table NAME", and how many there are of all else, such as "views".
"""

from collections.abc import Mapping

Counts = Mapping[str, int]
TABLE = "table "


def differences_between(now: Counts, then: Counts) -> list[str]:
    """In what `now` differs from `then`, which a backup holds; a sentence for each name, in their order."""
    names = sorted({*now, *then})
    return [_sentence(name, now, then) for name in names if now.get(name) != then.get(name)]


def rows_of(counts: Counts) -> dict[str, int]:
    """The rows of tables alone, which a restore must bring back to the last one."""
    return {name: number for name, number in counts.items() if name.startswith(TABLE)}


def _sentence(name: str, now: Counts, then: Counts) -> str:
    if not name.startswith(TABLE):
        return f"there are {now.get(name, 0):,} {name}, in the backup {then.get(name, 0):,}"
    table = name.removeprefix(TABLE)
    if name not in now:
        return f"there is no table {table}; the backup has it, with {_rows(then[name])}"
    if name not in then:
        return f"there is a table {table} with {_rows(now[name])}; the backup has none"
    return f"{table} has {_rows(now[name])}, the backup {then[name]:,}"


def _rows(number: int) -> str:
    return "1 row" if number == 1 else f"{number:,} rows"
