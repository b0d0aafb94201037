"""Groups of exceptions: one for each cause, with the money at stake in each currency."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from interlock.money import Money
from interlock.oversight.exception import CauseRow, grouped

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def row(cause: int, currency: str | None, minor: int, *, members: int = 1, age: int = 0, priority: int = 1) -> CauseRow:
    return CauseRow(
        fingerprint=UUID(int=cause), currency=currency, workflow="flow", kind="k",
        owner=f"{currency or 'a'}@example.com", what="it",
        priority=priority, members=members, exposure_minor=minor, oldest=NOW - timedelta(hours=age),
    )  # fmt: skip


def test_a_cause_is_one_group_and_each_currency_an_amount_of_its_own() -> None:
    rows = [
        row(2, "EUR", 1230, members=2, age=1, priority=0),
        row(1, "EUR", 5),
        row(2, "MYR", 700, age=3),
        row(2, None, 0),
    ]
    first, second = grouped(rows)
    assert (first.fingerprint.int, first.members, first.priority, first.oldest) == (2, 4, 0, NOW - timedelta(hours=3))
    assert first.exposures == (Money("12.30", "EUR"), Money("7.00", "MYR"))
    assert first.owner == "EUR@example.com"
    assert (second.fingerprint.int, second.exposures) == (1, (Money("0.05", "EUR"),))


def test_nothing_at_stake_is_no_amount() -> None:
    (group,) = grouped([row(1, None, 0)])
    assert group.exposures == ()
