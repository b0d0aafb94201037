"""The bytes of a term are in the order of its values, exactly."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from interlock.search.term import (
    LONGEST_TEXT,
    after,
    folded,
    number_bytes,
    past_prefix,
    text_bytes,
    time_bytes,
    value_bytes,
)

NUMBERS = st.one_of(
    st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**12), max_value=10**12),
    st.integers(min_value=-(2**127), max_value=2**127).map(Decimal),
    st.floats(allow_nan=False, allow_infinity=False).map(lambda number: Decimal(repr(number))),
)


@given(NUMBERS, NUMBERS)
def test_numbers(one: Decimal, other: Decimal) -> None:
    a, b = number_bytes(one), number_bytes(other)
    assert (a < b, a == b) == (one < other, one == other)
    assert (after(a) <= b) == (one < other)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_double_is_what_its_json_says(number: float) -> None:
    assert value_bytes("number", number) == number_bytes(Decimal(repr(number)))


@given(st.datetimes(timezones=st.just(UTC)), st.datetimes(timezones=st.just(UTC)))
def test_moments(one: datetime, other: datetime) -> None:
    assert (time_bytes(one) < time_bytes(other)) == (one < other)


@given(st.text(), st.text(max_size=3))
def test_a_text_is_found_by_what_it_begins_with_and_is_bounded(text: str, more: str) -> None:
    whole = text_bytes(text + more)
    assert len(whole) <= LONGEST_TEXT + 17
    low = folded(text + more).encode("utf-8", "surrogatepass")[:LONGEST_TEXT]
    if low:
        assert low <= whole < past_prefix(low)


@given(st.text(min_size=100), st.text(min_size=100))
def test_long_texts_are_told_apart(one: str, other: str) -> None:
    assert (text_bytes(one) == text_bytes(other)) == (folded(one) == folded(other))
