"""Listing what needs a person's decision, in its order, and counting it: quick also when 100,000 wait.

What a filter leaves few of is computed and sorted as a whole; of much, only what could be among the first is read. Both
give the same order; docs/explanation/queue-order.md says how.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from interlock.authority.actor import Actor, known_as
from interlock.db.database import Database
from interlock.db.queries import Parameters, Rows, all_at_once
from interlock.errors import Refused
from interlock.money import Money, exponent
from interlock.oversight.index import NO_DEADLINE, WHOLE, Press, Worth, with_oldest
from interlock.oversight.ranking import Placed, Scale, Shown, WorkClass, ranked
from interlock.oversight.work import PARKED, Bounded, WorkFilter, WorkItem, WorkKind, WorkPage, WorkState
from interlock.oversight.work_scale import NO_TERMS, WorkTerms, scale_of
from interlock.oversight.work_store import (
    PLAN_AS_ASKED,
    WORK_AHEAD,
    WORK_AT_STAKE,
    WORK_ITEMS,
    WORK_KINDS,
    WORK_KINDS_OF_QUEUE,
    WORK_OLDEST,
    WORK_RANKED,
    WORK_TOTAL,
    WORK_WORDED,
    AheadWork,
    FoundWork,
    WorkRow,
)

PAGE = 50
MOST = 200
"""Items of one page."""
FARTHEST = 500
"""How far into the list pages go: who needs more wants a filter."""
COUNTED = 1000
"""Up to where a list is counted."""
_SORTED = 2500
"""Up to how many are sorted as a whole: to find that there are more is lost work, as is seeking few in the order."""
_WORDED = 3
"""Letters from which on an index has what stands in a reason; by fewer all is read."""
_DEPTH = 8
"""How many of a kind are read, by loss and by deadline, to see what it takes to be among the first."""
_BEYOND = 4
"""Of all kinds together, by loss, as many times what is wanted: most waits in few of them."""
_AFTER = re.compile(r"([0-9]{1,4})-([0-9]{1,17})\Z")
_BROAD = frozenset({"kind", "workflow", "point", "parked", "queue", "team", "exposure_from"})
"""Questions that whole classes answer, or that the first of them answer, or for which there is an index in their order:
what they leave is read from the first of each."""


async def list_work(
    database: Database,
    tenant: UUID,
    asked: WorkFilter,
    actor: Actor,
    *,
    most: int = PAGE,
    after: str | None = None,
    terms: WorkTerms = NO_TERMS,
    takeable: bool = False,
) -> WorkPage:
    """A page of what needs a person's decision.

    Args:
        database: Where it is.
        tenant: Whose.
        asked: What is meant.
        actor: Who asks: "mine" and "my team" are theirs.
        most: How many, at most ``MOST``.
        after: From the page before: this one is in the order of that moment. What left the list meanwhile is missing
            in the count of places, so an item may be passed over; a list that is asked for anew has it.
        terms: What is declared of the order.
        takeable: Only what the actor could take now: that nobody works on, that is not given to somebody else, and
            that they have not decided on. Policies are not asked.

    Raises:
        Refused: ``after`` is from nowhere, or too far into the list.
    """
    now = database.clock.now()
    skip, at = _place(after, now)
    async with database.tenant(tenant) as connection:
        kinds: list[tuple[Rows[Any], Parameters | None]] = [(WORK_KINDS, None)]
        if asked.queue is not None:
            kinds.append((WORK_KINDS_OF_QUEUE, {"queue": asked.queue}))
        _, known, *of_queue = await all_at_once(connection, (PLAN_AS_ASKED, None), *kinds)
        scale = await scale_of(database, connection, tenant, known, terms, at)
        classes = [of for of in (of_queue[0] if of_queue else known) if _is_of(asked, of)]
        look = _Look(connection, asked, actor, classes, scale, takeable=takeable)
        wanted = skip + min(max(1, most), MOST)
        firsts, oldest, total = await look.first(wanted, terms.oldest)
        places = with_oldest(firsts, oldest, terms.oldest, lambda placed: placed.id)[skip:wanted]
        rows = await look.rows([placed.id for placed, _ in places])
    items = [
        work_item(rows[placed.id], placed.press, reserved=reserved) for placed, reserved in places if placed.id in rows
    ]
    more = total.more or total.number > wanted
    return WorkPage(
        items=tuple(items),
        total=total,
        after=f"{wanted}-{_micros(at)}" if more and items and wanted < FARTHEST else None,
        horizon=scale.pace.horizon,
        base=terms.worth.base,
    )


async def count_work(
    database: Database,
    tenant: UUID,
    filters: Sequence[WorkFilter],
    actor: Actor,
    *,
    terms: WorkTerms = NO_TERMS,
    bound: int = COUNTED,
) -> tuple[Bounded, ...]:
    """How many each filter finds, in their order; exact up to a bound, "1,000+" above it."""
    now = database.clock.now()
    async with database.tenant(tenant) as connection:
        amounts = any(asked.exposure_from or asked.exposure_to for asked in filters)  # are of the currencies that wait
        kinds = [(WORK_KINDS, None)] if amounts else []
        _, *found = await all_at_once(connection, (PLAN_AS_ASKED, None), *kinds)
        classes = found[0] if found else []
        told = [_parameters(asked, actor, classes, terms.worth, now) | {"bound": bound + 1} for asked in filters]
        for asked, one in zip(filters, told, strict=True):
            await _name_few(connection, asked, one)
        return tuple(
            _bounded(rows, bound) for rows in await all_at_once(connection, *((WORK_TOTAL, one) for one in told))
        )


async def find_work(
    database: Database, tenant: UUID, item: UUID, actor: Actor, *, terms: WorkTerms = NO_TERMS
) -> WorkItem | None:
    """One review or exception as an item of the list, whatever became of it; None: there is none of that id."""
    now = database.clock.now()
    async with database.tenant(tenant) as connection:
        told = {"ids": [item], "at": now, "actor": actor.name}
        row = await WORK_ITEMS.one(connection, told)
        if row is None:
            return None
        of = WorkClass(row.exceptional, row.workflow, row.point, row.currency or "", row.priority)
        scale = await scale_of(database, connection, tenant, [of], terms, now)
    return work_item(row, scale.place(of, Shown(row.id, row.urgency, row.due_at)).press)


class _Look:
    """One look at the list, under one connection."""

    def __init__(
        self,
        connection: AsyncConnection[Any],
        asked: WorkFilter,
        actor: Actor,
        classes: Sequence[WorkClass],
        scale: Scale,
        *,
        takeable: bool = False,
    ) -> None:
        self._connection = connection
        self._asked = asked
        self._actor = actor
        self._classes = tuple(classes)
        self._scale = scale
        self._told = _parameters(asked, actor, self._classes, scale.worth, scale.now)
        if takeable:
            self._told["taker"] = known_as(actor.name)

    async def first(self, wanted: int, share: float) -> tuple[list[Placed], list[Placed], Bounded]:
        """The first of the order, the oldest, and how many there are."""
        oldest = wanted if share > 0 else 0  # those that are among the first already get no second place
        broad = _is_broad(self._asked)
        few = await _name_few(self._connection, self._asked, self._told)
        seen = few and (not broad or self._told["ids"] is not None)
        found = await self._sorted(wanted, oldest, _SORTED) if seen else None
        if found is not None:
            return found
        aged_told, total_told = {**self._told, "oldest": oldest}, {**self._told, "bound": 0 if seen else COUNTED + 1}
        some, *deeper = self._depths(wanted)
        aged, total, first = await all_at_once(
            self._connection, (WORK_OLDEST, aged_told), (WORK_TOTAL, total_told), (WORK_AHEAD, self._to(some, wanted))
        )
        firsts = await self._ahead(wanted, first, deeper)
        return firsts, self._by_age(aged), Bounded(COUNTED, more=True) if seen else _bounded(total, COUNTED)

    async def rows(self, ids: Sequence[UUID]) -> dict[UUID, WorkRow]:
        """What the list shows of each."""
        told = {"ids": list(ids), "at": self._scale.now, "actor": self._actor.name}
        return {row.id: row for row in await WORK_ITEMS.all(self._connection, told)}

    async def _sorted(self, wanted: int, oldest: int, bound: int) -> tuple[list[Placed], list[Placed], Bounded] | None:
        """All of it, sorted; None: it is more than a bound."""
        told = {
            **self._ranking(wanted),
            "kinds": self._kinds(wanted, wanted),
            "bound": bound + 1,
            "oldest": oldest,
        }
        rows = await WORK_RANKED.all(self._connection, told)
        total = max((row.total for row in rows), default=0)
        if total > bound:
            return None
        firsts = ranked(((row.of, _shown(row)) for row in rows if not row.aged), self._scale)
        return firsts, self._by_age([row for row in rows if row.aged]), Bounded(min(total, COUNTED), total > COUNTED)

    def _depths(self, wanted: int) -> list[int]:
        """How many of each kind are read, and how many should these be too few."""
        some = max(_DEPTH, math.ceil(_BEYOND * wanted / max(1, len(self._classes))))
        return sorted({min(some, wanted), wanted})

    async def _ahead(self, wanted: int, rows: Sequence[AheadWork], deeper: Sequence[int]) -> list[Placed]:
        """The first of the order, of what each kind shows of itself, read deeper where that is too little."""
        firsts = self._ranked(rows)
        for depth in deeper:
            if len(firsts) >= wanted and firsts[-1].press.loss > 0:
                break
            firsts = self._ranked(await WORK_AHEAD.all(self._connection, self._to(depth, wanted)))
        return firsts

    def _to(self, depth: int, wanted: int) -> dict[str, Any]:
        """What is asked of each kind, to a depth."""
        return {**self._ranking(wanted), "kinds": self._kinds(wanted, depth), "near": _DEPTH}

    def _ranked(self, rows: Sequence[AheadWork]) -> list[Placed]:
        return ranked(((self._classes[row.at], _shown(row)) for row in rows), self._scale)

    def _ranking(self, wanted: int) -> dict[str, Any]:
        """What the statements that rank take."""
        far = NO_DEADLINE / timedelta(minutes=1)
        return {**self._told, "horizon": self._scale.pace.horizon, "no_deadline": far, "most": wanted}

    def _kinds(self, wanted: int, depth: int) -> str:
        """Classes as the statements take them: what one unit of urgency weighs, the minutes, how many are read."""
        rows: list[dict[str, Any]] = []
        for at, of in enumerate(self._classes):
            minutes = self._scale.minutes_of(of)
            told = {"at": at, "minutes": minutes, "weight": self._scale.worth.loss(1, of.currency) / minutes}
            rows.append({**msgspec.structs.asdict(of), **told, "depth": wanted if of.leads else depth})
        return msgspec.json.encode(rows).decode()

    def _by_age(self, rows: Sequence[FoundWork]) -> list[Placed]:
        return [self._scale.place(row.of, _shown(row)) for row in sorted(rows, key=lambda row: row.id)]


def _shown(row: FoundWork | AheadWork) -> Shown:
    return Shown(row.id, row.urgency, row.due_at)


async def _name_few(connection: AsyncConnection[Any], asked: WorkFilter, told: dict[str, Any]) -> bool:
    """Name the reviews that have the words in their reason, or the amount at stake, if these are few.

    Returns:
        False: they are too many to be sorted.
    """
    looks: list[tuple[Rows[Any], Parameters | None]] = []
    bound = _SORTED + 1
    if asked.text is not None and len(asked.text) >= _WORDED:
        looks.append((WORK_WORDED, {"words": asked.text, "bound": bound}))
    if asked.exposure_from is not None or asked.exposure_to is not None:
        looks.append((WORK_AT_STAKE, told | {"bound": bound}))
    if not looks:
        return True
    told["ids"] = min(
        (found for found in await all_at_once(connection, *looks) if len(found) < bound), key=len, default=None
    )
    return told["ids"] is not None


def _bounded(counted: Sequence[int], bound: int) -> Bounded:
    number = counted[0] if counted else 0
    return Bounded(min(number, bound), number > bound)


def _is_broad(asked: WorkFilter) -> bool:
    empty = WorkFilter()
    return all(getattr(asked, name) == getattr(empty, name) for name in asked.__struct_fields__ if name not in _BROAD)


def _is_of(asked: WorkFilter, of: WorkClass) -> bool:
    return (
        (asked.kind is None or of.exceptional == (asked.kind is WorkKind.EXCEPTION))
        and asked.workflow in (None, of.workflow)
        and asked.point in (None, of.point)
    )


def _parameters(
    asked: WorkFilter, actor: Actor, classes: Sequence[WorkClass], worth: Worth, now: datetime
) -> dict[str, Any]:
    """A filter as the statements take it."""
    currencies = sorted({of.currency for of in classes if of.currency})
    return {
        "at": now,
        "mine": actor.name if asked.mine else None,
        "teams": list(actor.teams) if asked.my_team else None,
        "workflow": asked.workflow,
        "point": asked.point,
        "queue": asked.queue,
        "team": asked.team,
        "stands": asked.state,
        "parked": asked.parked or asked.state in PARKED,
        "assigned": asked.assigned_to,
        "claimed": asked.claimed_by,
        "words": asked.text,
        "ids": None,
        "code": asked.code,
        "currencies": currencies,
        "least_minor": _bounds(asked.exposure_from, currencies, worth, up=True),
        "most_minor": _bounds(asked.exposure_to, currencies, worth, up=False),
        "least_sure": asked.confidence_from,
        "most_sure": asked.confidence_to,
        "due_before": None if asked.due_within is None else now + asked.due_within,
        "opened_before": None if asked.older_than is None else now - asked.older_than,
        "second": asked.second,
        "taker": None,
        "reviews": asked.kind is not WorkKind.EXCEPTION,
        "exceptions": asked.kind is not WorkKind.REVIEW,
    }


def _bounds(amount: Money | None, currencies: Sequence[str], worth: Worth, *, up: bool) -> list[int] | None:
    """A bound in minor units of each currency; of its own exactly, of others by the reference rates."""
    if amount is None:
        return None
    whole = float(amount.amount) * worth.unit(amount.currency) * 10 ** exponent(amount.currency)
    round_to = math.ceil if up else math.floor
    most = 2**63 - 1
    return [
        amount.minor if currency == amount.currency else max(-most, min(most, round_to(whole / worth.unit(currency))))
        for currency in currencies
    ]


def work_item(row: WorkRow, pressed: Press, *, reserved: bool = False) -> WorkItem:
    """A row as an item of the list."""
    exposure = Money.of_columns(row.exposure_minor, row.currency)
    of = abs(row.exposure_minor) if row.exposure_minor and row.currency else 0
    return WorkItem(
        kind=WorkKind.EXCEPTION if row.exceptional else WorkKind.REVIEW,
        chance=min(1.0, row.urgency / of) if of else min(1.0, row.urgency / WHOLE) if exposure is None else 0.0,
        exposure=exposure,
        loss=Money.of_columns(row.urgency if exposure else None, row.currency),
        press=pressed,
        reserved=reserved,
        state=WorkState(row.stands),
        **{name: getattr(row, name) for name in _ALIKE},
    )


_ALIKE: tuple[str, ...] = (
    "id", "case_id", "decision_id", "workflow", "point", "queue", "team", "why", "codes", "confidence", "priority",
    "due_at", "created_at", "claimed_by", "claimed_until", "assigned_to", "snoozed_until", "asked_to", "needed",
    "given", "given_by_me", "key", "question",
)  # fmt: skip


def _place(after: str | None, now: datetime) -> tuple[int, datetime]:
    """Where a page begins, and at which moment the list is taken."""
    if after is None:
        return 0, now
    found = _AFTER.match(after)
    at = datetime.fromtimestamp(int(found[2]) / 1e6, UTC) if found else now
    if found is None or int(found[1]) >= FARTHEST or not now - timedelta(days=1) <= at <= now + timedelta(minutes=1):
        raise Refused(f"{after[:40]!r} is no page of this list", where="after", todo="begin again, or ask for less")
    return int(found[1]), at


def _micros(at: datetime) -> int:
    return (at - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1)
