"""The backtest of a candidate over the recorded decisions of a point."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Literal
from uuid import UUID

from interlock.backtest.candidate import Candidate
from interlock.backtest.costs import Costs
from interlock.backtest.figures import Estimating, Values, always, losses, needless, wrongs
from interlock.backtest.gather import Wanted, audit_of, decisions_of
from interlock.backtest.result import Backtest, Cell, Figure, How, NotRun, Outcomes, Shown
from interlock.backtest.rows import Columns, Row
from interlock.backtest.trial import Trial, Tried
from interlock.db.database import Database
from interlock.errors import InterlockError
from interlock.money import exponent
from interlock.privacy.vault import Vault
from interlock.replay.restore import Restoring

_MOST_REASONS = 20
_USD_PLACES = 6


class Backtester:
    """Runs a candidate over recorded decisions. Nothing is written.

    Args:
        database: Where they are.
        restoring: Brings back what they were made with.
        candidate: What is tried.
        costs: What being wrong and being reviewed cost.
        vault: Opens personal data for the purpose of their point; None: such decisions are not tried.
        ask_models: Whether language models are asked.
    """

    def __init__(
        self,
        database: Database,
        restoring: Restoring,
        candidate: Candidate,
        costs: Costs,
        *,
        vault: Vault | None = None,
        ask_models: bool = False,
    ) -> None:
        self._database = database
        self._restoring = restoring
        self._candidate = candidate
        self._costs = costs
        self._vault = vault
        self._ask_models = ask_models

    async def run(self, tenant: UUID, wanted: Wanted) -> Backtest:
        """Try every decision that is wanted.

        Args:
            tenant: Whose.
            wanted: Which; the outcomes of all of them are due.
        """
        audit = await audit_of(self._database, tenant, wanted)
        trial = Trial(self._restoring, self._candidate, audit, vault=self._vault, ask_models=self._ask_models)
        counting, costs = _Counting(), self._costs
        async for decision, said in decisions_of(self._database, tenant, wanted):
            if costs.currency is None and decision.currency is not None:
                costs = replace(costs, currency=decision.currency)
            try:
                counting.add(await trial.of(tenant, decision, said, costs))
            except InterlockError as cause:
                counting.skip(decision.id, cause.what)
        return counting.result(wanted, self._candidate, costs)


class _Counting:
    """Takes what was tried together."""

    def __init__(self) -> None:
        self._rows: list[Row] = []
        self._known = self._half = self._unanswered = self._drawn = self._otherwise = 0
        self._skipped: dict[str, tuple[int, UUID]] = {}

    def add(self, tried: Tried) -> None:
        """Take one."""
        self._rows.append(tried.row)
        sure = sum(tried.row.after) == 1
        self._known += tried.known and sure
        self._half += tried.known and not sure
        self._drawn += tried.row.drawn
        self._unanswered += tried.unanswered
        self._otherwise += tried.otherwise

    def skip(self, decision: UUID, what: str) -> None:
        """Note why one could not be tried; a reason beyond the first twenty is counted with the others."""
        key = what if what in self._skipped or len(self._skipped) < _MOST_REASONS else "for other reasons"
        count, first = self._skipped.get(key, (0, decision))
        self._skipped[key] = (count + 1, first)

    def result(self, wanted: Wanted, candidate: Candidate, costs: Costs) -> Backtest:
        """What came of all."""
        columns, count = Columns.of(self._rows), len(self._rows)
        priced = columns.only(~columns.unpriced)
        currency = costs.currency
        figures = tuple(_figures(columns, priced, costs)) if count else ()
        return Backtest(
            point=wanted.name,
            candidate=candidate.said,
            since=wanted.since,
            until=wanted.until,
            sampling=wanted.sampling,
            decisions=count,
            otherwise=self._otherwise,
            not_run=tuple(
                NotRun(what=what, decisions=many, one=one)
                for what, (many, one) in sorted(self._skipped.items(), key=lambda item: -item[1][0])
            ),
            outcomes=Outcomes(
                known=self._known,
                half_known=self._half,
                unknown=count - self._known - self._half,
                drawn=self._drawn,
                unanswered=self._unanswered,
            ),
            currency=currency,
            money=priced.count if currency is not None else 0,
            figures=figures,
            notes=tuple(self._notes(wanted, candidate, costs, figures, count - priced.count, paid=_asked(priced))),
        )

    def _notes(
        self,
        wanted: Wanted,
        candidate: Candidate,
        costs: Costs,
        figures: tuple[Figure, ...],
        unpriced: int,
        *,
        paid: bool,
    ) -> Iterator[str]:
        if not figures:
            due = candidate.today.autonomy
            after = f", whose outcomes are due {due.outcome.after} after them" if due else ""
            yield f"no decision of the time could be tried{after}: there are no figures"
            return
        hows = {one.how for figure in figures for one in (figure.recorded, figure.candidate, figure.difference)}
        if How.BOUNDS in hows:
            yield (
                "bounds stand where there is no estimate: outcomes are missing, and not by a chance that is on record; "
                "the lower end supposes that all that is not known is good, the upper end that none of it is"
            )
        if How.DOUBLY_ROBUST in hows:
            yield "what is not known was left out by chance: estimates are weighted by 1/propensity, doubly robust"
        if self._half:
            yield f"of {self._half} decisions it is known only that the answer of then was wrong, not what is right"
        if self._unanswered:
            yield f"{self._unanswered} were drawn for the audit sample and have no answer: they count as wrong"
        if unpriced:
            yield f"{unpriced} go by themselves with nobody knowing what is at stake: they are in no amount"
        if self._skipped:
            skipped = sum(count for count, _ in self._skipped.values())
            yield f"{skipped} could not be tried: the figures are of the others alone"
        yield from _of_costs(costs, figures, paid=paid)
        yield "a person's decision counts as right on both sides: what a review misses is in no figure"
        yield from _of_certificate(wanted, candidate)


def _of_asking(costs: Costs, *, paid: bool) -> str:
    """How what asking costs is in the total."""
    if not paid:
        return "asking cost nothing beside compute, on neither side"
    if costs.of_usd is None:
        return f"what asking costs is not in the total: no rate from USD to {costs.currency} is declared with its date"
    if costs.currency == "USD":
        return "what asking costs is in the total"
    return f"what asking costs is in the total, converted by the rates of {costs.rates.date:%Y-%m-%d}"


def _of_costs(costs: Costs, figures: tuple[Figure, ...], *, paid: bool) -> Iterator[str]:
    if any(one.large for figure in figures for one in (figure.recorded, figure.candidate, figure.difference)):
        yield (
            "some intervals are those of large numbers, since nothing that is stated bounds the amount, or chance "
            "left most outcomes out: of few decisions, or of few errors, they are too narrow"
        )
    if not costs.stated:
        yield "the point states no loss: all that is at stake counts as lost where a decision is wrong"
    if costs.review is None:
        yield "the point states no cost of a review, so no total is told: give --review-cost"
    else:
        yield _of_asking(costs, paid=paid)
        yield "what processors cost is in no figure, and so not in the total"


def _of_certificate(wanted: Wanted, candidate: Candidate) -> Iterator[str]:
    standing, today = candidate.standing, candidate.today.autonomy
    if standing is None:
        return
    if standing.certificate.goal == "rate":
        share = f"{float(Fraction(standing.certificate.budget) * 100):.4g} %"
        yield f"the certificate bounds the share that is wrong by itself (wrong_alone) by {share}, not what it loses"
    if standing.certificate.data.until > wanted.since:
        yield "the certificate was derived from decisions of this time, too: on those it looks better than on new ones"
    if today is not None and standing.certificate.terms_digest != today.digest.hex():
        yield "the certificate was derived under other terms than the point states now: it would not count"


def _figures(columns: Columns, priced: Columns, costs: Costs) -> Iterator[Figure]:
    sides = Estimating(columns)
    alone = (always(columns.then.alone), always(columns.other.alone))
    looked = (always(~columns.then.alone), always(~columns.other.alone))
    yield _figure("automation", "share", sides, alone)
    wrong = (wrongs(columns.then, then=True), wrongs(columns.other, then=False))
    yield _figure("wrong_alone", "share", sides, wrong)
    yield _figure("reviews", "share", sides, looked)
    if costs.currency is None or not priced.count:
        return
    money, currency = Estimating(priced), costs.currency
    worst, least_use = costs.worst, costs.worst_needless
    lost = (losses(priced.then, then=True, most=worst), losses(priced.other, then=False, most=worst))
    yield _figure("loss", "each", money, lost, currency)
    if costs.review is None:
        return
    cost = float(costs.review)
    reviews = (always(~priced.then.alone * cost, cost), always(~priced.other.alone * cost, cost))
    yield _figure("review_cost", "each", money, reviews, currency)
    waste = (needless(priced.then, then=True, most=least_use), needless(priced.other, then=False, most=least_use))
    yield _figure("needless", "each", money, waste, currency)
    asking = _asking(priced, costs, 100.0)  # cents
    yield _figure("asking", "each", money, asking, "USD")
    total = (lost[0] + reviews[0] + waste[0], lost[1] + reviews[1] + waste[1])
    if costs.of_usd is not None and _asked(priced):
        paid = _asking(priced, costs, costs.of_usd)
        total = total[0] + paid[0], total[1] + paid[1]
    yield _figure("total", "each", money, total, currency)


def _asking(columns: Columns, costs: Costs, unit: float) -> tuple[Values, Values]:
    """What asking costs on both sides, which is on record, and at most what the point's budget allows."""
    most = float(costs.asking) * unit
    return always(columns.then.asking * unit, most), always(columns.other.asking * unit, most)


