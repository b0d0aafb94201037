"""What the rule engine does in silence, so that an upgrade that changes any of it is seen."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from interlock.components.engine import Decision, Formula, exact_json
from interlock.errors import ComponentFailed


def table(*rows: tuple[str, str], field: str = "total") -> Decision:
    """Rows of a cell and an output; the outputs are turned into text as our own graph does."""
    rules = [{"_id": f"r{place}", "in": cell, "out": output} for place, (cell, output) in enumerate(rows)]
    content = {
        "hitPolicy": "first",
        "inputs": [{"id": "in", "name": "in", "field": field}],
        "outputs": [{"id": "out", "name": "out", "field": "out"}],
        "rules": rules,
    }
    nodes: list[dict[str, Any]] = [
        {"id": "in", "name": "in", "type": "inputNode"},
        {"id": "t", "name": "t", "type": "decisionTableNode", "content": content},
        {"id": "out", "name": "out", "type": "outputNode"},
    ]
    edges = [{"id": "a", "sourceId": "in", "targetId": "t"}, {"id": "b", "sourceId": "t", "targetId": "out"}]
    return Decision({"nodes": nodes, "edges": edges})


@pytest.mark.parametrize("cell", ["> > 100", "-", "=> 100", "totl > 3", "'a", "nope", "[200..100]", "> 'a'", "not(1)"])
def test_a_malformed_cell_loads_and_never_fires(cell: str) -> None:
    assert table((cell, "'fired'")).evaluate({"total": Decimal(150)}).result == {}


@pytest.mark.parametrize("output", ["'fired", "1 +", "unknown(1)", "total + 'a'"])
def test_a_malformed_output_loads_and_the_next_row_answers_in_its_place(output: str) -> None:
    evaluated = table(("> 100", output), ("", "'next'")).evaluate({"total": Decimal(150)})
    assert evaluated.result == {"out": "next"}
    assert evaluated.trace["t"]["index"] == 1


@pytest.mark.parametrize("facts", [{}, {"total": "a lot"}, {"total": True}])
def test_missing_and_mistyped_input_takes_the_default_row(facts: dict[str, Any]) -> None:
    assert table(("> 100", "'large'"), ("", "'default'")).evaluate(facts).result == {"out": "default"}


def test_an_output_may_be_missing_without_a_word() -> None:
    assert table(("", "")).evaluate({"total": Decimal(1)}).result == {}


def test_numbers_come_out_as_floats_and_their_text_is_exact() -> None:
    amount = Decimal("12345678901234567.89")
    result = table(("", "total")).evaluate({"total": amount}).result["out"]
    assert isinstance(result, float)
    assert Decimal(repr(result)) != amount
    assert table(("", "string(total)")).evaluate({"total": amount}).result == {"out": str(amount)}


def test_fractions_of_more_than_29_digits_are_read_as_floats() -> None:
    exact, rounded = Decimal("12345678901234567890123456.789"), Decimal("123456789012345678901234567.891")
    assert Formula("string(x)").evaluate({"x": exact}) == str(exact)
    assert Formula("string(x)").evaluate({"x": rounded}) != str(rounded)


def test_a_division_by_zero_is_null_and_len_counts_bytes() -> None:
    assert Formula("x / 0").evaluate({"x": Decimal(1)}) is None
    assert Formula("len('é')").evaluate({}) == 2


def test_an_assignment_is_an_expression() -> None:
    assert Formula("x = 1").evaluate({"x": Decimal(2)}) == {"x": 1.0}


def test_what_fails_is_told_without_the_stack_of_this_machine() -> None:
    with pytest.raises(ComponentFailed) as failed:
        Formula("x + 'a'").evaluate({"x": Decimal(1)})
    assert "Unsupported type" in failed.value.what
    assert "backtrace" not in failed.value.what
    with pytest.raises(ComponentFailed, match=r"refuses '1 \+'"):
        Formula("1 +")
    with pytest.raises(ComponentFailed, match=r"Invalid JSON"):
        Decision({"nodes": [{"id": 1}], "edges": []})


def test_json_holds_every_digit_and_no_exponent() -> None:
    text = exact_json({"a": Decimal("1E-7"), "b": Decimal("31.00"), "c": "31.00", "d": True})
    assert text == '{"a":0.0000001,"b":31.00,"c":"31.00","d":true}'
    with pytest.raises(ComponentFailed, match="surrogate"):
        exact_json({"a": "\ud800"})
    assert json.loads(exact_json({})) == {}
