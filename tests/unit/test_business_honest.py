"""The figures of the business view never say more than is known."""

from __future__ import annotations

import math
import time
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import msgspec
import numpy as np
import pytest
from tests.console.visiting import refund_orders
from tests.pg.stage import DOSSIER, declared
from tests.unit.test_business_figures import LOSSES, ROWS, SINCE, UNTIL, row, terms

from interlock.autonomy.terms import AuditTerms, AutonomyTerms, LossBudget, LossTerms, OutcomeTerms, Source
from interlock.business.figures import NOTHING, Figure, span_of
from interlock.business.report import Report, report_of
from interlock.business.sampled import estimate
from interlock.business.sums import fine, shown
from interlock.business.tally import Beside, Counted, Drawn, DrawnOf, KnownOf, Sort, Tallies, quantile, step_of
from interlock.cases.dossier import Baseline, Success
from interlock.cases.worth import Measured, Worth
from interlock.errors import DeclarationInvalid
from interlock.money import Money
from interlock.oversight.binomial import interval, ranks

Told = tuple[Report, dict[str, Figure]]
WHOLE = (*(one for one in ROWS if one.sort is not Sort.ANSWERED), row(Sort.ANSWERED, 18, part="approve"))
"""All reviews are timed."""


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


def _told(known: int = 100, rows: tuple[Counted, ...] = WHOLE, beside: Beside = NOTHING, **changed: object) -> Told:
    report = report_of(Tallies(rows), LOSSES, known, terms(**changed), SINCE, UNTIL, beside)
    return report, {one.name: one for one in report.figures}


def test_all_that_is_known_is_told_without_a_word() -> None:
    _, of = _told()
    assert (of["losses"].value, of["margin"].value) == ("222.50 MYR", "974.95 MYR")


def test_a_decision_without_an_outcome_is_not_taken_as_right() -> None:
    beside = Beside(points=(KnownOf(point="approve", known=60, missing=7),))
    report, of = _told(60, beside=beside)
    assert of["losses"].value == "at least 222.50 MYR"
    for told in (of["margin"].note, of["losses"].note, of["cost_per_case"].note, report.baselines[-1].note):
        assert "the losses of 40 of 100 decisions whose outcome is not known, 7 of them due" in told
    assert (of["margin"].value, report.baselines[-1].change) == ("at most 974.95 MYR", "at best -6.95 MYR")


def test_reviews_of_unknown_length_are_named_wherever_they_are_missing() -> None:
    rows = (
        *(one for one in WHOLE if one.sort not in {Sort.TIMED, Sort.ANSWERED}),
        row(Sort.ANSWERED, 20),
        row(Sort.TIMED, 1, "60000"),
    )
    report, of = _told(rows=rows)
    for told in (of["margin"].note, of["cost_per_decision"].note, report.baselines[-1].note):
        assert "people's time for 19 of 20 reviews" in told
    assert of["margin"].value is not None
    assert of["margin"].value.startswith("at most ")


def test_no_change_is_told_where_a_whole_part_of_the_cost_is_not_known() -> None:
    report, _ = _told(person_hour=Decimal(0))
    assert report.baselines[-1].now is not None
    assert report.baselines[-1].change is None
    assert "prices_person_hour" in report.baselines[-1].note


def test_the_currency_of_a_baseline_is_the_files_and_not_the_datas() -> None:
    success = Success(measure="cost", figure=Measured.COST, baseline=Baseline(value=Decimal("9.80"), source="x"))
    worth = Worth(share=Fraction(1, 10), source="finance")
    rows = (*WHOLE, row(Sort.DONE, 1, "100", "paid", "EUR"))
    mine, other = (_told(rows=one, worth=worth, success=success)[0].baselines[0].change for one in (WHOLE, rows))
    assert mine is not None
    assert other is not None
    assert mine.endswith(" MYR")
    assert other.endswith(" MYR")
    silent = _told(worth=worth, success=success, losses={})[0].baselines[0]
    assert silent.change is None
    assert "in which currency" in silent.note


