"""The quick ways of the contracts room never say yes where the careful ones say no."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from interlock.contracts import Contract, Shape, parse_contract, read_json
from interlock.contracts.compile import FieldSchema, compiled
from interlock.contracts.contract import Field
from interlock.contracts.door import _Careful  # pyright: ignore[reportPrivateUsage] - the oracle
from interlock.errors import MalformedJson

CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: wide
name: wide
version: 1.0.0
status: active
team: {members: [{username: o@example.com, role: owner}]}
schema:
  - name: wide
    logicalType: object
    properties:
      - {name: text, logicalType: string, required: true, logicalTypeOptions: {minLength: 1, maxLength: 4}}
      - {name: free, logicalType: string}
      - {name: form, logicalType: string, logicalTypeOptions: {pattern: "^[ab]*$"}}
      - {name: long, logicalType: string, logicalTypeOptions: {minLength: 3}}
      - {name: whole, logicalType: integer, logicalTypeOptions: {exclusiveMinimum: -5, maximum: 5}}
      - {name: even, logicalType: integer, logicalTypeOptions: {multipleOf: 2, format: u128}}
      - {name: real, logicalType: number, logicalTypeOptions: {minimum: -0.5, maximum: 1.5}}
      - {name: open, logicalType: number, logicalTypeOptions: {exclusiveMaximum: 1}}
      - {name: flag, logicalType: boolean}
      - {name: paid, logicalType: number, physicalType: "decimal(4,2)", logicalTypeOptions: {minimum: 0}}
      - {name: owed, logicalType: number, physicalType: "decimal(4,2)", logicalTypeOptions: {exclusiveMinimum: -1.5,
         exclusiveMaximum: 9.99}}
      - {name: rate, logicalType: number, physicalType: "decimal(2,2)"}
      - {name: units, logicalType: number, physicalType: "decimal(3,0)"}
      - {name: day, logicalType: date, logicalTypeOptions: {maximum: 2026-02-28}}
      - {name: moment, logicalType: timestamp}
      - {name: hour, logicalType: time}
      - name: choice
        logicalType: string
        quality:
          - {metric: invalidValues, mustBe: 0, arguments: {validValues: [a, bb]}}
          - {metric: missingValues, mustBe: 0, arguments: {missingValues: [bb]}}
      - {name: list, logicalType: array, items: {logicalType: integer}}
      - name: part
        logicalType: object
        properties: [{name: inner, logicalType: integer, required: true}, {name: note, logicalType: string}]
"""
WIDE: Contract = parse_contract(CONTRACT.encode(), "wide.odcs.yaml")
SCHEMA = FieldSchema(WIDE.record)
TEXTS = ["", "a", "bb", "aba", "abcde", "a\0", "\ud800", "咖啡", "a\n", "０"]
DIGITS = [
    "0",
    "-0",
    "-0.00",
    "00",
    "0.5",
    ".5",
    "5.",
    "1.234",
    "99.99",
    "-1.50",
    "-1.49",
    "9.99",
    "99.990",
    "1e1",
    "100",
    "999",
]
MOMENTS = [
    "2026-02-28",
    "2026-02-29",
    "20260228",
    "2026-W01-1",
    "2026-02-28T10:00:00Z",
    "2026-02-28T10:00:00",
    "10:00:00",
]
EDGES = [
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59",
    "2026-02-28T24:00:00Z",
    "10:00:00.1234567",
    "10:60:00",
]
NUMBERS: list[Any] = [
    0,
    1,
    -5,
    5,
    6,
    2**64,
    2**127,
    10**400,
    1.0,
    0.5,
    -0.5,
    1.5,
    1.5000001,
    float("nan"),
    float("inf"),
]
ODD: list[Any] = [None, True, False, [], {}, [1], [1.0], [True], (1,), {"inner": 1}, {"inner": 1.0}]
PARTS: st.SearchStrategy[Any] = st.fixed_dictionaries(
    {}, optional={"inner": st.sampled_from([1, 1.0, None, True]), "note": st.sampled_from(TEXTS)}
)
VALUE: st.SearchStrategy[Any] = st.sampled_from([*TEXTS, *DIGITS, *MOMENTS, *EDGES, *NUMBERS, *ODD]) | PARTS
LIKELY: dict[Shape, list[Any]] = {
    Shape.STRING: TEXTS,
    Shape.DECIMAL: DIGITS,
    Shape.DATE: MOMENTS,
    Shape.TIMESTAMP: [*MOMENTS, *EDGES],
    Shape.TIME: [*MOMENTS, *EDGES],
    Shape.INTEGER: NUMBERS,
    Shape.NUMBER: NUMBERS,
}


