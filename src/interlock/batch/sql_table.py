"""Rows of a query on any PostgreSQL, through a cursor of the server's: a thousand at a time, whatever the query gives.

A query has no order that a second run could rely on, so its rows need a column of keys; a run that is taken up again
reads the query from its start, and finds by their keys the rows that are decided.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Sequence

import polars as pl
import psycopg
from psycopg import Connection, ServerCursor
from psycopg.rows import TupleRow
from psycopg.types.string import TextLoader

from interlock.batch.cells import Column, text_column
from interlock.batch.rows import Reading, Row, check_columns, rows_of
from interlock.batch.table import CHUNK, Identity, Place
from interlock.contracts import Field, Shape
from interlock.errors import DatabaseUnavailable, ManyRefused, Refused, Violation

_OPTIONS = (
    "-c default_transaction_read_only=on -c timezone=UTC -c datestyle=ISO -c extra_float_digits=1"
    " -c idle_in_transaction_session_timeout=0"
)
_WHOLE = frozenset({"int2", "int4", "int8"})
_FLOATS = frozenset({"float4", "float8"})
_NESTED = frozenset({"json", "jsonb"})
_TEXTS = frozenset(
    {"text", "varchar", "bpchar", "name", "char", "uuid", "unknown", "citext", "date", "time", "numeric"}
)
_MOMENTS = frozenset({"timestamp", "timestamptz"})
_KNOWN = _WHOLE | _FLOATS | _NESTED | _TEXTS | _MOMENTS | {"bool"}


class SqlTable:
    """What a SELECT gives.

    Args:
        query: The statement: one SELECT, without a semicolon.
        url: The database, as ``postgresql://``.
        reading: How its rows are read; it names a column of keys.

    Raises:
        Refused: the query has no column of keys, cannot run, or its columns do not fit the contract or are no JSON.
        DatabaseUnavailable: the database does not answer.
    """

    resumes = False
    total = None

    def __init__(self, query: str, url: str, reading: Reading) -> None:
        if not reading.key:
            raise Refused("the rows of a query have no order to go by", where="--key", todo="name a column of keys")
        try:
            digest = hashlib.sha256(query.encode()).hexdigest()
        except UnicodeEncodeError as cause:
            raise Refused("the query is not UTF-8", where="--in", todo="write it in UTF-8") from cause
        self.identity = Identity(kind="sql", name="sql", size=0, digest=digest)
        self.reading = reading = reading.over(digest)
        self._query, self._url = query, url
        with self._opened() as cursor:
            self._types = {column.name: _type_name(column.type_code) for column in cursor.description or ()}
            count = len(cursor.description or ())
        if count != len(self._types):
            raise Refused("two columns of the query have the same name", where="--in", todo="name them with AS")
        check_columns(reading, list(self._types))
        wrong = [
            Violation(where=name, what=f"the column is {kind}, which is no JSON", rule="column", todo="cast it to text")
            for name, kind in self._types.items()
            if kind not in _KNOWN and name not in reading.leave_out
        ]
        if wrong:
            raise ManyRefused("columns hold what cannot be asked", tuple(wrong), where="--in")

    def chunks(self, place: Place) -> Generator[Sequence[Row]]:
        """All rows, in the order in which the database gives them; the place is always the first."""
        del place
        number = 0
        with self._opened() as cursor:
            try:
                while rows := cursor.fetchmany(CHUNK):
                    yield self._rows(rows, number)
                    number += len(rows)
            except psycopg.Error as cause:
                what = f"the query failed after row {number}: {_said(cause)}"
                raise Refused(what, where="--in", todo="mend it and run the same command again") from cause

    def check_unchanged(self) -> None:
        """A query is known by its text."""

    def _opened(self) -> _Opened:
        return _Opened(self._url, self._query)

    def _rows(self, rows: Sequence[TupleRow], before: int) -> list[Row]:
        columns: dict[str, Column] = {}
        for name, cells in zip(self._types, zip(*rows, strict=True), strict=True):
            if name not in self.reading.leave_out:
                columns[name] = self._column(name, self._types[name], cells)
        return rows_of(self.reading, columns, range(before + 1, before + 1 + len(rows)))

    def _column(self, name: str, kind: str, cells: Sequence[str | None]) -> Column:
        declared = self.reading.field(name)
        if kind in _WHOLE and (declared is None or declared.shape is not Shape.DECIMAL):
            return text_column(name, cells, Field(name=name, shape=Shape.INTEGER))
        return _COLUMNS[kind](name, cells) if kind in _COLUMNS else text_column(name, cells, None)


class _Opened:
    """A query that runs: a transaction that can only read, and its cursor."""

    def __init__(self, url: str, query: str) -> None:
        self._url = url
        self._query = query
        self._connection: Connection[TupleRow] | None = None
        self._cursor: ServerCursor[TupleRow] | None = None

    def __enter__(self) -> ServerCursor[TupleRow]:
        try:
            self._connection = psycopg.connect(self._url, options=_OPTIONS, connect_timeout=5)
        except psycopg.OperationalError as cause:
            raise DatabaseUnavailable(
                f"the database of the table does not answer: {_said(cause)}", todo="see --database-url-from"
            ) from cause
        except (psycopg.ProgrammingError, UnicodeEncodeError) as cause:
            # the text of the error may hold the address, and the address a password
            todo = "write it as postgresql://USER@HOST/DATABASE"
            raise Refused("the database's address is none", where="--database-url-from", todo=todo) from cause
        for info in psycopg.adapters.types:
            self._connection.adapters.register_loader(info.oid, TextLoader)
            if info.array_oid:
                self._connection.adapters.register_loader(info.array_oid, TextLoader)
        cursor = self._connection.cursor(name="interlock_table")
        try:
            cursor.execute(self._query.encode())
        except psycopg.Error as cause:
            cursor.close()
            self._connection.close()
            raise Refused(f"the query cannot run: {_said(cause)}", where="--in", todo="write one SELECT") from cause
        self._cursor = cursor
        return cursor

    def __exit__(self, *_: object) -> None:
        if self._cursor and self._connection and not self._connection.broken:
            self._cursor.close()
        if self._connection:
            self._connection.close()


def _type_name(oid: int) -> str:
    info = psycopg.adapters.types.get(oid)
    if info is None:
        return "text"  # a type of that database's own, such as an enumeration: as it writes itself
    return f"an array of {info.name}" if oid == info.array_oid else info.name


def _said(cause: psycopg.Error) -> str:
    return (cause.diag.message_primary or str(cause)).strip()[:300]


def _floats(name: str, cells: Sequence[str | None]) -> Column:
    """``NaN`` and infinity stay text."""
    return text_column(name, cells, Field(name=name, shape=Shape.NUMBER))


def _booleans(name: str, cells: Sequence[str | None]) -> Column:
    return Column(pl.Series(name, [None if cell is None else cell == "t" for cell in cells], dtype=pl.Boolean()))


def _nested(name: str, cells: Sequence[str | None]) -> Column:
    return text_column(name, cells, Field(name=name, shape=Shape.OBJECT))


def _moments(name: str, cells: Sequence[str | None]) -> Column:
    """From PostgreSQL's ISO form in UTC to that of RFC 3339; ``infinity`` stays text."""
    return Column(
        pl.Series(name, [cell and cell.replace(" ", "T").replace("+00", "Z") for cell in cells], dtype=pl.String())
    )


_Read = Callable[[str, Sequence[str | None]], Column]
_COLUMNS: dict[str, _Read] = {
    "bool": _booleans,
    **dict.fromkeys(_FLOATS, _floats),
    **dict.fromkeys(_NESTED, _nested),
    **dict.fromkeys(_MOMENTS, _moments),
}
