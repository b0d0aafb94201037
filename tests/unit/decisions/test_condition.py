from __future__ import annotations

from typing import Any

import pytest

from interlock.contracts.contract import Shape
from interlock.decisions.condition import Facts, compile_condition
from interlock.errors import ComponentFailed, RulesInvalid
from interlock.money import Money


def facts(**changes: Any) -> Facts:
    given: dict[str, Any] = {
        "input": {"company": "Acme Sdn Bhd", "currency": "MYR", "amount": "31.00", "count": 3},
        "output": {"refer": True, "total": "31.00", "score": 0.25, "nothing": None, "tags": ["a", "b"]},
        "confidence": 0.87,
        "exposure": Money("100.00", "MYR"),
        "findings": ("duplicate",),
    }
    return Facts(**(given | changes))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("exposure >= 100 MYR", True),
        ("exposure > 100 MYR", False),
        ("exposure < 100.01 MYR", True),
        ("100 MYR <= exposure", True),
        ("exposure == 100.0 MYR", True),
        ("exposure in [99 MYR, 100 MYR]", True),
        ("exposure >= -5 MYR", True),
        ("confidence < 0.9", True),
        ("confidence < 0.87", False),
        ("confidence in [0.87..0.9)", True),
        ("confidence in (0.87..0.9)", False),
        ("confidence not in [0.1, 0.87]", False),
        ("output.refer == true", True),
        ("output.refer", True),
        ("not output.refer", False),
        ("not (output.refer and confidence > 0.9)", True),
        ("'duplicate' in findings", True),
        ("'truncated' in findings", False),
        ("'truncated' not in findings", True),
        ("len(findings) > 0", True),
        ("len(output.tags) == 2", True),
        ("'a' in output.tags", True),
        ("output.total >= 31", True),
        ("output.total == 31.0", True),
        ("output.total == '31.00'", True),
        ("output.total == input.amount", True),
        ("output.total > input.count", True),
        ("output.score < 0.3", True),
        ("input.count == 3", True),
        ("input.company in ['Acme Sdn Bhd', 'Other']", True),
        ("startsWith(input.company, 'Acme')", True),
        ("endsWith(input.company, 'Acme')", False),
        ("contains(input.company, 'Sdn')", True),
        ("output.refer and output.total > 100 or confidence < 0.9", True),
        ("output.refer and (output.total > 100 or confidence < 0.5)", False),
    ],
)
def test_holds(text: str, expected: bool) -> None:  # noqa: FBT001 - a table of expectations
    assert compile_condition(text).holds(facts()) is expected


@pytest.mark.parametrize(
    ("text", "character", "what", "todo"),
    [
        ("exposre >= 100 MYR", 1, "'exposre' is unknown", "exposure"),
        ("exposure >= 100", 13, "an amount of money is compared with a number", "100 MYR"),
        ("exposure >= '100 MYR'", 13, "an amount of money is compared with text", "100 MYR"),
        ("output.total >= 100 MYR", 1, "an amount of money is compared with a field", "currency"),
        ("exposure > 5 XXX", 12, "'XXX' is no currency", "ISO 4217"),
        ("exposure > 5.001 MYR", 12, "more decimals", "round"),
        ("exposure > 5 MYR or exposure < 5 USD", 32, "amounts in MYR and USD", "one currency"),
        ("exposure > 5 MYR and exposure < 4 MYR", 18, "could never hold", "bounds"),
        ("confidence < 90", 14, "confidence is from 0 to 1", "0.9"),
        ("90 > confidence", 1, "confidence is from 0 to 1", "0.9"),
        ("confidence < 0", 12, "could never hold", "bounds"),
        ("confidence < 0.5 and confidence > 0.9", 18, "could never hold", "bounds"),
        ("confidence < 0.9 or confidence > 1", 32, "could never hold", "bounds"),
        ("not (confidence <= 1)", 1, "could never hold", "bounds"),
        ("confidence < '0.9'", 12, "compares numbers", "=="),
        ("confidence = 0.9", 12, "'=' means nothing", "=="),
        ("confidence <", 13, "ends too early", "number"),
        ("confidence < 0.9 0.8", 18, "cannot stand here", "and"),
        ("confidence", 1, "a number and true or false at once", "one kind"),
        ("confidence + 0.1 > 0.5", 12, "cannot be compared", "rules"),
        ("confidence.x > 0.5", 1, "has no fields", "confidence"),
        ("0.1 < confidence < 0.9", 18, "cannot stand here", "two things at a time"),
        ("not output.refer == true", 18, "cannot stand here", "parentheses"),
        ("output == 1", 1, "more than one value", "output.total"),
        ("output.a == 'x' and output.a > 5", 30, "compares numbers", "=="),
        ("output.a == 'x' and output.a == 'y'", 17, "could never hold", "bounds"),
        ("output.a and output.a == 'x'", 23, "never equals", "one kind"),
        ("output.a / 2 > 1", 10, "cannot be compared", "rules"),
        ("'x' in findngs", 8, "'findngs' is unknown", "findings"),
        ("3 in findings", 1, "never in a list of text", "'code'"),
        ("'x' in confidence", 8, "no list", "findings"),
        ("findings == 'x'", 10, "a list is compared", "in findings"),
        ("len(findings) < 0", 15, "could never hold", "bounds"),
        ("len(confidence) > 0", 5, "len counts", "findings"),
        ("exposure in [1 MYR..2 MYR]", 13, "plain numbers", "<"),
        ("startsWith(output.a)", 1, "two arguments", "startsWith"),
        ("startsWith(confidence, 'x')", 12, "takes text", "field"),
        ("true", 1, "no condition", "compare"),
        ("1 < 2", 3, "the same for every decision", "confidence"),
        ("", 1, "ends too early", "number"),
        ("output.a == 'x", 13, "does not end", "'"),
        ("output.a == null", 13, "'null' cannot stand here", "null"),
        ("output. == 1", 9, "cannot stand here", "name of a field"),
        ("(" * 40 + "confidence > 0.5" + ")" * 40, 26, "nested", "split"),
        (" or ".join(["output.a"] * 105), 0, "operators", "split"),
        ("output.a == '" + "x" * 2200 + "'", 2001, "characters", "split"),
    ],
)
def test_refuses_what_is_mistyped(text: str, character: int, what: str, todo: str) -> None:
    with pytest.raises(RulesInvalid) as refused:
        compile_condition(text)
    (violation,) = refused.value.violations
    assert what in violation.what
    assert todo in violation.todo
    if character:
        assert violation.where == f"character {character}"


