"""The figures of a workflow: value, costs, losses, margin, shares and times, in words and exact. Pure.

INVARIANT: what is not recorded or not declared is None with the reason, never 0; amounts of two currencies are never
added without a declared rate that has a date.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal
from enum import StrEnum

import msgspec

from interlock.business.losses import losses_of
from interlock.business.sums import USD, Sums, major
from interlock.business.tally import Beside, LossOf, Sort, Span, Tallies
from interlock.business.terms import BusinessTerms
from interlock.oversight.binomial import interval
from interlock.oversight.escalation import shown_age
from interlock.percentages import percent

NOTHING = Beside()


class Look(StrEnum):
    """What can be looked at behind figures."""

    LOSSES = "losses"
    COSTS = "costs"
    PEOPLE = "people"
    EXCEPTIONS = "exceptions"
    CASES = "cases"
    STRAIGHT = "straight"
    SLOWEST = "slowest"
    CONTROL = "control"


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One figure as it is told.

    Attributes:
        name: For programs.
        title: For people.
        value: With its unit; None: it is not known.
        each: The same for one case or one decision.
        low: The lower end of the 95 % interval, where there is one.
        high: The upper end.
        note: Of what, by which rate, what is missing; why it is not known.
        behind: What shows the decisions behind it; None: nothing is behind it.
    """

    name: str
    title: str
    value: str | None
    each: str | None = None
    low: str | None = None
    high: str | None = None
    note: str = ""
    behind: Look | None = None


class Books(msgspec.Struct, frozen=True, kw_only=True):
    """The money of a workflow over a span of time.

    Attributes:
        currency: Of what a case is worth, or of what was lost; USD where neither is known.
        value: What the cases were worth.
        model: What was paid beside compute.
        machine: What processors cost.
        people: What people's time cost.
        losses: What was lost by wrong decisions.
        margin: Value less costs and losses, in the currency; None: it is not known.
        margin_low: The lower end of its interval, where losses are estimated and all else is known.
        margin_high: The upper end.
        margin_note: What it leaves out, or why it is not known.
        cost: Costs and losses of all cases, in the currency; None: not known.
        missing: The parts of the cost that are left out as a whole.
        short: What is left out of its other parts.
        declared: Whether the file says the currency, and not only what happened.
    """

    currency: str
    value: Sums
    model: Sums
    machine: Sums
    people: Sums
    losses: Sums
    margin: Decimal | None
    margin_low: Decimal | None
    margin_high: Decimal | None
    margin_note: str
    cost: Decimal | None
    missing: tuple[str, ...]
    short: tuple[str, ...]
    declared: bool

    @property
    def cost_word(self) -> str:
        """What stands before a cost: it is a bound from below where a part of it is not known."""
        return f"{'at least ' if self.missing or self.short else ''}{'about ' if self.losses.spread else ''}"

    @property
    def margin_word(self) -> str:
        """What stands before a margin."""
        least = "at least " if self.value.short else ""
        return f"{'at most ' if self.missing or self.short else least}{'about ' if self.losses.spread else ''}"


def books_of(
    tallies: Tallies, losses: Sequence[LossOf], known: int, terms: BusinessTerms, beside: Beside = NOTHING
) -> Books:
    """Everything that is money.

    Args:
        tallies: What was counted.
        losses: The wrong decisions that nobody corrected.
        known: Of how many decisions an outcome is known.
        terms: What is declared.
        beside: What is known at each point.
    """
    value, lost = value_of(tallies, terms), losses_of(losses, known, tallies, terms, beside)
    model = Sums({USD: tallies.amount(Sort.DECIDED) + tallies.amount(Sort.UNDECIDED)}, known=True)
    machine, people = machine_of(tallies, terms), people_of(tallies, terms)
    stated = declared_currency(terms)
    currency = stated or _seen_currency(value, lost)
    missing = tuple(one.note for one in (machine, people, lost) if not one.known)
    short = tuple(one.short for one in (machine, people, lost) if one.known and one.short)
    spent = _together([one for one in (model, machine, people, lost) if one.known], currency, terms)
    earned = _together([value], currency, terms) if value.known else None
    left = (*missing, *short, *((value.short,) if value.short else ()))
    note = f"left out: {', '.join(left)}" if left else ""
    if lost.spread:
        note = "; ".join(one for one in ("the losses are an estimate", note) if one)
    if earned is None:
        why = (
            value.note or f"what cases are worth is in several currencies, and no dated rate to {currency} is declared"
        )
    elif spent is None:
        why = f"costs and value are in several currencies, and no rate to {currency} is declared with its date"
    elif value.short and (missing or short):
        why = f"neither the value nor the costs are all there is; {note}"
    else:
        why = ""
    margin = None if earned is None or spent is None or why else earned - spent
    ends = None if margin is None or left else _ends(lost, currency, terms)
    return Books(
        currency=currency, value=value, model=model, machine=machine, people=people, losses=lost, margin=margin,
        margin_low=None if margin is None or ends is None else margin - ends[1],
        margin_high=None if margin is None or ends is None else margin + ends[0],
        margin_note=why or note, cost=spent, missing=missing, short=short, declared=bool(stated),
    )  # fmt: skip


