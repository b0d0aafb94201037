"""From the columns of a table to JSON values, with no value changed on the way. Pure.

A column becomes a typed series whose nulls are values that are not there, and a few odd ones: values that do not fit
the type, kept as they came, so that the contract refuses them in its own words. Nothing is guessed from the values:
what a cell of CSV becomes depends on the contract's field alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, cast

import polars as pl

from interlock.contracts import Field, Shape, read_json
from interlock.errors import MalformedJson

_WHOLE = r"^-?(?:0|[1-9][0-9]*)$"
_NUMBER = r"^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$"
_MOST_DIGITS = 15
"""So many digits a double surely holds."""
_NESTED = frozenset({Shape.OBJECT, Shape.ARRAY})


@dataclass(frozen=True, slots=True)
class Column:
    """One column as JSON values.

    Attributes:
        values: Those of the column's one type; null where there is none, or an odd one.
        odd: By position, those of another type.
    """

    values: pl.Series
    odd: dict[int, Any] = field(default_factory=dict[int, Any])

    def listed(self) -> list[Any]:
        """All values in order; None where there is none."""
        values: list[Any] = self.values.to_list()
        for place, value in self.odd.items():
            values[place] = value
        return values


def text_column(name: str, texts: Sequence[str | None], declared: Field | None) -> Column:
    """A column of CSV.

    Text, decimals, dates and times stay as they stand. A whole number, a number, true or false becomes one where its
    text is exactly how JSON writes it; objects and arrays stand as JSON in their cell. Any other text stays text.

    Args:
        name: The column's name.
        texts: Its cells; None for an empty one.
        declared: What the contract says about it; None if there is no contract.
    """
    series = pl.Series(name, texts, dtype=pl.String())
    if declared is None or declared.shape not in _READ:
        return Column(series)
    if declared.shape in _NESTED:
        read = {place: _from_json(text) for place, text in enumerate(texts) if text is not None}
        return Column(pl.Series(name, [None] * len(texts), dtype=pl.Null()), read)
    values = _READ[declared.shape](series)
    lost: list[int] = (values.is_null() & series.is_not_null()).arg_true().to_list()
    return Column(values, {place: _odd(texts[place], declared.shape) for place in lost})


def _whole(texts: pl.Series) -> pl.Series:
    return _where(texts, _WHOLE, pl.col(texts.name).cast(pl.Int64, strict=False))


def _number(texts: pl.Series) -> pl.Series:
    value = pl.col(texts.name).cast(pl.Float64, strict=False)
    digits = pl.col(texts.name).str.count_matches("[0-9]")
    exact = (digits <= _MOST_DIGITS) | pl.col(texts.name).str.contains("[.eE]")
    # what is too large is infinite, and what is too small is zero: neither is the number that was written
    lost = value.is_infinite() | ((value == 0) & pl.col(texts.name).str.contains("^-?[0.]*[1-9]"))
    return _where(texts, _NUMBER, pl.when(exact & ~lost).then(value))


def _boolean(texts: pl.Series) -> pl.Series:
    return _where(texts, "^(?:true|false)$", pl.col(texts.name) == "true")


def _where(texts: pl.Series, pattern: str, value: pl.Expr) -> pl.Series:
    name = texts.name
    return texts.to_frame().select(pl.when(pl.col(name).str.contains(pattern)).then(value).alias(name)).to_series()


_READ: dict[Shape, Callable[[pl.Series], pl.Series]] = {
    Shape.INTEGER: _whole,
    Shape.NUMBER: _number,
    Shape.BOOLEAN: _boolean,
    Shape.OBJECT: lambda texts: texts,
    Shape.ARRAY: lambda texts: texts,
}


def _odd(text: str | None, shape: Shape) -> Any:
    """A whole number that is too large for a column becomes one all the same; anything else stays text."""
    if text is None or shape is Shape.BOOLEAN:
        return text
    value = _from_json(text)
    return value if isinstance(value, int) and not isinstance(value, bool) else text


def _from_json(text: str) -> Any:
    try:
        return read_json(text.encode())
    except (MalformedJson, UnicodeEncodeError):
        return text


def typed_column(series: pl.Series, declared: Field | None) -> Column:
    """A column of Parquet or of a query.

    Decimals, dates and times become the texts that JSON carries them in: a moment with a time zone in UTC with ``Z``,
    one without stays without, and the contract refuses it. A whole number becomes a decimal where the contract wants
    one; a float never does. What is no JSON number (NaN, infinity) stays as its text.
    """
    dtype = series.dtype
    if dtype.is_float():
        wrong: list[int] = (series.is_nan() | series.is_infinite()).fill_null(value=False).arg_true().to_list()
        return Column(series.cast(pl.Float64), {place: _no_number(series[place]) for place in wrong})
    if dtype.is_nested():
        values = [None if value is None else _plain(value) for value in series.to_list()]
        odd = {place: value for place, value in enumerate(values) if value is not None}
        return Column(pl.Series(series.name, [None] * len(values), dtype=pl.Null()), odd)
    wants_decimal = declared is not None and declared.shape is Shape.DECIMAL
    return Column(_as_text(series) if wants_decimal or not _is_json(dtype) else series)


def _is_json(dtype: pl.DataType) -> bool:
    return dtype.is_integer() or dtype in (pl.String(), pl.Boolean(), pl.Null())


def _as_text(series: pl.Series) -> pl.Series:
    """Decimals, dates, times and names of categories as text; what is JSON already and no number stays."""
    dtype = series.dtype
    if isinstance(dtype, pl.Datetime):
        zoned = dtype.time_zone is not None
        moment = series.dt.convert_time_zone("UTC") if zoned else series
        return moment.dt.strftime("%Y-%m-%dT%H:%M:%S%.f" + ("Z" if zoned else ""))
    if dtype == pl.Date():
        return series.dt.strftime("%Y-%m-%d")
    if dtype == pl.Time():
        return series.dt.strftime("%H:%M:%S%.f")
    return series if dtype in (pl.Boolean(), pl.Null()) else series.cast(pl.String())


def _no_number(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def unreadable(dtype: pl.DataType) -> bool:
    """Whether a column of this type holds what is no JSON."""
    if isinstance(dtype, (pl.List, pl.Array)):
        return unreadable(cast("pl.DataType", dtype.inner))
    if isinstance(dtype, pl.Struct):
        return any(unreadable(cast("pl.DataType", inner.dtype)) for inner in dtype.fields)
    return isinstance(dtype, (pl.Binary, pl.Duration, pl.Object, pl.Unknown))


def _plain(value: Any) -> Any:
    """A nested value as JSON; what is null in an object is left out."""
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        return {name: _plain(inner) for name, inner in fields.items() if inner is not None}
    if isinstance(value, (list, pl.Series)):
        return [None if inner is None else _plain(inner) for inner in cast("Sequence[Any]", value)]
    return plain_scalar(value)


def plain_scalar(value: Any) -> Any:
    """One Python value as JSON has it."""
    if isinstance(value, float):
        return value if math.isfinite(value) else _no_number(value)
    if isinstance(value, Decimal):
        return format(value, "f") if value.is_finite() else str(value)
    if isinstance(value, datetime):
        text = value.isoformat()
        return text.replace("+00:00", "Z") if text.endswith("+00:00") else text
    if isinstance(value, (date, time)):
        return value.isoformat()
    return value


def records(columns: Sequence[Column]) -> tuple[pl.DataFrame, list[dict[str, Any]], set[int]]:
    """Columns as a table of their typed values, as records without what is not there, and the rows with odd values."""
    frame = pl.DataFrame([column.values for column in columns])
    names = frame.columns
    odd = {place for column in columns for place in column.odd}
    listed = [column.listed() for column in columns]
    if all(column.values.null_count() == 0 for column in columns):
        return frame, [dict(zip(names, row, strict=True)) for row in zip(*listed, strict=True)], odd
    rows = [
        {name: value for name, value in zip(names, row, strict=True) if value is not None}
        for row in zip(*listed, strict=True)
    ]
    return frame, rows, odd
