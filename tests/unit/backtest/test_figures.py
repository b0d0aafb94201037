"""What is known of two answers, and figures of what is known, by chance or not, against a known truth."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec import structs

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.deciding import terms

from interlock.autonomy.outcome import By, Known
from interlock.autonomy.terms import LossTerms
from interlock.backtest.costs import costs_of
from interlock.backtest.figures import Estimating, always, losses, wrongs
from interlock.backtest.known import NOTHING, Comparing, Said, Truth, truth_of
from interlock.backtest.result import Cell, How
from interlock.backtest.rows import Columns, Row, Way
from interlock.backtest.run import amount
from interlock.contracts import Field
from interlock.decisions.point import DecisionPoint, QueueTerms

YES, NO = {"approved": True, "why": "a"}, {"approved": False, "why": "b"}
BOTH, NEITHER, THEN, OTHER = (False, True, False, False), (True, False, False, False), (0, 0, 1, 0), (0, 0, 0, 1)
ALIKE = Comparing(None, ("approved",))
MOST = 2000.0
POINT = DecisionPoint(name="p", steps=(), output="o@1", queue=QueueTerms(name="q"))


@pytest.mark.parametrize(
    ("then", "other", "truth", "possible"),
    [
        (Said(YES), Said(YES), NOTHING, (True, True, False, False)),
        (Said(YES), Said(NO), NOTHING, (True, False, True, True)),
        (Said(YES), Said({"approved": True, "why": "c"}), Truth(right=True), BOTH),  # the declared field is the same
        (Said(YES), Said(NO), Truth(right=True), THEN),
        (Said(YES), Said(NO), Truth(right=False), (True, False, False, True)),  # nobody said what is right
        (Said(YES), Said(NO), Truth(right=False, stated={"approved": False}), OTHER),
        (Said(YES), Said(YES), Truth(right=False), NEITHER),
        (Said(None), Said(YES), Truth(stated={"approved": True}), OTHER),
        (Said(None), Said(None), NOTHING, NEITHER),
        (Said(None), Said(YES), NOTHING, (True, False, False, True)),
        # a no by itself is right where no is true, whatever was proposed
        (Said(YES, no=True), Said(YES), Truth(right=False, stated={"approved": False}), THEN),
        (Said(YES, no=True), Said(YES), Truth(right=True), OTHER),
        (Said(YES, no=True), Said(NO), Truth(right=False, stated={"approved": False}), BOTH),
        (Said(YES, no=True), Said(YES, no=True), Truth(right=False), (True, True, False, False)),
        # a word and its truth that cannot both be so: the worse
        (Said(YES), Said(YES), Truth(right=False, stated={"approved": True}), NEITHER),
    ],
)
def test_what_can_be_so_is_what_nothing_on_record_rules_out(
    then: Said, other: Said, truth: Truth, possible: tuple[bool, ...]
) -> None:
    assert ALIKE.after(then, other, truth) == possible


def test_without_declared_fields_whole_answers_are_compared() -> None:
    record: Field | None = None
    comparing = Comparing(record, ())
    assert not comparing.same(Said(YES), Said({"approved": True}))
    assert comparing.same(Said(YES), Said(dict(YES)))


def test_a_truth_is_what_was_said_or_what_a_person_answered_where_nothing_was_proposed() -> None:
    assert truth_of(None, None) is NOTHING
    assert truth_of(None, b'{"approved":true}').stated == {"approved": True}
    known = Known(is_right=False, by=By.OUTCOME, truth=b'{"approved":false}')
    assert truth_of(known, None) == Truth(right=False, stated={"approved": False})
    assert truth_of(Known(is_right=True, by=By.OUTCOME, truth=b'"x"'), None) == Truth(right=True)


def lost(cells: Estimating, columns: Columns) -> tuple[Cell, Cell, Cell]:
    return cells.cells(losses(columns.then, then=True, most=MOST), losses(columns.other, then=False, most=MOST))


def way(loss: int | None = 1000, *, alone: bool = True, realised: int | None = None, confidence: float = 0.9) -> Way:
    return Way(alone=alone, loss=loss if realised is None else realised, declared=loss, confidence=confidence)


def row(**terms: Any) -> Row:
    known: dict[str, Any] = {
        "then": way(), "other": way(),
        "before": (True, True, False, False), "after": BOTH,
    }  # fmt: skip
    return Row(**{**known, **terms})


def test_what_is_all_known_is_complete_and_few_without_an_error_prove_little() -> None:
    review = way(alone=False)
    columns = Columns.of([row() for _ in range(9)] + [row(then=review, after=NEITHER)])
    then, other, difference = lost(Estimating(columns), columns)
    assert (then.value, other.value, difference.value) == (0.0, 100.0, 100.0)
    assert then.how is other.how is difference.how is How.COMPLETE
    assert then.low == 0.0
    assert then.high > 200  # of ten
    assert other.low < 100 < other.high
    alone = always(columns.then.alone), always(columns.other.alone)
    assert [one.value for one in Estimating(columns).cells(*alone)] == [0.9, 1.0, pytest.approx(0.1)]
    wrong = wrongs(columns.then, then=True), wrongs(columns.other, then=False)
    assert [one.value for one in Estimating(columns).cells(*wrong)] == [0.0, 0.1, 0.1]
    nothing = Columns.of([])
    assert lost(Estimating(nothing), nothing)[0].value is None


def test_what_is_not_known_and_not_left_out_by_chance_is_bounded_unless_it_plays_no_part() -> None:
    nobody = (True, True, False, False)
    columns = Columns.of([row(), row(after=nobody), row(after=NEITHER), row(after=NEITHER)])
    then, other, difference = lost(Estimating(columns), columns)
    assert (then.how, then.value, then.least, then.greatest) == (How.BOUNDS, None, 500.0, 750.0)
    assert then.low < 500
    assert then.high > 750
    assert other.how is How.BOUNDS
    assert (difference.how, difference.value) == (How.COMPLETE, 0.0)  # of the same answer that goes alone on both sides
    # drawn or not makes no difference for what was never among those of which the sample is drawn
    columns = Columns.of([row(), row(after=nobody, drawn=False, sampled=False)])
    assert lost(Estimating(columns), columns)[0].how is How.BOUNDS


def test_what_nobody_knows_at_stake_of_is_named() -> None:
    columns = Columns.of([row(), row(other=way(None)), row(other=way(None, alone=False))])
    assert columns.unpriced.tolist() == [False, True, False]
    assert columns.only(~columns.unpriced).count == 2


def simulated(drawn: np.random.Generator, count: int, *, biased: bool) -> tuple[Columns, float]:
    """Decisions with losses, of which those drawn are known; the mean loss of what the candidate lets go by itself."""
    confidence = drawn.uniform(0.5, 1.0, count)
    wrong = drawn.uniform(size=count) > confidence
    stake = drawn.integers(100, 2000, count)
    propensity = np.clip(stake / 2000, 0.1, 1.0)
    seen = drawn.uniform(size=count) < propensity
    if biased:  # good ones become known more often, which nothing on record says
        seen |= ~wrong

    def realised(at: int) -> int | None:  # what was stated was twice too much, which is seen of what is drawn
        return int(stake[at]) // 2 if seen[at] and wrong[at] else None

    rows = [
        row(
            then=way(int(stake[at]), realised=realised(at), confidence=float(confidence[at])),
            other=way(
                int(stake[at]),
                alone=bool(confidence[at] > 0.7),
                realised=realised(at),
                confidence=float(confidence[at]),
            ),
            after=((NEITHER if wrong[at] else BOTH) if seen[at] else (True, True, False, False)),
            sampled=not biased,
            drawn=bool(seen[at]),
            propensity=float(propensity[at]) if seen[at] else 1.0,
        )
        for at in range(count)
    ]
    return Columns.of(rows), float(np.mean(np.where((confidence > 0.7) & wrong, stake // 2, 0)))


def test_the_audit_sample_gives_estimates_that_hold_as_often_as_they_say() -> None:
    drawn, hits, off = np.random.default_rng(8), 0, list[float]()
    for _ in range(25):
        columns, truly = simulated(drawn, 300, biased=False)
        _, other, _ = lost(Estimating(columns), columns)
        assert other.how is How.DOUBLY_ROBUST
        assert other.value is not None
        off.append(other.value - truly)
        hits += other.low <= truly <= other.high
    assert hits >= 21  # 95 % of 25 are 24: fewer than 21 come by chance less than once in a hundred times
    assert abs(float(np.mean(off))) < 3 * float(np.std(off)) / np.sqrt(len(off))
    columns, truly = simulated(drawn, 300, biased=True)
    _, other, _ = lost(Estimating(columns), columns)
    assert (other.how, other.value) == (How.BOUNDS, None)
    assert other.low <= truly <= other.high


def test_the_shares_of_a_release_tell_what_answers_would_have_done_that_were_not_given() -> None:
    drawn, hits, apart = np.random.default_rng(9), 0, 0
    for _ in range(15):
        served = drawn.uniform(size=400) < 0.3
        other_wrong = drawn.uniform(size=400) < 0.1
        then_wrong = np.where(served, other_wrong, drawn.uniform(size=400) < 0.3)
        rows = [
            row(
                before=(True, True, False, False) if served[at] else (True, False, True, True),
                # of what the other answered nobody said what would be right: the candidate's answer is not known
                after=(NEITHER if then_wrong[at] else BOTH)
                if served[at]
                else ((True, False, False, True) if then_wrong[at] else THEN),
                share=0.3,
                served=bool(served[at]),
            )
            for at in range(400)
        ]
        columns = Columns.of(rows)
        then, other, difference = lost(Estimating(columns), columns)
        assert (then.how, other.how, difference.how) == (How.COMPLETE, How.DOUBLY_ROBUST, How.DOUBLY_ROBUST)
        truly = 1000 * float(np.mean(other_wrong))
        hits += other.low <= truly <= other.high
        apart += difference.low <= truly - 1000 * float(np.mean(then_wrong)) <= difference.high
    assert min(hits, apart) >= 12


def test_means_of_money_have_two_digits_more_than_its_currency() -> None:
    assert amount(12.25, "EUR") == "0.1225 EUR"
    assert amount(-0.001, "EUR") == "0.0000 EUR"
    assert amount(-3, "JPY") == "-3.00 JPY"
    assert amount(1500, "KWD") == "1.50000 KWD"


def test_ends_are_what_is_known_beforehand_and_never_what_was_seen() -> None:
    columns = Columns.of([row() for _ in range(3)])
    was, would, _ = Estimating(columns).cells(always(columns.then.alone), always(columns.other.alone))
    assert was.value == would.value == 1.0
    assert max(was.low, would.low) < 0.8
    review = way(alone=False)
    one = Columns.of([row(then=review, other=review)])
    cost = always(~one.then.alone * 300.0, 300.0)
    assert Estimating(one).cells(cost, cost)[0].low < 300
    # where nothing bounds it, or what was seen is beyond the bound, it is the interval of large numbers, and says so
    columns = Columns.of([row(after=NEITHER), *(row() for _ in range(9))])
    for most in (np.inf, 500.0):
        cell = Estimating(columns).cells(*(losses(columns.then, then=True, most=most),) * 2)[0]
        assert cell.large
        assert 0 <= cell.low < 100 < cell.high < np.inf
    fine = Columns.of([row() for _ in range(9)])
    cell = Estimating(fine).cells(*(losses(fine.then, then=True, most=np.inf),) * 2)[0]
    assert (cell.value, cell.low, cell.high, amount(cell.high, "EUR")) == (0.0, 0.0, np.inf, "no bound")


def test_few_errors_that_were_drawn_say_little_and_nothing_is_below_nothing() -> None:
    drawn, hits = np.random.default_rng(1), 0
    for _ in range(20):
        bad, seen = drawn.uniform(size=1000) < 0.01, drawn.uniform(size=1000) < 0.02
        rows = [
            row(
                sampled=True, drawn=bool(seen[at]), propensity=0.02 if seen[at] else 1.0,
                after=(NEITHER if bad[at] else BOTH) if seen[at] else (True, True, False, False),
            )
            for at in range(1000)
        ]  # fmt: skip
        columns = Columns.of(rows)
        other = Estimating(columns).cells(wrongs(columns.then, then=True), wrongs(columns.other, then=False))[1]
        assert other.how is How.DOUBLY_ROBUST
        assert other.low >= 0
        hits += other.low <= 0.01 <= other.high
    assert hits == 20  # the interval of large numbers alone holds in 17 of 20


def test_what_bounds_a_loss_is_what_the_file_states() -> None:
    assert costs_of(POINT, None).worst == np.inf
    stated = costs_of(structs.replace(POINT, autonomy=terms(wrong=LossTerms(plus=100))), None)
    assert (stated.worst, stated.worst_needless) == (2100.0, 0.0)  # its cap, and what is lost whatever is at stake
    stated = costs_of(structs.replace(POINT, autonomy=terms(wrong=LossTerms(at_most=70))), None)
    assert stated.worst == 70.0
    assert costs_of(structs.replace(POINT, autonomy=terms(needless=LossTerms())), None).worst_needless == np.inf
