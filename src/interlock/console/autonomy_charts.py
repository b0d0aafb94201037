"""What the page of a point's autonomy draws: confidence and truth, risk, money by exposure, the monitor. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

import msgspec

from interlock.autonomy.certificate import Certificate, Certified, Tested, share_allowed
from interlock.autonomy.figures.figures import BandCount, Bin
from interlock.autonomy.issuing.promise import evidence_said
from interlock.autonomy.issuing.store import CoursePoint
from interlock.autonomy.terms import AutonomyTerms
from interlock.console.charts import Axis, Chart, Drawing, round_up
from interlock.decisions.point import DecisionPoint, needed_confidence
from interlock.decisions.sureness import stricter
from interlock.money import LARGEST_MINOR, Money, exponent
from interlock.percentages import percent

_ROOM = 1.12
_MOST_DRAWN = 10_000.0
"""Evidence beyond that, and beyond ten times where it is narrowed, is drawn as this much."""


class MoneyBand(msgspec.Struct, frozen=True, kw_only=True):
    """Decisions with about so much at stake.

    Attributes:
        above: More than this; None: nobody knows, or it is below zero or in another currency.
        upto: At most this; None: no bound.
        wrong: The greatest probability of being wrong that goes by itself at the upper end; None: nothing goes.
        needed: The least confidence that does, by component and segment; None: none suffices.
        decisions: How many came of late.
        alone: How many of them no person decided.
        money: What was at stake in them together; None: more than can be held.
        money_alone: And in those that no person decided.
    """

    above: Money | None
    upto: Money | None
    wrong: float | None
    needed: tuple[float | None, ...]
    decisions: int
    alone: int
    money: Money | None
    money_alone: Money | None


SHARE = "%"
"""The unit of what is bounded where a rate is certified."""
WRONG = "wrong"
"""The unit of what was counted then."""


def reliability_chart(bins: Sequence[Bin], certified: Sequence[Certified]) -> Chart:
    """How sure answers were against how often they were right, with intervals; beside it what the certificate takes."""
    least = min((*(one.confidence for one in bins), *(one.right.low for one in bins), 1.0))
    begin = max(0.0, math.floor(least * 10 - 0.5) / 10)
    draw = Drawing(
        Axis(name="how sure it says it is", least=begin, most=1.0, percent=True),
        Axis(name="how often it was right", least=begin, most=1.0, percent=True),
    )
    most = max((one.decisions for one in bins), default=1)
    dots = [
        draw.dot((one.confidence, one.right.share), weight=one.decisions / most, ends=(one.right.low, one.right.high))
        for one in bins
    ]
    lines = [draw.line([(begin, begin), (1.0, 1.0)], "second", "as sure as it should be")]
    if len(certified) == 1 and certified[0].steps:
        steps = [(max(step.confidence, begin), 1 - step.wrong) for step in certified[0].steps]
        steps = [one for one, after in pairwise([*steps, (2.0, 1.0)]) if after[0] > begin]
        lines.append(draw.steps(steps, "line", "what the certificate takes it for"))
    total = sum(one.decisions for one in bins)
    about = (
        f"{len(bins)} groups of {total} decisions with known truth, each a point with its 95 % interval. Below "
        "the dashed line it was right less often than it said."
    )
    return draw.chart("Confidence against truth", about, lines=tuple(lines), dots=tuple(dots))


def risk_chart(
    grid: Sequence[Tested], budget: Fraction, currency: str, chosen: str | None, word: str = "certified"
) -> Chart:
    """Loss of a decision, or the share that is wrong, against how much goes by itself, for every tested threshold.

    Args:
        grid: The thresholds.
        budget: What is bounded, of each decision.
        currency: In which it is told.
        chosen: Which threshold is marked; None: none.
        word: What stands at its mark.
    """
    what = "wrong and unseen" if currency == SHARE else "loss of a decision"
    tested = sorted(grid, key=lambda one: (one.automation, Fraction(one.threshold)))
    bound = whole(budget, currency)
    points = [(one.automation, whole(one.loss, currency)) for one in tested]
    high = [(one.automation, whole(one.high, currency)) for one in tested]
    near = [y for _, y in high if y <= bound * 4]
    draw = Drawing(
        Axis(name="goes by itself", least=0.0, most=1.0, percent=True),
        Axis(name=f"{what}, {currency}", least=0.0, most=round_up(max([bound * 1.4, *near]))),
    )
    dots = [
        draw.dot(
            (one.automation, whole(one.loss, currency)), weight=1.0, kind="chosen",
            label=f"{word}: {percent(one.automation, 0)} by itself",
        )
        for one in tested if one.threshold == chosen
    ]  # fmt: skip
    about = f"{len(tested)} thresholds were tested, strict to loose; the budget is {bound:.6g} {currency} a decision."
    if dots:
        about += f" {dots[-1].label}."
    return draw.chart(
        "Loss against automation" if currency != SHARE else "Wrong decisions against automation", about,
        bands=(draw.band(points, high, "up to the end of its 95 % interval"),),
        lines=(draw.line(points, "line", f"estimated {what}"),),
        limits=(draw.limit(bound, f"budget {bound:.6g}"),), dots=tuple(dots[-1:]),
    )  # fmt: skip


def evidence_chart(course: Sequence[CoursePoint], crossing: float) -> Chart:
    """The monitor's evidence against the certificate, on a scale of factors."""
    end = max(_MOST_DRAWN, crossing * 10)
    values = [min(max(one.evidence, 1e-3), end) for one in course]
    cut = f", drawn up to {end:,.6g}" if any(one.evidence > end for one in course) else ""
    last = float(max((one.counted for one in course), default=1))
    draw = Drawing(
        Axis(name="decisions whose outcome was due", least=0, most=last),
        Axis(
            name="evidence against it", log=True, least=10.0 ** math.floor(math.log10(min([*values, 0.1]))),
            most=10.0 ** math.ceil(math.log10(min(max([*values, crossing]) * _ROOM, end))),
        ),
    )  # fmt: skip
    points = [(0.0, 1.0), *((float(one.counted), value) for one, value in zip(course, values, strict=True))]
    about = f"It is narrowed at {crossing:g}; it stands at {evidence_said(course[-1].evidence if course else 1.0)}."
    return draw.chart(
        "Evidence against the certificate", about, lines=(draw.line(points, "line", f"evidence, from 1 on{cut}"),),
        limits=(draw.limit(crossing, f"narrowed at {crossing:g}"),),
    )  # fmt: skip


