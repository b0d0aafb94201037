from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from interlock.errors import MoneyInvalid
from interlock.money import LARGEST_MINOR, Money, exponent

currencies = st.sampled_from(["MYR", "USD", "JPY", "KWD", "CLF"])
minors = st.integers(-LARGEST_MINOR, LARGEST_MINOR)


@given(minors, currencies)
def test_minor_units_and_text_keep_every_unit(minor: int, currency: str) -> None:
    money = Money.of_minor(minor, currency)
    assert money.minor == minor
    assert Money.parse(str(money)) == money
    assert str(Money.parse(str(money))) == str(money)


@given(minors, minors, currencies)
def test_sums_differences_and_order_are_those_of_the_units(one: int, other: int, currency: str) -> None:
    left, right = Money.of_minor(one, currency), Money.of_minor(other, currency)
    assert (left < right) is (one < other)
    assert (left >= right) is (one >= other)
    assert (left == right) is (one == other)
    for value, expected in ((lambda: left + right, one + other), (lambda: left - right, one - other)):
        try:
            assert value().minor == expected
        except MoneyInvalid:
            assert abs(expected) > LARGEST_MINOR


@given(st.decimals(allow_nan=True, allow_infinity=True), currencies)
def test_a_decimal_is_kept_exactly_or_refused(amount: Decimal, currency: str) -> None:
    try:
        money = Money(amount, currency)
    except MoneyInvalid:
        return
    assert money.amount == amount
    assert money.amount.as_tuple().exponent == -exponent(currency)


@given(st.text())
def test_any_text_is_an_amount_or_refused(text: str) -> None:
    for make in (lambda: Money.parse(text), lambda: Money(text, "MYR"), lambda: Money("1", text)):
        try:
            assert isinstance(make(), Money)
        except MoneyInvalid:
            continue
