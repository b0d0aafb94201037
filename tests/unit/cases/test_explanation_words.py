"""The words of explanations: exact differences, and nothing about anybody else for the person concerned."""

from __future__ import annotations

from typing import Any

import pytest

from interlock.cases.explanation.conditions import plain_condition
from interlock.cases.explanation.public import is_public, may_tell
from interlock.cases.explanation.saying import counterfactual_line, plain_line, plain_value, shown
from interlock.contracts import Field, Shape
from interlock.decisions.counterfactual.change import Change, Part
from interlock.decisions.counterfactual.search import Counterfactual
from interlock.decisions.decision import Route
from interlock.privacy.token import HIDDEN

TOKEN = f"{{personal:v1:{'A' * 22}:{'b' * 90}}}"


def found(*changes: Change, route: Route = Route.AUTOMATIC, **more: Any) -> Counterfactual:
    return Counterfactual(changes=changes, route=route, output=more.pop("output", {"approved": True}), **more)


def change(part: Part, instead: Any, was: Any = None, name: str = "", bound: str = "") -> Change:
    return Change(part=part, name=name, was=was, instead=instead, bound=bound)


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (
            change(Part.EXPOSURE, "49.99 MYR", "80.00 MYR", bound="50.00 MYR"),
            "With 49.99 MYR at stake instead of 80.00 MYR (30.01 MYR less; the bound is 50.00 MYR), it would have",
        ),
        (
            change(Part.CONFIDENCE, "0.86", "0.831212345", bound="0.86"),
            "With a confidence of 0.86 instead of 0.831212345, it would have gone by itself.",
        ),
        (change(Part.INPUT, "b", "a", "kind"), "With input.kind b instead of a, it would have"),
        (change(Part.INPUT, 30, 31, "days", "30"), "With input.days 30 instead of 31 (1 less), it would have"),
        (change(Part.INPUT, "1", None, "total"), "With input.total 1 instead of none, it would have"),
        (change(Part.FINDING, None, "found", "truncated"), "Without the finding truncated, it would have"),
        (change(Part.STOP, None, "stopped"), "Without the stop, it would have gone by itself."),
    ],
)
def test_a_change_is_told_with_its_exact_difference(one: Change, said: str) -> None:
    assert counterfactual_line(found(one), {"approved": True}, Route.REVIEW).startswith(said)


def test_several_changes_and_what_is_taken_for_granted_are_told_together() -> None:
    both = found(
        change(Part.FINDING, None, "found", "odd"),
        change(Part.CONFIDENCE, "0.9", "0.8", bound="0.9"),
        assumes=("the checks find the same",),
    )
    assert counterfactual_line(both, {"approved": True}, Route.REVIEW) == (
        "Without the finding odd and with a confidence of 0.9 instead of 0.8, it would have gone by itself "
        "(as long as the checks find the same)."
    )


def test_the_person_is_told_of_no_threshold_and_of_nobody_else() -> None:
    surer = found(change(Part.CONFIDENCE, "0.9", "0.8", bound="0.9"))
    assert plain_line(surer, {}, {}, {"approved": True}, Route.REVIEW) == (
        "If the system had been more certain of its reading, it would have been decided automatically, "
        "without a person."
    )
    other = found(change(Part.INPUT, "Bob", "Ana", "customer"))
    assert not is_public(other, {})
    listed = Field(name="customer", shape=Shape.STRING, choices=("Ana", "Bob"))
    assert is_public(other, {(Part.INPUT, "customer"): listed})
    note = found(change(Part.INPUT, 3, 4, "days"), output={"approved": False, "note": "as Bob said"})
    line = plain_line(note, {(Part.OUTPUT, "approved"): "Approved"}, {}, {"approved": True, "note": "n"}, Route.REVIEW)
    assert "“Approved” no" in line
    assert "Bob" not in line


@pytest.mark.parametrize("value", ["880101145678", "1.50", "1988-01-01", "NaN", "5 Bob", "1e3", 880101145678, ["1"]])
def test_what_the_contract_says_of_a_field_decides_and_not_what_a_text_looks_like(value: Any) -> None:
    """Digits may be somebody's identity card, and a day their birthday."""
    other, text = found(change(Part.INPUT, value, "1", "x")), Field(name="x", shape=Shape.STRING)
    assert not is_public(other, {})
    assert not is_public(other, {(Part.INPUT, "x"): text})
    assert not is_public(other, {(Part.INPUT, "x"): Field(name="x", shape=Shape.ARRAY, item=text)})
    answered = found(change(Part.STOP, None, "stopped"), output={"y": value})
    said = plain_line(answered, {}, {(Part.OUTPUT, "y"): text}, {}, Route.AUTOMATIC)
    assert said.endswith("the system's answer would have been another one.")


@pytest.mark.parametrize(
    ("value", "shape"),
    [("1.50", Shape.DECIMAL), (3, Shape.INTEGER), ("2026-01-31", Shape.DATE), (True, Shape.BOOLEAN)],
)
def test_numbers_and_days_by_their_contract_are_told(value: Any, shape: Shape) -> None:
    given = found(change(Part.INPUT, value, None, "a.x"))
    assert is_public(given, {(Part.INPUT, "a.x"): Field(name="x", shape=shape)})


def test_a_code_is_told_where_the_contract_demands_a_pattern() -> None:
    coded, free = Field(name="r", shape=Shape.STRING, pattern="^[a-z_]+$"), Field(name="r", shape=Shape.STRING)
    assert may_tell("too_late", coded, codes=True)
    assert not may_tell("too_late", coded)
    assert not may_tell("too_late", free, codes=True)
    assert not may_tell("Bob is a fraudster", coded, codes=True)
    both = Field(name="o", shape=Shape.OBJECT, fields=(coded, Field(name="n", shape=Shape.INTEGER)))
    assert may_tell({"r": "late", "n": 1}, both, codes=True)
    assert not may_tell({"r": "late", "n": 1, "who": "Bob"}, both, codes=True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("exposure >= 100 EUR", "asks for this where the amount is 100.00 EUR or more."),
        ("input.days > 14 and output.refer == true", "where “Age in days” is more than 14 and “refer” is yes."),
        ("input.customer == 'Bob'", ""),
        ("confidence < 0.9", ""),
        ("'odd' in findings", ""),
        ("input.days > 14 or exposure > 1 EUR", ""),
        ("((", ""),
    ],
)
def test_a_plain_comparison_is_told_in_words_and_nothing_else(text: str, said: str) -> None:
    told = plain_condition(text, {(Part.INPUT, "days"): "Age in days"})
    assert told.endswith(said)
    assert bool(told) is bool(said)


def test_values_are_plain_and_tokens_are_never_shown() -> None:
    assert [plain_value(one) for one in (True, False, None, "too_late", "Ana", "3.50", ["a", True], {"a_b": 1})] == [
        "yes", "no", "not given", "too late", "Ana", "3.50", "a, yes", "a b 1",
    ]  # fmt: skip
    assert shown({"who": TOKEN}) == f'{{"who":"{HIDDEN}"}}'
    assert len(shown("x" * 5000)) < 300
