"""What a statement gave, as JSON: exact, and never larger than what is kept of an answer."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

import msgspec
from psycopg import AsyncConnection, AsyncCursor
from psycopg.rows import dict_row
from psycopg.types.json import set_json_loads

from interlock.actions.connector import Done, Permanent
from interlock.connectors.sql.statement import Statement

LARGEST_ANSWER = 1_000_000
"""Bytes of JSON."""

_DECODER = msgspec.json.Decoder(float_hook=str)
_SAFE = 2**53


def _loads(text: str | bytes) -> Any:
    try:
        return _DECODER.decode(text)
    except msgspec.DecodeError:  # an escaped lone surrogate: json columns hold it
        return json.loads(text, parse_float=str)


async def run(connection: AsyncConnection[Any], statement: Statement, values: dict[str, object]) -> Done | Permanent:
    """Run a statement inside the transaction; what it gave, or why it must be rolled back.

    What it returns is the response: of one row its columns; of several ``rows``; nothing: how many it changed.

    Raises:
        psycopg.Error: the database refused it.
    """
    async with connection.cursor(row_factory=dict_row) as cursor:
        # prepared: such a statement is a single one, whatever stands in the settings
        set_json_loads(_loads, cursor)
        await cursor.execute(statement.text, values, prepare=True)
        changed = max(cursor.rowcount, 0)
        rows = await _rows(cursor)
    if statement.rows is not None and changed != statement.rows:
        what = f"{statement.name} changed or gave {_count(changed)}, and {_count(statement.rows)} were due"
        return Permanent(what, code="row-count")
    response = _response(rows, changed)
    if len(msgspec.json.encode(response)) > LARGEST_ANSWER:
        return Permanent(f"{statement.name} gave more than {LARGEST_ANSWER:,} bytes", code="answer-too-large")
    return Done(response)


async def read_one(connection: AsyncConnection[Any], statement: Statement, values: dict[str, object]) -> Any:
    """Run a statement that reads a fact: its one value, or None where there is no row.

    Raises:
        psycopg.Error: the database refused it.
        ValueError: more than one row or column.
    """
    async with connection.cursor(row_factory=dict_row) as cursor:
        set_json_loads(_loads, cursor)
        await cursor.execute(statement.text, values, prepare=True)
        rows = await cursor.fetchmany(2)
    if len(rows) > 1 or any(len(row) != 1 for row in rows):
        raise ValueError(f"{statement.name} gave more than one row or column: a fact is one value")
    return exact(next(iter(rows[0].values()))) if rows else None


def exact(value: object) -> Any:  # noqa: PLR0911 - one line for each type
    """A value of the driver as JSON: numbers with a fraction and large ones as text, times in UTC (RFC 3339)."""
    match value:
        case None | bool() | str():
            return value
        case int():
            return value if -_SAFE < value < _SAFE else str(value)
        case float() | Decimal() | UUID():
            return str(value)
        case datetime() if value.tzinfo:
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case datetime() | date() | time():
            return value.isoformat()
        case bytes():
            return value.hex()
        case dict():
            return {str(name): exact(item) for name, item in cast("dict[object, object]", value).items()}
        case list() | tuple():
            return [exact(item) for item in cast("list[object]", value)]
        case _:
            return str(value)


def _response(rows: list[dict[str, Any]] | None, changed: int) -> dict[str, Any]:
    if rows is None:
        return {"changed": changed}
    shown = [exact(row) for row in rows]
    return shown[0] if len(shown) == 1 else {"rows": shown}


async def _rows(cursor: AsyncCursor[dict[str, Any]]) -> list[dict[str, Any]] | None:
    return await cursor.fetchall() if cursor.description else None


def _count(rows: int) -> str:
    return "1 row" if rows == 1 else f"{rows} rows"
