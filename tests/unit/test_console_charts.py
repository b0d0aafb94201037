"""Charts: every place is within the picture, scales keep their order, and what is drawn is what was given."""

from __future__ import annotations

import re
from fractions import Fraction
from itertools import pairwise

import msgspec
import pytest

from interlock.autonomy import certificate as made
from interlock.autonomy.certificate import Certified, Step
from interlock.autonomy.figures.bands import band_edges
from interlock.autonomy.figures.figures import BandCount, Bin
from interlock.autonomy.issuing.store import CoursePoint
from interlock.autonomy.terms import AutonomyTerms, LossBudget, LossTerms, OutcomeTerms
from interlock.clock import Clock
from interlock.components.component import ComponentRef
from interlock.console.autonomy_charts import (
    evidence_chart,
    loss_chart,
    money_bands,
    reliability_chart,
    risk_chart,
)
from interlock.console.charts import HEIGHT, WIDTH, Axis, Chart, Drawing, round_up, ticks
from interlock.decisions.point import ComponentChoice, DecisionPoint, QueueTerms, Share
from interlock.durations import parse_duration
from interlock.money import Money
from interlock.oversight.binomial import interval

NOW = Clock().now()
TERMS = AutonomyTerms(
    review_cost=Money("3.20", "EUR"), budget=LossBudget(written=Money("0.40", "EUR")), cap=Money("1000.00", "EUR"),
    wrong=LossTerms(), outcome=OutcomeTerms(after=parse_duration("30d")),
)  # fmt: skip
SURE = Certified(
    component="onnx:m@1", digest="00", segment="", method="isotonic", decisions=100, wrong=9,
    steps=(Step(0.5, 0.2), Step(0.9, 0.02), Step(0.99, 0.002)),
)  # fmt: skip


def within(chart: Chart) -> None:
    """Whether everything lies within the picture."""
    for one in (*chart.lines, *chart.bands):
        for x, y in re.findall(r"([\d.-]+),([\d.-]+)", one.points):
            assert 0 <= float(x) <= WIDTH
            assert 0 <= float(y) <= HEIGHT
    for dot in chart.dots:
        assert 0 <= dot.x <= WIDTH
        assert 0 <= dot.y <= HEIGHT
    assert len(chart.across) >= 2
    assert len(chart.along) >= 2


def test_scales_keep_the_order_and_logarithms_take_factors_for_steps() -> None:
    draw = Drawing(Axis(name="x", least=0, most=10), Axis(name="y", least=0.1, most=1000, log=True))
    heights = [draw.y(value) for value in (0.0, 0.1, 1, 10, 100, 1000, 5000)]
    assert heights == sorted(heights, reverse=True)
    assert heights[0] == heights[1]  # what is below the axis lies on it
    steps = {round(one - other, 0) for one, other in pairwise(heights[1:6])}
    assert len(steps) <= 2
    assert draw.x(-5) == draw.x(0) < draw.x(4) < draw.x(10) == draw.x(99)
    assert ticks(Axis(name="x", least=1, most=1000, log=True)) == [1, 10, 100, 1000]
    assert ticks(Axis(name="x", least=3, most=3)) == [3]


@pytest.mark.parametrize(("value", "end"), [(0, 1), (0.5, 0.5), (41, 50), (101, 120), (7.1, 8), (9.99, 10)])
def test_axes_end_at_round_numbers(value: float, end: float) -> None:
    assert round_up(value) == pytest.approx(end)


def test_confidence_and_truth_are_drawn_with_their_intervals() -> None:
    bins = (Bin(0.5, 0.7, 0.6, 50, interval(30, 50), 50.0), Bin(0.9, 1.0, 0.95, 200, interval(199, 200), 200.0))
    chart = reliability_chart(bins, (SURE,))
    within(chart)
    few, many = chart.dots
    assert few.size < many.size
    assert few.low is not None
    assert few.high is not None
    assert few.high < few.y < few.low  # the higher, the nearer to the top
    assert [name for _, name in chart.key] == ["as sure as it should be", "what the certificate takes it for"]
    within(reliability_chart((Bin(1.0, 1.0, 1.0, 3, interval(3, 3), 3.0),), ()))