def likely(field: Field) -> st.SearchStrategy[Any]:
    near: st.SearchStrategy[Any] = st.sampled_from(LIKELY[field.shape]) if field.shape in LIKELY else VALUE
    return near | VALUE


RECORDS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"text": st.just("a") | VALUE},
    optional={**{field.name: likely(field) for field in WIDE.record.fields[1:]}, "other": st.just(1)},
)


@settings(max_examples=1500)
@given(RECORDS)
def test_the_quick_look_is_sure_only_of_what_the_schema_accepts(record: dict[str, Any]) -> None:
    assert compiled(WIDE).accepts(record) is SCHEMA.accepts(record), record


@pytest.mark.parametrize("field", WIDE.record.fields, ids=lambda field: cast("Field", field).name)
def test_one_field_at_a_time_each_value_is_judged_alike(field: Field) -> None:
    values = [*TEXTS, *DIGITS, *MOMENTS, *EDGES, *NUMBERS, *ODD]
    accepted = 0
    for value in values:
        record = {"text": "a", field.name: value}
        assert compiled(WIDE).accepts(record) is SCHEMA.accepts(record), record
        accepted += SCHEMA.accepts(record)
    assert 0 < accepted < len(values)


def outcome(data: bytes, *, careful: bool) -> object:
    """The value, or the refusal in all of its words."""
    try:
        value = _Careful(data, 8).read() if careful else read_json(data, max_depth=8)
    except MalformedJson as refused:
        return (refused.what, refused.where, refused.todo)
    return json.dumps(value)  # tells 1 from 1.0 and from true, and -0.0 from 0.0


PIECES = [
    *(b"{", b"}", b"[", b"]", b",", b":", b'"', b" ", b"\n", b"null", b"true", b"false"),
    *(b'"a":', b'"\\u0061":', b'"\\u0022"', b'"\\""', b'"\\\\u0000"', b'"\\u0000"', b'"\\ud83d\\ude00"', b'"\\ud800"'),
    *(b"1", b"-0", b"-0.0", b"1.5", b"1e5", b"1E-2", b"1e-400", b"1e400", b"0." + b"1" * 62, b"0." + b"1" * 63),
    *(
        b"9" * 64,
        b"9" * 65,
        b"-" + b"9" * 64,
        b'"e-"',
        b'"' + b"9" * 70 + b'"',
        b'"[[[[[[[[[["',
        b"[[[[[[[[",
        b"]]]]]]]]",
    ),
    *(b"\xef\xbb\xbf", b"\xff", b"\xed\xa0\x80", b'"\xc3\xa9"', b"NaN", b"Infinity", b"\x00"),
]


@settings(max_examples=3000)
@given(st.lists(st.sampled_from(PIECES), max_size=16).map(b"".join))
@example(b'{"a":1,"a":1,"b":"\\u0022\\u0022"}')
@example(b'{"a":"x","a":"x","b":"\\u0022\\u0022\\u0022\\u0022"}')
@example(b'["ice-cream",1e-400]')
@example(b'[[[[[[[["[]"]]]]]]]]')
@example(b'[[[[[[[[["[]"]]]]]]]]]')
def test_the_quick_door_is_the_careful_one(data: bytes) -> None:
    assert outcome(data, careful=False) == outcome(data, careful=True)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6)
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner))


@settings(max_examples=1000)
@given(
    JSON, st.booleans(), st.integers(0, 400), st.sampled_from([b"", b'"', b"\\", b",", b"\x00", b'"a":1,', b"-", b"e-"])
)
def test_broken_json_is_refused_in_the_same_words(value: Any, plain: bool, at: int, piece: bytes) -> None:  # noqa: FBT001 - hypothesis
    data = json.dumps(value, ensure_ascii=plain).encode("utf-8", "surrogatepass")
    broken = data[:at] + piece + data[at:]
    assert outcome(broken, careful=False) == outcome(broken, careful=True)


@settings(max_examples=1000)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_is_read_to_the_last_bit(value: float) -> None:
    for text in (repr(value), f"{value:.20e}", f"{value:.17g}"):
        assert outcome(text.encode(), careful=False) == outcome(text.encode(), careful=True)
