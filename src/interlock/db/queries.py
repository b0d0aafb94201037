"""Named SQL: a room's statements stand in the ``queries.sql`` beside its ``store.py`` and nowhere else.

A block begins with ``-- name: find_case`` and goes on to the next one; the comment lines under the name are its
documentation. Python sees typed values: ``Rows`` reads, ``Bulk`` writes many rows with one parameter. Each one
registers itself, so that one test prepares every statement on the real schema and compares its columns with its type.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any, Generic, TypeVar, cast
from uuid import UUID

import msgspec
from psycopg import AsyncConnection, AsyncCursor
from psycopg.rows import dict_row, tuple_row

from interlock.errors import InterlockError

Row = TypeVar("Row")
Sent = TypeVar("Sent", bound=msgspec.Struct)
Parameters = Mapping[str, Any]

_NAME = re.compile(r"^-- name: (\w+)\s*$", re.MULTILINE)
_WRITTEN = re.compile(r"^\s*(?:insert into|update|delete from) (\w+)", re.MULTILINE)
_PARAMETER = re.compile(r"%\((\w+)\)s")

declared: list[Rows[Any] | Bulk[Any] | Command] = []
"""Every statement of the program, for the test that prepares them all."""


class Statement:
    """One named statement.

    Attributes:
        name: ``room.name``, as errors and tests call it.
        sql: The SQL with psycopg's named parameters; ``text`` is the same as bytes.
    """

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.sql = text
        self.text = text.encode()  # bytes: the driver takes what is no literal only so

    def __repr__(self) -> str:
        return f"<sql {self.name}>"

    @property
    def parameters(self) -> tuple[str, ...]:
        """The parameters' names, in order of their first use."""
        return tuple(dict.fromkeys(_PARAMETER.findall(self.sql)))

    @property
    def numbered(self) -> str:
        """The SQL as the server prepares it, with ``$1`` for the first parameter."""
        places = {name: f"${at}" for at, name in enumerate(self.parameters, 1)}
        return _PARAMETER.sub(lambda match: places[match[1]], self.sql).replace("%%", "%")


class Command(Statement):
    """A statement whose rows nobody reads."""

    async def run(self, connection: AsyncConnection[Any], parameters: Parameters | None = None) -> int:
        """Run it; how many rows it changed."""
        return (await connection.execute(self.text, parameters)).rowcount


class Rows(Statement, Generic[Row]):
    """A statement that reads rows of one type: a msgspec struct whose fields are the columns, or a single value."""

    def __init__(self, name: str, text: str, row: type[Row]) -> None:
        super().__init__(name, text)
        self.row = row
        self.single = not issubclass(row, msgspec.Struct)

    async def all(self, connection: AsyncConnection[Any], parameters: Parameters | None = None) -> list[Row]:
        """Every row."""
        async with connection.cursor(row_factory=tuple_row if self.single else dict_row) as cursor:
            await cursor.execute(self.text, parameters)
            return [self.read(row) for row in await cursor.fetchall()]

    async def one(self, connection: AsyncConnection[Any], parameters: Parameters | None = None) -> Row | None:
        """The first row, or None."""
        rows = await self.all(connection, parameters)
        return rows[0] if rows else None

    def read(self, row: Any) -> Row:
        """One row as its type."""
        return msgspec.convert(row[0] if self.single else row, self.row, dec_hook=_as_it_is, builtin_types=_BUILTIN)


