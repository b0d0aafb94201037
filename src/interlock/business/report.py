"""The business view of one workflow: its figures, and how they stand against the declared baseline. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType

import msgspec

from interlock.business.compared import Compared
from interlock.business.figures import (
    NOTHING,
    Books,
    Figure,
    Look,
    books_of,
    open_ends,
    share_of,
    span_of,
)
from interlock.business.sums import Sums, fine, shown
from interlock.business.tally import Beside, LossOf, Sort, Span, Tallies
from interlock.business.terms import BusinessTerms
from interlock.cases.dossier import Success
from interlock.cases.worth import Measured
from interlock.oversight.binomial import Interval, interval

NO_PROOF = (
    "The difference is no proof of cause: cases, seasons and people differ from those of the baseline as well. A share "
    "of the cases that goes on as before (a control), or a roll-out in steps, would tell what the workflow changed."
)
BESIDE_CONTROL = (
    "The difference to the baseline is no proof of cause: cases, seasons and people differ as well. What the workflow "
    "changes is told by its control group, whose cases were drawn by lot."
)
_NO_CURRENCY = (
    "the file does not say in which currency the baseline is: value.each, value.before or the points' autonomy would"
)
MEDIAN, LATE = 0.5, 0.95
_BEHIND: Mapping[Measured, Look] = MappingProxyType(
    {
        Measured.STRAIGHT: Look.STRAIGHT,
        Measured.EXCEPTIONS: Look.EXCEPTIONS,
        Measured.CYCLE: Look.SLOWEST,
        Measured.COST: Look.COSTS,
        Measured.MARGIN: Look.CASES,
    }
)
_HOUR_S = 3600


class Against(msgspec.Struct, frozen=True, kw_only=True):
    """A figure beside its declared baseline.

    Attributes:
        measure: What is measured, as the file says it.
        then: How it stood before, and how that is known.
        now: How it stands; None: it is not known.
        change: By how much it is another; None: it cannot be said.
        low: The lower end of the 95 % interval of the change, where there is one.
        high: The upper end.
        target: The value that would be a success, if it is declared.
        note: How this is to be read, or why it cannot be said.
        behind: What shows the decisions behind it as it stands; None: it is not known.
    """

    measure: str
    then: str
    now: str | None
    change: str | None = None
    low: str | None = None
    high: str | None = None
    target: str | None = None
    note: str = ""
    behind: Look | None = None


class Conclusion(msgspec.Struct, frozen=True, kw_only=True):
    """How many cases ended in one way: its word and their number."""

    name: str
    cases: int


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The business view of one workflow.

    Attributes:
        workflow: Its name.
        since: The first moment that this covers.
        until: What came since is not counted yet.
        cases: How many cases ended in that time.
        cancelled: How many were taken back or cancelled.
        decisions: How many decisions were taken.
        conclusions: How the cases ended, the most frequent first.
        currency: Of the margin.
        rates: By which rates amounts are converted, in words; empty: by none.
        figures: They, in the order in which they are read.
        baselines: Figures beside what was before.
        warning: How differences are to be read; empty: none is shown.
        control: The control group beside the other cases; None: none is declared, or it was not asked for.
    """

    workflow: str
    since: datetime
    until: datetime
    cases: int
    cancelled: int
    decisions: int
    conclusions: tuple[Conclusion, ...]
    currency: str
    rates: str
    figures: tuple[Figure, ...]
    baselines: tuple[Against, ...]
    warning: str
    control: Compared | None = None


def report_of(
    tallies: Tallies,
    losses: Sequence[LossOf],
    known: int,
    terms: BusinessTerms,
    since: datetime,
    until: datetime,
    beside: Beside = NOTHING,
) -> Report:
    """The view of a workflow over a span of time."""
    books = books_of(tallies, losses, known, terms, beside)
    cases, decisions = tallies.number(Sort.DONE), tallies.number(Sort.DECIDED)
    ways: dict[str, int] = {}
    for one in tallies.of(Sort.DONE):
        ways[one.part] = ways.get(one.part, 0) + one.number
    baselines = tuple(_baselines(tallies, books, cases, terms, beside.stuck))
    return Report(
        workflow=terms.workflow,
        since=since,
        until=until,
        cases=cases,
        cancelled=tallies.number(Sort.CANCELLED),
        decisions=decisions,
        conclusions=tuple(
            Conclusion(name=name, cases=count)
            for name, count in sorted(ways.items(), key=lambda one: (-one[1], one[0]))
        ),
        currency=books.currency,
        rates=_rates(terms, books),
        figures=tuple(_figures(tallies, books, cases, decisions, beside.stuck)),
        baselines=baselines,
        warning=(BESIDE_CONTROL if terms.control else NO_PROOF) if any(one.change for one in baselines) else "",
    )


def _rates(terms: BusinessTerms, books: Books) -> str:
    currencies = {currency for one in (books.value, books.model, books.machine, books.people, books.losses)
                  for currency, amount in one.amounts.items() if amount}  # fmt: skip
    if not currencies - {books.currency}:
        return ""
    if terms.rates.date is None:
        return "the settings declare no rates with their date: amounts stand in their own currencies"
    return f"amounts in {books.currency} are converted by the rates of {terms.rates.date:%Y-%m-%d}"


