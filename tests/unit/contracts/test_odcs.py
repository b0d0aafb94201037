"""Loading contracts: what a file may say, and how each mistake is told with its line."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from interlock.contracts import Contract, Field, Shape, Status, Version, check, load_contract, parse_contract
from interlock.contracts.contract import Bound
from interlock.errors import ContractInvalid, Violation

Describe = Callable[..., Contract]
Written = Callable[..., str]

TEXT = "- {name: a, logicalType: string}"
ENUM = "- name: a\n  logicalType: string\n  enum: [{value: x}, {value: y}]"
DATE = "{logicalType: date}"
OBJECT = "- {{name: a, logicalType: object, logicalTypeOptions: {{{0}}}, properties: [{{name: b, logicalType: date}}]}}"
CHOICES = (
    "- {{name: a, logicalType: {0}, "
    "quality: [{{metric: invalidValues, arguments: {{validValues: [{1}]}}, mustBe: 0}}]}}"
)
FIRST = 15
"""The line of the first property."""


def refused(describe: Describe, properties: str, **parts: str) -> tuple[Violation, ...]:
    with pytest.raises(ContractInvalid) as caught:
        describe(properties, **parts)
    return caught.value.violations


def test_a_contract_says_who_and_what(describe: Describe) -> None:
    extra = """\
description: {purpose: Tests.}
customProperties:
  - {property: consumers, value: [one, two]}
slaProperties:
  - {property: latency, value: 1.50, unit: h, element: thing.a}
  - {property: endOfLife, value: 2027-06-30}
servers:
  - {server: production, type: kafka, host: broker, format: json}
"""
    contract = describe("- {name: a, logicalType: timestamp}", version="1.2.3", status="deprecated", extra=extra)
    assert contract.reference == "thing@1.2.3"
    assert contract.version == Version(1, 2, 3)
    assert contract.status is Status.DEPRECATED
    assert (contract.owner, contract.team) == ("owner@example.com", "testers")
    assert contract.consumers == ("one", "two")
    assert contract.description == "Tests."
    assert [(one.name, one.value, one.unit, one.element) for one in contract.service_levels] == [
        ("latency", "1.50", "h", "thing.a"),
        ("endOfLife", "2027-06-30", "", ""),
    ]
    assert contract.ends == date(2027, 6, 30)
    assert contract.not_enforced == ()


def test_bounds_are_as_exact_as_they_are_written(describe: Describe) -> None:
    contract = describe(
        """\
- name: total
  logicalType: number
  physicalType: NUMERIC(38, 18)
  required: true
  logicalTypeOptions: {minimum: 0.100000000000000001, maximum: 99999999999999999999.999999999999999999}
"""
    )
    total = contract.record.child("total")
    assert isinstance(total, Field)
    assert total.shape is Shape.DECIMAL
    assert total.low == Bound(Decimal("0.100000000000000001"))
    assert check(contract, {"total": "0.100000000000000001"}) == ()
    assert [one.rule for one in check(contract, {"total": "0.1"})] == ["minimum"]
    assert [one.rule for one in check(contract, {"total": "99999999999999999999.999999999999999999"})] == []


def test_the_tighter_of_two_ends_counts(describe: Describe) -> None:
    contract = describe(
        "- {name: n, logicalType: integer, logicalTypeOptions: "
        "{minimum: 1, exclusiveMinimum: 1, maximum: 5, exclusiveMaximum: 9, format: i8}}"
    )
    field = contract.record.child("n")
    assert field
    assert field.low == Bound(Decimal(1), exclusive=True)
    assert field.high == Bound(Decimal(5))


def test_enum_came_with_a_later_version_of_the_standard(describe: Describe) -> None:
    contract = describe(ENUM, api="v3.2.0")
    assert check(contract, {"a": "x"}) == ()
    assert [one.rule for one in check(contract, {"a": "z"})] == ["enum"]
    (violation,) = refused(describe, ENUM)
    assert "ODCS v3.2.0" in violation.what


def test_what_is_not_enforced_is_named(describe: Describe) -> None:
    contract = describe(
        """\
