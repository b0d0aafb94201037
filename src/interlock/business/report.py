"""The business view of one workflow: its figures, and how they stand against the declared baseline. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

import msgspec

from interlock.business.figures import (
    Books,
    Figure,
    Look,
    Sums,
    books_of,
    open_ends,
    share_of,
    shown,
    span_of,
)
from interlock.business.tally import LossOf, Sort, Span, Tallies
from interlock.business.terms import BusinessTerms
from interlock.cases.worth import Measured
from interlock.oversight.binomial import Interval, interval

NO_PROOF = (
    "The difference is no proof of cause: cases, seasons and people differ from those of the baseline as well. A share "
    "of the cases that goes on as before (a control), or a roll-out in steps, would tell what the workflow changed."
)
MEDIAN, LATE = 0.5, 0.95
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
    """

    measure: str
    then: str
    now: str | None
    change: str | None = None
    low: str | None = None
    high: str | None = None
    target: str | None = None
    note: str = ""


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


def report_of(
    tallies: Tallies, losses: Sequence[LossOf], known: int, terms: BusinessTerms, since: datetime, until: datetime
) -> Report:
    """The view of a workflow over a span of time."""
    books = books_of(tallies, losses, known, terms)
    cases, decisions = tallies.number(Sort.DONE), tallies.number(Sort.DECIDED)
    ways: dict[str, int] = {}
    for one in tallies.of(Sort.DONE):
        ways[one.part] = ways.get(one.part, 0) + one.number
    baselines = tuple(_baselines(tallies, books, cases, terms))
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
        figures=tuple(_figures(tallies, books, cases, decisions)),
        baselines=baselines,
        warning=NO_PROOF if any(one.change for one in baselines) else "",
    )


def _rates(terms: BusinessTerms, books: Books) -> str:
    currencies = {currency for one in (books.value, books.model, books.machine, books.people, books.losses)
                  for currency, amount in one.amounts.items() if amount}  # fmt: skip
    if not currencies - {books.currency}:
        return ""
    if terms.rates.date is None:
        return "the settings declare no rates with their date: amounts stand in their own currencies"
    return f"amounts in {books.currency} are converted by the rates of {terms.rates.date:%Y-%m-%d}"


def _figures(tallies: Tallies, books: Books, cases: int, decisions: int) -> list[Figure]:
    currency = books.currency
    margin = Figure(
        name="margin", title="Margin", value=None if books.margin is None else shown(books.margin, currency),
        each=_each(books.margin, cases, currency), note=books.margin_note, behind=Look.CASES,
    )  # fmt: skip
    return [
        _money("value", "Value", books.value, cases, "a case", Look.CASES),
        margin,
        _money("losses", "Losses by wrong decisions", books.losses, cases, "a case", Look.LOSSES),
        _money("model", "Models", books.model, decisions, "a decision", Look.COSTS),
        _money("machine", "Processors", books.machine, decisions, "a decision", Look.COSTS),
        _money("people", "People's time", books.people, decisions, "a decision", Look.PEOPLE),
        share_of("straight_through", "Straight through", tallies.number(Sort.STRAIGHT), cases, Look.CASES),
        share_of("exception_rate", "Stopped by an exception", tallies.number(Sort.EXCEPTED), cases, Look.EXCEPTIONS),
        span_of("cycle_time", "Half are done within", tallies.quantile(MEDIAN)),
        span_of("cycle_time_p95", "19 of 20 are done within", tallies.quantile(LATE)),
    ]


def _money(name: str, title: str, sums: Sums, count: int, what: str, behind: Look) -> Figure:
    if not sums.known:
        return Figure(name=name, title=title, value=None, note=sums.note, behind=behind)
    return Figure(
        name=name, title=title, value=sums.told() or "none", each=sums.told_each(count, what), note=sums.note,
        behind=behind,
    )  # fmt: skip


def _each(amount: Decimal | None, cases: int, currency: str) -> str | None:
    return None if amount is None or not cases else Sums({currency: amount}, known=True).told_each(cases, "a case")


def _baselines(tallies: Tallies, books: Books, cases: int, terms: BusinessTerms) -> list[Against]:
    found: list[Against] = []
    if terms.success.measure:
        found.append(_success(tallies, books, cases, terms))
    worth = terms.worth
    if worth is not None and worth.before is not None:
        currency, before = worth.before.currency, worth.before.amount
        now = None if books.cost is None or not cases else books.cost / cases
        spent = None if now is None else terms.rates.convert(now, books.currency, currency)
        found.append(
            Against(
                measure="cost of a case, with its losses",
                then=f"{worth.before}, {worth.source}",
                now=None if spent is None else shown(spent, currency),
                change=None if spent is None else _signed_money(spent - before, currency),
                note=books.margin_note,
            )
        )
    return found


def _success(tallies: Tallies, books: Books, cases: int, terms: BusinessTerms) -> Against:
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
            sort = Sort.STRAIGHT if success.figure is Measured.STRAIGHT else Sort.EXCEPTED
            return _share_against(measure, told, target, tallies.number(sort), cases, value, then.sample)
        case Measured.CYCLE:
            return _span_against(measure, told, target, tallies.quantile(MEDIAN), value)
        case Measured.COST | Measured.MARGIN:
            whole = books.cost if success.figure is Measured.COST else books.margin
            if whole is None or not cases:
                return Against(measure=measure, then=told, now=None, target=target, note=books.margin_note)
            each = whole / cases
            change = _signed_money(each - then.value, books.currency)
            now = shown(each, books.currency)
            return Against(measure=measure, then=told, now=now, change=change, target=target, note=books.margin_note)


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


def _signed_money(amount: Decimal, currency: str) -> str:
    return f"{'+' if amount >= 0 else ''}{shown(amount, currency)}"
