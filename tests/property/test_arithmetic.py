"""Our arithmetic against the engine's: the same digits, the same decimals, the same sign of a zero."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, DecimalException

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from interlock.components.arithmetic import (
    Beyond,
    add,
    ceil,
    divider,
    floor,
    greatest,
    least,
    multiply,
    rounder,
    subtract,
    total,
)
from interlock.components.engine import Formula
from interlock.errors import ComponentFailed

digits = st.from_regex(r"-?([1-9][0-9]{0,17}|0|[1-9]0{0,17})(\.([0-9]{1,9}|0{1,9}|[0-9]0{1,8}))?", fullmatch=True)
numbers = digits.map(Decimal).map(lambda number: number or number.copy_abs())
"""What facts can be: the engine drops the sign of a zero that it reads."""
literals = st.from_regex(r"([1-9][0-9]{0,8}|0)(\.[0-9]{1,9})?|[1-9]0{0,20}|0\.0{0,7}[1-9]", fullmatch=True)
Compute = Callable[[], Decimal]

zen_pair = {
    "+": (Formula("string(a + b)"), add),
    "-": (Formula("string(a - b)"), subtract),
    "*": (Formula("string(a * b)"), multiply),
}
"""Each operator in the engine, and ours."""


def ours(compute: Compute) -> str | None:
    """Our text of a value; None where the engine is to be asked."""
    try:
        return format(compute(), "f")
    except (Beyond, DecimalException):
        return None


def check(formula: Formula, compute: Compute, **facts: Decimal) -> None:
    found = ours(compute)
    if found is not None:
        assert formula.evaluate(facts) == found


@settings(max_examples=500)
@given(st.sampled_from("+-*"), numbers, numbers)
@example("+", Decimal("0.00"), Decimal("1.5"))
@example("-", Decimal("0.00"), Decimal("1.5"))
@example("-", Decimal(0), Decimal("0.000"))
@example("+", Decimal("1.50"), Decimal("-1.5"))
@example("*", Decimal("0.00"), Decimal("-1.5"))
@example("*", Decimal("12345678901234567.89"), Decimal(10000000000))
@example("*", Decimal("0.000000001"), Decimal("0.000000001"))
@example("+", Decimal("999999999999999999.999999999"), Decimal("0.000000001"))
def test_sums_and_products(operator: str, a: Decimal, b: Decimal) -> None:
    formula, function = zen_pair[operator]
    check(formula, lambda: function(a, b), a=a, b=b)


@given(numbers, numbers, numbers)
@example(Decimal("0.00"), Decimal("0.0"), Decimal("0.000"))
@example(Decimal("999999999999999999.999999999"), Decimal("7.922816251"), Decimal("0.1"))
@example(Decimal(999999999999999999), Decimal(999999999999999999), Decimal(999999999999999999))
def test_results_are_computed_with_again(a: Decimal, b: Decimal, c: Decimal) -> None:
    facts = {"a": a, "b": b, "c": c}
    check(Formula("string(a * b + c)"), lambda: add(multiply(a, b), c), **facts)
    check(Formula("string(-a - b * c)"), lambda: subtract(a.copy_negate(), multiply(b, c)), **facts)
    check(Formula("string((a + b) * (b - c))"), lambda: multiply(add(a, b), subtract(b, c)), **facts)
    check(Formula("string(sum([a, -b, c]))"), lambda: total([a, b.copy_negate(), c]), **facts)


@settings(max_examples=500)
@given(numbers, literals)
@example(Decimal("1.00"), "1.000")
@example(Decimal("1.5"), "0.25")
@example(Decimal("-1.50"), "4")
@example(Decimal(100), "9")
@example(Decimal("999999999999999999.999999999"), "0.000000001")
@example(Decimal("999999999999999999.999999999"), "7")
@example(Decimal("0.000000001"), "100000000000000000000")
@example(Decimal(7922816251426433759), "8")
def test_quotients(a: Decimal, divisor: str) -> None:
    number = Decimal(divisor)
    assume(number != 0)
    divide = divider(number)
    check(Formula(f"string(a / {divisor})"), lambda: divide(a), a=a)
    check(Formula(f"string(a / 3 / {divisor})"), lambda: divide(divider(Decimal(3))(a)), a=a)
    check(Formula(f"string(round(a / {divisor}, 2))"), lambda: rounder(2)(divide(a)), a=a)
    check(Formula(f"string(a / {divisor} + a)"), lambda: add(divide(a), a), a=a)


def test_quotients_by_three_are_ours() -> None:
    assert ours(lambda: divider(Decimal(3))(Decimal("100.00"))) == "33.333333333333333333333333333"


@settings(max_examples=300)
@given(numbers, st.integers(0, 9))
@example(Decimal("-0.001"), 2)
@example(Decimal("-0.005"), 2)
@example(Decimal("0.00"), 1)
@example(Decimal("-0.4"), 0)
@example(Decimal("2.5"), 0)
@example(Decimal("999999999999999999.999999999"), 8)
def test_rounding(a: Decimal, places: int) -> None:
    check(Formula(f"string(round(a, {places}))"), lambda: rounder(places)(a), a=a)
    check(Formula(f"string(round(-a, {places}))"), lambda: rounder(places)(a.copy_negate()), a=a)
    check(Formula("string(floor(a))"), lambda: floor(a), a=a)
    check(Formula("string(ceil(a))"), lambda: ceil(a), a=a)
    check(Formula("string(floor(-a))"), lambda: floor(a.copy_negate()), a=a)
    check(Formula("string(ceil(-a))"), lambda: ceil(a.copy_negate()), a=a)
    check(Formula("string(abs(-a))"), lambda: a.copy_negate().copy_abs(), a=a)


@given(numbers, numbers)
@example(Decimal("1.0"), Decimal("1.00"))
@example(Decimal("1.00"), Decimal("1.0"))
def test_the_least_is_the_first_and_the_greatest_the_last_of_equal_ones(a: Decimal, b: Decimal) -> None:
    facts = {"a": a, "b": b}
    check(Formula("string(min([a, b, -a]))"), lambda: least([a, b, a.copy_negate()]), **facts)
    check(Formula("string(max([a, b, -a]))"), lambda: greatest([a, b, a.copy_negate()]), **facts)


def test_what_needs_more_digits_is_left_to_the_engine() -> None:
    most = Decimal("999999999999999999.999999999")
    assert ours(lambda: multiply(most, most)) is None
    assert ours(lambda: add(multiply(most, Decimal(10)), Decimal("0.0000000000001"))) is None
    assert ours(lambda: least([])) is None
    assert ours(lambda: greatest([])) is None
    tiny = Decimal("0.000000001")
    assert ours(lambda: multiply(multiply(tiny, tiny), multiply(tiny, tiny))) is None


def test_an_overflowing_product_stays_the_engines_refusal() -> None:
    formula = Formula("string(a * a * a)")
    try:
        formula.evaluate({"a": Decimal(10) ** 17})
    except ComponentFailed as failed:
        _is_told(failed)
    else:
        raise AssertionError("the engine holds more digits than we know")


def _is_told(failed: ComponentFailed) -> None:
    assert "no result" in failed.what
