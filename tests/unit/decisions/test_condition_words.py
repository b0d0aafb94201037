from __future__ import annotations

import pytest

from interlock.components.component import FiredRule
from interlock.decisions.condition_words import line_of_reason, say_condition
from interlock.decisions.decision import Reason

REFERRED = Reason(code="condition", what="output.refer == true holds")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("exposure >= 100 MYR", "At stake: at least 100.00 MYR"),
        ("output.refer == true", "Refer: yes"),
        ("input.company_known == false and output.total > 50.50", "Company known: no and total: above 50.50"),
        ("'truncated' in findings", "The checks found: truncated"),
        ("not input.signed or input.kind != 'late_fee'", "Signed: no or kind: not late_fee"),
        ("input.a + input.b > 3", "input.a + input.b > 3"),
        ("this cannot ( be read", "this cannot ( be read"),
    ],
)
def test_a_condition_is_told_in_words(text: str, said: str) -> None:
    assert say_condition(text) == said


def test_a_row_says_the_sentence_of_the_rule_that_answered() -> None:
    fired = (FiredRule(table="t", row=14, cells={}, note="Above 50 at a company not on the list"),)
    assert line_of_reason((REFERRED,), fired) == "Above 50 at a company not on the list"
    assert line_of_reason((REFERRED,), (FiredRule(table="t", row=14, cells={}),)) == "Refer: yes"
    unsure = Reason(code="unsure", what="ocr@1 is 0.400 sure; with 9.00 EUR at stake 0.9 is needed")
    assert line_of_reason((unsure, REFERRED), fired) == unsure.what
    assert line_of_reason((), fired) == ""
