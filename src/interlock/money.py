"""Exact money: an amount in a currency, held as whole minor units. Never a float."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from decimal import Context, Decimal, Inexact, InvalidOperation
from typing import Self, cast

import iso4217

from interlock.errors import MoneyInvalid

LARGEST_MINOR = 2**63 - 1
"""What a bigint column holds: 92,233,720,368,547,758.07 in a currency with two decimals."""

_LONGEST = 64
_LARGEST_POWER = 30
_EXACT = Context(prec=_LONGEST + 8, traps=[InvalidOperation, Inexact])
"""Arithmetic that would have to round raises instead, whatever the thread's own decimal context says."""
_PLAIN = re.compile(r"[+-]?[0-9]{1,30}(\.[0-9]{1,12})?\Z")


@functools.lru_cache(maxsize=256)
def exponent(currency: str) -> int:
    """How many decimals a currency has (ISO 4217): MYR 2, JPY 0, KWD 3.

    Raises:
        MoneyInvalid: no such currency, or one without minor units (gold, test codes).
    """
    try:
        digits = iso4217.Currency(currency).exponent
    except ValueError:
        digits = None
    if digits is None:
        raise MoneyInvalid(
            f"{currency[:60]!r} is no currency with minor units", todo="use an ISO 4217 code, such as MYR"
        )
    return digits


@dataclass(frozen=True, slots=True, init=False)
class Money:
    """An exact amount: ``Money("12.30", "MYR")``. Adds and compares only within one currency.

    Attributes:
        amount: A decimal with exactly the currency's decimals. Given as str, int or Decimal; a float is refused.
        currency: An ISO 4217 code.

    Raises:
        MoneyInvalid: not a finite decimal, more decimals than the currency has (it is never rounded in silence), more
            than 64 bits of minor units, or an unknown currency.
    """

    amount: Decimal
    currency: str

    def __init__(self, amount: str | int | Decimal, currency: str) -> None:
        written = _written(amount, currency)
        object.__setattr__(self, "amount", _exact(amount, currency) if written is None else written)
        object.__setattr__(self, "currency", currency)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``"12.30 MYR"``."""
        amount, _, currency = text.strip().partition(" ")
        if not currency:
            raise MoneyInvalid(
                f"{text[:60]!r} is no amount of money", todo='write amount and currency, as in "12.30 MYR"'
            )
        return cls(amount, currency.strip())

    @classmethod
    def of_minor(cls, minor: int, currency: str) -> Self:
        """From minor units: ``Money.of_minor(1230, "MYR")`` is 12.30 MYR."""
        digits = exponent(currency)
        if abs(minor) > LARGEST_MINOR:
            raise MoneyInvalid(f"more {currency} than can be held", todo="check where the amount came from")
        return cls(_EXACT.scaleb(Decimal(minor), -digits), currency)

    @classmethod
    def of_columns(cls, minor: int | None, currency: str | None) -> Self | None:
        """From the two columns in which a row stores an amount; None where the row has none."""
        return cls.of_minor(minor, currency) if minor is not None and currency is not None else None

    @property
    def minor(self) -> int:
        """The amount in whole minor units, as it is stored."""
        return int(_EXACT.scaleb(self.amount, exponent(self.currency)))

    def __str__(self) -> str:
        return f"{self.amount:f} {self.currency}"

    def __add__(self, other: Money) -> Money:
        return Money.of_minor(self.minor + self._same(other).minor, self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money.of_minor(self.minor - self._same(other).minor, self.currency)

    def __lt__(self, other: Money) -> bool:
        return self.amount < self._same(other).amount

    def __le__(self, other: Money) -> bool:
        return self.amount <= self._same(other).amount

    def __gt__(self, other: Money) -> bool:
        return self.amount > self._same(other).amount

    def __ge__(self, other: Money) -> bool:
        return self.amount >= self._same(other).amount

    def _same(self, other: Money) -> Money:
        if other.currency != self.currency:
            raise MoneyInvalid(
                f"{self} and {other} are of two currencies", todo="convert one, with the rate on record, before"
            )
        return other


_SIMPLE = tuple(re.compile(rf"[0-9]{{1,12}}\.[0-9]{{{digits}}}\Z") for digits in range(1, 5))
"""Amounts by their number of decimals that are exact as they are written; the common case, and quick to know."""


def _written(amount: object, currency: str) -> Decimal | None:
    """The amount, if it is surely exact as it is written."""
    digits = exponent(currency) if isinstance(amount, str) else 0
    simple = 1 <= digits <= len(_SIMPLE) and _SIMPLE[digits - 1].match(cast("str", amount))
    return Decimal(cast("str", amount)) if simple else None


def _exact(amount: str | int | Decimal, currency: str) -> Decimal:
    if isinstance(amount, (float, bool)):
        raise MoneyInvalid(f"{amount!r} is no exact amount", todo="pass a string or a Decimal")
    if isinstance(amount, str) and not _PLAIN.match(amount):
        raise MoneyInvalid(f"{amount[:60]!r} is no amount", todo='write plain digits with a point, as in "12.30"')
    try:
        value = Decimal(amount)
    except (InvalidOperation, TypeError, ValueError) as cause:
        raise MoneyInvalid(f"{amount!r} is no amount", todo="pass a string or a Decimal") from cause
    digits = exponent(currency)
    if not value.is_finite():
        raise MoneyInvalid(f"{amount!r} is no finite amount", todo="pass digits")
    # Both bounds stand before any arithmetic: a huge exponent costs time, and a long number must not be rounded unseen.
    if not value:
        return _EXACT.quantize(Decimal(0), Decimal(1).scaleb(-digits))
    if value.adjusted() > _LARGEST_POWER:
        raise MoneyInvalid("the amount is more than can be held", todo="check where it came from")
    _, written, power = value.as_tuple()
    if len(written) > _LONGEST or not isinstance(power, int) or power < -_LONGEST:
        raise MoneyInvalid(f"the amount has more than {_LONGEST} digits", todo="round it where the rule is known")
    minor = _EXACT.scaleb(value, digits)
    if minor != _EXACT.to_integral_value(minor):
        raise MoneyInvalid(
            f"{value:f} has more decimals than {currency} has ({digits})",
            todo="round it where the rule for rounding is known",
        )
    if abs(minor) > LARGEST_MINOR:
        raise MoneyInvalid(f"{value:f} {currency} is more than can be held", todo="check where the amount came from")
    return _EXACT.quantize(value, Decimal(1).scaleb(-digits))
