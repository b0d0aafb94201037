"""The rows of what comes in: files, statements, entries; and what of them is in force, as tables of columns."""

from __future__ import annotations

import io
from datetime import date, datetime
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

import msgspec
import polars as pl
from psycopg import AsyncConnection

from interlock.db.queries import load_queries
from interlock.packs.reconciliation.chain import Linkable, Stating
from interlock.packs.reconciliation.entry import ENTRY_SCHEMA, Balance, Noted, Side, Totals


class Stated(msgspec.Struct, frozen=True, kw_only=True):
    """What a statement says of itself beside its entries; kept whole, so that it can be held against them again."""

    opening: Balance | None = None
    closing: Balance | None = None
    totals: Totals = Totals()
    noted: tuple[Noted, ...] = ()


class FileRow(msgspec.Struct, frozen=True, kw_only=True):
    """A file that came in.

    Attributes:
        id: Its id.
        source: Which source of the settings it came by; ``hand`` for the command line.
        name: Its name, without its folder.
        state: ``taken``, ``refused`` or ``recalled``.
        why: Why it was refused or recalled.
        statements: How many statements it held.
        entries: How many good entries.
        broken: How many that went to quarantine.
        received_at: When.
    """

    id: UUID
    source: str
    name: str
    state: str
    why: str
    statements: int
    entries: int
    broken: int
    received_at: datetime


class NewFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file on its way in; fields as in ``FileRow`` and the table."""

    id: UUID
    tenant: UUID
    reconciliation: str
    side: Side
    source: str
    name: str
    digest: bytes
    read_as: UUID
    read_for: UUID
    bytes: int
    state: str
    why: str
    statements: int
    entries: int
    broken: int
    received_at: datetime


class StatementRow(msgspec.Struct, frozen=True, kw_only=True):
    """A statement as it is stored.

    Attributes:
        id: A digest of its file and content.
        file: The file that it stood in.
        reconciliation: Of which reconciliation.
        side: Of which side.
        source: By which source it came.
        format: The file's format.
        account: Whose entries.
        currency: In which currency.
        number: Its own number; empty where it has none.
        made_at: When the bank made it; None where it does not say.
        precedence: Of two that overlap under one number the one with the later precedence is in force.
        content: A digest of what it states.
        first_day: The first day that it covers.
        last_day: The last one.
        opening_minor: The balance before its entries.
        closing_minor: The balance after them.
        stated: ``Stated``, as JSON.
        entries: How many good entries.
        broken: How many are broken still.
        credit_minor: What comes in, of the good ones.
        debit_minor: What goes out, of the good ones; not negative.
        state: ``in_force``, ``held``, ``corrected`` or ``recalled``.
        corrected_by: The later statement that is in force instead.
        findings: What does not add up in it, as JSON.
        why: Of its state.
        received_at: When it came.
        changed_at: When its state changed last.
    """

    id: UUID
    file: UUID
    reconciliation: str
    side: Side
    source: str
    format: str
    account: str
    currency: str
    number: str
    made_at: datetime | None
    precedence: datetime | None
    content: UUID
    first_day: date | None
    last_day: date | None
    opening_minor: int | None
    closing_minor: int | None
    stated: bytes
    entries: int
    broken: int
    credit_minor: Decimal
    debit_minor: Decimal
    state: str
    corrected_by: UUID | None
    findings: bytes
    why: str
    received_at: datetime
    changed_at: datetime


class NewStatement(msgspec.Struct, frozen=True, kw_only=True):
    """A statement on its way in; fields as in ``StatementRow``."""

    id: UUID
    tenant: UUID
    file: UUID
    reconciliation: str
    side: Side
    source: str
    format: str
    account: str
    currency: str
    number: str
    made_at: datetime | None
    precedence: datetime | None
    content: UUID
    first_day: date | None
    last_day: date | None
    begins: date | None
    ends: date | None
    opening_minor: int | None
    closing_minor: int | None
    stated: bytes
    entries: int
    broken: int
    credit_minor: Decimal
    debit_minor: Decimal
    state: str
    findings: bytes
    why: str
    received_at: datetime
    changed_at: datetime


class ChangedStatement(msgspec.Struct, frozen=True, kw_only=True):
    """A statement that is held, accepted or recalled from now on."""

    id: UUID
    state: str
    why: str
    changed_at: datetime


class MendedStatement(msgspec.Struct, frozen=True, kw_only=True):
    """A statement with one more good entry; fields as in ``StatementRow``."""

    id: UUID
    entries: int
    broken: int
    credit_minor: Decimal
    debit_minor: Decimal
    begins: date | None
    ends: date | None
    findings: bytes
    changed_at: datetime


class Conflict(msgspec.Struct, frozen=True, kw_only=True):
    """Another statement of the same number and days that says something else, and neither is the later one."""

    id: UUID
    made_at: datetime | None
    precedence: datetime | None
    received_at: datetime


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """A statement that has come into force, or is corrected, because of another one."""

    id: UUID
    state: str
    corrected_by: UUID | None


class MovingLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line that states another one of its equals from now on.

    Attributes:
        statement: Of which statement.
        line: Which line.
        base: The first of the equal entries.
        turn: Which of them it is in its statement.
        shift: How many of them have gone before.
        identity: The identity of the first.
        reconciliation: Of which reconciliation.
    """

    statement: UUID
    line: int
    base: UUID
    turn: int
    shift: int
    identity: UUID
    reconciliation: str