def test_what_one_decision_costs_has_all_its_parts_and_is_never_told_as_nothing() -> None:
    _, of = _told()
    cost = of["cost_per_decision"]
    assert cost.value == "2.8505 MYR"  # (222.50 + 0.32, 0.08 and 13.50 USD at 4.5) over 100
    assert cost.note == "models 0.0032 USD; processors 0.0008 USD; people's time 0.1350 USD; losses 2.2250 MYR"
    assert (shown(Decimal("-0.004"), "EUR"), fine(Decimal("-0.0"), "EUR")) == ("0.00 EUR", "0.0000 EUR")
    assert shown(Decimal("-0.005001"), "EUR") == "-0.01 EUR"
    assert fine(Decimal("0.00003"), "USD") == "0.000030 USD"


def test_losses_are_told_whatever_points_the_file_names_today() -> None:
    assert _told(0, points=("approve_v2",))[1]["losses"].value == "at least 222.50 MYR"


def test_cases_that_an_exception_holds_or_ended_count_as_stopped() -> None:
    rows = (*WHOLE, row(Sort.CANCELLED, 10))
    stopped = _told(rows=rows, beside=Beside(stuck=90))[1]["exception_rate"]
    assert (stopped.value, stopped.note) == ("46.0 %", "92 of 200 cases; 90 of them stand still now")


def _drawn(standing: Drawn, number: int, loss: int | None = None) -> DrawnOf:
    return DrawnOf(
        point="approve", standing=standing, currency="MYR", loss_minor=loss, exposure_minor=1000, propensity=0.05,
        number=number,
    )  # fmt: skip


AUDITED = AutonomyTerms(
    review_cost=Money("4.00", "MYR"), budget=LossBudget(written=Money("1.00", "MYR")), cap=Money("100.00", "MYR"),
    wrong=LossTerms(), outcome=OutcomeTerms(after=timedelta(days=1), source=Source.AUDIT), audit=AuditTerms(),
)  # fmt: skip


def test_what_is_known_by_chance_stands_for_what_was_not_drawn() -> None:
    beside = Beside(
        points=(KnownOf(point="approve", known=50),),
        drawn=(
            _drawn(Drawn.RIGHT, 40),
            _drawn(Drawn.WRONG, 10, 1250),
            _drawn(Drawn.MISSING, 1),
            _drawn(Drawn.WAITING, 3),
        ),
    )
    losses = (msgspec.structs.replace(LOSSES[0], number=10, lost_minor=Decimal(12_500)),)
    report = report_of(Tallies(WHOLE), losses, 50, terms(autonomy={"approve": AUDITED}), SINCE, UNTIL, beside)
    told = {one.name: one for one in report.figures}
    assert told["losses"].value == "about 2,700.00 MYR"  # 20 x (10 x 12.50 + 10.00: what is due and silent is wrong)
    assert "seen itself: 125.00 MYR" in told["losses"].note
    assert "1 drawn ones are due without an answer" in told["losses"].note
    assert told["margin"].value == "about -1,502.55 MYR"
    assert told["margin"].low is not None
    assert "the losses are an estimate" in told["margin"].note


def test_the_interval_of_the_sample_holds_and_has_a_width_without_any_loss() -> None:
    nothing = estimate([_drawn(Drawn.RIGHT, 40)], AUDITED)
    assert (nothing.lost, nothing.low) == (0, 0)
    assert nothing.high == pytest.approx(-math.log(0.025) * AUDITED.worst)
    rng, held = np.random.default_rng(5), 0
    for _ in range(300):
        wrong = int(rng.binomial(100, 0.05))  # of 100 wrong ones, 12.50 each
        found = estimate([_drawn(Drawn.WRONG, wrong, 1250)] if wrong else [_drawn(Drawn.RIGHT, 1)], AUDITED)
        held += found.low <= 125_000 <= found.high
    assert held >= 0.95 * 300
