"""Made-up receipts."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from interlock.errors import Refused
from interlock.packs.receipts.generate import USUAL, VIOLATIONS, Kind, generate

TODAY = date(2026, 3, 10)


@pytest.fixture(scope="module")
def made() -> list[dict[str, Any]]:
    return generate(11, 600, today=TODAY)


def test_every_kind_appears_about_as_often_as_asked(made: list[dict[str, Any]]) -> None:
    counted = Counter(one["kind"] for one in made)
    for kind, weight in USUAL.items():
        assert weight * 3 <= counted[str(kind)] <= weight * 10


def test_totals_are_of_their_kind_and_days_of_the_last_sixty(made: list[dict[str, Any]]) -> None:
    for one in made:
        total, day = Decimal(one["truth"]["total"]), date.fromisoformat(one["truth"]["date"])
        assert TODAY - timedelta(days=61) <= day <= TODAY
        if one["kind"] == Kind.LARGE:
            assert 100 <= total < 1000
        elif one["kind"] == Kind.THOUSANDS:
            assert total >= 1000
        else:
            assert 0 < total < 100


def test_no_word_has_a_comma_and_thousands_are_cut(made: list[dict[str, Any]]) -> None:
    valid = [one for one in made if one["kind"] != Kind.INVALID]
    assert not any("," in word for one in valid for word in one["words"])
    for one in valid:
        if one["kind"] == Kind.THOUSANDS:
            assert not any(one["truth"]["total"] in word for word in one["words"])


def test_duplicates_name_an_earlier_clean_receipt_with_the_same_total(made: list[dict[str, Any]]) -> None:
    by_key = {one["key"]: one for one in made}
    repeats = [one for one in made if "of" in one]
    assert repeats
    for one in repeats:
        of = by_key[one["of"]]
        assert of["kind"] == Kind.CLEAN
        assert of["key"] < one["key"]
        assert of["truth"]["total"] == one["truth"]["total"]
        same = of["truth"] == one["truth"]
        assert same == (one["kind"] == Kind.DUPLICATE)


def test_each_way_to_break_the_contract_is_generated_and_breaks_it() -> None:
    broken = generate(3, 300, today=TODAY, mix={Kind.INVALID: 1})
    assert {one["violation"] for one in broken} == set(VIOLATIONS)
    for one in broken:
        words, boxes, size = one.get("words"), one.get("bboxes"), one.get("image_size")
        sound = (
            isinstance(words, list)
            and isinstance(boxes, list)
            and isinstance(size, dict)
            and 0 < len(one["words"]) == len(one["bboxes"]) <= 2000
            and all(isinstance(word, str) and word for word in one["words"])
            and all(len(box) == 4 and min(box) >= 0 for box in one["bboxes"])
            and one["image_size"]["width"] > 0
        )
        assert not sound, one["violation"]


def test_valid_ones_keep_the_contract(made: list[dict[str, Any]]) -> None:
    for one in made:
        if one["kind"] != Kind.INVALID:
            assert 0 < len(one["words"]) == len(one["bboxes"]) <= 2000
            assert all(0 < len(word) <= 500 for word in one["words"])
            assert all(0 <= x0 <= x1 and 0 <= y0 <= y1 for x0, y0, x1, y1 in one["bboxes"])


def test_nonsense_is_refused() -> None:
    with pytest.raises(Refused, match="cannot generate"):
        generate(1, -1, today=TODAY)
    with pytest.raises(Refused, match="cannot generate"):
        generate(1, 1, today=TODAY, mix={Kind.CLEAN: 0})
