"""Tables in PostgreSQL, as the contract images of several servers keep theirs."""

import importlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from .shared import Refused

Row = dict[str, Any]


class Tables:
    """A database that is asked statement by statement; each is a transaction of its own.

    `place` is how its driver reaches it, `variable` the one that says where it is.
    """

    def __init__(self, place: Mapping[str, Any], variable: str) -> None:
        self._place, self._variable = place, variable
        self._driver = importlib.import_module("psycopg2")
        self._rows = importlib.import_module("psycopg2.extras").RealDictCursor

    def ask(self, statement: str, *values: object) -> list[Row]:
        """The rows that a statement gives."""
        with self._cursor() as cursor:
            cursor.execute(statement, values)
            return [dict(row) for row in cursor.fetchall()] if cursor.description else []

    @contextmanager
    def _cursor(self) -> Iterator[Any]:
        try:
            connection = self._driver.connect(**self._place)
            try:
                with connection, connection.cursor(cursor_factory=self._rows) as cursor:
                    yield cursor
            finally:
                connection.close()
        except self._driver.Error as error:
            words = str(error).strip().splitlines() or ["no answer"]
            raise Refused(f"the database of {self._variable} refused: {words[0]}") from error
