"""What practice asks for: how many of the last answers, and what a workflow's file may say of it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from tests.console.visiting import refund_orders
from tests.pg.stage import declared

from interlock.cases.practice_asked import practice_demanded, practice_demands
from interlock.cases.registry import Registry
from interlock.errors import DeclarationInvalid
from interlock.oversight.practice.terms import PracticeTerms, is_enough

TERMS = PracticeTerms(right=2, of=3, lasts=timedelta(days=90))


@pytest.mark.parametrize(
    ("newest_first", "enough"),
    [
        ([], False),
        ([True, True], False),  # whoever stops at their best moment
        ([True, True, False], True),
        ([False, True, True], True),
        ([False, False, True, True, True], False),  # the last ones count
        ([True, True, False, False, False], True),
    ],
)
def test_the_last_answers_count_and_no_fewer(newest_first: list[bool], *, enough: bool) -> None:
    assert is_enough(newest_first, TERMS) is enough


def test_a_file_asks_for_practice_at_a_point_and_of_what_its_code_asks_in_that_queue(tmp_path: Path) -> None:
    flow = declared(refund_orders, tmp_path, point="    queue: {name: few, practice: {right: 2, of: 3}}\n")
    registry, asked = Registry([flow]), {"approve": TERMS}
    assert practice_demanded(registry) == {("refund_orders", "approve"): TERMS}
    demands = practice_demands(registry)
    assert demands("refund_orders", "approve", "few") == asked
    assert demands("refund_orders", "asked_in_code", "few") == asked
    assert demands("refund_orders", "asked_in_code", "other") == {}
    assert demands("elsewhere", "approve", "few") is None


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("{right: 4, of: 3}", "cannot be asked for"),
        ("{right: 201, of: 201}", "cannot be asked for"),
        ("{of: 3}", "right"),
        ("{right: 0, of: 3}", "0"),
        ("{right: 2, of: 3, lasts: ever}", "ever"),
        ("{right: 2, of: 3, more: 1}", "more"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_with_its_place(tmp_path: Path, said: str, told: str) -> None:
    with pytest.raises(DeclarationInvalid) as refused:
        declared(refund_orders, tmp_path, point=f"    queue: {{name: few, practice: {said}}}\n")
    assert any(told in one.what or told in one.where for one in refused.value.violations)
