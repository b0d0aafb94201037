"""What the page on cascades and budgets shows is a file that loads, a line that is read, and numbers that hold."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

from interlock.cases.declaration import read_declaration
from interlock.decisions.evaluations import read_evaluations
from interlock.decisions.point import needed_confidence
from interlock.money import Money
from interlock.oversight.binomial import at_most

PAGE = (Path(__file__).parents[2] / "docs/howto/cascades-and-budgets.md").read_text("utf-8")


def block(language: str) -> bytes:
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found
    return found[1].encode()


def test_the_cascade_is_a_declaration_and_needs_what_the_text_says() -> None:
    point = read_declaration(block("yaml"), "page").decisions["assess"]
    small, big, person = point.steps
    assert person.is_person
    assert needed_confidence(point, Money("300", "EUR"), small) == 0.98
    assert needed_confidence(point, Money("600", "EUR"), big) is None
    parts = point.budget.parts
    assert (parts.retrieval, parts.inference) == (0.1, 1.7)
    assert round(parts.rules, 6) == round(parts.commit, 6) == 0.1


def test_the_line_of_evaluations_is_read() -> None:
    found = read_evaluations([block("json")], ["onnx:small@1", "llm:big@1"], "page")
    assert found.cost.tolist() == [[0, 3_100_000]]


def test_the_number_of_examples_is_the_least_that_keeps_the_promise_surely() -> None:
    assert "1 % takes 368 of them" in PAGE
    assert [at_most(0, examples, Fraction(1, 100)) for examples in (367, 368)] == [False, True]
