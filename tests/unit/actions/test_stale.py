"""When a fact is still what a decision assumed."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from interlock.actions.stale import Assumed, Change, assumed_of, is_same

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("before", "now", "tolerance", "same"),
    [
        ("active", "active", None, True),
        ("active", "blocked", None, False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, None, True),
        (None, None, None, True),
        (None, 0, None, False),
        ("12.30", "12.3", None, False),
        ("12.30", "12.3", Decimal("0.01"), True),
        ("12.30", "12.40", Decimal("0.10"), True),
        ("12.30", "12.41", Decimal("0.10"), False),
        (10, 12, Decimal(2), True),
        (1.5, 1.75, Decimal("0.25"), True),
        ({"amount": "5.00", "currency": "MYR"}, {"amount": "5.05", "currency": "MYR"}, Decimal("0.05"), True),
        ({"amount": "5.00", "currency": "MYR"}, {"amount": "5.00", "currency": "EUR"}, Decimal("0.05"), False),
        ("5.00 MYR", "5.05 MYR", Decimal("0.05"), True),
        ("5.00 MYR", "5.00 EUR", Decimal("0.05"), False),
        (True, 1, Decimal(2), False),
        ("high", "low", Decimal(2), False),
        ({"amount": "5.00"}, {"amount": "5.01"}, Decimal(2), False),
        (10, None, Decimal(20), False),
    ],
)
def test_a_fact_is_the_same_as_canonical_json_or_within_its_tolerance(
    before: Any,
    now: Any,
    tolerance: Decimal | None,
    same: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    assert is_same(before, now, tolerance) is same
    assert is_same(now, before, tolerance) is same


def test_a_change_names_the_fact_and_both_values_and_cuts_long_ones() -> None:
    fact = Assumed(name="vendor", parameters={"id": "v-1"}, value="active", read_at=NOW, place="0")
    assert str(Change(fact=fact, now="x" * 200)) == f'vendor {{"id":"v-1"}} was "active" and is "{"x" * 79}…'


def test_nothing_is_assumed_where_nothing_was_recorded() -> None:
    assert assumed_of(None) == ()
