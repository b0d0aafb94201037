"""Which differences the terms bear: exactly, also where amounts are beyond what a float holds. Pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from interlock.packs.reconciliation.terms import ReconciliationTerms

Ints = NDArray[np.int64]
LARGEST = 2**61
"""Amounts beyond this are compared one by one in whole numbers of any size."""


def known_fees(terms: ReconciliationTerms, currency: str) -> tuple[int, ...]:
    """The declared fees of a currency in minor units, the least first."""
    return tuple(sorted({fee.minor for fee in terms.fees if fee.currency == currency and fee.minor > 0}))


def fee_of(expected: int, actual: int, fees: tuple[int, ...]) -> bool:
    """Whether a declared fee explains the difference: less came in, or more went out, than was expected."""
    return expected - actual in fees


def bears(expected: int, actual: int, currency: str, terms: ReconciliationTerms) -> bool:
    """Whether two sums of one sign may stand against each other: within tolerance, or a declared fee apart."""
    if (expected > 0) - (expected < 0) != (actual > 0) - (actual < 0):
        return False
    greater = max(abs(expected), abs(actual))
    return abs(expected - actual) <= terms.tolerance(greater, currency) or fee_of(
        expected, actual, known_fees(terms, currency)
    )


def bear_many(expected: Ints, actual: Ints, currencies: list[str], terms: ReconciliationTerms) -> NDArray[np.bool_]:
    """``bears`` for many: floats decide what is clear, whole numbers what is near the edge.

    Args:
        expected: Amounts ``[n]``.
        actual: Amounts ``[n]``, of the same signs.
        currencies: Of each.
        terms: What is tolerated.
    """
    if not len(expected):
        return np.zeros(0, dtype=np.bool_)
    one, other = expected.astype(np.float64), actual.astype(np.float64)
    greater, apart = np.maximum(np.abs(one), np.abs(other)), np.abs(one - other)
    names, codes = np.unique(np.array(currencies), return_inverse=True)
    amounts = np.array([terms.tolerance(0, str(name)) for name in names], dtype=np.float64)[codes]
    borne = np.maximum(float(terms.tolerance_share) * greater, amounts)
    doubt = 2.0 + 1e-12 * greater
    clear = apart <= borne - doubt
    edge = ~clear & (apart <= borne + doubt)
    for at, name in enumerate(names):
        fees = known_fees(terms, str(name))
        if fees:  # exact for every amount: the difference of two of one sign cannot overflow
            edge |= ~clear & (codes == at) & np.isin(expected - actual, np.array(fees, dtype=np.int64))
    found = clear
    for at in np.nonzero(edge)[0].tolist():
        found[at] = bears(int(expected[at]), int(actual[at]), currencies[at], terms)
    return found


def explained(expected: int, actual: int, currency: str, terms: ReconciliationTerms) -> str:
    """What the difference of a match is taken for: ``none``, ``fee``, ``rounding`` (one unit) or ``tolerance``."""
    if expected == actual:
        return "none"
    if fee_of(expected, actual, known_fees(terms, currency)):
        return "fee"
    return "rounding" if abs(expected - actual) == 1 else "tolerance"
