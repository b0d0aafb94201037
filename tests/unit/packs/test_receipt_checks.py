"""What speaks against a reading: each finding with a receipt that has it, and one that does not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from interlock.components.component import Answer
from interlock.components.finding import Severity
from interlock.packs.receipts.checks import CHECKS, Check, arithmetic, check, plausibility, truncated

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
GOOD = [
    ["UNICORN SHOP SDN BHD"],
    ["DATE", "01/03/2026"],
    ["PEN", "12.00"],
    ["TOTAL", "12.00"],
    ["CASH", "20.00"],
    ["CHANGE", "8.00"],
]


def receipt(*rows: list[str]) -> dict[str, Any]:
    """Words in rows, as OCR would give them."""
    words = [word for row in rows for word in row]
    boxes = [
        [100 + 300 * column, 40 * line, 300 + 300 * column, 40 * line + 30]
        for line, row in enumerate(rows)
        for column in range(len(row))
    ]
    return {"words": words, "bboxes": boxes, "image_size": {"width": 900, "height": 2000}}


def answer(
    total: str = "12.00",
    *,
    day: str = "2026-03-01",
    company: str = "UNICORN SHOP",
    sure: dict[str, float] | None = None,
) -> Answer:
    """A reading."""
    return Answer(
        output={"company": company, "date": day, "total": total, "currency": "MYR"},
        confidence=0.99,
        evidence={"confidence": {"total": 0.99, "date": 0.99, "company": 0.99, **(sure or {})}},
    )


def codes(one: Check, given: dict[str, Any], read: Answer) -> list[str]:
    return [finding.code for finding in one(given, read, NOW)]


def test_a_good_receipt_has_no_finding() -> None:
    assert check(receipt(*GOOD), answer(), NOW) == ()


@pytest.mark.parametrize(
    "row", [["TOTAL :", "1"], ["TOTAL RM", "7"], ["CASH (MYR)", "-7"], ["TOTAL SALES (INCLUSIVE OF GST) : 1"]]
)
def test_a_bare_number_beside_total_or_cash_is_what_a_comma_left(row: list[str]) -> None:
    given = receipt(*GOOD[:3], row)
    found = truncated(given, answer("1.00"), NOW)
    assert [(finding.code, finding.severity) for finding in found] == [("truncated", Severity.REVIEW)]
    assert found[0].where == f"/words/{len(given['words']) - 1}"
    assert "thousand" in found[0].what


@pytest.mark.parametrize(
    "row",
    [["TOTAL QTY:", "1"], ["TOTAL STAMP(S) : 14"], ["PAID TIME 14/01/2026 13:51"], ["CASHIER", "3"], ["PEN", "2"]],
)
def test_counts_times_and_tills_are_no_cut_amount(row: list[str]) -> None:
    assert codes(truncated, receipt(*GOOD, row), answer()) == []


def test_what_was_paid_less_the_change_must_be_the_total() -> None:
    assert codes(arithmetic, receipt(*GOOD), answer("12.00")) == []
    assert codes(arithmetic, receipt(*GOOD[:3], *GOOD[4:]), answer("13.00")) == ["paid_differs"]


def test_rounding_to_five_sen_is_no_difference() -> None:
    rows = [*GOOD[:3], ["TOTAL", "12.02"], ["ROUNDED TOTAL", "12.00"], *GOOD[4:]]
    assert codes(arithmetic, receipt(*rows), answer("12.00")) == []


def test_a_second_total_that_nothing_explains_contradicts() -> None:
    rows = [*GOOD[:4], ["GRAND TOTAL", "88.80"]]
    found = arithmetic(receipt(*rows), answer("12.00"), NOW)
    assert [finding.code for finding in found] == ["totals_differ"]
    assert "88.80" in found[0].what
    assert codes(arithmetic, receipt(*rows, *GOOD[4:]), answer("12.00")) == [], "the payment explains it"


@pytest.mark.parametrize("total", ["0.00", "-5.09"])
def test_credit_notes_are_for_a_person(total: str) -> None:
    assert "not_positive" in codes(plausibility, receipt(*GOOD), answer(total))


@pytest.mark.parametrize(
    ("day", "expected", "severity"),
    [
        ("2026-03-12", "future_date", Severity.REVIEW),
        ("2012-01-01", "implausible_date", Severity.REVIEW),
        ("2025-06-01", "old", Severity.INFO),
    ],
)
def test_dates_that_cannot_be_or_are_old(day: str, expected: str, severity: Severity) -> None:
    found = plausibility(receipt(*GOOD), answer(day=day), NOW)
    assert [(finding.code, finding.severity) for finding in found] == [(expected, severity)]


def test_tomorrow_is_still_possible_elsewhere() -> None:
    assert codes(plausibility, receipt(*GOOD), answer(day="2026-03-11")) == []


@pytest.mark.parametrize("row", [["TOTAL", "USD 12.00"], ["€12.00"], ["12.00 SGD"], ["S$", "4.00"]])
def test_another_currency_is_found(row: list[str]) -> None:
    assert "foreign_currency" in codes(plausibility, receipt(*GOOD, row), answer())


def test_a_currency_in_a_name_or_a_dollar_sign_is_not_another_currency() -> None:
    assert codes(plausibility, receipt(*GOOD, ["EUROPA CNY HAMPER"], ["TOTAL $12.00"]), answer()) == []


def test_a_receipt_without_total_or_payment_is_torn() -> None:
    rows = [["UNICORN CASH & CARRY"], ["CASH BILL"], ["CASHIER: ANA"], *GOOD[1:3], ["TOTAL QTY", "1"]]
    assert codes(plausibility, receipt(*rows), answer()) == ["no_total"]


def test_what_the_reader_doubts_is_said() -> None:
    found = plausibility(receipt(*GOOD), answer(sure={"date": 0.3, "company": 0.1}), NOW)
    assert [(finding.code, finding.severity) for finding in found] == [
        ("date_unsure", Severity.REVIEW),
        ("company_unsure", Severity.INFO),
    ]
    assert "company_short" in codes(plausibility, receipt(*GOOD), answer(company="OZ"))


def test_every_check_has_a_name() -> None:
    assert list(CHECKS) == ["truncated", "arithmetic", "plausibility"]