def _ends(lost: Sums, currency: str, terms: BusinessTerms) -> tuple[Decimal, Decimal] | None:
    """By how much the losses may be off, in one currency; None: nothing is estimated, or it has no rate."""
    below = _together([Sums({own: one[0] for own, one in lost.spread.items()}, known=True)], currency, terms)
    above = _together([Sums({own: one[1] for own, one in lost.spread.items()}, known=True)], currency, terms)
    return (below, above) if lost.spread and below is not None and above is not None else None


def value_of(tallies: Tallies, terms: BusinessTerms) -> Sums:
    """What the cases that are done were worth, as their owner says."""
    worth = terms.worth
    if worth is None:
        return Sums({}, known=False, note="the workflow's file states no value of a case")
    rows = [one for one in tallies.of(Sort.DONE) if not worth.conclusions or one.part in worth.conclusions]
    if worth.each is not None:
        count = sum(one.number for one in rows)
        return Sums({worth.each.currency: worth.each.amount * count}, known=True, note=f"stated by {worth.source}")
    amounts: dict[str, Decimal] = defaultdict(Decimal)
    without = 0
    for one in rows:
        if one.currency:
            part = major(one.amount, one.currency) * worth.share.numerator / worth.share.denominator
            amounts[one.currency] += part
        else:
            without += one.number
    note = f"{float(worth.share):.4g} of what is at stake, stated by {worth.source}"
    short = f"the value of {without:,} cases whose exposure is not known" if without else ""
    if without:
        note += f"; {without:,} cases without a known exposure are left out"
    return Sums(dict(amounts), known=bool(amounts) or not without, note=note, short=short)


def machine_of(tallies: Tallies, terms: BusinessTerms) -> Sums:
    """What the processor time in components cost."""
    seconds = tallies.amount(Sort.PROCESSOR) / 1_000_000
    if not terms.processor_hour:
        return Sums({}, known=False, note=f"the price of {seconds:.1f} s of processors (prices_processor_hour)")
    return Sums({USD: seconds * terms.processor_hour / 3600}, known=True, note=f"{seconds:.1f} s in components")


def people_of(tallies: Tallies, terms: BusinessTerms) -> Sums:
    """What people's time cost, as far as it is known how long they took."""
    answered, timed = tallies.number(Sort.ANSWERED), tallies.number(Sort.TIMED)
    seconds = tallies.amount(Sort.TIMED) / 1000
    minutes = f"{seconds / 60:.1f} minutes for {timed:,} of {answered:,} reviews"
    if not terms.person_hour:
        return Sums({}, known=not answered, note=f"the price of {minutes} (prices_person_hour)" if answered else "")
    if answered and not timed:
        return Sums({}, known=False, note=f"how long people took for {answered:,} reviews")
    short = f"people's time for {answered - timed:,} of {answered:,} reviews" if timed < answered else ""
    return Sums({USD: seconds * terms.person_hour / 3600}, known=True, note=minutes, short=short)


def declared_currency(terms: BusinessTerms) -> str:
    """The currency that the file says, of what a case is worth or was, or else of all its losses; empty: none."""
    worth = terms.worth
    if worth is not None and (worth.each or worth.before):
        return (worth.each or worth.before).currency  # type: ignore[union-attr]
    stated = {currency for _, currency in terms.losses.values()}
    return stated.pop() if len(stated) == 1 else ""


def _seen_currency(*sums: Sums) -> str:
    return next((min(one.amounts) for one in sums if one.amounts), USD)


def _together(sums: Iterable[Sums], currency: str, terms: BusinessTerms) -> Decimal | None:
    total = Decimal(0)
    for one in sums:
        for own, amount in one.amounts.items():
            if not amount:
                continue
            converted = terms.rates.convert(amount, own, currency)
            if converted is None:
                return None
            total += converted
    return total


def share_of(name: str, title: str, hits: int, tries: int, behind: Look) -> Figure:
    """A share of the cases that ended, with its exact interval."""
    if not tries:
        return Figure(name=name, title=title, value=None, note="no case ended in that time")
    found = interval(hits, tries)
    return Figure(
        name=name, title=title, value=_percent(found.share), low=_percent(found.low), high=_percent(found.high),
        note=f"{hits:,} of {tries:,} cases", behind=behind,
    )  # fmt: skip


def span_of(name: str, title: str, span: Span | None) -> Figure:
    """A quantile of how long cases took."""
    if span is None:
        return Figure(name=name, title=title, value=None, note="no case ended in that time")
    return Figure(
        name=name, title=title, value=_age(span.seconds), low=_age(span.low) if span.low else None,
        high=None if math.isinf(span.high) else _age(span.high),
        note=f"from its coming to its end, within 5 %{open_ends(span)}", behind=Look.SLOWEST,
    )  # fmt: skip


def open_ends(span: Span) -> str:
    """Which ends of an interval so few cases leave open."""
    ends = ["lower"] * (not span.low) + ["upper"] * math.isinf(span.high)
    return f"; the {' and the '.join(ends)} end of the 95 % interval is open: too few cases" if ends else ""


def _age(seconds: float) -> str:
    return shown_age(round(seconds)) if seconds >= 10 else f"{seconds:.2g} s"  # noqa: PLR2004 - below, digits count


def _percent(share: float) -> str:
    return percent(share)
