"""What a contract demands of many records together: counts, shares and uniqueness. Pure.

The metrics and operators are those of ODCS v3.1, https://bitol-io.github.io/open-data-contract-standard/latest/data-quality/.
Where the standard leaves something open, this is what is meant here:

- a null or absent value is null, and neither missing, invalid nor a duplicate, unless ``missingValues`` lists null;
- a duplicate is a record whose value, or whose values together, an earlier record had; three alike are two duplicates;
- ``mustBeBetween`` leaves out both ends, as the standard says that it equals greater than and less than;
- a share of no records is no share: it breaks nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

import msgspec

from interlock.contracts.shown import Path

ALL_OF_THEM = 100
"""Percent."""


class Metric(StrEnum):
    """What is counted."""

    NULL_VALUES = "nullValues"
    """Records in which the field is absent or null."""
    MISSING_VALUES = "missingValues"
    """Records in which the field has one of the listed values."""
    INVALID_VALUES = "invalidValues"
    """Records in which the field is given, and has none of the listed values or does not match the pattern."""
    DUPLICATE_VALUES = "duplicateValues"
    """Records whose values an earlier record had."""
    ROW_COUNT = "rowCount"
    """Records."""


class Operator(StrEnum):
    """How a count is compared."""

    BE = "mustBe"
    NOT_BE = "mustNotBe"
    GREATER = "mustBeGreaterThan"
    GREATER_OR_EQUAL = "mustBeGreaterOrEqualTo"
    LESS = "mustBeLessThan"
    LESS_OR_EQUAL = "mustBeLessOrEqualTo"
    BETWEEN = "mustBeBetween"
    NOT_BETWEEN = "mustNotBeBetween"


class Limit(msgspec.Struct, frozen=True):
    """What a count, or a share in percent, has to be.

    Attributes:
        operator: How it is compared.
        values: With what: two ends for the operators of a range, else one.
        percent: Whether the share of all records is meant, in percent.
    """

    operator: Operator
    values: tuple[Decimal, ...]
    percent: bool = False

    def holds(self, counted: int, records: int) -> bool:
        """Whether so many of so many records keep it; exact, without a float."""
        if self.percent and not records:
            return True
        share = Fraction(counted * ALL_OF_THEM, records) if self.percent else Fraction(counted)
        return _HOLDS[self.operator](share, [Fraction(value) for value in self.values])

    @property
    def none_at_all(self) -> bool:
        """Whether it demands that nothing is counted, which each record can be held to by itself."""
        first = self.values[0]
        if self.operator is Operator.BE or (self.operator is Operator.LESS_OR_EQUAL and self.percent):
            return first == 0
        if self.operator is Operator.LESS_OR_EQUAL:
            return 0 <= first < 1
        return self.operator is Operator.LESS and not self.percent and 0 < first <= 1

    def impossible(self) -> str:
        """Why nothing could ever keep it; empty if something could."""
        ends = [Fraction(value) for value in self.values]
        if len(ends) > 1 and ends[0] >= ends[1]:
            return "its first end is not below its second"
        # The answer changes only at an end; a share may lie anywhere between, a number of records is whole.
        near = {Fraction(0), Fraction(ALL_OF_THEM)}
        for end in ends:
            near |= {end, end / 2, (end + ALL_OF_THEM) / 2, Fraction(sum(ends)) / 2}
            near |= set() if self.percent else {Fraction(math.floor(end) + step) for step in (-1, 0, 1)}
        able = [one for one in near if one >= 0 and (one <= ALL_OF_THEM if self.percent else one.denominator == 1)]
        if any(_HOLDS[self.operator](one, ends) for one in able):
            return ""
        return f"no {'share' if self.percent else 'number of records'} can be that"

    def __str__(self) -> str:
        unit = " %" if self.percent else ""
        return f"{_WORDS[self.operator]} {' and '.join(f'{value:f}{unit}' for value in self.values)}"


_HOLDS: dict[Operator, Callable[[Fraction, list[Fraction]], bool]] = {
    Operator.BE: lambda it, ends: it == ends[0],
    Operator.NOT_BE: lambda it, ends: it != ends[0],
    Operator.GREATER: lambda it, ends: it > ends[0],
    Operator.GREATER_OR_EQUAL: lambda it, ends: it >= ends[0],
    Operator.LESS: lambda it, ends: it < ends[0],
    Operator.LESS_OR_EQUAL: lambda it, ends: it <= ends[0],
    Operator.BETWEEN: lambda it, ends: ends[0] < it < ends[1],
    Operator.NOT_BETWEEN: lambda it, ends: not ends[0] < it < ends[1],
}
_WORDS = {
    Operator.BE: "exactly",
    Operator.NOT_BE: "anything but",
    Operator.GREATER: "more than",
    Operator.GREATER_OR_EQUAL: "at least",
    Operator.LESS: "less than",
    Operator.LESS_OR_EQUAL: "at most",
    Operator.BETWEEN: "strictly between",
    Operator.NOT_BETWEEN: "not strictly between",
}


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """One demand on many records together.

    Attributes:
        name: What violations are counted by.
        metric: What is counted.
        limit: What the count or share has to be.
        at: The path of the field, or of the object whose fields are compared; without items of arrays.
        fields: For duplicates, the fields of the object that are compared together; empty for the field itself.
        listed: The values that count as missing, or the only valid ones; may hold None.
        pattern: What valid text matches, anchored; for invalid values.
        description: In words.
    """

    name: str
    metric: Metric
    limit: Limit
    at: Path = ()
    fields: tuple[str, ...] = ()
    listed: tuple[str | int | bool | None, ...] = ()
    pattern: str | None = None
    description: str = ""

    @property
    def unique(self) -> bool:
        """Whether no two records may agree: then the later one of two breaks it, and not the batch."""
        return self.metric is Metric.DUPLICATE_VALUES and self.limit.none_at_all

    @property
    def paths(self) -> tuple[Path, ...]:
        """The fields that it looks at."""
        return tuple((*self.at, name) for name in self.fields) or (self.at,)
