"""A query as a source: each time it gives all that is expected now, and what it gives no more counts no more.

What a query gives is one statement for each account and currency, under the source's name as its number, made when it
was read. So a later one corrects the earlier, as banks' do, and what has changed on the other side changes here.
"""

from __future__ import annotations

import asyncio
import hashlib
from uuid import UUID

import msgspec
import polars as pl

from interlock.errors import Refused
from interlock.packs.reconciliation.entry import ENTRY_SCHEMA, Statement, Totals
from interlock.packs.reconciliation.identity import content_of, with_identity
from interlock.packs.reconciliation.intake import TICK, Intake, Source, Taken
from interlock.packs.reconciliation.standing import stated_of
from interlock.packs.reconciliation.statements import Dialect, read_query
from interlock.packs.reconciliation.store import LIST_STATEMENTS, StatementRow


async def take_query(intake: Intake, source: Source, dialect: Dialect, url: str, query: str) -> Taken | None:
    """Take in what a query gives now; None if that is what is in force already.

    Args:
        intake: Takes it in.
        source: Its name and side.
        dialect: Which columns hold what.
        url: The database; it is never shown.
        query: One SELECT.

    Raises:
        DatabaseUnavailable: the other database does not answer: what is in force stays.
        Refused: the query cannot be used, or gives nothing at all: what is in force stays.
    """
    given = await asyncio.to_thread(read_query, url, query, dialect, account=source.account, currency=source.currency)
    if not any(one.entries.height or one.broken for one in given):
        raise Refused(
            "the query gives no row: what was expected before stays, since a table that is being filled looks so too",
            todo=f"if nothing is expected any more, recall the statements of the source {source.name}",
        )
    before = await _before(intake, source)
    # a database whose clock went back, as after a failover, still tells of what is there now
    last = max((one.precedence for one in before if one.precedence), default=None)
    now = intake.database.clock.now() if last is None else max(intake.database.clock.now(), last + TICK)
    whole = [*given, *_vanished(given, before)]
    statements = [msgspec.structs.replace(one, number=f"query {source.name}", made_at=now) for one in whole]
    contents = sorted([_content(one, source) for one in statements])
    if contents == sorted(one.content for one in before):
        return None
    # what was before is part of it: a table that is as it was the day before yesterday is another news than that was
    said = [*(one.bytes for one in contents), *sorted(one.id.bytes for one in before)]
    digest = hashlib.sha256(b"".join(said)).digest()
    return await intake.take_statements(source, f"query {source.name}", statements, digest=digest, size=0)


async def _before(intake: Intake, source: Source) -> list[StatementRow]:
    """The statements of this source that are in force, or held."""
    wanted = {"id": None, "reconciliation": intake.reconciliation, "file": None, "most": None}
    async with intake.database.tenant(intake.tenant) as connection:
        rows = await LIST_STATEMENTS.all(connection, {**wanted, "state": "in_force"})
        rows += await LIST_STATEMENTS.all(connection, {**wanted, "state": "held"})
    return [row for row in rows if row.side == source.side and row.number == f"query {source.name}"]


def _vanished(given: list[Statement], before: list[StatementRow]) -> list[Statement]:
    """An account and currency of which nothing is left: a statement without entries takes its place."""
    there = {(one.account, one.currency) for one in given}
    gone = sorted({(one.account, one.currency) for one in before} - there)
    empty = pl.DataFrame(schema=ENTRY_SCHEMA)
    return [
        Statement(format="sql", account=account, currency=currency, totals=Totals(), entries=empty)
        for account, currency in gone
    ]


def _content(statement: Statement, source: Source) -> UUID:
    entries = with_identity(statement, source.side)
    return content_of(statement, entries, stated_of(statement), (one.data for one in statement.broken))
