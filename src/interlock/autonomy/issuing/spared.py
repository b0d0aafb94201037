"""What a cascade saves, and loses in quality, against asking the most capable one of every decision. Pure.

Of a declared share of the decisions that an earlier step took alone those after it are asked, too. Each of these counts
over the probability with which it was to be one (D. Horvitz and D. Thompson, JASA 47, 1952), so that what is saved and
lost is estimated of all decisions without bias; the intervals are those of large numbers.
"""

from __future__ import annotations

import msgspec
import numpy as np

from interlock.autonomy.estimate import Estimate, normal
from interlock.autonomy.issuing.evidence import Evidence
from interlock.money import exponent
from interlock.percentages import percent

FEWEST = 30
"""With fewer that were compared intervals say little."""
_FINER = 2
"""So many digits more than amounts, and shares in percent, have."""


class Spared(msgspec.Struct, frozen=True, kw_only=True):
    """What a cascade saves and loses, for each decision that comes to the point.

    Attributes:
        decisions: How many there were since the first that was compared.
        spared: Of which part of them the most capable one was not needed.
        compared: Of how many of these it was asked all the same.
        saved: The cost of asking that is spared, in USD.
        loss: How much more is lost by wrong automatic decisions than if it answered in their place, in minor units.
        wrong: How much larger the share of decisions is that go wrong by themselves.
    """

    decisions: int
    spared: float
    compared: int
    saved: Estimate
    loss: Estimate
    wrong: Estimate

    @property
    def too_few(self) -> bool:
        """Whether too few were compared for the intervals to say much."""
        return self.compared < FEWEST


def spared_by(evidence: Evidence) -> Spared | None:
    """What a cascade saves and loses by what is on record; None: nothing was ever compared.

    Args:
        evidence: The decisions whose outcomes are due.
    """
    drawn = [at for at, one in enumerate(evidence.courses) if one.compared is not None]
    if not drawn:
        return None
    records, since = evidence.records, drawn[0] + 1  # the first one is when it began: it was not drawn among others
    number = len(evidence.courses) - since
    saved, loss, wrong = np.zeros(number), np.zeros(number), np.zeros(number)
    for at in drawn[1:]:
        course = evidence.courses[at]
        taken, other = course.steps[-1] if course.steps else None, course.compared
        if taken is None or other is None:
            continue
        saved[at - since] = course.spared / course.share
        if evidence.automatic[at] and records.observed[at]:
            over = course.share * float(records.propensity[at])
            loss[at - since] = (taken.loss - other.loss) / over
            wrong[at - since] = (int(taken.wrong) - int(other.wrong)) / over
    followed = {step.digest for one in evidence.courses for step in one.steps[:-1]}
    followed |= {one.steps[-1].digest for one in evidence.courses if one.compared is not None and one.steps}
    alone = [one.ended and bool(one.steps) and one.steps[-1].digest in followed for one in evidence.courses[since:]]
    return Spared(
        decisions=number,
        spared=sum(alone) / number if number else 0.0,
        compared=len(drawn) - 1,
        saved=normal(saved),
        loss=normal(loss),
        wrong=normal(wrong),
    )


def told(found: Spared, currency: str) -> tuple[tuple[str, str], ...]:
    """It in words: what, and how much with its 95 % interval.

    Args:
        found: What is saved and lost.
        currency: Of the losses.
    """
    minor = exponent(currency)
    few = ", too few for intervals to say much" if found.too_few else ""
    return (
        ("decisions", f"{found.decisions:,}, of which {percent(found.spared)} did not need the last component"),
        ("compared", f"{found.compared:,}{few}"),
        ("saved", _between(found.saved, "USD a decision", digits=6)),
        ("more lost", _between(found.loss, f"{currency} a decision", power=-minor, digits=minor + _FINER)),
        ("more wrong", _between(found.wrong, "% of all decisions", power=2, digits=_FINER)),
    )


def _between(one: Estimate, unit: str, *, power: int = 0, digits: int) -> str:
    """An estimate with its interval, in a unit of so many powers of ten less."""
    mean, low, high = (f"{value * 10.0**power:+.{digits}f}" for value in (one.mean, one.low, one.high))
    return f"{mean} {unit} (95 %: {low} to {high})"
