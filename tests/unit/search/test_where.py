"""What somebody writes who looks for decisions is read as meant, or refused at its place."""

from __future__ import annotations

import pytest

from interlock.errors import Refused
from interlock.search.where import LONGEST, Condition, Operator, read_condition, read_where


def test_conditions_follow_each_other_and_may_be_joined() -> None:
    text = 'total>=100 vendor = "ACME \\"SDN\\" \\\\" AND since=7d name^=a andrew=1'
    assert read_where(text) == (
        Condition("total", Operator.AT_LEAST, "100"),
        Condition("vendor", Operator.IS, 'ACME "SDN" \\'),
        Condition("since", Operator.IS, "7d"),
        Condition("name", Operator.BEGINS, "a"),
        Condition("andrew", Operator.IS, "1"),
    )
    assert read_where(" \n ") == ()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("vendor", "no condition"),
        ("vendor=", "no value"),
        ("=5", "no condition"),
        ("a!=5", "no condition"),
        ('a="open', "no value"),
        ("a=1 ' or 1=1 --", "no condition"),
        ("a=" + "x" * LONGEST, "too many"),
        (" ".join(["a=1"] * 17), "too many"),
        ('a=""', "nothing"),
        ('a="\0"', "NUL"),
        ('a="\ud800"', "surrogate"),
    ],
)
def test_what_is_no_condition_is_refused(text: str, told: str) -> None:
    with pytest.raises(Refused, match=told):
        read_where(text)


def test_a_word_of_a_command_line_is_one_condition() -> None:
    assert read_condition("vendor=ACME SDN = x") == Condition("vendor", Operator.IS, "ACME SDN = x")
    assert read_condition('vendor="ACME SDN"') == Condition("vendor", Operator.IS, "ACME SDN")
    with pytest.raises(Refused):
        read_condition("vendor=\0")
