"""A statement's own arithmetic."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec
import polars as pl
import pytest

from interlock.packs.reconciliation.entry import ENTRY_SCHEMA, Balance, Broken, Noted, Statement, Totals
from interlock.packs.reconciliation.statements import findings_of

DAY = date(2026, 4, 10)


def statement(*minors: int, **changes: Any) -> Statement:
    count = len(minors)
    frame = pl.DataFrame(
        {
            "line": range(1, count + 1), "where": ["x"] * count, "minor": minors, "booked_on": [DAY] * count,
            "value_on": [DAY] * count, "memo": [""] * count, "counterparty": [""] * count,
            "counterparty_account": [""] * count, "reference": [""] * count, "bank_reference": [""] * count,
            "code": [""] * count, "reverses": [False] * count,
        },
        schema=ENTRY_SCHEMA,
    )  # fmt: skip
    return msgspec.structs.replace(Statement(format="x", account="A", currency="EUR", entries=frame), **changes)


BROKEN = (Broken(line=9, where="x", what="y", todo="z", rule="amount", data=b""),)


def rules(one: Statement) -> list[str]:
    return [finding.rule for finding in findings_of(one)]


def test_what_adds_up_has_no_finding() -> None:
    assert not findings_of(
        statement(500, -200, opening=Balance(minor=100), closing=Balance(minor=400),
                  totals=Totals(count=2, credit=500, debit=200, net=300), first_day=DAY, last_day=DAY)
    )  # fmt: skip


def test_a_balance_that_is_off_says_its_numbers() -> None:
    (finding,) = findings_of(statement(500, opening=Balance(minor=100), closing=Balance(minor=650)))
    assert (finding.rule, finding.minor) == ("balance", -50)
    assert finding.what == (
        "1.00 EUR before and entries of 5.00 EUR make 6.00 EUR, and it states 6.50 EUR: -0.50 EUR off"
    )


def test_a_broken_entry_leaves_it_unexplained() -> None:
    found = findings_of(statement(500, broken=BROKEN, opening=Balance(minor=100), closing=Balance(minor=650)))
    assert [finding.rule for finding in found] == ["broken", "balance"]
    assert found[1].what.endswith("unexplained, as 1 broken entries are not in it")


@pytest.mark.parametrize(
    ("totals", "found"),
    [
        (Totals(count=3), ["count"]),
        (Totals(credit=501), ["credit"]),
        (Totals(debit=0), ["debit"]),
        (Totals(net=301), ["net"]),
        (Totals(count=2, credit=500, debit=200, net=300), []),
    ],
)
def test_each_total(totals: Totals, found: list[str]) -> None:
    assert rules(statement(500, -200, totals=totals)) == found


def test_broken_and_left_out_entries_count() -> None:
    noted = (Noted(rule="zero", what="", count=1), Noted(rule="pending", what="", count=2))
    for count in (3, 5):
        assert "count" not in rules(statement(500, broken=BROKEN, noted=noted, totals=Totals(count=count)))
    assert "count" in rules(statement(500, broken=BROKEN, noted=noted, totals=Totals(count=4)))


def test_days_outside_and_far_apart() -> None:
    one = statement(500, first_day=date(2026, 4, 11))
    assert rules(one) == ["period"]
    assert "entry 1 is booked outside its days, 2026-04-11 to ..." in findings_of(one)[0].what
    far = msgspec.structs.replace(
        one, first_day=None, entries=one.entries.with_columns(pl.lit(date(2016, 4, 10)).alias("value_on"))
    )
    assert rules(far) == ["far"]


def test_sums_beyond_64_bits_do_not_wrap() -> None:
    huge = 10**18
    (finding,) = findings_of(statement(*[huge] * 20, opening=Balance(minor=0), closing=Balance(minor=0)))
    assert finding.minor == 20 * huge