- name: a
  logicalType: string
  physicalType: varchar(20)
  physicalName: COL_A
  unique: true
  customProperties: [{property: mask, value: all}]
  quality:
    - {name: looks right, type: text, description: It looks right.}
    - {metric: nullValues, mustBe: 0}
    - {name: few, metric: invalidValues, arguments: {validValues: [x]}, mustBeLessThan: 5, unit: percent,
       schedule: 0 20 * * *}
    - {name: soda, type: custom, engine: soda, implementation: "checks for a"}
    - {metric: invalidValues, arguments: {pattern: "^x$"}, mustBe: 0}
- name: b
  logicalType: string
  required: true
  quality: [{metric: nullValues, mustBe: 0}]
""",
        quality="- {name: rows, metric: rowCount, mustBeGreaterThan: 10}\n- {type: sql, query: SELECT 1, mustBe: 1}",
        extra="customProperties: [{property: review, value: yearly}]\n",
    )
    assert sorted(contract.not_enforced) == [
        "/: quality rule without a name: it is a query, and SQL of a file is run nowhere",
        "/: the custom property review",
        "/a: physicalName COL_A: data use the name",
        "/a: physicalType varchar(20)",
        "/a: quality rule looks right: it is text for people",
        "/a: quality rule soda: it is for the engine soda, which is not run here",
        "/a: the custom property mask",
        "/a: the schedule of quality rule few: it is checked whenever records pass",
    ]
    assert check(contract, {"a": "x", "b": ""}) == ()


@pytest.mark.parametrize(
    ("properties", "what"),
    [
        ("- {name: a}", "no logicalType"),
        ("- {name: a, logicalType: strin}", '"strin" is not one of'),
        ("- {name: a, logicalType: string, requird: true}", '"requird" is no key of the standard'),
        ("- {name: a, logicalType: string, required: yes}", "boolean"),
        ("- {name: a, logicalType: string, logicalTypeOptions: {minimum: 1}}", '"minimum" is no key'),
        ("- {name: 'a b', logicalType: string}", "no name of a field"),
        (f"{TEXT}\n{TEXT}", "described twice"),
        (f"- {{name: a, logicalType: map, map: {{key: {DATE}, value: {DATE}}}}}", "a map is not enforced"),
        ("- {name: a, logicalType: vector}", "a vector is not enforced"),
        ("- {name: a, logicalType: array, items: {logicalTypeOptions: {minLength: 1}}}", "no logicalType"),
        ("- {name: a, logicalType: object}", "no properties are named"),
        ("- {name: a, logicalType: array}", "items of this array are not described"),
        ("- {name: a, logicalType: string, logicalTypeOptions: {pattern: '[a-z]+'}}", "both ends"),
        ("- {name: a, logicalType: string, logicalTypeOptions: {pattern: '^a\\$'}}", "both ends"),
        ("- {name: a, logicalType: string, logicalTypeOptions: {pattern: '^(?=a)b$'}}", "linear time"),
        ("- {name: a, logicalType: string, logicalTypeOptions: {pattern: '^(a)\\1$'}}", "linear time"),
        ("- {name: a, logicalType: string, logicalTypeOptions: {pattern: '^($'}}", "linear time"),
        ("- {name: a, logicalType: string, logicalTypeOptions: {format: password}}", "is not enforced here"),
        ("- {name: a, logicalType: string, logicalTypeOptions: {minLength: 3, maxLength: 2}}", "3 is more than"),
        ("- {name: a, logicalType: date, logicalTypeOptions: {format: dd/MM/yyyy}}", "is not read"),
        ("- {name: a, logicalType: date, logicalTypeOptions: {minimum: 2021-02-29}}", "is no date"),
        ("- {name: a, logicalType: timestamp, logicalTypeOptions: {timezone: false}}", "always has its offset"),
        ("- {name: a, logicalType: timestamp, logicalTypeOptions: {defaultTimezone: Etc/UTC}}", "ever assumed"),
        ("- {name: a, logicalType: time, logicalTypeOptions: {timezone: true}}", "no offset"),
        ("- {name: a, logicalType: boolean, logicalTypeOptions: {minimum: 0}}", "true or false has no options"),
        ("- {name: a, logicalType: integer, logicalTypeOptions: {minimum: 0.5}}", "more than 0 digits"),
        ("- {name: a, logicalType: integer, logicalTypeOptions: {minimum: 2, maximum: 1}}", "no value lies between"),
        ("- {name: a, logicalType: integer, logicalTypeOptions: {minimum: 1, exclusiveMaximum: 1}}", "no value lies"),
        ("- {name: a, logicalType: integer, logicalTypeOptions: {maximum: .inf}}", "no number that can be held"),
        ("- {name: a, logicalType: integer, logicalTypeOptions: {maximum: 1e999999}}", "no number that can be held"),
        ("- {name: a, logicalType: number, logicalTypeOptions: {multipleOf: 0.1}}", "no exact multiples"),
        ("- {name: a, logicalType: number, physicalType: decimal}", "how many digits"),
        ("- {name: a, logicalType: number, physicalType: 'decimal(39,2)'}", "how many digits"),
        ("- {name: a, logicalType: number, physicalType: 'decimal(2,3)'}", "how many digits"),
        (
            "- {name: a, logicalType: number, physicalType: 'decimal(4,2)', logicalTypeOptions: {minimum: 0.001}}",
            "2 dig",
        ),
        ("- {name: a, logicalType: number, physicalType: 'decimal(4,2)', logicalTypeOptions: {format: f64}}", "float"),
        ("- {name: a, logicalType: number, physicalType: 'decimal(4,2)', examples: [1.5]}", "the example is wrong"),
        ("- {name: a, logicalType: integer, examples: [1, x]}", "the example is wrong"),
        (CHOICES.format("integer", "'1'"), "no value of a field that is integer"),
        (CHOICES.format("boolean", "true"), "no value of a field that is boolean"),
        (CHOICES.format("date", "2021-02-29"), "no value of a field that is date"),
        (OBJECT.format("minProperties: 1"), "minProperties"),
        (OBJECT.format("required: [c]"), '"c" is no field'),
    ],
)
def test_what_cannot_be_enforced_is_refused(describe: Describe, properties: str, what: str) -> None:
    violations = refused(describe, properties)
    assert any(what in violation.what for violation in violations), violations
    assert all(FIRST <= int(violation.where.rpartition(":")[2]) <= FIRST + 3 for violation in violations)


@pytest.mark.parametrize(
    ("implementation", "what"),
    [
        ("{sameLenght: [a, b]}", '"sameLenght" is no rule'),
        ("{sameLength: [a, b], less: [c, d]}", "not one name with its operands"),
        ("sameLength", "not one name with its operands"),
        ("{sameLength: a}", "its operands are no list"),
        ("{sameLength: [a]}", "two or more"),
        ("{sameLength: [a, a]}", "stands twice"),
        ("{sameLength: [a, z]}", '"z" is neither a field'),
        ("{sameLength: [a, c]}", "only arrays and strings have a length"),
        ("{less: [c, d, e]}", "it takes two operands"),
        ("{less: [c, e]}", "of one type, not date, integer"),
        ("{less: [f, a]}", "of one type"),
        ("{equal: [a, b]}", "two plain fields"),
        ("{less: [0, 1]}", "neither a field here nor a position"),
        ("{uniqueBy: [a, b]}", "no array of objects"),
        ("{requires: [c, true]}", "neither a field here"),
    ],
)
def test_rules_that_cannot_run_are_refused(describe: Describe, implementation: str, what: str) -> None:
    properties = """\
