"""What entries tell of rows, held against the rows: who answered a review and how, what an action pays and to whom.

A row is changed by what Interlock does, and each change is an entry; so a row that says something else than its entries
was changed behind Interlock's back. The comparison is made inside the database, which gives only what differs.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
import psycopg
from psycopg import AsyncConnection

from interlock.db.database import Database
from interlock.db.queries import load_queries
from interlock.ledger.audit import Audited, Fault

PAGE = 2_000
_LAST = UUID(int=2**128 - 1)


class EntryPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some entries in a row: how many, and the last one; None: there are no more."""

    entries: int
    last: UUID | None


class FactThatDiffers(msgspec.Struct, frozen=True, kw_only=True):
    """A fact that an entry tells and its row does not.

    Attributes:
        entry: The entry.
        relation: The row's table.
        subject: What the entry is about: the row's id, or for a step that of its case.
        field: The entry's field; None: the row is gone.
        index: The entry's place in the tree; None: it is not sealed yet.
    """

    entry: UUID
    relation: str
    subject: UUID
    field: str | None
    index: int | None


_SQL = load_queries(__file__)
PAGE_OF_ENTRIES = _SQL.rows("page_of_entries", EntryPage)
FACTS_THAT_DIFFER = _SQL.rows("facts_that_differ", FactThatDiffers)


async def audit_facts(database: Database, tenant: UUID, found: Audited) -> None:
    """Compare what the entries of a tenant tell with its rows, page by page; what differs is added to what was found.

    A field that an entry lacks, since it is from before that field was told, is not compared.
    """
    after = UUID(int=0)
    while True:
        async with database.tenant(tenant) as connection:
            page = await PAGE_OF_ENTRIES.one(connection, {"after": after, "until": _LAST, "most": PAGE})
        if page is None or page.last is None:
            return
        await _compare(database, tenant, after, page, found)
        after = page.last


async def _compare(database: Database, tenant: UUID, after: UUID, page: EntryPage, found: Audited) -> None:
    """Compare one page; where one of its entries cannot be read, by halves, so that the others still are."""
    until = page.last
    try:
        async with database.tenant(tenant) as connection:
            rows = await FACTS_THAT_DIFFER.all(connection, {"after": after, "until": until})
    except psycopg.DataError:
        if page.entries == 1 and until is not None:
            what = f"the entry {until} cannot be read, so what it tells is compared with nothing"
            found.add(Fault(kind="record", what=what, entry=until))
            return
        async with database.tenant(tenant) as connection:
            halves = await _halves(connection, after, page)
        for start, half in halves:
            await _compare(database, tenant, start, half, found)
        return
    found.facts += page.entries
    for row in rows:
        found.add(_fault(row))


async def _halves(connection: AsyncConnection[Any], after: UUID, page: EntryPage) -> list[tuple[UUID, EntryPage]]:
    asked = {"after": after, "until": page.last or _LAST, "most": page.entries // 2}
    first = await PAGE_OF_ENTRIES.one(connection, asked)
    if first is None or first.last is None:
        return []
    return [(after, first), (first.last, EntryPage(entries=page.entries - first.entries, last=page.last))]


def _fault(row: FactThatDiffers) -> Fault:
    place = f"entry {row.index}" if row.index is not None else f"the entry {row.entry}, not sealed yet"
    if row.field is None:
        what = f"the row of {row.relation} of {row.subject} is gone: {place} tells of it"
    elif row.relation == "ledger_entry":
        what = f"{place} says that it is older than its id is"
    else:
        what = f"{row.relation} {row.subject}: {row.field} is not what {place} tells"
    return Fault(kind="record", what=what, index=row.index, entry=row.entry)
