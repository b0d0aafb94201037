from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))
from bench.loans.lent import Loans


def test_a_set_with_more_bad_loans_keeps_all_of_them_and_the_same_good_ones_each_time() -> None:
    bad = np.arange(1000) % 20 == 0
    loans = Loans(np.arange(1000.0)[:, None], bad, np.arange(1000.0))
    made, again = loans.with_bad(0.2), loans.with_bad(0.2)
    assert (made.bad.size, np.count_nonzero(made.bad)) == (250, 50)
    assert np.array_equal(made.amount, again.amount)
    assert np.array_equal(made.features[:, 0], made.amount)
    assert np.array_equal(made.bad, made.amount % 20 == 0)
    assert np.unique(made.amount).size == 250