- {name: a, logicalType: array, items: {logicalType: string}}
- {name: b, logicalType: array, items: {logicalType: string}}
- {name: c, logicalType: integer}
- {name: d, logicalType: integer}
- {name: e, logicalType: date}
- {name: f, logicalType: string}
"""
    quality = f"- {{type: custom, engine: interlock, implementation: {implementation}}}"
    (violation,) = refused(describe, properties, quality=quality)
    assert what in violation.what
    assert violation.where == "thing.odcs.yaml:23"


def test_positions_must_be_sure_to_exist(describe: Describe) -> None:
    properties = """\
- name: pair
  logicalType: array
  logicalTypeOptions: {minItems: 1}
  items: {logicalType: integer}
  quality: [{type: custom, engine: interlock, implementation: {less: [0, 1]}}]
"""
    (violation,) = refused(describe, properties)
    assert "1 is neither a field here nor a position that minItems makes sure of" in violation.what


@pytest.mark.parametrize(
    ("replaced", "by", "what"),
    [
        ("apiVersion: v3.1.0", "apiVersion: v2.2.2", "no version of ODCS that is read"),
        ("apiVersion: v3.1.0\n", "", "apiVersion"),
        ("kind: DataContract", "kind: DataProduct", "DataContract"),
        ("version: 1.0.0", "version: 1.0", "string"),
        ("version: 1.0.0", "version: 1.0.0-rc1", "is no version"),
        ("version: 1.0.0", "version: 01.0.0", "is no version"),
        ("status: active", "status: draft", '"draft" is no status'),
        ("status: active\n", "", "null is no status"),
        ("status: active", "status: deprecated", "does not say when it ends"),
        ("name: thing\nversion", "name: Thing 1\nversion", "is no name"),
        ("role: owner", "role: steward", "no members of the team are its owner"),
        ("kind: DataContract", "kind: DataContract\nbogus: 1", '"bogus" is no key of the standard'),
        (
            "  - name: thing\n",
            "  - {name: other, properties: [{name: b, logicalType: date}]}\n  - name: thing\n",
            "2 objects",
        ),
        ("team:", "team: &anchor", "anchor"),
        ("kind: DataContract", "kind: DataContract\nkind: DataContract", "stands twice"),
        ("kind: DataContract", "kind: [", ""),
    ],
)
def test_the_head_of_a_contract(written: Written, replaced: str, by: str, what: str) -> None:
    text = written(TEXT)
    assert replaced in text
    with pytest.raises(ContractInvalid) as caught:
        parse_contract(text.replace(replaced, by, 1).encode(), "thing.odcs.yaml")
    assert any(what in violation.what for violation in caught.value.violations), caught.value
    assert all(violation.where.startswith("thing.odcs.yaml:") for violation in caught.value.violations)


def test_every_mistake_is_told_with_its_line(describe: Describe) -> None:
    unknown = "- {name: a}\n- {name: b, logicalType: string, nane: c}\n- name: c\n  logicalType: strin"
    assert [int(one.where.rpartition(":")[2]) for one in refused(describe, unknown)] == [FIRST, FIRST + 1, FIRST + 3]
    properties = """\
