"""The order of work: the index, its amounts, the places of the oldest."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from interlock.oversight.index import MINUTES, Pace, Worth, median_minutes, press, with_oldest
from interlock.oversight.ranking import Scale, Shown, WorkClass, ranked

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_the_index_is_the_loss_a_minute_takes_away_the_nearer_its_deadline_the_more() -> None:
    pace = Pace(mean_minutes=4.0, waiting=30, people=3)
    assert pace.horizon == 80.0  # 2 * 4 * max(1, 30 / 3)
    found = press(600.0, 5.0, NOW + timedelta(minutes=45), NOW, pace)
    assert found.slack == 40.0
    assert found.index == pytest.approx(600 / 5 * math.exp(-40 / 80))
    late = press(600.0, 5.0, NOW - timedelta(days=3), NOW, pace)
    assert (late.nearness, late.index) == (1.0, 120.0)
    assert late.rank == pytest.approx(math.log(120))


def test_a_short_queue_of_far_deadlines_stands_by_its_loss() -> None:
    """Every index is less than a number can hold here: the order must not be that of the ids."""
    of = WorkClass(exceptional=False, workflow="w", point="p", currency="EUR", priority=1)
    pace = Pace(mean_minutes=0.5, waiting=10, people=10)
    scale = Scale(now=NOW, pace=pace, worth=Worth(), minutes={}, default=0.5)
    nothing, cheap, dear, sooner = (
        (of, Shown(UUID(int=at), urgency, NOW + timedelta(hours=hours)))
        for at, (urgency, hours) in enumerate([(0, 24), (1, 24), (10**12, 24), (1, 23)])
    )
    placed = ranked([nothing, cheap, dear, sooner], scale)
    assert [one.press.index for one in placed] == [0.0] * 4
    assert [one.id.int for one in placed] == [3, 2, 1, 0]


def test_with_more_people_than_items_the_horizon_is_twice_the_mean() -> None:
    assert Pace(mean_minutes=4.0, waiting=2, people=9).horizon == 8.0
    assert Pace(mean_minutes=4.0, waiting=6, people=0).horizon == 48.0


def test_what_has_no_deadline_presses_as_what_is_due_in_a_month() -> None:
    pace = Pace(mean_minutes=3.0, waiting=100_000, people=1)
    undated = press(100.0, 3.0, None, NOW, pace)
    assert undated.index == press(100.0, 3.0, NOW + timedelta(days=30), NOW, pace).index


@pytest.mark.parametrize(
    ("urgency", "currency", "loss"),
    [
        (100, "EUR", 1.0),
        (100, "JPY", 0.6),  # no decimals: 100 yen
        (1000, "KWD", 3.0),  # three decimals: one dinar
        (100, "CHF", 1.0),  # no rate: as one unit of the base
        (500_000, None, 5.0),  # half a chance, of the floor
        (500_000, "", 5.0),
        (0, "EUR", 0.0),
    ],
)
def test_amounts_count_by_their_decimals_and_the_reference_rates(
    urgency: int, currency: str | None, loss: float
) -> None:
    worth = Worth(base="EUR", rates={"JPY": 0.006, "KWD": 3.0}, floor=10.0)
    assert worth.loss(urgency, currency) == pytest.approx(loss)


def test_what_a_kind_takes_is_measured_else_declared_else_supposed() -> None:
    assert median_minutes([1.0, 2.0, 9.0, 3.0, 4.0], 7.0) == 3.0
    assert median_minutes([1.0, 2.0, 9.0, 3.0, 4.0, 5.0], 7.0) == 3.5
    assert median_minutes([1.0, 2.0, 9.0, 3.0], 7.0) == 7.0
    assert median_minutes([], None) == MINUTES
    assert median_minutes([0.0] * 5, None) > 0


def test_every_tenth_place_belongs_to_the_oldest_that_has_none_yet() -> None:
    ranked, oldest = list(range(30)), [3, 29, 28, 27]
    placed = with_oldest(ranked, oldest, 0.1, lambda item: item)
    assert [item for item, reserved in placed if reserved] == [29, 28, 27]  # 3 had its place already
    assert [at for at, (_, reserved) in enumerate(placed, 1) if reserved] == [10, 20, 30]
    assert len({item for item, _ in placed}) == 30
    assert [item for item, reserved in placed if not reserved][:9] == list(range(9))
    assert with_oldest(ranked, oldest, 0.0, lambda item: item) == [(item, False) for item in ranked]
    assert [item for item, _ in with_oldest([1, 2], [2, 1], 1.0, lambda item: item)] == [2, 1]
