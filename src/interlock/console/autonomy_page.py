"""Everything that the page of a point's autonomy shows, put together. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import msgspec

from interlock.autonomy.certificate import Certificate, Certified, Tested
from interlock.autonomy.figures.bands import band_edges
from interlock.autonomy.figures.figures import Group, PointFigures
from interlock.autonomy.issuing.promise import amount
from interlock.autonomy.issuing.spared import told
from interlock.autonomy.issuing.store import CoursePoint
from interlock.autonomy.terms import AutonomyTerms
from interlock.autonomy.words import budget_said
from interlock.console.autonomy_charts import (
    SHARE,
    WRONG,
    MoneyBand,
    chosen_of,
    evidence_chart,
    loss_chart,
    money_bands,
    reliability_chart,
    risk_chart,
    whole,
)
from interlock.console.charts import Chart
from interlock.decisions.point import DecisionPoint

_GREAT = 10_000
"""Minor units from which on whole ones tell amounts apart."""


class TestedRow(msgspec.Struct, frozen=True, kw_only=True):
    """A threshold that was tested, as people read it: fields as of ``Tested``; whether it was chosen."""

    threshold: str
    automation: float
    loss: str
    high: str
    cost: str
    p_value: float
    passed: bool
    chosen: bool


class PointPage(msgspec.Struct, frozen=True, kw_only=True):
    """What is drawn and listed of a point.

    Attributes:
        group: The version and segment of which confidence is shown against truth, or all; None: nothing is measured.
        reliability: The same, drawn; None: nothing is known of it.
        grid: The thresholds that were tested.
        risk: The same, drawn; None: none was.
        bands: Money by exposure.
        certified: For whom the bands hold.
        evidence: The monitor's evidence, drawn; None: nothing was counted yet.
        losses: The loss so far against the budget, drawn.
        course: The same as figures: count, evidence, loss, budget.
        crossing: At which evidence it is narrowed.
        budget: For each decision.
        loss: What is expected to be lost by each; empty: nothing is known.
        acceptable: What the point states as acceptable, in words.
        spared: What a cascade saves, and loses in quality, in words: what, how much; empty: nothing was compared.
        is_rate: Whether a rate of wrong decisions is bounded, in the place of what they lose.
    """

    group: Group | None
    reliability: Chart | None
    grid: tuple[TestedRow, ...]
    risk: Chart | None
    bands: tuple[MoneyBand, ...]
    certified: tuple[Certified, ...]
    evidence: Chart | None
    losses: Chart | None
    course: tuple[tuple[int, float, str, str], ...]
    crossing: float | None
    budget: str
    loss: str
    acceptable: str
    spared: tuple[tuple[str, str], ...]
    is_rate: bool


def page_of(
    terms: AutonomyTerms,
    certified: Sequence[Certified],
    grid: Sequence[Tested],
    certificate: Certificate | None,
    threshold: str | None,
    *,
    figures: PointFigures | None = None,
    of: str | None = None,
    course: Sequence[CoursePoint] = (),
    point: DecisionPoint | None = None,
) -> PointPage:
    """Put together what is shown.

    Args:
        terms: What the point states.
        certified: What is known of each component in each segment.
        grid: The thresholds that were tested.
        certificate: What counts, counted last, or would be issued; None: nothing.
        threshold: The greatest expected loss that goes by itself, in minor units, as a fraction; None: nothing does.
        figures: What was measured of its decisions; None: nothing yet.
        of: Of which group confidence is shown against truth; None: of what is shown first.
        course: How the monitor went.
        point: What else its file says of how sure an answer must be; None: nothing.
    """
    currency = certificate.currency if certificate else terms.currency
    budget = Fraction(certificate.budget) if certificate else terms.budget.each
    chosen = chosen_of(certificate, grid)
    watching = certificate.watching if certificate else None
    crossing = float(1 / Fraction(watching.alpha)) if watching else None
    edges = band_edges(terms.highest, terms.currency)
    kept = tuple(one for one in certified if one.steps)
    is_rate = (certificate.goal if certificate else terms.budget.goal) == "rate"
    unit, counted = (SHARE, WRONG) if is_rate else (currency, currency)
    group = _shown(figures, of) if figures else None
    counts = figures.bands if figures and figures.edges == edges else ()
    return PointPage(
        group=group,
        reliability=reliability_chart(group.bins, _certified(group, kept)) if group and group.bins else None,
        grid=tuple(_row(one, currency, unit, chosen) for one in grid),
        risk=risk_chart(grid, budget, unit, chosen, _marked(certificate, threshold)) if grid else None,
        bands=money_bands(edges, counts, terms, Fraction(threshold) if threshold else None, kept, point),
        certified=kept,
        evidence=evidence_chart(course, crossing) if course and crossing else None,
        losses=loss_chart(course, budget, counted) if course else None,
        course=tuple(
            (
                one.counted,
                one.evidence,
                _told(Fraction(one.lost_minor), counted),
                _told(budget * one.counted, counted),
            )
            for one in course
        ),
        crossing=crossing,
        budget=_told(budget, unit),
        loss=_near(Fraction(certificate.loss), unit) if certificate else "",
        acceptable=budget_said(terms.budget),
        spared=told(figures.spared, terms.currency) if figures and figures.spared else (),
        is_rate=is_rate,
    )


def _shown(figures: PointFigures, of: str | None) -> Group:
    """The group that was asked for; if there is none of it any more, what is shown first."""
    return (figures.group(of) if of is not None else None) or figures.first


def _certified(group: Group, certified: Sequence[Certified]) -> tuple[Certified, ...]:
    """What is certified of a group: of all together, everything."""
    return tuple(
        one for one in certified
        if group.digest in ("", one.digest) and group.segment in (None, one.segment)
    )  # fmt: skip


def _marked(certificate: Certificate | None, threshold: str | None) -> str:
    """What the chosen threshold is called: where it counts no more, or in part, it was certified."""
    if certificate is None:
        return "passed"
    counts = threshold is not None and Fraction(threshold) == Fraction(certificate.threshold)
    return "certified" if counts else "was certified"


def _told(value: Fraction, unit: str) -> str:
    """What is bounded or was counted, in its unit."""
    return f"{whole(value, unit):,.4g} {unit}" if unit in (SHARE, WRONG) else amount(value, unit)


def _row(one: Tested, currency: str, unit: str, chosen: str | None) -> TestedRow:
    return TestedRow(
        threshold=_near(Fraction(one.threshold), currency),
        automation=one.automation,
        loss=_near(Fraction(one.loss), unit),
        high=_near(Fraction(one.high), unit),
        cost=_near(Fraction(one.cost), currency),
        p_value=one.p_value,
        passed=one.passed,
        chosen=one.threshold == chosen,
    )


def _near(minor: Fraction, currency: str) -> str:
    """An amount with as many digits as tell it apart; not for reckoning."""
    return f"{whole(minor, currency):,.3g} {currency}" if minor < _GREAT else amount(Fraction(round(minor)), currency)
