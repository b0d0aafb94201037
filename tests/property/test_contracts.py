"""Properties of the contracts room that hold for any input."""

from __future__ import annotations

import contextlib
import itertools
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, cast

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec import structs

from interlock.contracts import (
    Contract,
    Field,
    Party,
    Rule,
    RuleKind,
    Shape,
    Status,
    Version,
    canonical,
    check,
    compatible,
    read_json,
)
from interlock.contracts.compile import compiled
from interlock.contracts.contract import ITEMS, Bound
from interlock.contracts.exact import read_exact
from interlock.contracts.explain import Findings, explain
from interlock.contracts.shown import MOST_SHOWN, pointer, shown
from interlock.errors import MalformedJson

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.none() | st.booleans() | st.integers(-(10**30), 10**30) | FINITE | TEXTS
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4))
JUNK = st.recursive(
    SCALARS
    | st.floats()
    | st.binary(max_size=3)
    | st.decimals()
    | st.dates()
    | st.complex_numbers()
    | st.text(max_size=5)
    | st.builds(pow, st.just(10), st.just(5000))
    | st.builds(object),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=3) | st.integers() | st.none() | st.binary(max_size=2), inner, max_size=4)
    ),
)
_numbers = itertools.count()


def contract_of(*fields: Field, rules: tuple[Rule, ...] = ()) -> Contract:
    """A contract of these fields; its digest is a number, since it comes from no file."""
    return Contract(
        id="test",
        name="test",
        version=Version(1, 0, 0),
        status=Status.ACTIVE,
        owner="test",
        team="test",
        consumers=(),
        description="",
        record=Field(name="test", shape=Shape.OBJECT, required=True, fields=fields),
        rules=rules,
        service_levels=(),
        ends=None,
        not_enforced=(),
        digest=next(_numbers).to_bytes(32, "big"),
        source="test",
    )


# --- the door -------------------------------------------------------------------------------------------------------


@given(JSON, st.booleans(), st.sampled_from([None, 1]))
def test_what_is_written_is_read(value: Any, ascii_only: bool, indent: int | None) -> None:  # noqa: FBT001 - hypothesis
    data = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode()
    assert canonical(read_json(data)) == canonical(value)
    assert read_json(data) == json.loads(data)


def no_duplicates(items: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in items}) < len(items):
        raise ValueError
    return dict(items)


def no_constants(text: str) -> float:
    raise ValueError(text)


def strict_walk(value: object, depth: int) -> None:
    if isinstance(value, str) and "\0" in value.encode().decode():
        raise ValueError
    below_here = children(value)
    if (below_here or value in ([], {})) and depth == 64:
        raise ValueError
    for below in below_here:
        strict_walk(below, depth + 1)


def children(value: object) -> list[object]:
    if isinstance(value, dict):
        named = cast("dict[object, object]", value)
        return [*named, *named.values()]
    return cast("list[object]", value) if isinstance(value, list) else []


def strictly(data: bytes) -> Any:
    """What Python's own reader, made strict, says: an oracle that is slow and shares no code with the door."""
    value = json.loads(data.decode(), object_pairs_hook=no_duplicates, parse_constant=no_constants)
    strict_walk(value, 0)
    return value


def refusal(data: bytes, **bounds: int) -> MalformedJson | None:
    try:
        read_json(data, **bounds)
    except MalformedJson as refused:
        return refused
    return None


MARKS = b"""{ } [ ] , : " \\ 1 -2.5 NaN true null \xff {"a":1} "a": "]" "\\\"" """
NAMES = b""" "a" "b" "\\u0061" "\\u0000" "\\ud800" "\xc3\xa9" """
FRAGMENTS = st.sampled_from([b" ", b"\n", *MARKS.split(), *NAMES.split()])


@settings(max_examples=500)
@given(st.lists(FRAGMENTS, max_size=14).map(b"".join) | st.binary(max_size=12))
def test_the_door_agrees_with_a_strict_reader(data: bytes) -> None:
    refused = refusal(data)
    try:
        expected = strictly(data)
    except ValueError:
        assert refused
        assert refused.what
        assert refused.todo
    else:
        assert refused is None
        assert read_json(data) == expected


@given(st.dictionaries(TEXTS, JSON, min_size=1, max_size=4), st.data(), st.booleans())
def test_a_duplicate_key_never_comes_in(
    value: dict[str, Any],
    data: st.DataObject,
    ascii_only: bool,  # noqa: FBT001 - hypothesis
) -> None:
    name = data.draw(st.sampled_from(sorted(value)))
    again = json.dumps({name: data.draw(JSON)}, ensure_ascii=ascii_only)
    payload = json.dumps(value, ensure_ascii=ascii_only)[:-1] + "," + again[1:]
    refused = refusal(f"[{payload}]".encode())
    assert refused
    assert refused.where == pointer((0, name))