class EntryRow(msgspec.Struct, frozen=True, kw_only=True):
    """An entry for showing; ``in_force``: whether a statement in force states it."""

    id: UUID
    side: Side
    account: str
    currency: str
    minor: int
    booked_on: date
    value_on: date
    memo: str
    counterparty: str
    reference: str
    bank_reference: str
    in_force: bool


class Horizon(msgspec.Struct, frozen=True, kw_only=True):
    """Up to which day, inclusive, the entries of an account are known."""

    side: Side
    account: str
    currency: str
    until: date


class SumInForce(msgspec.Struct, frozen=True, kw_only=True):
    """What the entries of an account make, in minor units, that statements with both balances state."""

    side: Side
    account: str
    currency: str
    minor: Decimal


class NewBroken(msgspec.Struct, frozen=True, kw_only=True):
    """A broken entry, and the quarantine that it waits in."""

    statement: UUID
    line: int
    tenant: UUID
    quarantine: UUID
    data: UUID


class KnownBroken(msgspec.Struct, frozen=True, kw_only=True):
    """What came broken just so before: in which quarantine, whether it is mended, and where a statement states it."""

    data: UUID
    quarantine: UUID
    mended: bool
    statement: UUID
    line: int


class BrokenRow(msgspec.Struct, frozen=True, kw_only=True):
    """To which statement the data of a quarantine belong."""

    statement: UUID
    line: int
    reconciliation: str


class StillBroken(msgspec.Struct, frozen=True, kw_only=True):
    """A broken entry that is not mended."""

    line: int
    data: bytes