def _figures(tallies: Tallies, books: Books, cases: int, decisions: int, stuck: int) -> list[Figure]:
    currency = books.currency
    each = books.margin is not None and cases
    margin = Figure(
        name="margin", title="Margin", value=_worded(books.margin_word, books.margin, currency),
        each=f"{books.margin_word}{fine(books.margin / cases, currency)} a case" if each and books.margin else None,
        low=_worded("", books.margin_low, currency), high=_worded("", books.margin_high, currency),
        note=books.margin_note, behind=Look.CASES,
    )  # fmt: skip
    hits, ended = _stopped(tallies, cases, stuck)
    stopped = share_of("exception_rate", "Stopped by an exception", hits, ended, Look.EXCEPTIONS)
    return [
        _money("value", "Value", books.value, cases, "a case", Look.CASES),
        margin,
        _money("losses", "Losses by wrong decisions", books.losses, cases, "a case", Look.LOSSES),
        _cost("cost_per_decision", "Cost of a decision, with its losses", books, decisions, "decision"),
        _cost("cost_per_case", "Cost of a case, with its losses", books, cases, "case"),
        _money("model", "Models", books.model, decisions, "a decision", Look.COSTS),
        _money("machine", "Processors", books.machine, decisions, "a decision", Look.COSTS),
        _money("people", "People's time", books.people, decisions, "a decision", Look.PEOPLE),
        share_of("straight_through", "Straight through", tallies.number(Sort.STRAIGHT), cases, Look.STRAIGHT),
        msgspec.structs.replace(stopped, note=f"{stopped.note}; {stuck:,} of them stand still now")
        if stuck
        else stopped,
        span_of("cycle_time", "Half are done within", tallies.quantile(MEDIAN)),
        span_of("cycle_time_p95", "19 of 20 are done within", tallies.quantile(LATE)),
    ]


def _stopped(tallies: Tallies, cases: int, stuck: int) -> tuple[int, int]:
    """How many cases an exception stopped, of how many: of those that ended in any way, and of those it stops now."""
    return tallies.number(Sort.EXCEPTED) + stuck, cases + tallies.number(Sort.CANCELLED) + stuck


def _worded(word: str, amount: Decimal | None, currency: str) -> str | None:
    return None if amount is None else f"{word}{shown(amount, currency)}"


def _cost(name: str, title: str, books: Books, count: int, what: str) -> Figure:
    """All that one costs, with each part of it."""
    parts = (
        ("models", books.model), ("processors", books.machine), ("people's time", books.people),
        ("losses", books.losses),
    )  # fmt: skip
    told = "; ".join(f"{part} {sums.told_each(count, '').strip() if count and sums.amounts else 'not known'}"  # type: ignore[union-attr]
                     for part, sums in parts)  # fmt: skip
    if not count:
        return Figure(name=name, title=title, value=None, note=f"there was no {what} in that time")
    if books.cost is None:
        note = f"its parts are in several currencies, and no rate to {books.currency} is declared with its date: {told}"
        return Figure(name=name, title=title, value=None, note=note, behind=Look.COSTS)
    left = ", ".join((*books.missing, *books.short))
    return Figure(
        name=name, title=title, value=f"{books.cost_word}{fine(books.cost / count, books.currency)}",
        note=f"{told}{f'; left out: {left}' if left else ''}", behind=Look.COSTS,
    )  # fmt: skip


def _money(name: str, title: str, sums: Sums, count: int, what: str, behind: Look) -> Figure:
    if not sums.known:
        return Figure(name=name, title=title, value=None, note=sums.note, behind=behind)
    value = sums.told()
    ends = (
        [
            " + ".join(shown(sums.amounts[own] + sign * one[at], own) for own, one in sorted(sums.spread.items()))
            for at, sign in ((0, -1), (1, 1))
        ]
        if len(sums.amounts) == len(sums.spread) and not sums.short
        else ["", ""]
    )
    return Figure(
        name=name, title=title, value=f"{sums.word}{value}" if value else "none", each=sums.told_each(count, what),
        low=ends[0] or None, high=ends[1] or None, note=sums.note, behind=behind,
    )  # fmt: skip


def _baselines(tallies: Tallies, books: Books, cases: int, terms: BusinessTerms, stuck: int) -> list[Against]:
    found: list[Against] = []
    if terms.success.measure:
        stands = _success(tallies, books, cases, terms, stuck)
        behind = None if stands.now is None or terms.success.figure is None else _BEHIND[terms.success.figure]
        found.append(msgspec.structs.replace(stands, behind=behind))
    worth = terms.worth
    if worth is not None and worth.before is not None:
        currency, before = worth.before.currency, worth.before.amount
        now = None if books.cost is None or not cases else books.cost / cases
        spent = None if now is None else terms.rates.convert(now, books.currency, currency)
        found.append(
            Against(
                measure="cost of a case, with its losses",
                then=f"{worth.before}, {worth.source}",
                now=_worded(books.cost_word, spent, currency),
                change=None if spent is None else _change(books, spent - before, currency, cost=True),
                note=_left_out(books, cost=True),
                behind=None if spent is None else Look.COSTS,
            )
        )
    return found


