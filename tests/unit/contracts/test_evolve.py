"""What a new version of a contract breaks, and for whom."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from interlock.contracts import Contract, Party, compatible, publishable
from interlock.errors import ContractInvalid

Describe = Callable[..., Contract]
P, C = Party.PRODUCERS, Party.CONSUMERS


def options(shape: str, options: str) -> str:
    return f"- {{name: a, logicalType: {shape}, logicalTypeOptions: {{{options}}}}}"


def choices(values: str) -> str:
    return (
        "- {name: a, logicalType: string, "
        f"quality: [{{metric: invalidValues, arguments: {{validValues: {values}}}, mustBe: 0}}]}}"
    )


TEXT = "- {name: a, logicalType: string}"
AMOUNT = "- {{name: a, logicalType: number, physicalType: 'decimal({0})'}}"
LIST = "- {{name: a, logicalType: array, items: {{logicalType: integer, logicalTypeOptions: {{{0}}}}}}}"


@pytest.mark.parametrize(
    ("old", "new", "breaks"),
    [
        (TEXT, TEXT, []),
        (TEXT, "- {name: a, logicalType: string, description: now in words}", []),
        (TEXT, TEXT + "\n- {name: b, logicalType: string}", []),
        (TEXT, TEXT + "\n- {name: b, logicalType: string, required: true}", [("/b", P)]),
        (TEXT + "\n- {name: b, logicalType: string}", TEXT, [("/b", P), ("/b", C)]),
        (TEXT, "- {name: a, logicalType: string, required: true}", [("/a", P)]),
        ("- {name: a, logicalType: string, required: true}", TEXT, [("/a", C)]),
        (TEXT, "- {name: a, logicalType: integer}", [("/a", P), ("/a", C)]),
        ("- {name: a, logicalType: integer}", "- {name: a, logicalType: number}", [("/a", C)]),
        ("- {name: a, logicalType: number}", "- {name: a, logicalType: integer}", [("/a", P)]),
        ("- {name: a, logicalType: number}", AMOUNT.format("6,2"), [("/a", P), ("/a", C)]),
        (TEXT, options("string", "maxLength: 5"), [("/a", P)]),
        (options("string", "maxLength: 5"), options("string", "maxLength: 6"), [("/a", C)]),
        (options("string", "minLength: 5"), options("string", "minLength: 6"), [("/a", P)]),
        (options("string", "minLength: 5"), TEXT, [("/a", C)]),
        (TEXT, options("string", "pattern: ^a$"), [("/a", P)]),
        (options("string", "pattern: ^a$"), options("string", "pattern: ^b$"), [("/a", P), ("/a", C)]),
        (options("string", "format: email"), TEXT, [("/a", C)]),
        (options("integer", "minimum: 1"), options("integer", "minimum: 2"), [("/a", P)]),
        (options("integer", "minimum: 1"), options("integer", "exclusiveMinimum: 1"), [("/a", P)]),
        (options("integer", "maximum: 1"), options("integer", "exclusiveMaximum: 1"), [("/a", P)]),
        (options("integer", "maximum: 1"), options("integer", "maximum: 2"), [("/a", C)]),
        (
            options("integer", "minimum: 1, maximum: 5"),
            options("integer", "minimum: 2, maximum: 6"),
            [("/a", P), ("/a", C)],
        ),
        (options("date", "minimum: 2020-01-01"), options("date", "minimum: 2019-01-01"), [("/a", C)]),
        (options("integer", "format: i8"), options("integer", "format: i16"), [("/a", C)]),
        (options("integer", "multipleOf: 2"), options("integer", "multipleOf: 4"), [("/a", P)]),
        (options("integer", "multipleOf: 4"), options("integer", "multipleOf: 2"), [("/a", C)]),
        (options("integer", "multipleOf: 4"), options("integer", "multipleOf: 6"), [("/a", P), ("/a", C)]),
        (options("integer", ""), options("integer", "multipleOf: 6"), [("/a", P)]),
        (AMOUNT.format("6,2"), AMOUNT.format("8,2"), [("/a", C)]),
        (AMOUNT.format("6,2"), AMOUNT.format("5,2"), [("/a", P)]),
        # One digit more after the point, at the cost of one before it.
        (AMOUNT.format("6,2"), AMOUNT.format("6,3"), [("/a", P), ("/a", C)]),
        (choices("[x, y]"), choices("[y, x]"), []),
        (choices("[x, y]"), choices("[x]"), [("/a", P)]),
        (choices("[x]"), choices("[x, y]"), [("/a", C)]),
        (choices("[x]"), choices("[y]"), [("/a", P), ("/a", C)]),
        (TEXT, choices("[x]"), [("/a", P)]),
        (choices("[x]"), TEXT, [("/a", C)]),
        (LIST.format("minimum: 1"), LIST.format("minimum: 0"), [("/a/*", C)]),
    ],
)
def test_each_change_breaks_whom_it_breaks(
    describe: Describe, old: str, new: str, breaks: list[tuple[str, Party]]
) -> None:
    found = compatible(describe(old), describe(new, version="1.1.0"))
    assert [(one.where, one.breaks) for one in found] == breaks
    assert all(one.what for one in found)


@pytest.mark.parametrize(("limit", "less"), [("minItems", P), ("maxItems", C)])
def test_sizes_of_arrays(describe: Describe, limit: str, less: Party) -> None:
    text = "- {{name: a, logicalType: array, logicalTypeOptions: {{{0}: {1}}}, items: {{logicalType: date}}}}"
    old, new = describe(text.format(limit, 5)), describe(text.format(limit, 6), version="2.0.0")
    assert [one.breaks for one in compatible(old, new)] == [less]
    assert [one.breaks for one in compatible(new, old)] == [P if less is C else C]


def test_uniqueness_of_items(describe: Describe) -> None:
    text = "- {{name: a, logicalType: array, logicalTypeOptions: {{uniqueItems: {0}}}, items: {{logicalType: date}}}}"
    loose, strict = describe(text.format("false")), describe(text.format("true"))
    assert [one.breaks for one in compatible(loose, strict)] == [P]
    assert [one.breaks for one in compatible(strict, loose)] == [C]


def test_rules_between_fields(describe: Describe) -> None:
    properties = "- {name: a, logicalType: date}\n- {name: b, logicalType: date}"
    quality = "- {type: custom, engine: interlock, implementation: {less: [a, b]}}"
    loose, strict = describe(properties), describe(properties, quality=quality)
    assert [one.breaks for one in compatible(loose, strict)] == [P]
    assert [one.breaks for one in compatible(strict, loose)] == [C]
    assert compatible(strict, describe(properties, quality=quality, version="1.0.1")) == ()


def test_a_breaking_change_needs_a_major_version(describe: Describe) -> None:
    old, required = describe(TEXT), "- {name: a, logicalType: integer, required: true}"
    with pytest.raises(ContractInvalid) as caught:
        publishable(old, describe(required, version="1.1.0"))
    assert [(one.where, one.rule) for one in caught.value.violations] == [
        ("/a", "breaks-producers"),
        ("/a", "breaks-producers"),
        ("/a", "breaks-consumers"),
    ]
    assert "it was string and is integer" in str(caught.value)
    assert "make it thing@2.0.0" in str(caught.value)
    assert len(publishable(old, describe(required, version="2.0.0"))) == 3
    assert publishable(old, describe(TEXT, version="1.0.1")) == ()


def test_versions_only_go_up_and_names_stay(describe: Describe) -> None:
    with pytest.raises(ContractInvalid, match=r"1\.9\.0 does not come after 1\.10\.0"):
        publishable(describe(TEXT, version="1.10.0"), describe(TEXT, version="1.9.0"))
    with pytest.raises(ContractInvalid, match="does not come after"):
        publishable(describe(TEXT), describe(TEXT + "\n- {name: b, logicalType: date}"))
    other = describe(TEXT, version="2.0.0", extra="")
    object.__setattr__(other, "name", "other")
    with pytest.raises(ContractInvalid, match="its name is another"):
        publishable(describe(TEXT), other)
