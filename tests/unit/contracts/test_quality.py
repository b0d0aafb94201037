"""The library metrics of ODCS: what becomes a limit of each record, what a measure of many, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from interlock.contracts import Contract, Party, check, compatible
from interlock.contracts.measure import Limit, Metric, Operator
from interlock.errors import ContractInvalid

Describe = Callable[..., Contract]
FIELDS = """\
- name: a
  logicalType: string
  quality: [{rule}]
- {{name: b, logicalType: integer}}
- {{name: c, logicalType: array, items: {{logicalType: string, quality: [{items}]}}}}
"""
VALID = "{metric: nullValues, mustBeLessThan: 5, unit: percent}"


def described(describe: Describe, rule: str, items: str = "", quality: str = "") -> Contract:
    return describe(FIELDS.format(rule=rule, items=items), quality=quality)


@pytest.mark.parametrize(
    ("rule", "kept", "broken", "named"),
    [
        ("{metric: nullValues, mustBe: 0}", {"a": ""}, {"a": None}, "type"),
        ("{metric: nullValues, mustBe: 0}", {"a": ""}, {}, "required"),
        ("{type: library, metric: nullValues, mustBeLessThan: 1, unit: rows}", {"a": ""}, {}, "required"),
        ("{metric: nullValues, mustBeLessOrEqualTo: 0, unit: percent}", {"a": ""}, {}, "required"),
        (
            "{metric: missingValues, mustBe: 0, arguments: {missingValues: ['', N/A]}}",
            {"a": None},
            {"a": "N/A"},
            "missingValues",
        ),
        (
            "{metric: missingValues, mustBe: 0, arguments: {missingValues: [null, '-']}}",
            {"a": "x"},
            {"a": None},
            "type",
        ),
        ("{metric: invalidValues, mustBe: 0, arguments: {validValues: [x, null]}}", {"a": None}, {"a": "y"}, "enum"),
        (
            "{metric: invalidValues, mustBeLessThan: 1, arguments: {validValues: [x]}}",
            {"a": "x"},
            {"a": "y"},
            "enum",
        ),
        ("{metric: invalidValues, mustBe: 0, arguments: {pattern: '^x+$'}}", {"a": "xx"}, {"a": "xy"}, "pattern"),
    ],
)
def test_what_must_be_nothing_holds_for_each_record(
    describe: Describe, rule: str, kept: dict[str, object], broken: dict[str, object], named: str
) -> None:
    contract = described(describe, rule)
    assert contract.measures == ()
    assert contract.not_enforced == ()
    assert check(contract, kept) == ()
    assert [violation.rule for violation in check(contract, broken)] == [named]


def test_one_is_not_true_where_a_value_stands_for_none(describe: Describe) -> None:
    contract = describe(
        "- {name: a, logicalType: integer, quality: [{metric: missingValues, mustBe: 0,"
        " arguments: {missingValues: [true, 7]}}]}"
    )
    assert check(contract, {"a": 1}) == ()
    assert [violation.rule for violation in check(contract, {"a": 7})] == ["missingValues"]


@pytest.mark.parametrize(
    ("rule", "metric", "limit"),
    [
        (VALID, Metric.NULL_VALUES, Limit(Operator.LESS, (Decimal(5),), percent=True)),
        (
            "{metric: missingValues, arguments: {missingValues: ['']}, mustBeLessOrEqualTo: 0.1, unit: percent}",
            Metric.MISSING_VALUES,
            Limit(Operator.LESS_OR_EQUAL, (Decimal("0.1"),), percent=True),
        ),
        (
            "{metric: duplicateValues, mustBeBetween: [1, 10]}",
            Metric.DUPLICATE_VALUES,
            Limit(Operator.BETWEEN, (Decimal(1), Decimal(10))),
        ),
    ],
)
def test_anything_else_is_measured_over_many(describe: Describe, rule: str, metric: Metric, limit: Limit) -> None:
    (measure,) = described(describe, rule).measures
    assert (measure.metric, measure.limit, measure.at) == (metric, limit, ("a",))


def test_uniqueness_and_keys_are_measures(describe: Describe) -> None:
    contract = describe(
        """\
