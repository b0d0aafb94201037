"""Costs as people and programs read them: amounts as "0.0125 USD". Pure."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

import msgspec

from interlock.decisions.costs import By, CostLine, Costs, divided, shown_usd


class Prices(NamedTuple):
    """What time costs, in USD an hour; 0: it is not stated.

    Attributes:
        processor_hour: Of one processor.
        person_hour: Of one person.
    """

    processor_hour: Decimal = Decimal(0)
    person_hour: Decimal = Decimal(0)


_NO_PRICES = Prices()


class ShownLine(msgspec.Struct, frozen=True, kw_only=True):
    """What some decisions cost together.

    Attributes:
        name: The point, component, workflow or day; empty for everything.
        decisions: How many; of a component those in which it was asked.
        cost: Beside compute, exact: "0.0125 USD".
        cost_per_decision: The same for one of them, rounded to nine places.
        share: Its part of the whole cost, from "0" to "1", to four places.
        processor_ms: Processor time in components, in milliseconds.
        input_tokens: Tokens of prompts, those from a provider's cache included.
        cached_input_tokens: Those of them that came from a cache.
        output_tokens: Tokens of answers, those of reasoning included.
        reasoning_tokens: Those of them that were reasoning.
        requests: How many requests language models were sent.
        reviews: How many reviews people resolved.
        timed_reviews: Of how many of them it is known how long they took: those that were claimed first.
        human_minutes: How long these took together, to a tenth.
        processor_cost: What the processor time costs by the settings' price, rounded to nine places; null: none is set.
        human_cost: What the time of people costs by theirs, in the same way.
    """

    name: str
    decisions: int
    cost: str
    cost_per_decision: str
    share: str
    processor_ms: int
    input_tokens: int
    cached_input_tokens: int
    output_tokens: int
    reasoning_tokens: int
    requests: int
    reviews: int
    timed_reviews: int
    human_minutes: str
    processor_cost: str | None
    human_cost: str | None


class CostReport(msgspec.Struct, frozen=True, kw_only=True):
    """What decisions cost in the last while.

    Attributes:
        since: The first moment that this covers.
        until: The first that it does not.
        by: What each line adds up.
        total: Everything together; each decision counts once, however many components it asked.
        lines: The dearest first.
    """

    since: datetime
    until: datetime
    by: By
    total: ShownLine
    lines: tuple[ShownLine, ...]


def shown(costs: Costs, prices: Prices = _NO_PRICES) -> CostReport:
    """A report as programs read it.

    Args:
        costs: The report.
        prices: What time costs.
    """
    return CostReport(
        since=costs.since,
        until=costs.until,
        by=costs.by,
        total=_line(costs.total, prices),
        lines=tuple(_line(one, prices) for one in costs.lines),
    )


def _line(line: CostLine, prices: Prices) -> ShownLine:
    spent, people = line.spent, line.people
    return ShownLine(
        name=spent.name,
        decisions=spent.decisions,
        cost=shown_usd(spent.cost),
        cost_per_decision=shown_usd(line.cost_per_decision),
        share=f"{line.share.normalize():f}",
        processor_ms=round(spent.cpu_us / 1000),
        input_tokens=spent.input,
        cached_input_tokens=spent.cached_input,
        output_tokens=spent.output,
        reasoning_tokens=spent.reasoning,
        requests=spent.requests,
        reviews=people.reviews,
        timed_reviews=people.timed,
        human_minutes=f"{people.seconds / 60:.1f}",
        processor_cost=_priced(spent.cpu_us, prices.processor_hour, 3_600_000_000),
        human_cost=_priced(people.seconds, prices.person_hour, 3600),
    )


def _priced(time: int, price: Decimal, hour: int) -> str | None:
    return shown_usd(divided(time * price, hour, Decimal("1e-9"))) if price else None
