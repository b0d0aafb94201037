"""Each kind of bad value against a contract, and how it is told."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from interlock.contracts import Contract, check, json_schema
from interlock.contracts.check import require
from interlock.contracts.compile import compiled
from interlock.errors import ContractViolated

Describe = Callable[..., Contract]

PROPERTIES = """\
- {name: text, logicalType: string, required: true, logicalTypeOptions: {minLength: 2, maxLength: 5}}
- {name: code, logicalType: string, logicalTypeOptions: {pattern: "^a|b+$"}}
- {name: mail, logicalType: string, logicalTypeOptions: {format: email}}
- name: colour
  logicalType: string
  quality: [{metric: invalidValues, arguments: {validValues: [red, green]}, mustBe: 0}]
- name: amount
  logicalType: number
  physicalType: decimal(6,2)
  logicalTypeOptions: {minimum: -10, exclusiveMaximum: 1000.5, multipleOf: 0.05}
- {name: count, logicalType: integer, logicalTypeOptions: {minimum: 1, maximum: 9, multipleOf: 3}}
- {name: big, logicalType: integer}
- {name: tiny, logicalType: integer, logicalTypeOptions: {format: u8}}
- {name: share, logicalType: number, logicalTypeOptions: {minimum: 0, exclusiveMaximum: 1}}
- {name: yes, logicalType: boolean}
- {name: day, logicalType: date, logicalTypeOptions: {minimum: "2020-02-29"}}
- {name: moment, logicalType: timestamp, logicalTypeOptions: {exclusiveMaximum: "2030-01-01T00:00:00Z"}}
- {name: hour, logicalType: time, logicalTypeOptions: {maximum: "18:00:00"}}
- name: list
  logicalType: array
  logicalTypeOptions: {minItems: 1, maxItems: 3, uniqueItems: true}
  items: {logicalType: integer}
- name: inner
  logicalType: object
  logicalTypeOptions: {required: [a]}
  properties:
    - {name: a, logicalType: integer}
    - {name: b, logicalType: number}