- {name: a, logicalType: string, unique: true}
- {name: b, logicalType: string, primaryKey: true, primaryKeyPosition: 1}
- {name: c, logicalType: date, primaryKey: true, primaryKeyPosition: 2}
""",
        quality="- {metric: duplicateValues, mustBe: 0, arguments: {properties: [a, c]}}\n"
        "- {name: enough, metric: rowCount, mustBeGreaterThan: 10}",
    )
    assert contract.not_enforced == ()
    assert [(one.name, one.unique, one.paths) for one in contract.measures] == [
        ("primaryKey", True, (("b",), ("c",))),
        ("unique", True, (("a",),)),
        ("duplicateValues", True, (("a",), ("c",))),
        ("enough", False, ((),)),
    ]


@pytest.mark.parametrize(
    ("rule", "what"),
    [
        ("{metric: nullValues, mustBe: 0, unit: kg}", "neither rows nor percent"),
        ("{metric: nullValues, mustBe: none}", "not with"),
        ("{metric: nullValues, mustBe: true}", "not with"),
        ("{metric: nullValues, mustBe: -1}", "can never hold"),
        ("{metric: nullValues, mustBe: 1.5}", "can never hold"),
        ("{metric: nullValues, mustBeLessThan: 0}", "can never hold"),
        ("{metric: nullValues, mustBeGreaterThan: 100, unit: percent}", "can never hold"),
        ("{metric: nullValues, mustBeBetween: [5, 4]}", "not below"),
        ("{metric: nullValues, mustBeBetween: [4, 5]}", "can never hold"),
        ("{metric: nullValues, mustBe: 0, arguments: {nulls: [x]}}", "no argument"),
        ("{metric: missingValues, mustBe: 0}", "no list of values"),
        ("{metric: missingValues, mustBe: 0, arguments: {missingValues: [1.5]}}", "neither text"),
        ("{metric: invalidValues, mustBe: 0}", "either validValues or a pattern"),
        ("{metric: invalidValues, mustBe: 0, arguments: {pattern: 'x'}}", "both ends"),
        ("{metric: invalidValues, mustBe: 0, arguments: {pattern: '^(a+)\\1$'}}", "linear time"),
        ("{metric: rowCount, mustBe: 5}", "measured on the object"),
        ("{metric: duplicateValues, mustBe: 0, arguments: {properties: [a]}}", "measured on the object"),
    ],
)
def test_a_metric_that_cannot_be_measured_is_refused(describe: Describe, rule: str, what: str) -> None:
    with pytest.raises(ContractInvalid) as caught:
        described(describe, rule)
    assert any(what in violation.what for violation in caught.value.violations), caught.value.violations
    assert all(violation.where == "thing.odcs.yaml:17" for violation in caught.value.violations)


@pytest.mark.parametrize(
    ("quality", "what"),
    [
        ("- {metric: nullValues, mustBe: 0}", "measured on a field"),
        ("- {metric: duplicateValues, mustBe: 0}", "measured on a field"),
        ("- {metric: duplicateValues, mustBe: 0, arguments: {properties: [a, a]}}", "stands twice"),
        ("- {metric: duplicateValues, mustBe: 0, arguments: {properties: [c]}}", "no plain field"),
        ("- {metric: duplicateValues, mustBe: 0, arguments: {properties: [z]}}", "no plain field"),
        ("- {metric: duplicateValues, mustBe: 0, arguments: {properties: a}}", "no list of fields"),
    ],
)
def test_a_metric_of_the_object_that_cannot_be_measured_is_refused(describe: Describe, quality: str, what: str) -> None:
    with pytest.raises(ContractInvalid) as caught:
        described(describe, VALID, quality=quality)
    assert any(what in violation.what for violation in caught.value.violations), caught.value.violations


def test_items_of_arrays_are_no_records(describe: Describe) -> None:
    contract = described(describe, VALID, items=VALID)
    assert contract.not_enforced == ("/c/*: quality rule nullValues: the items of an array are no records to count",)
    with pytest.raises(ContractInvalid, match=r"uniqueBy"):
        described(describe, VALID, items="{metric: duplicateValues, mustBe: 0}")


def test_two_patterns_are_not_joined_by_guessing(describe: Describe) -> None:
    with pytest.raises(ContractInvalid, match="another pattern already"):
        describe(
            "- {name: a, logicalType: string, logicalTypeOptions: {pattern: '^a$'},"
            " quality: [{metric: invalidValues, mustBe: 0, arguments: {pattern: '^b$'}}]}"
        )


def test_a_new_demand_on_many_records_breaks_producers_and_one_less_consumers(describe: Describe) -> None:
    old, new = described(describe, VALID), described(describe, VALID.replace("5", "4"))
    assert [one.breaks for one in compatible(old, new)] == [Party.PRODUCERS, Party.CONSUMERS]
    assert compatible(old, described(describe, VALID.replace("{", "{description: other words, "))) == ()
    strict = described(describe, "{metric: missingValues, mustBe: 0, arguments: {missingValues: [x]}}")
    loose = described(describe, "{metric: missingValues, mustBe: 0, arguments: {missingValues: [y]}}")
    assert [one.breaks for one in compatible(strict, loose)] == [Party.PRODUCERS, Party.CONSUMERS]


@pytest.mark.parametrize(
    ("operator", "values", "keeping", "breaking"),
    [
        (Operator.BE, "5", 5, 4),
        (Operator.NOT_BE, "5", 4, 5),
        (Operator.GREATER, "5", 6, 5),
        (Operator.GREATER_OR_EQUAL, "5", 5, 4),
        (Operator.LESS, "5", 4, 5),
        (Operator.LESS_OR_EQUAL, "5", 5, 6),
        (Operator.BETWEEN, "5 8", 6, 5),
        (Operator.BETWEEN, "5 8", 7, 8),
        (Operator.NOT_BETWEEN, "5 8", 5, 6),
    ],
)
def test_limits_are_exact_at_their_ends(operator: Operator, values: str, keeping: int, breaking: int) -> None:
    ends = tuple(map(Decimal, values.split()))
    rows, share = Limit(operator, ends), Limit(operator, ends, percent=True)
    assert rows.holds(keeping, 10)
    assert not rows.holds(breaking, 10)
    assert share.holds(keeping * 10**20, 100 * 10**20)
    assert not share.holds(breaking * 10**20, 100 * 10**20)
    assert share.holds(0, 0)


def test_a_tenth_of_a_percent_is_no_rounded_number() -> None:
    share = Limit(Operator.LESS_OR_EQUAL, (Decimal("0.1"),), percent=True)
    assert share.holds(1, 1000)
    assert not share.holds(10**17 + 1, 10**20)
