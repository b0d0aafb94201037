"""The quick form of a contract says yes only where ``check`` finds nothing, whatever the table holds."""

from __future__ import annotations

import dataclasses
import itertools
from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.contracts import Contract, Field, Rule, RuleKind, Shape, Status, Version, check
from interlock.contracts.contract import Bound
from interlock.contracts.vectorised import vectorised

_numbers = itertools.count(2**128)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
DIGITS = st.from_regex(r"\A-?[0-9]{0,22}(\.[0-9]{0,6})?\Z") | st.sampled_from(
    ["-0", "-0.00", "0", "00", "0.0", "1e3", "１", "12345678901234567.89", "9" * 38, "9" * 39, "1.", ".5", "+1", "NaN"]
)
MOMENTS = st.from_regex(
    r"\A[0-9]{4}-[0-1][0-9]-[0-3][0-9](T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\.[0-9]{1,7})?(Z|[+-][0-2][0-9]:[0-6][0-9])?)?\Z"
) | st.sampled_from(
    [
        "0000-01-01", "0001-01-01", "9999-12-31", "2018-02-29", "2020-02-29", "2018-02-28T23:59:60Z",
        "2018-02-28T24:00:00Z", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "2018-02-28T09:30:00Z",
    ]
)  # fmt: skip
TIMES = st.from_regex(r"\A[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\.[0-9]{1,7})?\Z")
PATTERNS = (r"^[a-z]+$", r"^\d+$", r"^a|b$", r"^.*$", r"^[^a]$", r"^(x|yz)*$", r"^\w\s$", r"^é+$")


@st.composite
def _string(draw: st.DrawFn) -> tuple[Field, pl.Series]:
    low = draw(st.none() | st.integers(0, 3))
    field = Field(
        name="f",
        shape=Shape.STRING,
        required=draw(st.booleans()),
        min_length=low,
        max_length=draw(st.none() | st.integers(low or 0, 6)),
        pattern=draw(st.none() | st.sampled_from(PATTERNS)),
        text_format=draw(st.none() | st.sampled_from(["email", "uuid", "ipv4"])),
        choices=tuple(draw(st.lists(TEXT, max_size=2))),
    )
    texts = TEXT | st.sampled_from(["a", "ab", "\0", "a\n", "１", "a b", "xyz", "é", "a@b.de", "1.2.3.4", "\u2028"])
    return field, _series(draw, texts, pl.String())


@st.composite
def _decimal(draw: st.DrawFn) -> tuple[Field, pl.Series]:
    decimals = draw(st.integers(0, 4))
    ends = st.decimals(-(10**20), 10**20, places=decimals) | st.just(Decimal(10) ** 40) | st.just(-(Decimal(10) ** 40))
    field = Field(
        name="f",
        shape=Shape.DECIMAL,
        required=draw(st.booleans()),
        digits=draw(st.none() | st.integers(max(decimals, 1), 38)),
        decimals=decimals,
        low=draw(st.none() | st.builds(Bound, ends, st.booleans())),
        high=draw(st.none() | st.builds(Bound, ends, st.booleans())),
        multiple_of=draw(st.none() | st.just(Decimal(5).scaleb(-decimals))),
    )
    return field, _series(draw, DIGITS, pl.String())


@st.composite
def _moment(draw: st.DrawFn) -> tuple[Field, pl.Series]:
    shape = draw(st.sampled_from([Shape.DATE, Shape.TIMESTAMP, Shape.TIME]))
    low = Bound(draw(st.dates()), draw(st.booleans())) if shape is Shape.DATE and draw(st.booleans()) else None
    field = Field(name="f", shape=shape, required=draw(st.booleans()), low=low)
    return field, _series(draw, MOMENTS | TIMES, pl.String())


@st.composite
def _integer(draw: st.DrawFn) -> tuple[Field, pl.Series]:
    ends = st.integers(-(2**70), 2**70).map(Decimal)
    field = Field(
        name="f",
        shape=Shape.INTEGER,
        required=draw(st.booleans()),
        low=Bound(draw(ends), draw(st.booleans())),
        high=Bound(draw(ends), draw(st.booleans())),
        multiple_of=draw(st.none() | st.just(Decimal(3))),
        choices=tuple(draw(st.lists(st.integers(-3, 3), max_size=2))),
    )
    wide, dtype = draw(
        st.sampled_from([((-(2**63), 2**63 - 1), pl.Int64()), ((0, 2**64 - 1), pl.UInt64()), ((-128, 127), pl.Int8())])
    )
    return field, _series(draw, st.integers(*wide), dtype)


@st.composite
def _number(draw: st.DrawFn) -> tuple[Field, pl.Series]:
    ends = (st.floats(-1e17, 1e17) | st.just(1.7976931348623157e308)).map(lambda end: Decimal(repr(end)))
    field = Field(
        name="f",
        shape=Shape.NUMBER,
        required=draw(st.booleans()),
        low=draw(st.none() | st.builds(Bound, ends, st.booleans())),
        high=draw(st.none() | st.builds(Bound, ends, st.booleans())),
    )
    if draw(st.booleans()):
        return field, _series(draw, st.floats(), pl.Float64())
    return field, _series(draw, st.integers(-(2**63), 2**63 - 1), pl.Int64())


