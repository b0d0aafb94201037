"""How likely each match is when every entry belongs to one at most: marginals of all possible wholes. Pure.

A whole is a set of matches that share no entry; its weight is the product of the odds of its matches. The sum over all
wholes is a permanent, which nobody can compute for large graphs; loopy belief propagation finds its marginals nearly
(Huang and Jebara, 2009; Chertkov et al., 2010), exactly on trees, in time linear in the number of matches.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Reals = NDArray[np.float64]

ROUNDS = 60
"""As many always, so that the same input gives the same bits."""
_KEPT = 0.5
"""The share of the old message that stays, in logarithms, against swinging."""
_MOST = 30.0
"""Log odds beyond this are as good as certain."""


def marginals(match: Ints, entry: Ints, log_odds: Reals) -> Reals:
    """The probability of each match.

    Args:
        match: For each membership, the match's number, 0 to ``len(log_odds)`` - 1, sorted.
        entry: For each membership, the entry's number over both sides.
        log_odds: Of each match against all of its entries staying open.

    Returns:
        From 0 to 1, for each match.
    """
    many, entries = len(log_odds), int(entry.max()) + 1 if len(entry) else 0
    weight = np.clip(log_odds, -_MOST, _MOST)
    message = np.zeros(len(match))  # log of how free the entry is for this match
    for _ in range(ROUNDS):
        together = np.bincount(match, message, minlength=many) + weight
        offered = np.exp(np.clip(together[match] - message, -_MOST, _MOST))
        demand = np.bincount(entry, offered, minlength=entries)[entry] - offered
        message = _KEPT * message - (1.0 - _KEPT) * np.log1p(np.maximum(demand, 0.0))
    together = np.bincount(match, message, minlength=many) + weight
    return 1.0 / (1.0 + np.exp(-np.clip(together, -_MOST * 2, _MOST * 2)))
