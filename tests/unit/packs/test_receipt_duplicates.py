"""The same receipt again."""

from __future__ import annotations

from typing import Any

import pytest

from interlock.errors import Refused
from interlock.packs.receipts.duplicates import fingerprint, near, near_keys, words_fingerprint

FIELDS = {"company": "UNICORN SHOP SDN BHD", "date": "2026-03-01", "total": "12.00"}


def test_one_purchase_has_one_fingerprint_however_it_was_read() -> None:
    assert fingerprint(FIELDS) == "UNICORNSHOPSDNBHD|2026-03-01|12.00"
    other = {"company": "Unicorn Shop Sdn. Bhd. (999199-V)", "date": "01/03/2026", "total": "RM12.00"}
    assert fingerprint(other) == fingerprint(FIELDS)


@pytest.mark.parametrize("change", [{"total": "12.05"}, {"date": "2026-03-02"}, {"company": "OTHER SHOP"}])
def test_another_purchase_has_another(change: dict[str, str]) -> None:
    assert fingerprint({**FIELDS, **change}) != fingerprint(FIELDS)


@pytest.mark.parametrize(("change", "where"), [({"total": ""}, "/total"), ({"date": "soon"}, "/date")])
def test_without_date_or_total_there_is_none(change: dict[str, str], where: str) -> None:
    with pytest.raises(Refused, match="no fingerprint") as refusal:
        fingerprint({**FIELDS, **change})
    assert refusal.value.where == where


def test_words_in_any_order_case_and_spacing_are_the_same_paper() -> None:
    assert words_fingerprint(["TOTAL : 12.00", "Thank you"]) == words_fingerprint(["thank YOU", "12.00", "TOTAL:"])
    assert words_fingerprint(["TOTAL", "12.00"]) != words_fingerprint(["TOTAL", "12.05"])


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({}, "on the same day"),
        ({"date": "2026-03-02"}, "a day apart"),
        ({"company": "UNICORN SH0P SDN BHD"}, "vendors 94 % alike"),
    ],
)
def test_near_is_the_same_total_and_nearly_the_same_vendor_and_day(change: dict[str, str], why: str) -> None:
    found, reason = near(FIELDS, {**FIELDS, **change})
    assert found
    assert why in reason
    assert set(near_keys(FIELDS)) & set(near_keys({**FIELDS, **change})), "the keys of a store must meet too"


@pytest.mark.parametrize("change", [{"total": "12.05"}, {"date": "2026-03-04"}, {"company": "DRAGON EGG RESTAURANT"}])
def test_far_is_anything_else(change: dict[str, str]) -> None:
    assert near(FIELDS, {**FIELDS, **change}) == (False, "")
    assert not set(near_keys(FIELDS)) & set(near_keys({**FIELDS, **change}))


def test_nearly_the_same_words_are_near_even_with_another_vendor_and_day() -> None:
    words = [f"LINE {number} OF THE RECEIPT" for number in range(30)]
    first: dict[str, Any] = {**FIELDS, "words": words}
    second: dict[str, Any] = {"company": "MISREAD", "date": "2025-01-01", "total": "12.00", "words": [*words, "X"]}
    found, reason = near(first, second)
    assert found
    assert "of the words the same" in reason
    assert not near(first, {**second, "words": [f"OTHER {number} TEXT" for number in range(30)]})[0]
