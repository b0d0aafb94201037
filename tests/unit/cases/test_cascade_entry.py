"""How a cascade and a budget are written in a workflow's file, and what is refused."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import pytest

from interlock.cases.declaration import read_declaration
from interlock.decisions.point import DecisionPoint, needed_confidence
from interlock.decisions.sureness import Band, Sureness
from interlock.errors import DeclarationInvalid, Violation
from interlock.money import Money

FILE = """\
workflow: claims
contract: claim@1
time_zone: Asia/Kuala_Lumpur
decisions:
  assess:
    components: {components}
    output: verdict@1
{more}
"""
CASCADE = """
    - {use: onnx:small@1, sure_from: 0.98}
    - {use: {onnx:m@1: 0.9, onnx:m@2: 0.1}, sure_from: [{below: 50 MYR, confidence: 0.8}]}
    - rules:r@1
    - person"""


def read(components: str = CASCADE, more: str = "") -> DecisionPoint:
    text = FILE.format(components=components, more=more)
    return read_declaration(text.encode(), "f.yaml").decisions["assess"]


def wrong(components: str = CASCADE, more: str = "") -> list[Violation]:
    with pytest.raises(DeclarationInvalid) as refused:
        read(components, more)
    return list(refused.value.violations)


def test_a_step_says_from_which_confidence_on_it_suffices() -> None:
    point = read()
    small, split, rules, person = point.steps
    assert small.sureness == Sureness(0.98)
    assert split.sureness == Sureness(1.0, (Band(Money("50", "MYR"), 0.8),))
    assert [share.share for share in split.shares] == [Fraction(9, 10), Fraction(1, 10)]
    assert (rules.sureness, person.sureness, person.is_person) == (None, None, True)
    assert not point.says_sure


def test_what_a_step_needs_is_the_stricter_of_its_own_and_the_points() -> None:
    cheap, dear = Money("10", "MYR"), Money("90", "MYR")
    alone = read()
    small, split, rules, _ = alone.steps
    assert [needed_confidence(alone, cheap, step) for step in (small, split, rules)] == [0.98, 0.8, 1.0]
    assert [needed_confidence(alone, dear, step) for step in (small, split, rules)] == [0.98, None, 1.0]
    assert needed_confidence(alone, None, split) is None

    both = read(more="    sure_from: [{below: 20 MYR, confidence: 0.9}, {below: 100 MYR, confidence: 0.99}]")
    small, split, rules, _ = both.steps
    assert [needed_confidence(both, cheap, step) for step in (small, split, rules)] == [0.98, 0.9, 0.9]
    assert [needed_confidence(both, dear, step) for step in (small, split, rules)] == [0.99, None, 0.99]
    assert needed_confidence(both, Money("100", "MYR"), small) is None


def test_a_budget_is_read_with_its_parts() -> None:
    budget = read(
        more="    budget: {time: 200ms, retrieval: 40ms, inference: 120ms, rules: 20ms, commit: 20ms, cost: 0.01 USD, "
        "cost_per_day: 50 USD}"
    ).budget
    assert [part and part // timedelta(milliseconds=1) for part in (
        budget.time, budget.retrieval, budget.inference, budget.rules, budget.commit
    )] == [200, 40, 120, 20, 20]  # fmt: skip
    assert (budget.cost, budget.cost_per_day, budget.time_zone) == (Decimal("0.01"), 50, "Asia/Kuala_Lumpur")
    assert read().budget.cost_per_day is None


@pytest.mark.parametrize(
    ("components", "more", "where", "what", "todo"),
    [
        ("[{sure_from: 0.9}, person]", "", "components[0]", '"use" is missing', "use: onnx:small@1"),
        ("[{use: onnx:a@1, sure_form: 0.9}, person]", "", "components[0].sure_form", "no such key", '"sure_from"?'),
        ("[{use: onnx:a@1, sure_from: 1.1}, person]", "", "components[0].sure_from", "1.1 is no conf", "0 to 1"),
        ("[{use: onnx:a@1, sure_from: .nan}, person]", "", "components[0].sure_from", "", ""),
        ("[{use: onnx:a@1, sure_from: []}, person]", "", "components[0].sure_from", "no band stands", "below"),
        ("[onnx:a@1, {use: person, sure_from: 0.5}]", "", "components[1].sure_from", "a person needs no", "alone"),
        ("[{use: person}, rules:r@1, person]", "", "components[0]", "nothing comes after a person", "to the end"),
        ("[{use: rules:r@1}, rules:r@1, person]", "", "components", "stands twice", "once"),
        ("[{use: {onnx:a@1: 0.5}}, person]", "", "components[0].use", "add to 1/2", "exactly 1"),
        ("[{use: [onnx:a@1]}, person]", "", "components[0].use", "a list stands", "one value"),
        (
            "[{use: onnx:a@1, sure_from: [{below: 5 MYR, confidence: 0.9}, {below: 9 MYR, confidence: 0.8}]}, person]",
            "", "components[0].sure_from[1]", "asks 0.8 where less money asks 0.9", "at least as much",
        ),
        (
            "[{use: onnx:a@1, sure_from: [{below: 5 USD, confidence: 0.9}]}, person]",
            "    exposure: output.total MYR", "components[0].sure_from[0]", "not in MYR", "one currency",
        ),
        (
            "[{use: onnx:a@1, sure_from: [{below: 5 USD, confidence: 0.9}]}, person]",
            "    sure_from: [{below: 5 MYR, confidence: 0.9}]", "components[0].sure_from[0]", "not in MYR", "one curr",
        ),
        (
            CASCADE, "    budget: {time: 100ms, inference: 80ms, commit: 30ms}",
            "budget", "its parts take 110ms, and it has 100ms", "shorten a part",
        ),
        (
            CASCADE, "    budget: {time: 100ms, inference: 80ms, commit: 20ms}",
            "budget", "leaves nothing to retrieval, rules", "raise time",
        ),
        (CASCADE, "    budget: {cost: 5 USD, cost_per_day: 4 USD}", "budget.cost_per_day", "(5 USD) is above", "raise"),
        (CASCADE, "    budget: {cost_per_day: 4 EUR}", "budget.cost_per_day", "is no cost", "in USD"),
        (CASCADE, "    budget: {cost_per_day: 9999999999 USD}", "budget.cost_per_day", "more than can be", "at most"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_place(components: str, more: str, where: str, what: str, todo: str) -> None:
    found = wrong(components, more)
    assert any(
        one.what.startswith(f"decisions.assess.{where}: ") and what in one.what and todo in one.todo for one in found
    ), found


def test_a_days_bound_needs_a_time_zone() -> None:
    text = FILE.format(components=CASCADE, more="    budget: {cost_per_day: 4 USD}").replace(
        "time_zone: Asia/Kuala_Lumpur\n", ""
    )
    with pytest.raises(DeclarationInvalid, match="it needs a time zone"):
        read_declaration(text.encode(), "f.yaml")


def test_a_step_may_have_a_share_of_its_decisions_compared() -> None:
    steps = read("[{use: onnx:small@1, compare: 1/50}, rules:r@1, person]").steps
    assert [one.compare for one in steps] == [Fraction(1, 50), 0, 0]
    assert steps[0].sureness is None
    assert [one.rule for one in wrong("[rules:r@1, {use: person, compare: 0.1}]")] == ["person-sure"]
    assert wrong("[{use: onnx:small@1, compare: 0}, person]")
