"""What tests of the intake share: statements that are made up, files of them, and what of them is in force."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import polars as pl

from interlock.db.database import Database
from interlock.packs.reconciliation.entry import ENTRY_SCHEMA, Balance, Broken, Side, Statement, Totals
from interlock.packs.reconciliation.intake import Intake, Source, Taken
from interlock.packs.reconciliation.statements import CsvDialect
from interlock.packs.reconciliation.store import LIST_STATEMENTS, StatementRow, entries_in_force

ACCOUNT = "DE02120300000000202051"
BANK = Source(
    name="house",
    side=Side.ACTUAL,
    format="csv",
    dialect=CsvDialect(columns={"amount": "amount", "booked_on": "day", "memo": "memo"}),
    account=ACCOUNT,
    currency="EUR",
)
FIRST = date(2026, 3, 2)
MADE = datetime(2026, 4, 1, 6, tzinfo=UTC)


class Line(NamedTuple):
    """An entry as a test writes it."""

    minor: int
    memo: str = "rent"
    day: int = 0
    bank_reference: str = ""


def statement_of(
    *lines: Line,
    number: str = "",
    made: int | None = None,
    account: str = ACCOUNT,
    currency: str = "EUR",
    days: tuple[int, int] | None = None,
    opening: int | None = None,
    closing: int | None = None,
    count: int | None = None,
    broken: int = 0,
) -> Statement:
    """A statement; ``made`` in hours, ``days`` from the first one."""
    rows = [
        {
            "line": at,
            "where": f"line {at}",
            "minor": line.minor,
            "booked_on": FIRST + timedelta(days=line.day),
            "value_on": FIRST + timedelta(days=line.day),
            "memo": line.memo,
            "counterparty": "",
            "counterparty_account": "",
            "reference": "",
            "bank_reference": line.bank_reference,
            "code": "",
            "reverses": False,
        }
        for at, line in enumerate(lines, 1)
    ]
    return Statement(
        format="test",
        account=account,
        currency=currency,
        number=number,
        made_at=None if made is None else MADE + timedelta(hours=made),
        first_day=FIRST + timedelta(days=days[0]) if days else None,
        last_day=FIRST + timedelta(days=days[1]) if days else None,
        opening=None if opening is None else Balance(minor=opening),
        closing=None if closing is None else Balance(minor=closing),
        totals=Totals(count=count),
        entries=pl.DataFrame(rows, schema=ENTRY_SCHEMA),
        broken=tuple(
            Broken(line=len(lines) + at, where=f"line {len(lines) + at}", what="1O.00 is no amount",
                   todo="write digits", rule="amount", data=f"{FIRST},1O.00,broken {at}".encode())
            for at in range(1, broken + 1)
        ),
    )  # fmt: skip


async def hand_in(intake: Intake, *statements: Statement, source: Source = BANK, corrects: bool = False) -> Taken:
    """Hand statements in as one file, whose bytes are what it states."""
    text = repr([(one.number, one.made_at, one.account, one.currency, one.opening, one.closing, one.totals,
                  one.first_day, one.last_day, one.broken, one.entries.rows()) for one in statements])  # fmt: skip
    data = text.encode()
    digest = hashlib.sha256(data).digest()
    return await intake.take_statements(source, "file", statements, digest=digest, size=len(data), corrects=corrects)


async def in_force(database: Database, tenant: UUID, side: Side = Side.ACTUAL) -> pl.DataFrame:
    """What is in force of a side, as the round reads it."""
    async with database.tenant(tenant) as connection:
        return await entries_in_force(connection, "bank", side)


async def amounts(database: Database, tenant: UUID) -> list[int]:
    """The amounts in force, sorted."""
    return sorted((await in_force(database, tenant))["minor"].to_list())


async def statements(database: Database, tenant: UUID) -> list[StatementRow]:
    """Every statement."""
    wanted = {"id": None, "reconciliation": "bank", "state": None, "file": None, "most": None}
    async with database.tenant(tenant) as connection:
        return await LIST_STATEMENTS.all(connection, wanted)
