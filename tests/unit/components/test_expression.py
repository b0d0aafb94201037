from __future__ import annotations

from typing import Any

import pytest

from interlock.components.checking import FieldType
from interlock.components.expression import Expression
from interlock.errors import ComponentFailed, RulesInvalid

VARIABLES = {
    "total": FieldType.DECIMAL,
    "count": FieldType.INTEGER,
    "company": FieldType.STRING,
    "known": FieldType.BOOLEAN,
    "bought": FieldType.DATE,
}
FACTS: dict[str, Any] = {
    "total": "12345678901234567.89",
    "count": 3,
    "company": "Acme",
    "known": True,
    "bought": "2026-01-31",
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("total", "12345678901234567.89"),
        ("total + 0.01", "12345678901234567.90"),
        ("total * 2", "24691357802469135.78"),
        ("-total", "-12345678901234567.89"),
        ("round(total / 3, 2)", "4115226300411522.63"),
        ("round(2.345, 2)", "2.35"),
        ("count * 2", 6),
        ("count - 5", -2),
        ("2 - 3 + 4", 3),
        ("floor(total)", 12345678901234567),
        ("max([total, 1])", "12345678901234567.89"),
        ("company + '!'", "Acme!"),
        ("upper(company)", "ACME"),
        ("company + string(count)", "Acme3"),
        ("known ? company : 'unknown'", "Acme"),
        ("known and count > 2", True),
        ("not known or count in [1..2]", False),
        ("count in [1, 3] and company in ['Acme', 'Other']", True),
        ("startsWith(company, 'Ac')", True),
        ("bought == '2026-01-31'", True),
        ("bought", "2026-01-31"),
        ("total > 12345678901234567.88", True),
        ("total > 12345678901234567.89", False),
    ],
)
def test_evaluates_exactly(text: str, expected: Any) -> None:
    value = Expression.compile(text, VARIABLES).evaluate(FACTS)
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("text", "character", "what"),
    [
        ("totl * 2", 1, "'totl' is unknown"),
        ("total *", 8, "ends too early"),
        ("total * * 2", 9, "cannot stand here"),
        ("total + company", 9, "not a number"),
        ("company + count", 11, "not string"),
        ("company > 'A'", 1, "compares numbers"),
        ("total == company", 7, "never equals"),
        ("total / count", 9, "could be zero"),
        ("total / 0", 9, "could be zero"),
        ("round(total, count)", 14, "no plain number"),
        ("len(company)", 5, "len counts"),
        ("sum(total)", 5, "list of numbers"),
        ("upper(count)", 7, "not string"),
        ("known ? 1 : 'a'", 7, "where before it was"),
        ("count ? 1 : 2", 1, "not boolean"),
        ("[1, 2]", 1, "gives a list"),
        ("[1, 'a']", 5, "where before it was"),
        ("map(rows, #.x)", 5, "'rows' is unknown"),
        ("map(total, #.x)", 5, "map takes a column"),
        ("total = 2", 7, "means nothing"),
        ("bought == 'yesterday'", 11, "no date"),
        ("100 MYR", 1, "an amount of money"),
        ("count in 3", 10, "no list"),
        ("count in company", 10, "no list"),
        ("company in [1, 2]", 13, "never equals"),
        ("system('x')", 1, "no function"),
        ("total.cents", 1, "'total.cents' is unknown"),
        ("'a\\nb'", 1, "backslash"),
    ],
)
def test_refuses_what_would_fail(text: str, character: int, what: str) -> None:
    with pytest.raises(RulesInvalid) as refused:
        Expression.compile(text, VARIABLES)
    (violation,) = refused.value.violations
    assert what in violation.what
    assert violation.where == f"character {character}"
    assert violation.todo


def test_a_missing_or_mistyped_fact_is_an_error() -> None:
    expression = Expression.compile("known ? total : 0", VARIABLES)
    with pytest.raises(ComponentFailed, match="lacks company, bought"):
        expression.evaluate({"total": "1", "count": 1, "known": False, "company": None})
    with pytest.raises(ComponentFailed, match=r"'total' is '1\.5' \(float\), not decimal"):
        expression.evaluate({**FACTS, "total": 1.5})


def test_overflow_is_an_error() -> None:
    with pytest.raises(ComponentFailed, match="overflow"):
        Expression.compile("total * total * total", VARIABLES).evaluate(FACTS)
