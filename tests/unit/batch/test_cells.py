"""Cells become JSON values by the contract's field alone, and no value is changed on the way."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from interlock.batch.cells import text_column, typed_column, unreadable
from interlock.contracts import Field, Shape

CELLS: list[tuple[Shape, str, Any]] = [
    (Shape.STRING, " 5 ", " 5 "),
    (Shape.DECIMAL, "12345678901234567.89", "12345678901234567.89"),
    (Shape.DATE, "2018-02-30", "2018-02-30"),
    (Shape.INTEGER, "5", 5),
    (Shape.INTEGER, "-9223372036854775809", -9223372036854775809),
    (Shape.INTEGER, "05", "05"),
    (Shape.INTEGER, "1e3", "1e3"),
    (Shape.INTEGER, "１", "１"),
    (Shape.INTEGER, "true", "true"),
    (Shape.NUMBER, "0.5", 0.5),
    (Shape.NUMBER, "12345678901234567", 12345678901234567),
    (Shape.NUMBER, "1e999", "1e999"),
    (Shape.NUMBER, "1e-999", "1e-999"),
    (Shape.NUMBER, "nan", "nan"),
    (Shape.NUMBER, ".5", ".5"),
    (Shape.BOOLEAN, "true", True),
    (Shape.BOOLEAN, "TRUE", "TRUE"),
    (Shape.BOOLEAN, "1", "1"),
    (Shape.OBJECT, '{"a":1}', {"a": 1}),
    (Shape.OBJECT, '{"a":1,"a":2}', '{"a":1,"a":2}'),
    (Shape.ARRAY, "[1,", "[1,"),
]


@pytest.mark.parametrize(("shape", "cell", "value"), CELLS)
def test_a_cell_of_csv(shape: Shape, cell: str, value: Any) -> None:
    found = text_column("f", [None, cell], Field(name="f", shape=shape)).listed()
    assert found == [None, value]
    assert type(found[1]) is type(value)


NAIVE = dt.datetime(2018, 2, 28, 9)  # noqa: DTZ001 - what a table without time zones holds
COLUMNS: list[tuple[pl.Series, Shape, list[Any]]] = [
    (pl.Series([Decimal("31.00"), None]), Shape.DECIMAL, ["31.00", None]),
    (pl.Series([Decimal("31.00")]), Shape.NUMBER, ["31.00"]),
    (pl.Series([31]), Shape.DECIMAL, ["31"]),
    (pl.Series([31]), Shape.INTEGER, [31]),
    (pl.Series([31.5]), Shape.DECIMAL, [31.5]),
    (pl.Series([float("nan"), float("-inf"), 1.5]), Shape.NUMBER, ["NaN", "-Infinity", 1.5]),
    (pl.Series([True, None]), Shape.BOOLEAN, [True, None]),
    (pl.Series([dt.date(2018, 2, 28)]), Shape.DATE, ["2018-02-28"]),
    (pl.Series([dt.time(9, 30)]), Shape.TIME, ["09:30:00"]),
    (pl.Series([NAIVE]), Shape.TIMESTAMP, ["2018-02-28T09:00:00"]),
    (
        pl.Series([NAIVE]).dt.replace_time_zone("Asia/Kuala_Lumpur"),
        Shape.TIMESTAMP,
        ["2018-02-28T01:00:00Z"],
    ),
    (pl.Series([2**63], dtype=pl.UInt64()), Shape.INTEGER, [2**63]),
    (pl.Series(["a", None], dtype=pl.Categorical()), Shape.STRING, ["a", None]),
    (
        pl.Series([{"a": Decimal("1.50"), "b": None}]),
        Shape.OBJECT,
        [{"a": "1.50"}],
    ),
    (pl.Series([[dt.date(2018, 2, 28), None]]), Shape.ARRAY, [["2018-02-28", None]]),
    (pl.Series([None, None], dtype=pl.Null()), Shape.STRING, [None, None]),
]


@pytest.mark.parametrize(("series", "shape", "values"), COLUMNS, ids=lambda part: str(part)[:20])
def test_a_column_of_parquet(series: pl.Series, shape: Shape, values: list[Any]) -> None:
    assert typed_column(series.alias("f"), Field(name="f", shape=shape)).listed() == values


def test_what_is_no_json_is_known_before_it_is_read() -> None:
    assert unreadable(pl.Binary())
    assert unreadable(pl.List(pl.Struct({"a": pl.Duration()})))
    assert not unreadable(pl.Struct({"a": pl.List(pl.Int8())}))
