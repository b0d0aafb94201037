"""A contract as polars expressions: which rows of a table surely keep it, thousands at a time. Pure.

It only ever says yes where ``check`` would find nothing (tests/property/test_vectorised.py). A no means: look at this
row with ``check``, which has the words. What an expression could judge in another way than the contract's own validator
(patterns with classes, e-mail addresses, ranges of moments) is asked of that validator, value by value.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec
import polars as pl

from interlock.contracts.compile import Compiled
from interlock.contracts.contract import Bound, Contract, Field, RuleKind, Shape
from interlock.contracts.exact import MOST_DIGITS
from interlock.contracts.pattern import whole
from interlock.contracts.rules import rule_violations

TEXTS = frozenset({Shape.STRING, Shape.DECIMAL, Shape.DATE, Shape.TIMESTAMP, Shape.TIME})
"""The shapes whose values are JSON strings, and so columns of text."""
_KNOWN_RULES = frozenset(RuleKind)
_DAY = r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
_HOUR = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?"
_OFFSET = r"(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
_SPECIAL = re.compile(r"\\[^.\-+*?()\[\]{}|^$/\\]|\(\?|\[\[|\[:|&&|--|~~|\.")
"""What two dialects of regular expressions could read differently."""
_INT64 = (Decimal(-(2**63)), Decimal(2**63 - 1))


class Vectorised:
    """The quick form of one contract; ``vectorised`` makes one.

    Args:
        contract: The contract; its record is an object.
    """

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self._required = {field.name for field in contract.record.fields if field.required}
        self._fields = {field.name: field for field in contract.record.fields}

    def accepted(self, frame: pl.DataFrame, rows: Sequence[Mapping[str, Any]]) -> list[bool]:
        """For each row, whether it surely keeps the contract.

        Args:
            frame: Columns of the record's fields as JSON would hold them: text, whole numbers, floats, booleans. A null
                is a value that is not there. A column of another type accepts only its nulls.
            rows: The same rows as records, for the rules between fields.
        """
        if set(frame.columns) - set(self._fields) or self._required - set(frame.columns):
            return [False] * frame.height
        shaped = self._shaped(frame)
        if not self.contract.rules:
            return shaped
        return [good and self._keeps_rules(row) for good, row in zip(shaped, rows, strict=True)]

    def _shaped(self, frame: pl.DataFrame) -> list[bool]:
        exprs: list[pl.Expr] = []
        asked: list[list[bool]] = []
        for name in frame.columns:
            field = self._fields[name]
            exprs.append(_accepts(field, frame.schema[name]))
            ask = _by_value(self.contract, field)
            if ask is not None:
                asked.append([value is None or ask(value) for value in frame[name].to_list()])
        if not exprs:
            return [not self._required] * frame.height
        found = frame.select(pl.all_horizontal(exprs).fill_null(value=False).alias("accepted"))["accepted"].to_list()
        return [all(verdicts) for verdicts in zip(found, *asked, strict=True)] if asked else found

    def _keeps_rules(self, row: Mapping[str, Any]) -> bool:
        record = self.contract.record
        return not any(True for rule in self.contract.rules for _ in rule_violations(rule, record, row))


@functools.lru_cache(maxsize=256)
def vectorised(contract: Contract) -> Vectorised | None:
    """The quick form of a contract; None if no row of a table could be accepted by it."""
    nested = any(field.required and field.shape in (Shape.OBJECT, Shape.ARRAY) for field in contract.record.fields)
    if nested or any(rule.kind not in _KNOWN_RULES for rule in contract.rules):
        return None
    return Vectorised(contract)


def _accepts(field: Field, dtype: pl.DataType) -> pl.Expr:
    """Whether each value of a column keeps its field, beside what ``_by_value`` asks."""
    column = pl.col(field.name)
    missing = column.is_not_null() if field.required else None
    if not _fits(field.shape, dtype):
        return pl.lit(value=False) if field.required else column.is_null()
    conditions = [condition.fill_null(value=not field.required) for condition in _conditions(field, column, dtype)]
    return pl.all_horizontal([*conditions, *([] if missing is None else [missing])] or [pl.lit(value=True)])


def _fits(shape: Shape, dtype: pl.DataType) -> bool:
    if shape in TEXTS:
        return dtype == pl.String()
    if shape is Shape.INTEGER:
        return dtype.is_integer()
    if shape is Shape.NUMBER:
        return dtype in (pl.Float64(), pl.Float32()) or dtype.is_integer()
    return shape is Shape.BOOLEAN and dtype == pl.Boolean()


def _conditions(field: Field, column: pl.Expr, dtype: pl.DataType) -> Iterator[pl.Expr]:
    if field.shape is Shape.STRING:
        yield from _text(field, column)
    elif field.shape is Shape.DECIMAL:
        yield from _decimal(field, column)
    elif field.shape in TEXTS:
        yield from _moment(field, column)
    elif field.shape is not Shape.BOOLEAN:
        yield from _number(field, column, dtype)
    if field.choices:
        yield column.is_in(list(field.choices))


def _text(field: Field, column: pl.Expr) -> Iterator[pl.Expr]:
    yield ~column.str.contains("\0", literal=True)
    if field.min_length is not None:
        yield column.str.len_chars() >= field.min_length
    if field.max_length is not None:
        yield column.str.len_chars() <= field.max_length
    if field.pattern is not None and _is_plain(field.pattern):
        yield column.str.contains(whole(field.pattern))


def _decimal(field: Field, column: pl.Expr) -> Iterator[pl.Expr]:
    decimals = field.decimals or 0
    wholes = min((field.digits or MOST_DIGITS) - decimals, MOST_DIGITS - decimals)
    before = f"(?:0|[1-9][0-9]{{0,{wholes - 1}}})" if wholes > 0 else "0"
    after = rf"(?:\.[0-9]{{1,{decimals}}})?" if decimals else ""
    yield column.str.contains(f"^-?{before}{after}$")
    value = column.cast(pl.Decimal(MOST_DIGITS, decimals), strict=False)
    yield ~(column.str.starts_with("-") & (value == pl.lit(Decimal(0))))
    most = Decimal(10) ** (MOST_DIGITS - decimals)
    for bound, is_low in ((field.low, True), (field.high, False)):
        if bound is None or not isinstance(bound.value, Decimal):
            continue
        if abs(bound.value) < most:
            yield _compare(value, bound, pl.lit(bound.value), is_low=is_low)
        else:  # beyond all that the column can hold
            yield pl.lit(value=is_low is (bound.value < 0))


def _moment(field: Field, column: pl.Expr) -> Iterator[pl.Expr]:
    form = {Shape.DATE: _DAY, Shape.TIME: _HOUR, Shape.TIMESTAMP: f"{_DAY}T{_HOUR}{_OFFSET}"}[field.shape]
    yield column.str.contains(f"^{form}$")
    if field.shape is not Shape.TIME:
        day = column.str.slice(0, 10)
        yield column.is_null() | day.str.to_date("%Y-%m-%d", strict=False).is_not_null()
        # years that stay in range whatever the offset
        yield (day >= "0002-01-01") & (day <= "9998-12-31")
    if field.shape is Shape.DATE:  # ISO dates sort as text
        for bound, is_low in ((field.low, True), (field.high, False)):
            if bound is not None:
                yield _compare(column, bound, pl.lit(str(bound.value)), is_low=is_low)


def _number(field: Field, column: pl.Expr, dtype: pl.DataType) -> Iterator[pl.Expr]:
    is_whole = dtype.is_integer()
    if not is_whole:
        yield column.is_finite()
    for bound, is_low in ((field.low, True), (field.high, False)):
        if bound is None or not isinstance(bound.value, Decimal):
            continue
        if is_whole and bound.value == bound.value.to_integral_value():
            end = min(max(bound.value, _INT64[0] - 1), _INT64[1] + 1)
            yield _compare(column.cast(pl.Int128), bound, pl.lit(int(end), dtype=pl.Int128), is_low=is_low)
        else:
            yield _compare(column.cast(pl.Float64), bound, pl.lit(float(bound.value)), is_low=is_low)
    if is_whole:  # as far as a comparison with a double is exact, or 64 bits; others are looked at one by one
        most = 2**53 if field.shape is Shape.NUMBER else 2**63 - 1
        yield column.cast(pl.Int128).is_between(pl.lit(-most, dtype=pl.Int128), pl.lit(most, dtype=pl.Int128))
    if field.multiple_of is not None and is_whole:
        yield column.cast(pl.Int128) % pl.lit(int(field.multiple_of), dtype=pl.Int128) == pl.lit(0, dtype=pl.Int128)


def _compare(value: pl.Expr, bound: Bound, end: pl.Expr, *, is_low: bool) -> pl.Expr:
    if is_low:
        return value > end if bound.exclusive else value >= end
    return value < end if bound.exclusive else value <= end


def _is_plain(pattern: str) -> bool:
    return _SPECIAL.search(pattern) is None and pattern.isascii()


def _by_value(contract: Contract, field: Field) -> Callable[[Any], bool] | None:
    """The contract's own validator for one field, where an expression might judge in another way; else None."""
    ranged = field.low is not None or field.high is not None
    hard = (
        (field.pattern is not None and not _is_plain(field.pattern))
        or field.text_format is not None
        or bool(field.missing)
        or (field.shape in (Shape.TIMESTAMP, Shape.TIME) and ranged)
        or (field.shape is Shape.DECIMAL and field.multiple_of is not None)
    )
    return _validator(contract, field.name) if hard else None


@functools.lru_cache(maxsize=4096)
def _validator(contract: Contract, name: str) -> Callable[[Any], bool]:
    field = next(field for field in contract.record.fields if field.name == name)
    alone = msgspec.structs.replace(contract.record, fields=(field,))
    compiled = Compiled(dataclasses.replace(contract, record=alone, rules=()))
    return lambda value: compiled.accepts({name: value})