"""
GOOD: dict[str, Any] = {
    "text": "abc",
    "code": "bbb",
    "mail": "a@example.com",
    "colour": "red",
    "amount": "1000.45",
    "count": 9,
    "big": -(2**63),
    "tiny": 255,
    "share": 0.5,
    "yes": False,
    "day": "2020-02-29",
    "moment": "2029-12-31T23:59:59.999999+00:30",
    "hour": "18:00:00",
    "list": [1, 2],
    "inner": {"a": 1, "b": 2.5},
}


@pytest.fixture
def contract(describe: Describe) -> Contract:
    return describe(PROPERTIES)


def test_a_value_that_keeps_the_contract_has_no_violations(contract: Contract) -> None:
    assert check(contract, GOOD) == ()
    assert check(contract, {"text": "😀😀😀😀😀"}) == ()
    assert check(contract, GOOD | {"inner": None, "list": None, "count": None, "amount": None, "code": None}) == ()
    assert check(contract, GOOD | {"share": 0, "code": "a", "amount": "-10", "inner": {"a": 0, "b": None}}) == ()


@pytest.mark.parametrize(
    ("field", "value", "rule", "what"),
    [
        ("text", "a", "minLength", "has 1 characters"),
        ("text", "abcdef", "maxLength", "has 6 characters"),
        ("text", None, "type", "null"),
        ("text", 5, "type", "5 is not a string"),
        ("text", b"abc", "type", "a Python bytes"),
        ("text", "a\0b", "characters", "NUL"),
        ("text", "ab\ud800", "characters", "\\ud800"),
        ("code", "bc", "pattern", "^a|b+$"),
        ("code", "xa", "pattern", "does not match"),
        ("code", "bb\n", "pattern", "\\u000a"),
        ("mail", "nobody", "format", "email"),
        ("colour", "blue", "enum", "not one of the choices"),
        ("amount", 31.0, "type", "31.0 is not a string of decimal digits"),
        ("amount", 31, "type", "not a string of decimal digits"),
        ("amount", float("nan"), "type", "nan"),
        ("amount", Decimal(1), "type", "a Python Decimal"),
        ("amount", "-10.05", "minimum", "too small"),
        ("amount", "1000.50", "exclusiveMaximum", "too large"),
        ("amount", "1.01", "multipleOf", "no multiple of 0.05"),
        ("amount", "0.050", "decimals", "3 digits after the point"),
        ("amount", "9" * 40, "digits", "40 digits before the point"),
        ("amount", "1e2", "decimal", "plain decimal digits"),
        ("amount", "007", "decimal", "plain decimal digits"),
        ("amount", "-0", "decimal", "plain decimal digits"),
        ("amount", "1,00", "decimal", "plain decimal digits"),
        ("amount", "１.00", "decimal", "plain decimal digits"),
        ("amount", " 1", "decimal", "plain decimal digits"),
        ("amount", "1\n", "decimal", "plain decimal digits"),
        ("amount", "NaN", "decimal", "plain decimal digits"),
        ("amount", "9" * 100_000, "decimal", "plain decimal digits"),
        ("count", 0, "minimum", "too small"),
        ("count", 12, "maximum", "too large"),
        ("count", 4, "multipleOf", "no multiple of 3"),
        ("count", 3.0, "type", "3.0 is not a whole number"),
        ("count", True, "type", "true is not a whole number"),
        ("count", "3", "type", '"3" is not a whole number'),
        ("big", 2**63, "maximum", "too large"),
        pytest.param("big", 10**5000, "maximum", "bits", id="an int that Python does not write out"),
        ("tiny", 256, "maximum", "too large"),
        ("tiny", -1, "minimum", "too small"),
        ("share", 1.0, "exclusiveMaximum", "too large"),
        ("share", float("nan"), "type", "nan is no JSON number"),
        ("share", float("inf"), "type", "inf is no JSON number"),
        ("share", "0.5", "type", "not a number"),
        ("share", Decimal("0.5"), "type", "a Python Decimal"),
        ("yes", 1, "type", "1 is not true or false"),
        ("yes", "true", "type", "not true or false"),
        ("day", "2021-02-29", "date", "is not a day"),
        ("day", "2020-02-28", "minimum", "too small"),
        ("day", "20200301", "date", "is not a day"),
        ("day", "2020-W10-1", "date", "is not a day"),
        ("day", "0000-01-01", "date", "is not a day"),
        ("day", dt.date(2021, 1, 1), "type", "a Python date"),
        ("moment", "2020-01-01T00:00:00", "timestamp", "is not a moment"),
        ("moment", "2020-01-01 00:00:00Z", "timestamp", "is not a moment"),
        ("moment", "2016-12-31T23:59:60Z", "timestamp", "is not a moment"),
        ("moment", "0001-01-01T00:00:00+01:00", "timestamp", "is not a moment"),
        ("moment", "2030-01-01T00:00:00Z", "exclusiveMaximum", "too large"),
        ("moment", "2029-12-31T23:59:59-00:30", "exclusiveMaximum", "too large"),
        ("hour", "24:00:00", "time", "is not a time of day"),
        ("hour", "18:00:01", "maximum", "too large"),
        ("list", [], "minItems", "0 items are fewer than 1"),
        ("list", [1, 2, 3, 4], "maxItems", "4 items are more than 3"),
        ("list", [1, 1], "uniqueItems", "the same"),
        ("list", {"0": 1}, "type", "an object of 1 field is not an array"),
        ("inner", [], "type", "an array of 0 items is not an object"),
    ],
)
def test_each_bad_value_is_named_with_its_rule(
    contract: Contract, field: str, value: object, rule: str, what: str
) -> None:
    (violation,) = check(contract, GOOD | {field: value})
    assert (violation.where, violation.rule) == (f"/{field}", rule)
    assert what in violation.what
    assert violation.todo


@pytest.mark.parametrize(
    ("value", "where", "rule"),
    [
        ({"text": "abc", "inner": {}}, "/inner/a", "required"),
        ({"text": "abc", "inner": {"a": 1, "c": 1}}, "/inner/c", "unknown"),
        ({"text": "abc", "inner": {"a": None}}, "/inner/a", "type"),
        ({"text": "abc", "list": [1, None]}, "/list/1", "type"),
        ({"text": "abc", "list": [1, 2.0]}, "/list/1", "type"),
        ({"text": "abc", "list": [1, Decimal(2)]}, "/list/1", "type"),
        ({"text": "abc", "list": ["1"]}, "/list/0", "type"),
        ({}, "/text", "required"),
        ({"text": "abc", "~/": 1}, "/~0~1", "unknown"),
        ({"text": "abc", 5: 1}, "/5", "unknown"),
        (None, "", "type"),
        ([], "", "type"),
        ("abc", "", "type"),
        (float("nan"), "", "type"),
        (object(), "", "type"),
    ],
)
def test_places_within_and_values_that_are_no_record(contract: Contract, value: object, where: str, rule: str) -> None:
    (violation,) = check(contract, value)
    assert (violation.where, violation.rule) == (where, rule)


def test_every_violation_is_named_at_once(contract: Contract) -> None:
    value = GOOD | {"text": 1, "amount": 2.5, "inner": {"a": "x", "z": 0}, "txet": "abc"}
    found = {violation.where: violation for violation in check(contract, value)}
    assert set(found) == {"/text", "/amount", "/inner/a", "/inner/z", "/txet"}
    assert found["/txet"].todo == 'did you mean "text"?'
    assert found["/amount"].todo == 'write it as a string, as in "2.50"'


def test_no_subclass_of_str_passes_for_json(contract: Contract) -> None:
    class Text(str):
        __slots__ = ()

    (violation,) = check(contract, {"text": Text("abc")})
    assert violation.rule == "type"
    assert "not JSON" in violation.what


def test_other_scripts_and_markup_are_text_and_messages_are_safe(describe: Describe) -> None:
    contract = describe("- {name: vendor, logicalType: string, required: true, logicalTypeOptions: {maxLength: 80}}")
    for name in ("咖啡馆", "مطعم", "<script>alert('x')</script>", "'; DROP TABLE decision; --", "{{7*7}}", "Ω\t≈"):
        assert check(contract, {"vendor": name}) == ()
    hostile = '\u202e\x1b[2J<img src=x onerror="alert(1)">\r\nignore all rules' * 1000
    (violation,) = check(contract, {"vendor": hostile})
    assert str(violation).isprintable()
    assert len(violation.what) < 250


def test_a_million_items_are_refused_before_anything_is_walked(describe: Describe) -> None:
    contract = describe(
        """\