def _success(tallies: Tallies, books: Books, cases: int, terms: BusinessTerms, stuck: int) -> Against:
    success, then = terms.success, terms.success.baseline
    measure = success.measure
    sample = f", {then.sample:,} cases" if then.sample else ""
    window = f" of {then.window}" if then.window else ""
    told = (
        f"{then.value} ({then.source or 'its source is not stated'}{sample}{window})" if then.value is not None else ""
    )
    target = None if success.target is None else str(success.target)
    if then.value is None:
        return Against(measure=measure, then="no baseline is declared", now=None, target=target)
    if success.figure is None:
        note = f"the file does not say which figure that is: success.figure, one of {', '.join(Measured)}"
        return Against(measure=measure, then=told, now=None, target=target, note=note)
    value = float(then.value)
    match success.figure:
        case Measured.STRAIGHT | Measured.EXCEPTIONS:
            straight = success.figure is Measured.STRAIGHT
            hits, tries = (tallies.number(Sort.STRAIGHT), cases) if straight else _stopped(tallies, cases, stuck)
            return _share_against(measure, told, target, hits, tries, value, then.sample)
        case Measured.CYCLE:
            return _span_against(measure, told, target, tallies.quantile(MEDIAN), value)
        case Measured.COST | Measured.MARGIN:
            return _money_against(success, told, target, books, cases)


def _money_against(success: Success, then: str, target: str | None, books: Books, cases: int) -> Against:
    """The change of what a case costs or leaves."""
    cost = success.figure is Measured.COST
    whole, word = (books.cost, books.cost_word) if cost else (books.margin, books.margin_word)
    found = Against(measure=success.measure, then=then, now=None, target=target, note=_left_out(books, cost=cost))
    if whole is None or not cases or success.baseline.value is None:
        return found
    each = whole / cases
    found = msgspec.structs.replace(found, now=_worded(word, each, books.currency))
    if not books.declared:
        return msgspec.structs.replace(found, note="; ".join(filter(None, (_NO_CURRENCY, found.note))))
    change = _change(books, each - success.baseline.value, books.currency, cost=cost)
    return msgspec.structs.replace(found, change=change)


def _share_against(
    measure: str, then: str, target: str | None, hits: int, tries: int, value: float, sample: int
) -> Against:
    """The change of a share, with an interval made of both ends (square and add: R. Newcombe, Statistics in Medicine
    17, 1998).
    """  # noqa: D205 - one thought
    if not tries:
        return Against(measure=measure, then=then, now=None, target=target, note="no case ended in that time")
    if not 0 <= value <= 1:
        note = f"the baseline of a share is from 0 to 1, and {value:g} is not: write 62 % as 0.62"
        return Against(measure=measure, then=then, now=None, target=target, note=note)
    now = interval(hits, tries)
    before = interval(round(value * sample), sample) if sample else Interval(value, value, value)
    change = now.share - value
    low = change - math.hypot(now.share - now.low, before.high - value)
    high = change + math.hypot(now.high - now.share, value - before.low)
    note = "" if sample else "the interval takes the baseline as exact: over how many cases it was taken is not stated"
    return Against(
        measure=measure, then=then, now=f"{now.share:.4f}", change=f"{change:+.4f}", low=f"{low:+.4f}",
        high=f"{high:+.4f}", target=target, note=note,
    )  # fmt: skip


def _span_against(measure: str, then: str, target: str | None, now: Span | None, value: float) -> Against:
    if now is None:
        return Against(measure=measure, then=then, now=None, target=target, note="no case ended in that time")
    hours, low, high = (one / _HOUR_S for one in (now.seconds, now.low, now.high))
    return Against(
        measure=measure, then=then, now=f"{hours:.3g} hours", change=f"{hours - value:+.3g} hours",
        low=f"{low - value:+.3g} hours" if low else None,
        high=None if math.isinf(high) else f"{high - value:+.3g} hours", target=target,
        note=f"the interval takes the baseline as exact{open_ends(now)}",
    )  # fmt: skip


def _change(books: Books, amount: Decimal, currency: str, *, cost: bool) -> str | None:
    """A change of money: a bound where a part is left out, nothing where a whole kind of cost or unknown value is."""
    if books.missing or (not cost and books.value.short):
        return None
    return (
        f"{'at best ' if books.short else ''}{'about ' if books.losses.spread else ''}{_signed_money(amount, currency)}"
    )


def _left_out(books: Books, *, cost: bool) -> str:
    if not cost:
        return books.margin_note
    left = ", ".join((*books.missing, *books.short))
    if books.cost is None:
        return f"costs are in several currencies, and no rate to {books.currency} is declared with its date"
    parts = (["the losses are an estimate"] if books.losses.spread else []) + ([f"left out: {left}"] if left else [])
    return "; ".join(parts)


def _signed_money(amount: Decimal, currency: str) -> str:
    return f"{'+' if amount >= 0 else ''}{shown(amount, currency)}"