def test_refuses_a_field_that_the_output_does_not_have() -> None:
    with pytest.raises(RulesInvalid) as refused:
        compile_condition("output.refr == true", {"output": {"refer", "total"}})
    assert 'did you mean "refer"' in refused.value.violations[0].todo
    assert compile_condition("output.refer == true", {"output": {"refer"}}).holds(facts())


@pytest.mark.parametrize(
    ("text", "changes", "what"),
    [
        ("exposure >= 100 MYR", {"exposure": None}, "the exposure is unknown"),
        ("exposure >= 100 MYR", {"exposure": Money("100.00", "USD")}, "100.00 USD is compared with 100.00 MYR"),
        ("exposure == 100 MYR", {"exposure": Money("100.00", "USD")}, "100.00 USD is compared with 100.00 MYR"),
        ("exposure != 100 MYR", {"exposure": Money("100.00", "USD")}, "100.00 USD is compared with 100.00 MYR"),
        ("output.absent > 1", {}, "there is no output.absent"),
        ("output.nothing > 1", {}, "there is no output.nothing"),
        ("output.refer.deep > 1", {}, "there is no output.refer.deep"),
        ("output.refer == 'true'", {}, "not text"),
        ("output.total == true", {}, "not true or false"),
        ("input.company > 1", {}, "not decimal"),
        ("output.refer > 1", {}, "not decimal"),
        ("output.refer == output.total", {}, "not decimal"),
        ("'x' in output.total", {}, "not a list"),
        ("'x' in output.mixed", {"output": {"mixed": ["x", 1]}}, "not a list of text"),
        ("confidence < 0.9", {"confidence": float("nan")}, "not a finite number"),
        ("output.score < 0.9", {"output": {"score": float("inf")}}, "not a finite number"),
    ],
)
def test_what_cannot_be_decided_is_an_error_and_never_false(text: str, changes: dict[str, Any], what: str) -> None:
    with pytest.raises(ComponentFailed, match=what) as failed:
        compile_condition(text).holds(facts(**changes))
    assert text in failed.value.what


def test_the_right_side_is_asked_only_if_the_left_one_leaves_it_open() -> None:
    assert compile_condition("output.refer or output.absent > 1").holds(facts())
    assert not compile_condition("not output.refer and output.absent > 1").holds(facts())


def test_conditions_of_one_text_are_equal() -> None:
    assert compile_condition("confidence < 0.9") == compile_condition("confidence < 0.9")
    assert compile_condition("confidence < 0.9") != compile_condition("confidence < 0.8")


LINES = {
    "input": {"total": "31.00", "last": "31.0", "account": "31", "paid": ["5", "31.000"], "padded": "031"},
    "output": {
        "total": "31",
        "word": "thirty-one",
        "below": "-0.0",
        "long": "9" * 190 + ".10",
        "longer": "9" * 190 + ".1",
    },
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("input.total == input.last", True),
        ("input.total != output.total", False),
        ("input.total == output.word", False),
        ("input.total in input.paid", True),
        ("output.word not in input.paid", True),
        ("input.padded == input.account", False),  # zeros stand before no amount
        ("output.long == output.longer", True),
        ("output.below == output.total", False),
        ("input.total == '31.0'", False),  # its author says that it is text
    ],
)
def test_two_fields_that_read_as_decimals_are_compared_by_their_value(text: str, *, expected: bool) -> None:
    assert compile_condition(text).holds(facts(**LINES)) is expected


@pytest.mark.parametrize(
    ("shapes", "expected"),
    [
        ((Shape.DECIMAL, Shape.DECIMAL), True),
        ((Shape.DECIMAL, None), True),
        ((Shape.DECIMAL, Shape.STRING), True),
        ((Shape.STRING, Shape.STRING), False),
        ((Shape.STRING, None), False),
        ((None, None), True),
    ],
)
def test_what_a_contract_says_counts_more_than_how_a_text_looks(
    shapes: tuple[Shape | None, Shape | None], *, expected: bool
) -> None:
    known = dict(zip((("input", "total"), ("input", "last")), shapes, strict=True))
    given = facts(**LINES, shape=known.get)
    assert compile_condition("input.total == input.last").holds(given) is expected
    assert compile_condition("input.last != input.total").holds(given) is not expected