async def all_at_once(connection: AsyncConnection[Any], *asked: tuple[Rows[Any], Parameters | None]) -> list[list[Any]]:
    """Every row of several statements that do not rest on each other, asked for by one message: one wait for all."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(connection.pipeline())
        cursors: list[tuple[Rows[Any], AsyncCursor[Any]]] = []
        for rows, parameters in asked:
            factory: Any = tuple_row if rows.single else dict_row
            cursor = await stack.enter_async_context(connection.cursor(row_factory=factory))
            await cursor.execute(rows.text, parameters)
            cursors.append((rows, cursor))
        return [[rows.read(row) for row in await cursor.fetchall()] for rows, cursor in cursors]


_BUILTIN = (UUID, Decimal, bytes)


def _as_it_is(_: type, value: Any) -> Any:
    return value


class Bulk(Statement, Generic[Sent]):
    """A statement that writes many rows from one JSON parameter, ``%(rows)s``, through ``json_to_recordset``.

    Args:
        name: The statement's name.
        text: Its SQL.
        sent: The struct of one row; its fields are the recordset's columns. Bytes travel as base64 text.
        distinct: Fields that tell two rows of one statement apart. INVARIANT: an UPDATE joined to a record set changes
            a target row once, however many records name it, and drops the others in silence; so two units that would
            write the same target never share a batch.

    Attributes:
        only_adds: Whether it changes no row that was there: then what it writes is nobody else's target.
        table: The table that it writes first; empty if it calls a function.
    """

    def __init__(self, name: str, text: str, sent: type[Sent], distinct: tuple[str, ...]) -> None:
        super().__init__(name, text)
        self.sent = sent
        self.distinct = distinct
        statement = text.lower()
        self.only_adds = "insert into" in statement and "on conflict" not in statement and "update " not in statement
        written = _WRITTEN.search(statement)
        self.table = written[1] if written else ""

    def target(self, row: Sent) -> tuple[Any, ...]:
        """What the row will change, to compare with other units' rows."""
        return tuple(getattr(row, field) for field in self.distinct)

    async def run(self, connection: AsyncConnection[Any], rows: Sequence[Sent]) -> int:
        """Write the rows; how many it changed."""
        return (await connection.execute(self.text, {"rows": encode_rows(rows)})).rowcount


_encoder = msgspec.json.Encoder(decimal_format="string", uuid_format="canonical")


def encode_rows(rows: Iterable[msgspec.Struct]) -> str:
    """Rows as the one JSON parameter of a bulk statement."""
    return _encoder.encode(list(rows)).decode()


class Queries:
    """The statements of one ``queries.sql``, each taken out once, with its type."""

    def __init__(self, room: str, texts: dict[str, str]) -> None:
        self.room = room
        self._texts = texts

    @property
    def unused(self) -> tuple[str, ...]:
        """Statements in the file that no code has taken out."""
        taken = {statement.name for statement in declared}
        return tuple(name for name in self._texts if f"{self.room}.{name}" not in taken)

    def rows(self, name: str, row: type[Row]) -> Rows[Row]:
        """A statement that reads."""
        return _declare(Rows(f"{self.room}.{name}", self._texts[name], row))

    def bulk(self, name: str, sent: type[Sent], *, distinct: tuple[str, ...]) -> Bulk[Sent]:
        """A statement that writes many rows."""
        return _declare(Bulk(f"{self.room}.{name}", self._texts[name], sent, distinct))

    def command(self, name: str) -> Command:
        """A statement whose rows nobody reads."""
        return _declare(Command(f"{self.room}.{name}", self._texts[name]))


T = TypeVar("T", bound=Statement)
files: list[Queries] = []
"""Every file of statements, for the test that finds the unused."""


def _declare(statement: T) -> T:
    declared.append(cast("Any", statement))
    return statement


def load_queries(module_file: str) -> Queries:
    """The statements of the ``queries.sql`` beside a module: ``load_queries(__file__)``."""
    return _load(Path(module_file).with_name("queries.sql"))


def read_blocks(path: Path) -> dict[str, str]:
    """The statements of a file by their names, without declaring them as statements on our own schema.

    Raises:
        InterlockError: it names a statement twice.
    """
    parts = _NAME.split(path.read_text(encoding="utf-8"))
    names, bodies = parts[1::2], parts[2::2]
    if len(set(names)) != len(names):
        raise InterlockError(f"{path.name} names a statement twice", where=str(path))
    return {name: body.strip() for name, body in zip(names, bodies, strict=True)}


@functools.cache
def _load(path: Path) -> Queries:
    queries = Queries(path.parent.name, read_blocks(path))
    files.append(queries)
    return queries
