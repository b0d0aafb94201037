"""What one source influenced: every decision, case and action behind it, and the money in them, counted exactly.

The counting is done in the database, by one function that follows the ledger in batches. It is neither in the path of
a decision nor in that of an action; a reader has it catch up first, so that an answer is as new as the ledger.
"""

from __future__ import annotations

import asyncio
import time
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from interlock.db.database import Database
from interlock.errors import MoneyInvalid, NotFound
from interlock.lineage.source import Kind, Source
from interlock.lineage.store import (
    FIND_PUBLICATION,
    FOLLOW_LINEAGE,
    INFLUENCE_MEMBERS,
    INFLUENCE_MONEY,
    INFLUENCE_TOTALS,
    INFLUENCED,
    ActionMoney,
    Followed,
    InfluencedRow,
    Totals,
)
from interlock.money import exponent

PART = 1024
"""Leaves of one part."""
BATCH = 2000
"""Leaves that are counted in one transaction."""
CATCH_UP_S = 5.0
"""How long a reader lets the counting catch up before it answers with what there is."""
LAST_LEAF = 2**53
"""No ledger grows so long; and a number that every reader of JSON can hold."""
_PAUSE_S = 0.05
"""How long a reader waits before it asks again whether somebody else has done counting."""
MOST_ON_A_PAGE = 1000


class InfluenceMoney(msgspec.Struct, frozen=True, kw_only=True):
    """The money of one currency that a source is behind, exact.

    Attributes:
        currency: ISO 4217; empty where nothing was said to be at stake.
        decided: What was at stake in its decisions, each counted by itself.
        acted: What actions moved, less what was taken back.
        undone: What was moved and taken back.
        pending: What actions that have not ended may move.
        actions: How many actions had an effect that stands.
        actions_undone: How many were taken back.
        actions_pending: How many have not ended, those in doubt among them.
        actions_failed: How many ended without an effect.
    """

    currency: str
    decided: str
    acted: str
    undone: str
    pending: str
    actions: int
    actions_undone: int
    actions_pending: int
    actions_failed: int


