"""The figures of the business view never say more than is known."""

from __future__ import annotations

import math
import time
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from tests.console.visiting import refund_orders
from tests.pg.stage import DOSSIER, declared
from tests.unit.test_business_figures import LOSSES, ROWS, SINCE, UNTIL, terms

from interlock.business.figures import span_of
from interlock.business.report import report_of
from interlock.business.tally import Tallies, quantile, step_of
from interlock.cases.dossier import Baseline, Success
from interlock.cases.worth import Measured
from interlock.errors import DeclarationInvalid
from interlock.oversight.binomial import interval, ranks


@pytest.mark.parametrize(("share", "count"), [(0.95, 20), (0.5, 3), (0.5, 30)])
def test_the_interval_of_a_quantile_holds_however_few_cases_there_are(share: float, count: int) -> None:
    rng, truly, held = np.random.default_rng(3), -100 * math.log(1 - share), 0
    for _ in range(300):
        steps: dict[int, int] = {}
        for one in rng.exponential(100, count):
            steps[step_of(one)] = steps.get(step_of(one), 0) + 1
        span = quantile(steps, share)
        assert span is not None
        held += span.low / 1.05 <= truly <= span.high * 1.05
    assert held >= 0.94 * 300


def test_an_end_that_few_cases_leave_open_is_told_as_open() -> None:
    alone = quantile({step_of(60): 1}, 0.5)
    assert alone is not None
    assert (alone.low, alone.high) == (0.0, math.inf)
    told = span_of("cycle_time", "Half are done within", alone)
    assert (told.low, told.high) == (None, None)
    assert "the lower and the upper end of the 95 % interval is open" in told.note


def test_the_interval_of_millions_is_quick_and_as_the_exact_one() -> None:
    begin = time.process_time()
    found = interval(2_400_000, 3_000_000)
    low, high = ranks(3_000_000, 0.5)
    assert time.process_time() - begin < 0.1
    assert found.low == pytest.approx(0.799547, abs=2e-6)
    assert found.high == pytest.approx(0.800453, abs=2e-6)
    assert high - low == pytest.approx(2 * 1.96 * math.sqrt(3_000_000 / 4), abs=5)
    exact, near = interval(20_000, 40_000), interval(20_001, 40_002)  # on both sides of where it changes
    assert near.low == pytest.approx(exact.low, abs=1e-6)
    assert near.high == pytest.approx(exact.high, abs=1e-6)


@pytest.mark.parametrize("value", ["62", "-0.2"])
def test_a_baseline_of_a_share_is_a_share(tmp_path: Path, value: str) -> None:
    success = Success(measure="untouched", figure=Measured.STRAIGHT, baseline=Baseline(value=Decimal(value), sample=50))
    told = report_of(Tallies(ROWS), LOSSES, 60, terms(success=success), SINCE, UNTIL).baselines[0]
    assert told.change is None
    assert "from 0 to 1" in told.note
    dossier = DOSSIER.replace("  target: 1\n", "  target: 1\n  figure: straight_through\n").replace(
        "value: 30", f"value: {value}"
    )
    with pytest.raises(DeclarationInvalid, match="is no share"):
        declared(refund_orders, tmp_path, dossier=dossier)
