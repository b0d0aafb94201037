"""The figures of a workflow: value, costs, losses, margin, shares and times, in words and exact. Pure.

INVARIANT: what is not recorded or not declared is None with the reason, never 0; amounts of two currencies are never
added without a declared rate that has a date.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

import msgspec

from interlock.business.tally import LossOf, Sort, Span, Tallies
from interlock.business.terms import BusinessTerms
from interlock.decisions.costs import shown_usd
from interlock.money import exponent
from interlock.oversight.binomial import interval
from interlock.oversight.escalation import shown_age

USD = "USD"
_PLACES = Decimal("1e-6")
MOST_KNOWN = 100_000
"""Where counting the outcomes that are known stops, at each point: "at least" is said from here on."""


class Look(StrEnum):
    """What can be looked at behind figures."""

    LOSSES = "losses"
    COSTS = "costs"
    PEOPLE = "people"
    EXCEPTIONS = "exceptions"
    CASES = "cases"
    SLOWEST = "slowest"


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


@dataclass(frozen=True, slots=True)
class Sums:
    """Amounts by currency, in whole units of it, exact; and of what they are not all.

    Attributes:
        amounts: By currency.
        known: Whether anything is known at all.
        note: What is missing, or why nothing is known.
    """

    amounts: dict[str, Decimal]
    known: bool
    note: str = ""

    def told(self) -> str | None:
        """All of them, one after the other."""
        return " + ".join(shown(amount, currency) for currency, amount in sorted(self.amounts.items())) or None

    def told_each(self, count: int, what: str) -> str | None:
        """The same for each of so many."""
        if not count or not self.amounts:
            return None
        parts = (_fine(amount / count, currency) for currency, amount in sorted(self.amounts.items()))
        return f"{' + '.join(parts)} {what}"


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
        margin_note: What it leaves out, or why it is not known.
        cost: Costs and losses of all cases, in the currency; None: not known.
    """

    currency: str
    value: Sums
    model: Sums
    machine: Sums
    people: Sums
    losses: Sums
    margin: Decimal | None
    margin_note: str
    cost: Decimal | None


def shown(amount: Decimal, currency: str) -> str:
    """An amount in whole units: USD with all its digits, others rounded to their minor unit."""
    if currency == USD:
        return shown_usd(amount.quantize(_PLACES) if amount else Decimal(0))
    return f"{amount.quantize(Decimal(1).scaleb(-exponent(currency))):,f} {currency}"


def _fine(amount: Decimal, currency: str) -> str:
    """An amount of one, with two digits more than the currency has."""
    return f"{amount.quantize(Decimal(1).scaleb(-exponent(currency) - 2)):f} {currency}"


def major(minor: int | Decimal, currency: str) -> Decimal:
    """Whole units of minor ones, exact."""
    return Decimal(minor).scaleb(-exponent(currency))


def books_of(tallies: Tallies, losses: Sequence[LossOf], known: int, terms: BusinessTerms) -> Books:
    """Everything that is money.

    Args:
        tallies: What was counted.
        losses: The wrong decisions that nobody corrected.
        known: Of how many decisions an outcome is known.
        terms: What is declared.
    """
    value, lost = value_of(tallies, terms), losses_of(losses, known, tallies.number(Sort.DECIDED), terms)
    model = Sums({USD: tallies.amount(Sort.DECIDED) + tallies.amount(Sort.UNDECIDED)}, known=True)
    machine, people = machine_of(tallies, terms), people_of(tallies, terms)
    currency = _currency(terms, value, lost)
    missing = [one.note for one in (machine, people, lost) if not one.known]
    spent = _together([one for one in (model, machine, people, lost) if one.known], currency, terms)
    earned = _together([value], currency, terms) if value.known else None
    note = "; ".join((f"left out: {', '.join(missing)}",) if missing else ())
    if earned is None:
        why = (
            value.note or f"what cases are worth is in several currencies, and no dated rate to {currency} is declared"
        )
    elif spent is None:
        why = f"costs and value are in several currencies, and no rate to {currency} is declared with its date"
    else:
        why = ""
    margin = None if earned is None or spent is None else earned - spent
    return Books(
        currency=currency, value=value, model=model, machine=machine, people=people, losses=lost, margin=margin,
        margin_note=why or note, cost=spent,
    )  # fmt: skip


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
    if without:
        note += f"; {without:,} cases without a known exposure are left out"
    return Sums(dict(amounts), known=bool(amounts) or not without, note=note)


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
    return Sums({USD: seconds * terms.person_hour / 3600}, known=True, note=minutes)


def losses_of(losses: Sequence[LossOf], known: int, decided: int, terms: BusinessTerms) -> Sums:
    """What wrong decisions that nobody corrected lost: as realised, else as declared for their exposure."""
    if not known:
        return Sums({}, known=False, note="losses: no outcome is recorded")
    amounts: dict[str, Decimal] = defaultdict(Decimal)
    realised = declared = silent = 0
    for one in losses:
        stated = terms.losses.get(one.point)
        if one.realised and one.currency:
            realised += one.number
            amounts[one.currency] += major(one.lost_minor, one.currency)
        elif stated and one.exposure_minor is not None and one.exposure_minor >= 0 and one.currency == stated[1]:
            declared += one.number
            amounts[one.currency] += major(stated[0].of(one.exposure_minor) * one.number, one.currency)
        else:
            silent += one.number
    parts = [f"outcomes of {'at least ' if known >= MOST_KNOWN else ''}{known:,} of {decided:,} decisions are known"]
    parts += [f"{realised:,} losses are on record"] if realised else []
    parts += [f"{declared:,} are as the point declares"] if declared else []
    parts += [f"what {silent:,} wrong ones lost is not known"] if silent else []
    if not amounts and not silent:
        amounts[_currency(terms)] = Decimal(0)
    return Sums(dict(amounts), known=bool(amounts), note="; ".join(parts))


def _currency(terms: BusinessTerms, *sums: Sums) -> str:
    if terms.worth is not None and terms.worth.each is not None:
        return terms.worth.each.currency
    for one in sums:
        if one.amounts:
            return min(one.amounts)
    return next((currency for _, currency in terms.losses.values()), USD)


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
    return f"{share:.1%}"
