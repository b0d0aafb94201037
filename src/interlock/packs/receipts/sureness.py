"""How sure a reading is: what the calibration of each field looks at beside the scores. Pure.

A candidate's score says how much it looks like the field. Whether the best one is right depends also on how far the
next one is and on what the receipt's own arithmetic says; a logistic regression on these (Platt, 1999) was fitted to
readings of vendors that the scoring model had not seen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from interlock.packs.receipts.days import DateCandidate
from interlock.packs.receipts.totals import TotalQuestion, is_plain_total
from interlock.packs.receipts.vendors import VendorCandidate

_LEAST = 1e-4


def order_of(scores: NDArray[np.float32]) -> list[int]:
    """The places of the candidates from the best score to the worst; of equal ones the first printed leads."""
    values: list[float] = [float(score) for score in scores]
    return sorted(range(len(values)), key=lambda place: (-values[place], place))


def _logit(score: float) -> float:
    bounded = min(max(score, _LEAST), 1 - _LEAST)
    return math.log(bounded / (1 - bounded))


def _leads(scores: NDArray[np.float32], order: Sequence[int]) -> list[float]:
    first = _logit(float(scores[order[0]]))
    second = _logit(float(scores[order[1]])) if len(order) > 1 else _logit(0)
    return [first, first - second]


def total_sureness(question: TotalQuestion, scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """What tells whether the best total is right: float32 ``[1, features]``. Needs at least one candidate."""
    order = order_of(scores)
    best = question.candidates[order[0]]
    sums, cents = question.sums, best.cents
    supports = (cents in sums.paid_less_change) + (cents in sums.sub_and_tax) + (cents in sums.items)
    plain = {amount.value for amount in question.amounts if is_plain_total(amount)}
    cut = any(cut.owed for cut in question.cuts)
    return np.asarray(
        [[*_leads(scores, order), supports, len(best.prints) > 1, len(plain - {best.value}) > 0, cut]], dtype=np.float32
    )


def date_sureness(candidates: tuple[DateCandidate, ...], scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """What tells whether the best date is right: float32 ``[1, features]``. Needs at least one candidate."""
    order = order_of(scores)
    spread = max(abs((one.value - candidates[order[0]].value).days) for one in candidates)
    return np.asarray([[*_leads(scores, order), len(candidates) > 1, min(spread, 3650) / 365]], dtype=np.float32)


def vendor_sureness(candidates: tuple[VendorCandidate, ...], scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """What tells whether the best vendor is right: float32 ``[1, features]``. Needs at least one candidate."""
    order = order_of(scores)
    best = candidates[order[0]]
    return np.asarray([[*_leads(scores, order), best.lines > 1, best.words[0].row]], dtype=np.float32)