def _asked(columns: Columns) -> bool:
    """Whether asking cost anything."""
    return bool(columns.then.asking.any() or columns.other.asking.any())


def _figure(
    name: str,
    unit: Literal["share", "each"],
    estimating: Estimating,
    sides: tuple[Values, Values],
    currency: str = "",
) -> Figure:
    recorded, other, difference = (_shown(one, currency) for one in estimating.cells(*sides))
    return Figure(name=name, unit=unit, recorded=recorded, candidate=other, difference=difference)


def _shown(cell: Cell, currency: str) -> Shown:
    def text(value: float | None) -> float | str | None:
        if value is None:
            return None
        return amount(value, currency) if currency else round(value, 6)

    return Shown(
        how=cell.how,
        value=text(cell.value),
        low=text(cell.low) or 0.0,
        high=text(cell.high) or 0.0,
        least=text(cell.least),
        greatest=text(cell.greatest),
        large=cell.large,
    )


def amount(minor: float, currency: str) -> str:
    """A mean of money, with two digits more than the currency has, which nobody could pay; USD as costs are told."""
    if not math.isfinite(minor):
        return "no bound"
    digits = exponent(currency)
    places = _USD_PLACES if currency == "USD" else digits + 2
    told = f"{minor / 10**digits:.{places}f}"
    return f"{told.lstrip('-') if float(told) == 0 else told} {currency}"