def test_the_chosen_threshold_is_named_and_the_budget_is_a_limit() -> None:
    grid = [
        made.Tested(
            threshold=str(at), p_value=0.01, automation=at / 10, loss=4.0 * at, high=6.0 * at, cost=300.0, passed=at < 8
        )
        for at in range(1, 11)
    ]
    chart = risk_chart(grid, Fraction(40), "EUR", "7")
    within(chart)
    (dot,) = chart.dots
    assert dot.label == "certified: 70 % by itself"
    assert chart.limits[0].label == "budget 0.4"
    assert chart.about.startswith("10 thresholds were tested")
    assert risk_chart(grid, Fraction(40), "EUR", None).dots == ()
    assert risk_chart(grid, Fraction(40), "EUR", "7", "was certified").dots[0].label.startswith("was certified: 70 %")


@pytest.mark.parametrize("evidence", [0.0, 1.0, 19.0, 1e300, float("inf")])
def test_the_monitor_is_drawn_whatever_it_says(evidence: float) -> None:
    course = [CoursePoint(counted=at * 100, at=NOW, evidence=evidence, lost_minor=at * 900) for at in range(1, 5)]
    drawn = evidence_chart(course, 20.0)
    within(drawn)
    assert max(len(tick.label) for tick in drawn.across) <= len("10,000")
    assert ("drawn up to 10,000" in drawn.lines[0].name) == (evidence > 1e4)
    assert len(drawn.about) < 80
    chart = loss_chart(course, Fraction(40), "EUR")
    within(chart)
    assert chart.about == "36.00 EUR of 160.00 EUR after 400 decisions."


def test_more_at_stake_never_needs_less_and_above_the_cap_a_person_decides() -> None:
    edges = band_edges(100_000, "EUR")
    assert edges[-1] == 100_000
    assert list(edges) == sorted(set(edges))
    counts = (BandCount(band=0, decisions=10, alone=9, minor=5000, minor_alone=4000),
              BandCount(band=len(edges), decisions=2, alone=0, minor=300_000, minor_alone=0))  # fmt: skip
    bands = money_bands(edges, counts, TERMS, Fraction(210), (SURE,))
    needed = [2.0 if one is None else one for band in bands for one in band.needed]
    assert needed == sorted(needed)
    assert needed[0] < needed[-2] < needed[-1]
    assert bands[-1].upto is None
    assert bands[-1].wrong is None
    assert (bands[0].decisions, bands[0].alone, str(bands[0].money_alone)) == (10, 9, "40.00 EUR")
    assert all(one.needed == (None,) for one in money_bands(edges, (), TERMS, None, (SURE,)))
    assert band_edges(1, "JPY") == (1,)
    many = BandCount(band=0, decisions=2, alone=0, minor=2**63 - 1, minor_alone=0)
    nobody = BandCount(band=-1, decisions=5, alone=1, minor=0, minor_alone=0)
    bands = money_bands(edges, (many, nobody), TERMS, Fraction(210), (SURE,))
    assert bands[0].money is None  # a sum that cannot be held is not told as if it could
    assert (bands[-1].above, bands[-1].needed, bands[-1].decisions, bands[-1].alone) == (None, (None,), 5, 1)


def test_what_the_file_says_beside_a_certificate_is_in_what_is_needed_where_it_is_stricter() -> None:
    edges = band_edges(100_000, "EUR")
    step = ComponentChoice((Share(ComponentRef.parse(SURE.component), Fraction(1)),))
    point = DecisionPoint(
        name="p", output="o", queue=QueueTerms(name="q"), steps=(step,), sure_from=0.0, autonomy=TERMS
    )
    alone = money_bands(edges, (), TERMS, Fraction(210), (SURE,))
    assert money_bands(edges, (), TERMS, Fraction(210), (SURE,), point) == alone
    strict = money_bands(edges, (), TERMS, Fraction(210), (SURE,), msgspec.structs.replace(point, sure_from=0.98))
    assert [one.needed[0] for one in strict] == [
        None if one.needed[0] is None else max(one.needed[0], 0.98) for one in alone
    ]
    assert strict != alone