def loss_chart(course: Sequence[CoursePoint], budget: Fraction, currency: str) -> Chart:
    """What was lost so far, or how many were wrong, against the budget of as many decisions."""
    last = float(max((one.counted for one in course), default=1))
    allowed = whole(budget, currency)
    points = [(0.0, 0.0), *((float(one.counted), whole(one.lost_minor, currency)) for one in course)]
    most = max(points[-1][1], *(y for _, y in points), allowed * last)
    draw = Drawing(
        Axis(name="decisions whose outcome was due", least=0, most=last),
        Axis(name=f"lost so far, {currency}", least=0.0, most=round_up(most * _ROOM)),
    )
    about = f"{points[-1][1]:,.2f} {currency} of {allowed * last:,.2f} {currency} after {last:,.0f} decisions."
    return draw.chart(
        "Loss so far against the budget", about,
        lines=(draw.line([(0.0, 0.0), (last, allowed * last)], "second", "budget"), draw.line(points, "line", "lost")),
    )  # fmt: skip


def money_bands(
    edges: Sequence[int],
    counts: Sequence[BandCount],
    terms: AutonomyTerms,
    threshold: Fraction | None,
    certified: Sequence[Certified],
    point: DecisionPoint | None = None,
) -> tuple[MoneyBand, ...]:
    """How sure an answer must be at each exposure, and how much goes by itself.

    Args:
        edges: Where bands end.
        counts: What came of late, by the number of the band; the one after the last edge is above the cap.
        terms: What the point states.
        threshold: The greatest expected loss that goes by itself, in minor units; None: nothing does.
        certified: For whom it counts.
        point: Its file's stricter words, which count, too; None: the certificate's alone.
    """
    of, currency = {one.band: one for one in counts}, terms.currency
    bands: list[MoneyBand] = []
    for at, (above, upto) in enumerate(zip((0, *edges), (*edges, None), strict=True)):
        found = of.get(at) or BandCount(band=at, decisions=0, alone=0, minor=0, minor_alone=0)
        goes = threshold is not None and upto is not None
        wrong = share_allowed(threshold, terms.wrong.of(upto)) if threshold is not None and upto is not None else None
        end = None if upto is None else Money.of_minor(upto, currency)
        bands.append(
            MoneyBand(
                above=Money.of_minor(above, currency),
                upto=end,
                wrong=wrong,
                needed=tuple(
                    _needed(one, wrong, end, point) if goes and wrong is not None else None for one in certified
                ),
                decisions=found.decisions,
                alone=found.alone,
                money=_held(found.minor, currency),
                money_alone=_held(found.minor_alone, currency),
            )
        )
    unknown = of.get(-1)
    if unknown is not None:
        bands.append(
            MoneyBand(
                above=None, upto=None, wrong=None, needed=tuple(None for _ in certified), decisions=unknown.decisions,
                alone=unknown.alone, money=None, money_alone=None,
            )
        )  # fmt: skip
    return tuple(bands)


def _needed(one: Certified, wrong: float, exposure: Money | None, point: DecisionPoint | None) -> float | None:
    """How sure a component must be: as is certified, and as the point's file says beside it, whichever is stricter."""
    needed = one.needed(wrong)
    for step in point.steps if point is not None else ():
        if point is not None and any(str(share.component) == one.component for share in step.shares):
            needed = stricter(needed, needed_confidence(point, exposure, step, certified=needed))
    return needed


def _held(minor: int, currency: str) -> Money | None:
    """A sum, which stopped at what can be held."""
    return Money.of_minor(minor, currency) if minor < LARGEST_MINOR else None


def whole(minor: Fraction | float, unit: str) -> float:
    """Whole units of minor ones, to be drawn; where a rate is certified hundredths of a share, or wrong decisions."""
    if unit == SHARE:
        return float(minor) * 100
    return float(minor) if unit == WRONG else float(minor) / 10 ** exponent(unit)


def chosen_of(certificate: Certificate | None, grid: Sequence[Tested]) -> str | None:
    """The threshold of the grid that was chosen."""
    if certificate is not None:
        return certificate.threshold
    passed = [one.threshold for one in grid if one.passed]
    return passed[-1] if passed else None