def _series(draw: st.DrawFn, values: st.SearchStrategy[Any], dtype: pl.DataType) -> pl.Series:
    return pl.Series("f", draw(st.lists(st.none() | values, max_size=6)), dtype=dtype)


def _contract(*fields: Field, rules: tuple[Rule, ...] = ()) -> Contract:
    return Contract(
        id="t", name="t", version=Version(1, 0, 0), status=Status.ACTIVE, owner="t", team="t", consumers=(),
        description="", record=Field(name="t", shape=Shape.OBJECT, required=True, fields=fields), rules=rules,
        service_levels=(), ends=None, not_enforced=(), digest=next(_numbers).to_bytes(32, "big"), source="t",
    )  # fmt: skip


def _rows(frame: pl.DataFrame) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if value is not None} for row in frame.to_dicts()]


def _accepted(contract: Contract, frame: pl.DataFrame) -> list[bool]:
    quick = vectorised(contract)
    assert quick is not None
    return quick.accepted(frame, _rows(frame))


@settings(max_examples=8 * settings().max_examples, deadline=None)
@given(_string() | _decimal() | _moment() | _integer() | _number())
def test_what_it_accepts_keeps_the_contract(made: tuple[Field, pl.Series]) -> None:
    field, series = made
    contract, frame = _contract(field), series.to_frame()
    for row, accepted in zip(_rows(frame), _accepted(contract, frame), strict=True):
        if accepted:
            assert check(contract, row) == (), row


PLAIN: list[tuple[Field, Any, pl.DataType]] = [
    (Field(name="f", shape=Shape.STRING, pattern=r"^[A-Z]{3}-[0-9]+$", max_length=9), "ABC-12", pl.String()),
    (Field(name="f", shape=Shape.STRING, pattern=r"^\d+$"), "12", pl.String()),
    (Field(name="f", shape=Shape.DECIMAL, digits=19, decimals=2), "12345678901234567.89", pl.String()),
    (Field(name="f", shape=Shape.DATE, low=Bound(date(2018, 2, 28))), "2018-02-28", pl.String()),
    (Field(name="f", shape=Shape.TIMESTAMP), "2018-02-28T09:30:00.5+02:00", pl.String()),
    (Field(name="f", shape=Shape.TIME), "09:30:00", pl.String()),
    (Field(name="f", shape=Shape.INTEGER, low=Bound(Decimal(-(2**63))), high=Bound(Decimal(5))), 5, pl.Int64()),
    (Field(name="f", shape=Shape.NUMBER, low=Bound(Decimal("0.5"))), 0.5, pl.Float64()),
    (Field(name="f", shape=Shape.BOOLEAN), True, pl.Boolean()),
    (Field(name="f", shape=Shape.STRING), None, pl.String()),
    (Field(name="f", shape=Shape.ARRAY, item=Field(name="*", shape=Shape.STRING)), None, pl.Null()),
]


@pytest.mark.parametrize(("field", "value", "dtype"), PLAIN, ids=lambda part: str(part)[:30])
def test_a_plain_value_is_accepted_quickly(field: Field, value: Any, dtype: pl.DataType) -> None:
    frame = pl.Series("f", [value], dtype=dtype).to_frame()
    assert _accepted(_contract(field), frame) == [True]


def test_a_column_of_another_type_a_missing_one_and_an_unknown_one_are_not_accepted() -> None:
    amount = Field(name="f", shape=Shape.DECIMAL, required=True, digits=9, decimals=2)
    contract = _contract(amount)
    for frame in (
        pl.DataFrame({"f": [31.0]}),
        pl.DataFrame({"f": [31]}),
        pl.DataFrame({"f": ["31.00"], "g": ["x"]}),
        pl.DataFrame({"f": [None]}, schema={"f": pl.String()}),
        pl.DataFrame({"g": ["x"]}),
    ):
        assert _accepted(contract, frame) == [False], frame


def test_rules_between_fields_hold_too() -> None:
    days = tuple(Field(name=name, shape=Shape.DATE) for name in ("begins", "ends"))
    rule = Rule(name="order", kind=RuleKind.LESS_OR_EQUAL, scope=(), operands=("begins", "ends"))
    contract = _contract(*days, rules=(rule,))
    frame = pl.DataFrame(
        {"begins": ["2020-01-01", "2020-01-03", None], "ends": ["2020-01-02", "2020-01-02", "2020-01-01"]}
    )
    assert _accepted(contract, frame) == [True, False, True]
    assert [bool(check(contract, row)) for row in _rows(frame)] == [False, True, False]


def test_every_part_of_a_contract_is_known_here() -> None:
    """A new demand of a contract must be enforced by the quick form, or it would wave rows through that break it."""
    assert set(Field.__struct_fields__) == {
        "name", "shape", "required", "description", "classification", "min_length", "max_length", "pattern",
        "text_format", "low", "high", "multiple_of", "digits", "decimals", "choices", "missing", "min_items",
        "max_items", "unique_items", "fields", "item", "mark",
    }  # fmt: skip
    per_record = {"record", "rules"}
    beside = {
        "id", "name", "version", "status", "owner", "team", "consumers", "description", "service_levels", "ends",
        "not_enforced", "digest", "source", "measures", "levels", "searchable", "personal",
    }  # fmt: skip
    assert {field.name for field in dataclasses.fields(Contract)} == per_record | beside
    assert len(RuleKind) == 6
