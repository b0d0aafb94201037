"""The examples in the reference of rules and conditions are what they say they are."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from interlock.components.component import Question
from interlock.components.rules import load_rules
from interlock.decisions.condition import compile_condition
from interlock.errors import RulesInvalid

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


def block(file: str, language: str) -> str:
    found = re.findall(rf"^```{language}\n(.*?)^```", (REFERENCE / file).read_text(), re.DOTALL | re.MULTILINE)
    assert len(found) == 1
    return str(found[0])


def test_the_file_loads_and_answers() -> None:
    rules = load_rules(block("decision-tables.md", "json").encode(), "discount@1.rules.json")
    question = Question(input={"total": "999.99", "customer": "regular"}, now=datetime(2026, 1, 1, tzinfo=UTC))
    assert rules.answer(question).output == {"rate": "2.50", "reason": "regular"}


@pytest.mark.parametrize("text", block("conditions.md", "conditions").splitlines())
def test_the_conditions_are_accepted(text: str) -> None:
    assert compile_condition(text).text == text


@pytest.mark.parametrize("text", block("conditions.md", "refused").splitlines())
def test_what_is_refused_is_refused(text: str) -> None:
    with pytest.raises(RulesInvalid):
        compile_condition(text)
