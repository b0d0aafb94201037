"""What decisions cost: money beside compute, tokens, processor time and the time of people, by point, component or day.

Sums are exact: every decision's cost is a decimal, and PostgreSQL adds them up; nothing is sampled and no memory grows
with the number of decisions. What counts is what is on record: an answer that came too late to be used has cost what it
cost, and so has an asking that failed, or one that no decision came of.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal, localcontext
from enum import StrEnum
from uuid import UUID

import msgspec

from interlock.clock import first_id
from interlock.db.database import Database
from interlock.db.queries import load_queries
from interlock.errors import Refused

LONGEST_SINCE = timedelta(days=366)
PERSON = "person"
_PLACES = Decimal("1e-9")
_EVERY_DIGIT = 150_000
"""No number of PostgreSQL has more digits: 131,072 before its point and 16,383 after it."""


class By(StrEnum):
    """What the lines of a report are: one for each of these."""

    POINT = "point"
    COMPONENT = "component"
    WORKFLOW = "workflow"
    DAY = "day"


class CostSum(msgspec.Struct, frozen=True, kw_only=True):
    """What some decisions cost together.

    Attributes:
        name: The point, component, workflow or day (UTC) that they have in common.
        decisions: How many; of a component those in which it was asked. What came to nothing is none, and has its cost.
        cost: In USD beside compute; exact.
        cpu_us: Microseconds of processor time in components.
        input: Tokens of prompts, those from a provider's cache included.
        cached_input: Those of them that came from a cache.
        output: Tokens of answers, those of reasoning included.
        reasoning: Those of them that were reasoning.
        requests: How many requests language models were sent.
    """

    name: str
    decisions: int = 0
    cost: Decimal = Decimal(0)
    cpu_us: int = 0
    input: int = 0
    cached_input: int = 0
    output: int = 0
    reasoning: int = 0
    requests: int = 0


class ReviewSum(msgspec.Struct, frozen=True, kw_only=True):
    """What the people did for some decisions.

    Attributes:
        name: As of ``CostSum``.
        reviews: How many reviews were resolved.
        timed: Of how many of them it is known how long they took: those that were claimed first.
        seconds: How long these took together, from the last claim to the answer and never beyond the claim's end.
    """

    name: str
    reviews: int
    timed: int
    seconds: int


class CostLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a report.

    Attributes:
        spent: What the decisions cost.
        people: What people did for them.
        share: Its part of the whole cost, from 0 to 1, to four places; 0 where nothing cost anything.
    """

    spent: CostSum
    people: ReviewSum
    share: Decimal

    @property
    def cost_per_decision(self) -> Decimal:
        """In USD, rounded to nine places."""
        return divided(self.spent.cost, self.spent.decisions, _PLACES)


class Costs(msgspec.Struct, frozen=True, kw_only=True):
    """A report.

    Attributes:
        since: The first moment that it covers.
        until: The first that it does not.
        by: What its lines are.
        total: Everything together; each decision counts once, however many components it asked.
        lines: The dearest first.
    """

    since: datetime
    until: datetime
    by: By
    total: CostLine
    lines: tuple[CostLine, ...]


_SQL = load_queries(__file__)
COSTS_OF_DECISIONS = _SQL.rows("costs_of_decisions", CostSum)
COSTS_OF_COMPONENTS = _SQL.rows("costs_of_components", CostSum)
TIME_OF_PEOPLE = _SQL.rows("time_of_people", ReviewSum)


async def read_costs(database: Database, tenant: UUID, *, since: timedelta, by: By) -> Costs:
    """What a tenant's decisions cost in the last while.

    Args:
        database: Where they are.
        tenant: Whose.
        since: How far back; at most a year.
        by: What the lines are.

    Raises:
        Refused: no time at all, or more than a year.
    """
    if not timedelta(0) < since <= LONGEST_SINCE:
        raise Refused(f"{since} is no span to add up over", where="since", todo="write a length up to 366d, as in 7d")
    until = database.clock.now()
    begin = until - since
    # by ids, so that only the partitions of that time are read; an id's time is that of its commit
    asked = {"since": first_id(begin), "until": first_id(until + timedelta(seconds=1)), "by": by}
    whole = {**asked, "by": By.WORKFLOW}
    async with database.tenant(tenant) as connection:
        people = await TIME_OF_PEOPLE.all(connection, asked)
        if by is By.COMPONENT:
            spent = await COSTS_OF_COMPONENTS.all(connection, asked)
            total = added(await COSTS_OF_DECISIONS.all(connection, whole))
        else:
            spent = await COSTS_OF_DECISIONS.all(connection, asked)
            total = added(spent)
    known = {one.name: one for one in people}
    nobody = {name: CostSum(name=name) for name in known.keys() - {one.name for one in spent}}
    lines = [line(one, known.get(one.name), total.cost) for one in (*spent, *nobody.values())]
    lines.sort(key=lambda one: (-one.spent.cost, -one.people.seconds, -one.spent.decisions, one.spent.name))
    everyone = ReviewSum(
        name="", reviews=sum(p.reviews for p in people), timed=sum(p.timed for p in people),
        seconds=sum(p.seconds for p in people),
    )  # fmt: skip
    return Costs(since=begin, until=until, by=by, total=line(total, everyone, total.cost), lines=tuple(lines))


def line(spent: CostSum, people: ReviewSum | None, whole: Decimal) -> CostLine:
    """A line of a report, with its part of the whole."""
    nobody = ReviewSum(name=spent.name, reviews=0, timed=0, seconds=0)
    return CostLine(spent=spent, people=people or nobody, share=divided(spent.cost, whole, Decimal("1e-4")))


def added(sums: list[CostSum]) -> CostSum:
    """Several sums as one, exact."""
    with localcontext() as exactly:
        exactly.prec = _EVERY_DIGIT  # sums of money are never rounded, whatever the thread's own context says
        cost = sum((one.cost for one in sums), Decimal(0))
    counts: dict[str, int] = {name: sum(getattr(one, name) for one in sums) for name in _COUNTS}
    return CostSum(name="", cost=cost, **counts)


_COUNTS = ("decisions", "cpu_us", "input", "cached_input", "output", "reasoning", "requests")


def divided(amount: Decimal, by: Decimal | int, places: Decimal) -> Decimal:
    """A quotient, rounded to some places; 0 where it is divided by nothing."""
    if not by:
        return Decimal(0)
    with localcontext() as context:
        digits = Decimal(amount).adjusted() - Decimal(by).adjusted() - places.adjusted()
        context.prec = min(max(60, digits + 3), _EVERY_DIGIT)  # of the largest amount on record, too
        return (amount / by).quantize(places)


def shown_usd(amount: Decimal) -> str:
    """An amount in USD without the zeros at its end: "0.0125 USD"."""
    text = f"{amount:f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text} USD"
