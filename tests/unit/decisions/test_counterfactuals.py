"""What would have changed a decision, where it is known beforehand: bound, row, finding, and all of them at once."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.property.test_counterfactuals import (
    MODEL,
    MODEL_TERMS,
    POLICY,
    TABLES,
    TERMS,
    Model,
    World,
    decided,
    kept_of,
    point_of,
    policy_table,
)

from interlock.components.finding import Finding, Severity
from interlock.decisions.counterfactual.change import Part
from interlock.decisions.counterfactual.kept import Kept
from interlock.decisions.counterfactual.search import Counterfactual, what_would_change
from interlock.decisions.decision import Route
from interlock.money import Money

REQUEST = {"customer": "Ana", "amount": "250.00", "days_since_purchase": 31}
SURE = {"approved": True, "reason": "within_policy"}
ODD = Finding(code="odd", what="it is odd", severity=Severity.REVIEW)


def world(terms: list[str], exposure: str | None = None, **more: Any) -> World:
    by = str(MODEL) if more.get("model") else "rules:approve-refund@1"
    fields: dict[str, Any] = {"value": REQUEST, "model": None, "findings": (), "tables": TABLES, **more}
    amount = Money(exposure, "EUR") if exposure else None
    return World(point=point_of(by, terms), exposure=amount, **fields)


def changes(of: World) -> list[tuple[tuple[tuple[str, str, Any, str], ...], Route]]:
    """What is claimed, in short."""
    return [(brief(one), one.route) for one in what_would_change(decided(of), kept_of(of)).found]


def brief(found: Counterfactual) -> tuple[tuple[str, str, Any, str], ...]:
    return tuple((str(one.part), one.name, one.instead, one.bound) for one in found.changes)


def test_the_nearest_amount_below_a_condition_s_bound() -> None:
    found = changes(world([TERMS[0]], "100.00", value={**REQUEST, "days_since_purchase": 3}))
    assert found[0] == ((("exposure", "", "99.99 EUR", "100.00 EUR"),), Route.AUTOMATIC)


def test_the_nearest_row_that_answers_otherwise_by_one_value() -> None:
    found = changes(world([]))
    assert found == [((("input", "days_since_purchase", 30, "30"),), Route.AUTOMATIC)]
    young = changes(world([], value={**REQUEST, "days_since_purchase": 3}))
    assert ((("input", "days_since_purchase", 31, "30"),), Route.AUTOMATIC) in young
    assert ((("input", "amount", "1000.01", "1000"),), Route.AUTOMATIC) in young


def test_the_confidence_that_was_needed_and_the_amount_that_needs_less() -> None:
    unsure = world([MODEL_TERMS[0]], "60.00", model=Model(SURE, 0.85))
    assert changes(unsure) == [
        ((("confidence", "", "0.9", "0.9"),), Route.AUTOMATIC),
        ((("exposure", "", "49.99 EUR", "50.00 EUR"),), Route.AUTOMATIC),
    ]


def test_of_what_went_by_itself_it_says_what_would_have_brought_it_to_a_person() -> None:
    sure = world([MODEL_TERMS[0]], "40.00", model=Model(SURE, 0.85))
    assert changes(sure) == [
        ((("confidence", "", "0.7999", "0.8"),), Route.REVIEW),
        ((("exposure", "", "50.00 EUR", "50.00 EUR"),), Route.REVIEW),
    ]


def test_two_things_stand_in_the_way_and_are_told_together() -> None:
    both = world([MODEL_TERMS[0], TERMS[5]], "40.00", model=Model(SURE, 0.7), findings=(ODD,))
    result = what_would_change(decided(both), kept_of(both))
    assert [brief(one) for one in result.found] == [(("finding", "odd", None, ""), ("confidence", "", "0.8", "0.8"))]
    assert result.found[0].assumes == ("the rest of the answer is the same", "the checks find the same")


def test_three_things_are_told_without_the_one_that_does_not_matter() -> None:
    said = Finding(code="late", what="w", severity=Severity.INFO)
    torn = Finding(code="torn", what="w", severity=Severity.REVIEW)
    all_three = world([MODEL_TERMS[0], TERMS[5]], "40.00", model=Model(SURE, 0.7), findings=(ODD, torn, said))
    found = what_would_change(decided(all_three), kept_of(all_three)).found
    assert [[(one.part, one.name) for one in only.changes] for only in found] == [
        [(Part.FINDING, "odd"), (Part.FINDING, "torn"), (Part.CONFIDENCE, "")]
    ]


@pytest.mark.parametrize(
    ("term", "name", "instead", "bound"),
    [
        ("input.days_since_purchase > 10.5", "days_since_purchase", 11, "10.5"),
        ("input.days_since_purchase < 2.5", "days_since_purchase", 2, "2.5"),
        ("input.amount > 20.005", "amount", "20.01", "20.005"),
        ("input.amount < 19.995", "amount", "19.99", "19.995"),
    ],
)
def test_a_bound_between_two_values_that_a_field_can_have(term: str, name: str, instead: object, bound: str) -> None:
    value = {**REQUEST, "amount": "20.00", "days_since_purchase": 3}
    found = changes(world([f'review: ["{term}"]'], value=value))
    assert next(one for one, route in found if route is Route.REVIEW) == (("input", name, instead, bound),)


def test_a_bound_between_two_amounts_that_can_be_paid() -> None:
    tables = {**TABLES, str(POLICY.rules.ref): policy_table(most="500.005")}
    found = changes(world([TERMS[3]], "20.00", value={**REQUEST, "days_since_purchase": 3}, tables=tables))
    assert ((("exposure", "", "500.01 EUR", "500.005 EUR"),), Route.REJECT) in found


def test_a_value_that_was_not_given_is_tried_on_both_sides_of_a_bound() -> None:
    found = changes(world([], value={"customer": "Ana", "amount": "20.00"}))
    assert [one[0][2] for one, _ in found if one[0][1] == "days_since_purchase"] == [29, 31]


def test_an_input_that_its_contract_refuses_is_not_claimed() -> None:
    negative = world(['review: ["input.days_since_purchase >= 0"]'])
    claimed = {one[0][2] for one, _ in changes(negative) if one[0][1] == "days_since_purchase"}
    assert -1 not in claimed
    assert 30 in claimed


def test_what_is_not_known_is_said() -> None:
    model = world([MODEL_TERMS[1]], "40.00", model=Model(SURE, 0.9))
    result = what_would_change(decided(model), kept_of(model))
    assert any("onnx:guess@1" in one and "not known" in one for one in result.not_computed)
    decision = decided(model)
    gone = what_would_change(decision, Kept(tables={}, contracts={}, lacking=("The workflow's file is gone.",)))
    assert (gone.found, gone.not_computed) == ((), ("The workflow's file is gone.",))
    judged = world([TERMS[3]], value={**REQUEST, "days_since_purchase": 3})
    assert what_would_change(decided(judged), Kept(point=judged.point, tables={}, contracts={})).not_computed == (
        "The policy rules:refund-policy@1 that judged it is not at hand.",
    )


def test_without_the_table_only_what_does_not_touch_its_answer_is_claimed() -> None:
    judged = world([TERMS[0], "sure_from: 0.8"], "100.00", value={**REQUEST, "days_since_purchase": 3})
    result = what_would_change(decided(judged), Kept(point=judged.point, tables={}, contracts={}))
    assert [brief(one) for one in result.found] == [(("exposure", "", "99.99 EUR", "100.00 EUR"),)]
    assert any("rules:approve-refund@1" in one and "not at hand" in one for one in result.not_computed)


def test_nothing_is_tried_where_a_token_stands_for_what_was_compared() -> None:
    """A table that reads a person's name would read its token now, and might let other rows fire than it did."""
    token = f"{{personal:v1:{'A' * 22}:{'b' * 90}}}"
    harmless = world([TERMS[0]], "100.00", value={**REQUEST, "customer": token, "days_since_purchase": 3})
    assert changes(harmless)
    asks = ['review: ["input.customer == \'Bob\'", "exposure >= 100 EUR"]']
    by_name = world(asks, "100.00", value={**REQUEST, "customer": token, "days_since_purchase": 3})
    result = what_would_change(decided(by_name), kept_of(by_name))
    assert not result.found
    assert "input.customer, which is personal" in result.not_computed[0]
    by_table = world([TERMS[0]], "100.00", value={**REQUEST, "days_since_purchase": 3})
    decision = msgspec.structs.replace(decided(by_table), input=msgspec.json.encode({**REQUEST, "amount": token}))
    assert "input.amount, which is personal" in what_would_change(decision, kept_of(by_table)).not_computed[0]


def test_what_leads_elsewhere_alone_is_also_tried_with_a_second_change() -> None:
    late = world([TERMS[0], "reject: [\"output.reason == 'too_late'\"]"], "150.00")
    assert (
        (("input", "days_since_purchase", 30, "30"), ("exposure", "", "99.99 EUR", "100.00 EUR")),
        Route.AUTOMATIC,
    ) in [(tuple(sorted(told, reverse=True, key=lambda one: one[0])), route) for told, route in changes(late)]