@given(st.integers(1, 12), st.integers(1, 12), st.sampled_from(["[", '{"a":']), st.sampled_from(["1", '"\\n"', '"]}"']))
def test_the_depth_is_counted_exactly(depth: int, most: int, opening: str, inner: str) -> None:
    closing = "]" if opening == "[" else "}"
    data = (opening * depth + inner + closing * depth).encode()
    assert (refusal(data, max_depth=most) is None) is (depth <= most)


# --- canonical bytes ------------------------------------------------------------------------------------------------


def shuffled(value: Any) -> Any:
    if isinstance(value, dict):
        named = cast("dict[str, Any]", value)
        return {name: shuffled(below) for name, below in reversed(named.items())}
    return [shuffled(below) for below in cast("list[Any]", value)] if isinstance(value, list) else value


@given(JSON)
def test_canonical_bytes_do_not_depend_on_order_and_read_back(value: Any) -> None:
    data = canonical(value)
    assert canonical(shuffled(value)) == data
    assert canonical(read_json(data, max_depth=200)) == data
    assert canonical(json.loads(data)) == data


@given(FINITE)
def test_canonical_floats_lose_nothing(value: float) -> None:
    text = canonical(value).decode()
    assert float(text) == value
    assert text.lstrip("-")[0] != "."
    assert not text.endswith(".0")


@given(JUNK)
def test_canonical_never_fails_otherwise(value: Any) -> None:
    with contextlib.suppress(MalformedJson):
        assert canonical(value)


# --- checking -------------------------------------------------------------------------------------------------------


@st.composite
def integers(draw: st.DrawFn) -> Field:
    low, size = draw(st.integers(-5, 5)), draw(st.integers(0, 8))
    return Field(
        name="x",
        shape=Shape.INTEGER,
        required=draw(st.booleans()),
        low=Bound(Decimal(low)),
        high=Bound(Decimal(low + size), exclusive=size > 3),
        multiple_of=draw(st.sampled_from([None, Decimal(2), Decimal(3), Decimal(4)])),
        missing=draw(st.sampled_from([(), (0,), (True, 1), (False, "2")])),
    )


@st.composite
def decimals(draw: st.DrawFn) -> Field:
    digits, low = draw(st.integers(1, 3)), draw(st.none() | st.integers(-5, 5))
    return Field(
        name="x",
        shape=Shape.DECIMAL,
        required=draw(st.booleans()),
        digits=digits,
        decimals=min(digits, draw(st.integers(0, 2))),
        low=None if low is None else Bound(Decimal(low) / 4),
    )


@st.composite
def strings(draw: st.DrawFn) -> Field:
    shortest, size = draw(st.none() | st.integers(0, 2)), draw(st.none() | st.integers(0, 2))
    return Field(
        name="x",
        shape=Shape.STRING,
        required=draw(st.booleans()),
        min_length=shortest,
        max_length=None if size is None else (shortest or 0) + size,
        pattern=draw(st.sampled_from([None, "^[ab]*$", "^a|bb$"])),
        choices=draw(st.sampled_from([(), ("a",), ("a", "bb")])),
        missing=draw(st.sampled_from([(), ("",), ("a", 0, True)])),
    )


@st.composite
def lists(draw: st.DrawFn) -> Field:
    return Field(
        name="x",
        shape=Shape.ARRAY,
        item=structs.replace(draw(integers() | strings()), name=ITEMS, required=True),
        min_items=draw(st.none() | st.integers(0, 2)),
        max_items=draw(st.none() | st.integers(2, 3)),
        unique_items=draw(st.booleans()),
    )


@st.composite
def others(draw: st.DrawFn) -> Field:
    shape = draw(st.sampled_from([Shape.BOOLEAN, Shape.NUMBER, Shape.DATE, Shape.TIMESTAMP, Shape.TIME]))
    return Field(name="x", shape=shape, required=draw(st.booleans()))