- {name: a, logicalType: date, examples: [x]}
- {name: b, logicalType: number, physicalType: decimal}
- name: c
  logicalType: string
  logicalTypeOptions:
    pattern: abc
"""
    violations = refused(describe, properties, status="draft", version="1.0.0-a")
    assert [int(one.where.rpartition(":")[2]) for one in violations] == [5, 6, FIRST, FIRST + 1, FIRST + 5]


def test_bytes_that_are_no_contract_are_refused() -> None:
    for data in (b"", b"\xff\xfe", b"- a", b"a: " + b"[" * 500, b"\0", b"a: *x", b"x" * 10**6, b"schema: 5"):
        with pytest.raises(ContractInvalid) as caught:
            parse_contract(data, "x.yaml")
        assert caught.value.violations


def test_the_files_name_says_what_it_holds(tmp_path: Path, written: Written) -> None:
    right, wrong = tmp_path / "thing@1.odcs.yaml", tmp_path / "thing@2.odcs.yaml"
    for path in (right, wrong):
        path.write_text(written(TEXT))
    assert load_contract(right).reference == "thing@1.0.0"
    with pytest.raises(ContractInvalid, match=r"named .* and holds thing@1.0.0"):
        load_contract(wrong)
    with pytest.raises(ContractInvalid, match="cannot be read"):
        load_contract(tmp_path / "absent.odcs.yaml")


def test_contracts_are_equal_by_their_bytes(describe: Describe) -> None:
    assert describe(TEXT) == describe(TEXT)
    assert len({describe(TEXT), describe(TEXT), describe(TEXT, version="1.0.1")}) == 2
    assert describe(TEXT) != "thing@1.0.0"