- {name: words, logicalType: array, logicalTypeOptions: {maxItems: 10}, items: {logicalType: string}}
- {name: boxes, logicalType: array, logicalTypeOptions: {maxItems: 10}, items: {logicalType: integer}}
""",
        quality="- {type: custom, engine: interlock, implementation: {sameLength: [words, boxes]}}",
    )
    value = {"words": [0] * 1_000_000, "boxes": [1]}
    start = time.perf_counter()
    (violation,) = check(contract, value)
    assert time.perf_counter() - start < 0.1
    assert violation.rule == "maxItems"
    assert "1,000,000 items are more than 10" in violation.what


def test_at_most_a_hundred_violations_are_listed(describe: Describe) -> None:
    contract = describe("- {name: words, logicalType: array, items: {logicalType: string}}")
    violations = check(contract, {"words": [0] * 150})
    assert len(violations) == 101
    assert violations[-1].what == "50 more are not listed"
    assert len(check(contract, {"words": [0] * 100})) == 100
    flood = check(contract, {"words": [0] * 500_000})
    assert len(flood) == 101
    assert flood[-1].what.startswith("at least ")


def test_hostile_floods_cost_little(describe: Describe) -> None:
    contract = describe(
        "- {name: words, logicalType: array, items: {logicalType: string, logicalTypeOptions: {pattern: '^(a+)+$'}}}"
    )
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    circle: list[Any] = []
    circle.append(circle)
    start = time.perf_counter()
    for value in (
        {"words": ["a" * 50_000 + "!"] * 20},  # a backtracking engine would not come back
        {"words": [deep]},
        {"words": circle},
        {f"k{place}": 0 for place in range(200_000)},
    ):
        assert check(contract, value)
    assert time.perf_counter() - start < 3


def test_require_raises_every_violation(contract: Contract) -> None:
    require(contract, GOOD)
    with pytest.raises(ContractViolated) as caught:
        require(contract, {"count": 0}, where="receipts/r-17")
    assert [violation.where for violation in caught.value.violations] == ["/text", "/count"]
    assert "2 violations of thing@1.0.0" in str(caught.value)


def test_a_contract_is_compiled_once(contract: Contract, describe: Describe) -> None:
    assert compiled(contract) is compiled(describe(PROPERTIES))
    assert compiled(contract) is not compiled(describe(PROPERTIES, version="1.0.1"))


def test_the_json_schema_for_others_says_what_json_schema_can(contract: Contract) -> None:
    schema = json_schema(contract)
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["text"]
    assert schema["properties"]["code"]["pattern"] == "^(?:a|b+)$"
    assert schema["properties"]["count"] == {"type": ["integer", "null"], "minimum": 1, "maximum": 9, "multipleOf": 3}
    assert schema["properties"]["colour"]["enum"] == ["red", "green", None]
    assert schema["properties"]["amount"]["type"] == ["string", "null"]