FIELDS = integers() | decimals() | strings() | lists() | others()
NEAR = (
    st.none()
    | st.booleans()
    | st.integers(-8, 12)
    | st.sampled_from([1.0, 2.5, float("nan"), float("inf"), 1e300, 10**400, "", "a", "b", "bb", "ab", "a\0", "\ud800"])
    | st.sampled_from(["0", "-0", "1", "-1.25", "0.5", "00", "9.99", "99", "1e1", "2020-02-29", "2021-02-29"])
    | st.sampled_from(["2020-02-29T10:00:00Z", "2020-02-29T10:00:00", "10:00:00", "25:00:00"])
)
VALUES = st.fixed_dictionaries({}, optional={"x": NEAR | st.lists(NEAR, max_size=4) | JUNK, "y": NEAR}) | JUNK


def explained(contract: Contract, value: Any) -> list[str]:
    found = Findings()
    explain(contract.record, value, (), found)
    return [violation.rule for violation in found.violations]


def is_json(value: object) -> bool:
    if isinstance(value, dict):
        named = cast("dict[object, object]", value)
        return all(isinstance(name, str) and is_json(below) for name, below in named.items())
    if isinstance(value, list):
        return all(map(is_json, cast("list[object]", value)))
    return value is None or isinstance(value, (str, bool, int, float))


@settings(max_examples=600)
@given(FIELDS, VALUES)
def test_the_quick_verdict_and_the_words_agree(field: Field, value: Any) -> None:
    contract = contract_of(field)
    accepted = compiled(contract).accepts(value)
    if accepted or is_json(value):
        assert accepted == (not explained(contract, value))
    assert accepted == (check(contract, value) == ())


@settings(max_examples=300)
@given(JUNK)
def test_no_value_makes_a_check_raise(value: Any) -> None:
    x = Field(name="x", shape=Shape.ARRAY, item=Field(name=ITEMS, shape=Shape.STRING, required=True))
    y = Field(name="y", shape=Shape.ARRAY, item=Field(name=ITEMS, shape=Shape.INTEGER, required=True))
    same = Rule(name="same", kind=RuleKind.SAME_LENGTH, scope=(), operands=("x", "y"))
    contract = contract_of(x, y, rules=(same,))
    for record in (value, {"x": value}, {"x": [value], "y": [value]}, {"x": ["a"], "y": value}):
        for violation in check(contract, record):
            assert str(violation).isprintable()
            assert len(violation.what) < 400


@given(st.decimals(-20, 20, places=2), st.decimals(-20, 0, places=2), st.decimals(0, 20, places=2))
def test_ranges_of_decimals_are_exact(value: Decimal, low: Decimal, high: Decimal) -> None:
    assume(not (value.is_zero() and value.is_signed()))
    field = Field(name="x", shape=Shape.DECIMAL, required=True, digits=4, decimals=2, low=Bound(low), high=Bound(high))
    assert (check(contract_of(field), {"x": f"{value:f}"}) == ()) is (low <= value <= high)


@given(st.dates(), st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 1, 1)), st.integers(-1439, 1439))  # noqa: DTZ001 - the zone is drawn
def test_days_and_moments_are_read_as_python_means_them(day: date, local: datetime, minutes: int) -> None:
    assert read_exact(Shape.DATE, day.isoformat()) == day
    sign, (hours, rest) = "-" if minutes < 0 else "+", divmod(abs(minutes), 60)
    text = f"{local.isoformat(timespec='microseconds')}{sign}{hours:02}:{rest:02}"
    assert read_exact(Shape.TIMESTAMP, text) == local.replace(tzinfo=UTC) - timedelta(minutes=minutes)


@given(st.text() | JUNK)
def test_what_is_shown_is_short_and_printable(value: Any) -> None:
    text = shown(value)
    assert text.isprintable()
    assert len(text) <= 10 * MOST_SHOWN


# --- new versions ---------------------------------------------------------------------------------------------------


PAIRS = st.one_of(*(st.tuples(make(), make()) for make in (integers, decimals, strings, lists, others)))


@settings(max_examples=800)
@given(PAIRS | st.tuples(FIELDS, FIELDS), st.lists(NEAR | st.lists(NEAR, max_size=4), min_size=1, max_size=30))
def test_what_breaks_nobody_changes_no_verdict(pair: tuple[Field, Field], values: list[Any]) -> None:
    old, new = (contract_of(field) for field in pair)
    broken = {one.breaks for one in compatible(old, new)}
    for value in [{}, *({"x": value} for value in values)]:
        before, after = not check(old, value), not check(new, value)
        if before and not after:
            assert Party.PRODUCERS in broken
        if after and not before:
            assert Party.CONSUMERS in broken


@given(FIELDS)
def test_nothing_breaks_where_nothing_changes(field: Field) -> None:
    assert compatible(contract_of(field), contract_of(field)) == ()
