"""What each limit holds now: what one needs to know at three in the morning. Reads only; it decides nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from uuid import UUID

import msgspec

from interlock.db.database import Database
from interlock.db.queries import encode_rows
from interlock.durations import format_duration
from interlock.guards.bucket import BucketKey, Draw, Pace, room_at
from interlock.guards.gate import counted_periods
from interlock.guards.limits import CaseBudget, Limits
from interlock.guards.span import Lasts, Whose
from interlock.guards.spending import budget_draws, draws_of, paces_of
from interlock.guards.store import (
    CALLER_BUCKETS,
    READ_PERIODS,
    RESERVED_BUCKETS,
    BucketRow,
    WantedCallers,
    WantedPeriods,
)
from interlock.money import Money

MOST_OWNERS = 10
"""Of a limit per caller, so many callers are shown: those with the least left first."""


class Guarded(msgspec.Struct, frozen=True, kw_only=True):
    """What is limited: an action, or every case of a workflow.

    Attributes:
        workflow: The workflow.
        action: The action; empty for the budget of a case.
        limits: The action's limits.
        budget: The budget of a case.
    """

    workflow: str
    action: str = ""
    limits: Limits = Limits()
    budget: CaseBudget = CaseBudget()


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What one limit holds now. Amounts are strings such as "12.30 MYR", counts plain digits.

    Attributes:
        guard: The limit's name: ``workflow.action.limit``.
        owner: Whose it is, of a limit per case or per caller; else empty.
        over: Over what it adds up: ``case``, ``day``, ``month``, ``7d``; of a rate, its time.
        limit: What it holds at most.
        used: What is reserved or spent; of a rate, what of its burst is used.
        reserved: What of that is not settled: under way or in doubt.
        left: What still goes; of a rate, how many go at once.
        resets_at: When time begins to make room: the next midnight or first, or when the oldest amount leaves the
            stretch; of a rate, when its whole burst goes again. None: it holds nothing, or time makes no room.
    """

    guard: str
    owner: str
    over: str
    limit: str
    used: str
    reserved: str
    left: str
    resets_at: datetime | None


async def read_standings(
    database: Database, tenant: UUID, guarded: Iterable[Guarded], *, case_id: UUID | None = None
) -> list[Standing]:
    """What the limits hold now.

    Args:
        database: To read.
        tenant: Whose.
        guarded: The limits, as the workflows' files in force have them.
        case_id: A case: what it has used of the limits per case and of its budget is shown, too.
    """
    now = database.clock.now()
    known = list(guarded)
    draws = [draw for one in known for draw in _draws(one, case_id)]
    paces = [pace for one in known for pace in paces_of(one.limits, guard=f"{one.workflow}.{one.action}", caller="")]
    paces = [pace for pace in paces if not pace.bucket.slot]
    alone = [counted_periods(draw, now) for draw in draws if draw.span.whose is not Whose.CALLER]
    alone += [WantedPeriods(guard=p.bucket.guard, currency="", least=p.bucket.slot, most=p.bucket.slot) for p in paces]
    callers = [
        WantedCallers(guard=draw.guard, currency=draw.currency, period=draw.span.period(now))
        for draw in draws
        if draw.span.whose is Whose.CALLER
    ]
    async with database.tenant(tenant) as connection:
        rows = await READ_PERIODS.all(connection, {"wanted": encode_rows(alone)})
        rows += await CALLER_BUCKETS.all(connection, {"wanted": encode_rows(callers)})
        held = await RESERVED_BUCKETS.all(connection, {"guards": sorted({draw.guard for draw in draws})})
    reserved = {row.key: row.used for row in held}
    shown = [standing for draw in draws for standing in _of_draw(draw, rows, reserved)]
    return [*shown, *(_of_pace(pace, rows, now) for pace in paces)]


def _draws(one: Guarded, case_id: UUID | None) -> Iterator[Draw]:
    """Every limit as a draw of nothing."""
    amount = Money("0", one.limits.currency) if one.limits.currency else None
    for draw in draws_of(
        one.limits, guard=f"{one.workflow}.{one.action}", case_id=str(case_id), caller="", amount=amount
    ):
        if draw.span.whose is not Whose.CASE or case_id is not None:
            yield draw
    if case_id is not None:
        nothing = Money("0", one.budget.money.currency) if one.budget.money else None
        yield from budget_draws(one.budget, workflow=one.workflow, case_id=str(case_id), amount=nothing)


def _of_draw(draw: Draw, rows: Iterable[BucketRow], reserved: dict[BucketKey, int]) -> Iterator[Standing]:
    """One standing, or of a limit per caller one for each of those who used the most."""
    mine = [row for row in rows if (row.guard, row.currency) == (draw.guard, draw.currency)]
    used, under_way, periods = Counter[str](), Counter[str](), dict[str, list[str]]()
    for row in mine:
        period, _, caller = row.slot.partition("/") if draw.span.whose is Whose.CALLER else (row.slot, "", "")
        owner = caller if draw.span.whose is Whose.CALLER else draw.owner
        used[owner] += row.used
        under_way[owner] += reserved.get(row.key, 0)
        if row.used:
            periods.setdefault(owner, []).append(period)
    owners = [owner for owner, _ in used.most_common(MOST_OWNERS)] or [draw.owner.removeprefix("/")]
    for owner in owners:
        oldest = min(periods.get(owner, []), default=None)
        resets = draw.span.ends(oldest) if oldest is not None and draw.span.lasts is not Lasts.FOREVER else None
        yield Standing(
            guard=draw.guard,
            owner=owner,
            over=_over(draw),
            limit=draw.shown(draw.most),
            used=draw.shown(used[owner]),
            reserved=draw.shown(under_way[owner]),
            left=draw.shown(max(draw.most - used[owner], 0)),
            resets_at=resets,
        )


def _of_pace(pace: Pace, rows: Iterable[BucketRow], now: datetime) -> Standing:
    used = next((row.used for row in rows if row.key == pace.bucket), 0)
    burst, _ = room_at(0, pace.rate, now)
    room, full = room_at(used, pace.rate, now)
    return Standing(
        guard=pace.bucket.guard,
        owner="",
        over=format_duration(pace.rate.per),
        limit=str(pace.rate.count),
        used=str(burst - room),
        reserved="0",
        left=str(room),
        resets_at=full if full > now else None,
    )


def _over(draw: Draw) -> str:
    if draw.span.lasts is Lasts.SLIDING:
        return format_duration(draw.span.length)
    return "case" if draw.span.lasts is Lasts.FOREVER else draw.span.lasts.value
