"""What goes by itself of decisions for which several are asked in turn, until one suffices. Pure.

At a threshold t the first whose expected loss is at most t answers alone. Where the last one that was asked sufficed
under an earlier threshold, nobody knows what the next one would have said: so at a stricter t who is asked next answers
alone only where the expected loss of all before is above a bar, above which the next one was asked of nearly all
decisions. Between t and the bar a person decides. The bar follows from the part that calibrates alone; in the part that
tests, the few above it of which the next one was not asked count as the worst.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import numpy as np

from interlock.autonomy.betting import Floats
from interlock.autonomy.calibration import Flags

RARELY = 1000
"""Of one in so many decisions it may be unknown what came next."""


class Gone(NamedTuple):
    """What goes by itself at a threshold.

    Attributes:
        alone: Which decisions do.
        lost: What counts of them against the budget, over its propensity; 0 of the others.
        wrong: 1 over its propensity where they are wrong, else 0.
    """

    alone: Flags
    lost: Floats
    wrong: Floats


class InTurn(msgspec.Struct, frozen=True, kw_only=True):
    """Decisions by what is expected of each of those who were asked in turn.

    Attributes:
        scores: Of each step, the loss that is expected; infinite where it was not heard or nothing is known of it.
        lost: Of each step, what counts against the budget if it answers alone.
        wrong: Of each step, as of ``Gone``.
        goes: Of each step, whether nothing else sends its answer to a person.
        unasked: Of which decisions who comes next was not asked.
        always: Which count as the worst at every threshold.
        worst: What one of those counts.
        passed_on: The bar; infinite: only who is asked first may answer alone.
    """

    scores: tuple[Floats, ...]
    lost: tuple[Floats, ...]
    wrong: tuple[Floats, ...]
    goes: tuple[Flags, ...]
    unasked: Flags
    always: Flags
    worst: float
    passed_on: float


def passed_on(scores: tuple[Floats, ...], unasked: Flags, fits: int) -> float:
    """The bar: above it, who comes next was asked of all but one in ``RARELY`` decisions.

    Args:
        scores: Of each step.
        unasked: Of which of the decisions that calibrate the next one was not asked.
        fits: How many calibrate.
    """
    least = np.sort(np.min(scores, axis=0)[unasked])[::-1]
    few = fits // RARELY
    return float(least[few]) if least.size > few else 0.0


def gone_in_turn(steps: InTurn, threshold: float) -> Gone:
    """What goes by itself at a threshold."""
    bar = max(threshold, steps.passed_on)
    reached = ~steps.always
    alone, lost, wrong = np.zeros_like(reached), np.zeros(reached.shape), np.zeros(reached.shape)
    for at, score in enumerate(steps.scores):
        here = reached & (score <= threshold)
        goes = here & steps.goes[at]
        alone |= goes
        lost[goes], wrong[goes] = steps.lost[at][goes], steps.wrong[at][goes]
        reached &= score > bar
    unknown = steps.always | (reached & steps.unasked)
    lost[unknown], wrong[unknown] = steps.worst, 1.0
    return Gone(alone, lost, wrong)