_SQL = load_queries(__file__)
LOCK_INTAKE = _SQL.command("lock_intake")
FIND_FILE = _SQL.rows("find_file", FileRow)
FIND_ON_OTHER_SIDE = _SQL.rows("find_on_other_side", FileRow)
COUNT_RECALLED = _SQL.rows("count_recalled", int)
ADD_FILES = _SQL.bulk("add_files", NewFile, distinct=("id",))
RECALL_FILE = _SQL.command("recall_file")
ADD_ENTRIES = _SQL.rows("add_entries", int)
ADD_TELLINGS = _SQL.command("add_tellings")
ADD_STATEMENTS = _SQL.bulk("add_statements", NewStatement, distinct=("id",))
FIND_CONFLICTS = _SQL.rows("find_conflicts", Conflict)
FIND_RIVALS = _SQL.rows("find_rivals", Conflict)
SETTLE_STATEMENTS = _SQL.rows("settle_statements", Settled)
CHANGE_STATEMENTS = _SQL.bulk("change_statements", ChangedStatement, distinct=("id",))
MEND_STATEMENTS = _SQL.bulk("mend_statements", MendedStatement, distinct=("id",))
SUMS_IN_FORCE = _SQL.rows("sums_in_force", SumInForce)
LIST_LINKABLE = _SQL.rows("list_linkable", Linkable)
LIST_STATING = _SQL.rows("list_stating", Stating)
LIST_MOVING = _SQL.rows("list_moving", MovingLine)
MOVE_LINES = _SQL.command("move_lines")
KEEP_TOLD = _SQL.command("keep_told")
SETTLE_TELLINGS = _SQL.command("settle_tellings")
LOCK_STATEMENT = _SQL.rows("lock_statement", StatementRow)
LIST_STATEMENTS = _SQL.rows("list_statements", StatementRow)
LIST_FILES = _SQL.rows("list_files", FileRow)
LIST_ENTRIES = _SQL.rows("list_entries", EntryRow)
_ENTRIES_IN_FORCE = _SQL.command("entries_in_force")
_ENTRIES_OF_STATEMENT = _SQL.command("entries_of_statement")
HORIZONS = _SQL.rows("horizons", Horizon)
ADD_BROKEN = _SQL.bulk("add_broken", NewBroken, distinct=("statement", "line"))
FIND_KNOWN_BROKEN = _SQL.rows("find_known_broken", KnownBroken)
FIND_BROKEN = _SQL.rows("find_broken", BrokenRow)
STILL_BROKEN = _SQL.rows("still_broken", StillBroken)

IN_FORCE_SCHEMA: dict[str, pl.DataType] = {
    "id": pl.String(),
    "identity": pl.String(),
    "account": pl.String(),
    "currency": pl.String(),
    **{name: kind for name, kind in ENTRY_SCHEMA.items() if name not in ("line", "where")},
}
"""The columns of ``entries_in_force``; ids as text, as uuids are written."""


async def entries_in_force(connection: AsyncConnection[Any], reconciliation: str, side: Side) -> pl.DataFrame:
    """All entries of one side that a statement in force states, sorted by identity: see ``IN_FORCE_SCHEMA``.

    Args:
        connection: Of the tenant: see ``Database.tenant``.
        reconciliation: Of which reconciliation.
        side: Of which side.
    """
    wanted = {"reconciliation": reconciliation, "side": side.value}
    found = await _columns(connection, _ENTRIES_IN_FORCE.text, wanted, IN_FORCE_SCHEMA)
    return found.sort("identity")


async def entries_of_statement(connection: AsyncConnection[Any], statement: UUID) -> pl.DataFrame:
    """The good entries of one statement, in the words in which it tells them, by ``ENTRY_SCHEMA`` and line."""
    wanted = {"statement": statement}
    return (await _columns(connection, _ENTRIES_OF_STATEMENT.text, wanted, ENTRY_SCHEMA)).sort("line")


async def horizons(connection: AsyncConnection[Any], reconciliation: str) -> list[Horizon]:
    """Up to which day each side, account and currency is known: the last day that a statement in force covers."""
    return await HORIZONS.all(connection, {"reconciliation": reconciliation})


async def _columns(
    connection: AsyncConnection[Any], text: bytes, parameters: dict[str, Any], schema: dict[str, pl.DataType]
) -> pl.DataFrame:
    """The rows of a query as a table of columns; no row becomes a Python object."""
    gathered = io.BytesIO()
    async with (
        connection.cursor() as cursor,
        cursor.copy(b"copy (" + text + b") to stdout (format csv, force_quote *)", parameters) as copy,
    ):
        async for part in copy:
            gathered.write(cast("bytes", part))
    if not gathered.tell():
        return pl.DataFrame(schema=schema)
    gathered.seek(0)
    read = {name: pl.String() if kind == pl.Boolean() else kind for name, kind in schema.items()}
    found = pl.read_csv(gathered, has_header=False, new_columns=list(read), schema_overrides=list(read.values()))
    flags = [name for name, kind in schema.items() if kind == pl.Boolean()]
    texts = [name for name, kind in read.items() if kind == pl.String() and name not in flags]
    # the columns are never null: an empty text is an empty text
    return found.with_columns(*(pl.col(name) == "t" for name in flags), pl.col(texts).fill_null("")).select(
        list(schema)
    )
