from __future__ import annotations

import decimal
from decimal import Decimal

import pytest

from interlock.errors import MoneyInvalid
from interlock.money import LARGEST_MINOR, Money, exponent


@pytest.mark.parametrize(("currency", "digits"), [("MYR", 2), ("JPY", 0), ("KWD", 3), ("CLF", 4)])
def test_the_decimals_of_a_currency(currency: str, digits: int) -> None:
    assert exponent(currency) == digits


@pytest.mark.parametrize("currency", ["XAU", "XXX", "myr", "", "MYRX", "458"])
def test_what_is_no_currency_is_refused(currency: str) -> None:
    with pytest.raises(MoneyInvalid, match="no currency"):
        Money("1", currency)


def test_an_amount_takes_its_currencys_decimals() -> None:
    assert str(Money("12.3", "MYR")) == "12.30 MYR"
    assert str(Money(5, "JPY")) == "5 JPY"
    assert str(Money(Decimal("1E+3"), "MYR")) == "1000.00 MYR"
    assert Money("12.300", "MYR") == Money("12.30", "MYR")
    assert hash(Money("12.300", "MYR")) == hash(Money("12.30", "MYR"))


@pytest.mark.parametrize("amount", [1.5, True, float("nan")])
def test_floats_and_truths_are_no_amounts(amount: float) -> None:
    with pytest.raises(MoneyInvalid, match="no exact amount"):
        Money(amount, "MYR")  # pyright: ignore[reportArgumentType] - what the type forbids is refused at run time too


@pytest.mark.parametrize(
    "amount", ["1,000.00", "1e3", "NaN", "Infinity", "", " 1", "1 ", "0x10", "१२", "1.", ".5", "--1"]
)
def test_what_is_not_plain_digits_is_refused(amount: str) -> None:
    with pytest.raises(MoneyInvalid, match="no amount"):
        Money(amount, "MYR")


@pytest.mark.parametrize("amount", [Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity")])
def test_an_amount_is_finite(amount: Decimal) -> None:
    with pytest.raises(MoneyInvalid, match="finite"):
        Money(amount, "MYR")


def test_it_is_never_rounded_in_silence() -> None:
    with pytest.raises(MoneyInvalid, match="more decimals than MYR has"):
        Money("1.005", "MYR")
    with pytest.raises(MoneyInvalid, match="more decimals than JPY has"):
        Money("1.5", "JPY")
    # 29 and 32 digits: more than Python's usual 28, to which the arithmetic would round without a word.
    with pytest.raises(MoneyInvalid, match="more decimals"):
        Money("92233720368547758.070000000001", "MYR")
    with pytest.raises(MoneyInvalid, match="more decimals"):
        Money(Decimal("1." + "0" * 30 + "1"), "MYR")
    with pytest.raises(MoneyInvalid, match="more than 64 digits"):
        Money(Decimal("1." + "0" * 100 + "1"), "MYR")


def test_the_threads_decimal_context_plays_no_part() -> None:
    with decimal.localcontext(decimal.Context(prec=3, rounding=decimal.ROUND_UP)):
        money = Money("12345.67", "MYR")
        assert str(money + money) == "24691.34 MYR"
        assert str(money - Money("0.01", "MYR")) == "12345.66 MYR"
        assert money.minor == 1_234_567
        assert Money.of_minor(1_234_567, "MYR") == money


def test_zero_has_one_form() -> None:
    assert str(Money("-0.00", "MYR")) == str(Money(0, "MYR")) == "0.00 MYR"
    assert str(Money(Decimal("0E+50"), "MYR")) == "0.00 MYR"


def test_the_largest_amount_and_the_first_that_is_too_large() -> None:
    assert Money("92233720368547758.07", "MYR").minor == LARGEST_MINOR
    assert Money("-92233720368547758.07", "MYR").minor == -LARGEST_MINOR
    for amount in ("92233720368547758.08", 10**5000, Decimal("1E+999999")):
        with pytest.raises(MoneyInvalid, match="more than can be held"):
            Money(amount, "MYR")
    with pytest.raises(MoneyInvalid, match="than can be held"):
        Money.of_minor(LARGEST_MINOR + 1, "MYR")
    with pytest.raises(MoneyInvalid, match="than can be held"):
        _ = Money("92233720368547758.07", "MYR") + Money("0.01", "MYR")


def test_reading_an_amount_with_its_currency() -> None:
    assert Money.parse("12.30 MYR") == Money("12.30", "MYR")
    assert Money.parse("  12.30  MYR ") == Money("12.30", "MYR")


@pytest.mark.parametrize("text", ["12.30", "MYR 12.30", "12.30MYR", "", "12.30 MYR extra", "12.30 ringgit"])
def test_what_is_no_amount_with_a_currency_is_refused(text: str) -> None:
    with pytest.raises(MoneyInvalid):
        Money.parse(text)


def test_amounts_compare_within_one_currency() -> None:
    less, more = Money("9.99", "MYR"), Money("10.00", "MYR")
    assert less < more
    assert more > less
    assert less <= less  # noqa: PLR0124 - that it holds of itself is what is asked
    assert more >= less
    assert not more < less


@pytest.mark.parametrize("operator", ["__add__", "__sub__", "__lt__", "__le__", "__gt__", "__ge__"])
def test_two_currencies_do_not_mix(operator: str) -> None:
    with pytest.raises(MoneyInvalid, match="two currencies"):
        getattr(Money(1, "MYR"), operator)(Money(1, "USD"))


def test_equal_amounts_of_two_currencies_are_not_equal() -> None:
    assert Money(1, "MYR") != Money(1, "USD")


def test_two_columns_are_an_amount_or_none() -> None:
    assert Money.of_columns(1230, "MYR") == Money("12.30", "MYR")
    assert Money.of_columns(0, "MYR") == Money("0", "MYR")
    assert Money.of_columns(None, "MYR") is None
    assert Money.of_columns(1230, None) is None
