"""The rule engine's arithmetic on decimals, digit for digit, where it is known; else ``Beyond``. Pure.

The engine (https://gorules.io) computes with rust_decimal (https://docs.rs/rust_decimal): a whole number below 2**96
and 0 to 28 decimals. The decimals that a result has are seen in our outputs, so they are reproduced too: ``1.50 + 2``
has two, ``0.00 + 2`` none, ``1.50 / 0.25`` none and ``1.5 / 0.25`` one. A sum or product that needs more than 28 digits
is left to the engine. ``tests/property/test_arithmetic.py`` compares all of them with it.

Functions take the first operand first. A zero may have a sign, as in the engine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import (
    ROUND_CEILING,
    ROUND_FLOOR,
    ROUND_HALF_UP,
    Context,
    Decimal,
    DivisionByZero,
    Inexact,
    InvalidOperation,
    Overflow,
    Rounded,
)

Number = Decimal
Unary = Callable[[Decimal], Decimal]

_MOST_DECIMALS = 28
_LIMIT = 2**96
_ONE_STEP = 9
"""Digits by which a quotient grows at a time."""
_EXACT = Context(
    prec=_MOST_DECIMALS,
    # The smallest number with 28 digits after the point is then the smallest that there is: Emin - prec + 1 = -28.
    Emin=-1,
    Emax=_MOST_DECIMALS,
    traps=[Inexact, Rounded, Overflow, InvalidOperation, DivisionByZero],
)
_WIDE = Context(prec=80)
_ZERO = Decimal(0)


class Beyond(Exception):
    """A value that only the engine itself may compute.

    Beside it ``decimal.DecimalException`` says the same of sums and products.
    """


def add(one: Decimal, other: Decimal) -> Decimal:
    """Their sum; a zero gives the other side as it is.

    Raises:
        decimal.DecimalException: it needs more than 28 digits.
    """
    if not one:
        return other
    return _EXACT.add(one, other) if other else one


def subtract(one: Decimal, other: Decimal) -> Decimal:
    """Their difference.

    Raises:
        decimal.DecimalException: it needs more than 28 digits.
    """
    if not one:
        return other.copy_negate() if other else other
    return _EXACT.subtract(one, other) if other else one


def multiply(one: Decimal, other: Decimal) -> Decimal:
    """Their product; a zero has no decimals.

    Raises:
        decimal.DecimalException: it needs more than 28 digits.
    """
    return _EXACT.multiply(one, other) if one and other else _ZERO


def divider(divisor: Decimal) -> Unary:
    """The function that divides by a number other than zero.

    The quotient grows by up to nine digits at a time until nothing remains or no more fit, half going to the even
    digit; then some, not all, of the zeros at its end are taken off (rust_decimal, ``div_impl`` and ``unscale``).
    """
    places = _decimals(divisor)
    whole = abs(int(divisor.scaleb(places, _WIDE)))
    is_negative = divisor.is_signed()

    def divide(number: Decimal) -> Decimal:
        if not number:
            return _ZERO
        decimals = _decimals(number)
        quotient, decimals = _quotient(abs(int(number.scaleb(decimals, _WIDE))), whole, decimals - places)
        found = Decimal(quotient).scaleb(-decimals, _WIDE)
        return found if number.is_signed() == is_negative else found.copy_negate()

    return divide


def _quotient(dividend: int, divisor: int, decimals: int) -> tuple[int, int]:
    quotient, rest = divmod(dividend, divisor)
    has_grown = False
    while rest or decimals < 0:
        step = _growth(quotient, decimals) if rest else min(_ONE_STEP, -decimals)
        has_grown = has_grown or rest > 0
        if step == 0:
            if 2 * rest > divisor or (2 * rest == divisor and quotient % 2):
                quotient += 1
            break
        power = 10**step
        more, rest = divmod(rest * power, divisor)
        quotient = quotient * power + more
        decimals += step
    if quotient >= _LIMIT or decimals < 0:
        raise Beyond
    return _without_zeros(quotient, decimals) if has_grown else (quotient, decimals)


def _growth(quotient: int, decimals: int) -> int:
    step = min(_ONE_STEP, _MOST_DECIMALS - decimals)
    while step and quotient * 10**step >= _LIMIT:
        step -= 1
    return step


def _without_zeros(quotient: int, decimals: int) -> tuple[int, int]:
    # Eight zeros go only if the lowest 32 bits are all zero, which is more than eight zeros ask for.
    while quotient & 0xFFFFFFFF == 0 and decimals >= 8 and quotient % 10**8 == 0:  # noqa: PLR2004 - eight zeros
        quotient, decimals = quotient // 10**8, decimals - 8
    for zeros in (4, 2, 1):
        if decimals >= zeros and quotient % 10**zeros == 0:
            quotient, decimals = quotient // 10**zeros, decimals - zeros
    return quotient, decimals


def rounder(places: int) -> Unary:
    """The function that rounds to some decimals, half away from zero; fewer decimals stay as they are."""
    unit = Decimal(1).scaleb(-places)

    def round_to(number: Decimal) -> Decimal:
        if _decimals(number) <= places:
            return number
        rounded = number.quantize(unit, ROUND_HALF_UP, _WIDE)
        # What is rounded to zero loses its sign; a zero keeps it.
        return rounded if rounded or not number else rounded.copy_abs()

    return round_to


def floor(number: Decimal) -> Decimal:
    """The whole number at or below."""
    return number.to_integral_value(ROUND_FLOOR, _WIDE)


def ceil(number: Decimal) -> Decimal:
    """The whole number at or above."""
    return number.to_integral_value(ROUND_CEILING, _WIDE)


def total(numbers: Sequence[Decimal]) -> Decimal:
    """Their sum, from the first to the last; of none 0.

    Raises:
        decimal.DecimalException: it needs more than 28 digits.
    """
    found = _ZERO
    for number in numbers:
        found = add(found, number)
    return found


def least(numbers: Sequence[Decimal]) -> Decimal:
    """The smallest, the first of equal ones.

    Raises:
        Beyond: there is none, which the engine refuses.
    """
    if not numbers:
        raise Beyond
    return min(numbers)


def greatest(numbers: Sequence[Decimal]) -> Decimal:
    """The largest, the last of equal ones.

    Raises:
        Beyond: there is none, which the engine refuses.
    """
    if not numbers:
        raise Beyond
    return max(reversed(numbers))


def _decimals(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or exponent > 0:
        raise Beyond
    return -exponent