class Influenced(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One decision that a source influenced, or one case that it brought.

    Attributes:
        kind: ``decision`` or ``case``.
        id: Its id.
        at: When, UTC.
        link: Where the API has its lineage.
        case: The case that it belongs to.
        name: A decision's point: ``workflow.point``.
        component: Whose answer it is.
        route: What happened to it.
        money: What was at stake.
    """

    kind: str
    id: UUID
    at: datetime
    link: str
    case: UUID | None = None
    name: str = ""
    component: str = ""
    route: str = ""
    money: str | None = None


class Influence(msgspec.Struct, frozen=True, kw_only=True):
    """A page of what a source influenced, and all of it counted.

    Attributes:
        of: The source, as it was asked for.
        decisions: How many decisions, all pages together.
        cases: How many cases.
        money: By currency.
        items: The page, the newest first.
        next: What to ask for the next page with; None: this is the last.
        behind: How many leaves of the ledger are not counted yet; 0: everything that is sealed is.
    """

    of: str
    decisions: int
    cases: int
    money: tuple[InfluenceMoney, ...]
    items: tuple[Influenced, ...]
    next: int | None
    behind: int


async def follow(database: Database, *, most: int = BATCH) -> Followed | None:
    """Count the next leaves of the ledger; None where somebody else is counting."""
    async with database.installation() as connection:
        return await FOLLOW_LINEAGE.one(connection, {"most": most})


async def catch_up(database: Database, patience_s: float = CATCH_UP_S) -> int:
    """Count what is sealed and not counted, for some time; how many leaves are left."""
    give_up = time.monotonic() + patience_s
    behind = 0
    while True:
        done = await follow(database)
        if done is None:
            await asyncio.sleep(_PAUSE_S)
        else:
            behind = done.behind
            if behind == 0:
                return 0
        if time.monotonic() > give_up:
            return behind if done is not None else 1


async def read_influence(
    database: Database, tenant: UUID, source: Source, *, before: int | None = None, most: int = 50
) -> Influence:
    """What a source influenced: a page, and all of it counted.

    Args:
        database: Where.
        tenant: Whose.
        source: The source.
        before: What the page before said to go on with.
        most: How many items at most.

    Raises:
        NotFound: there is no such publication.
    """
    behind = await catch_up(database)
    async with database.tenant(tenant) as connection:
        if source.kind == Kind.PUBLICATION:
            source = await _published(connection, source)
        wanted = {"source": source.digest(tenant)}
        totals = await INFLUENCE_TOTALS.all(connection, wanted)
        money = await INFLUENCE_MONEY.all(connection, wanted)
        rows, below = await influenced_page(connection, tenant, source, before=before, most=most)
    return Influence(
        of=source.shown,
        decisions=sum(one.decisions for one in totals),
        cases=sum(one.cases for one in totals),
        money=_money(totals, money),
        items=tuple(_item(row) for row in rows),
        next=below,
        behind=behind,
    )


async def influenced_page(
    connection: AsyncConnection[Any], tenant: UUID, source: Source, *, before: int | None = None, most: int = 50
) -> tuple[list[InfluencedRow], int | None]:
    """A page of what a source influenced, as far as it is counted, the newest first; and what goes on after it.

    Args:
        connection: Under the tenant.
        tenant: Whose.
        source: The source; no publication, which is counted by what it published.
        before: What the page before gave to go on with.
        most: How many at most.
    """
    below = LAST_LEAF if before is None else min(before, LAST_LEAF)
    limit = most + 1 + PART
    asked = {"source": source.digest(tenant), "below": below, "most": limit}
    indexes = await INFLUENCE_MEMBERS.all(connection, asked)
    if len(indexes) == limit:  # the last part may have more
        indexes = [index for index in indexes if index // PART > indexes[-1] // PART]
    page = sorted(indexes, reverse=True)[: most + 1]
    rows = await INFLUENCED.all(connection, {"indexes": page[:most]})
    return rows, page[most - 1] if len(page) > most else None


async def _published(connection: AsyncConnection[Any], source: Source) -> Source:
    """What stands in records for a published version: the digest of rules, the whole name of a contract."""
    found = await FIND_PUBLICATION.one(connection, {"id": UUID(source.name)})
    if found is None:
        raise NotFound(f"there is no publication {source.name}", where="of", todo="`interlock rules list` shows ids")
    if found.kind == "rules":
        return Source(Kind.DIGEST, found.digest.hex(), source.shown)
    return Source(Kind.CONTRACT, f"{found.name}@{found.version}", source.shown)


def _money(totals: list[Totals], actions: list[ActionMoney]) -> tuple[InfluenceMoney, ...]:
    decided = {one.currency: one for one in totals}
    acted = {one.currency: one for one in actions}
    found: list[InfluenceMoney] = []
    for currency in sorted(decided.keys() | acted.keys()):
        if not currency and currency not in acted:
            continue
        known, zero = acted.get(currency), Decimal(0)
        at_stake = decided[currency].exposure_sum if currency in decided else zero
        found.append(
            InfluenceMoney(
                currency=currency,
                decided=amount(at_stake, currency),
                acted=amount(known.done_sum if known else zero, currency),
                undone=amount(known.undone_sum if known else zero, currency),
                pending=amount(known.pending_sum if known else zero, currency),
                actions=known.done if known else 0,
                actions_undone=known.undone if known else 0,
                actions_pending=known.pending if known else 0,
                actions_failed=known.failed if known else 0,
            )
        )
    return tuple(found)


def amount(minor: Decimal | int, currency: str) -> str:
    """A sum of minor units as text, exact; it may be larger than one amount can be."""
    if not currency:
        return "0"
    try:
        digits = exponent(currency)
    except MoneyInvalid:  # a currency that the standard has dropped since
        return f"{int(minor)} minor {currency}"
    sign, text = "-" if minor < 0 else "", f"{abs(int(minor)):0{digits + 1}d}"
    whole = f"{text[:-digits]}.{text[-digits:]}" if digits else text
    return f"{sign}{whole} {currency}"


def _item(row: InfluencedRow) -> Influenced:
    decided = row.kind == "decision.taken"
    return Influenced(
        kind="decision" if decided else "case",
        id=row.subject,
        at=row.at,
        link=f"/v1/lineage/{row.subject}",
        case=row.case_id,
        name=f"{row.workflow}.{row.point}" if row.point else "",
        component=row.component or "",
        route=row.route or "",
        money=amount(row.exposure_minor, row.currency) if row.exposure_minor is not None and row.currency else None,
    )
