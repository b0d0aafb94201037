"""Amounts of money by currency, exact, and of what they are not all. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from interlock.decisions.costs import shown_usd
from interlock.money import exponent

USD = "USD"
_PLACES = Decimal("1e-6")


@dataclass(frozen=True, slots=True)
class Sums:
    """Amounts by currency, in whole units of it, exact; and of what they are not all.

    Attributes:
        amounts: By currency.
        known: Whether anything is known at all.
        note: What is missing, or why nothing is known.
        short: What is not in the amounts, with its size; empty: they are all there is.
        spread: By how much an estimate may be off, below and above, by currency; empty: nothing is estimated.
    """

    amounts: dict[str, Decimal]
    known: bool
    note: str = ""
    short: str = ""
    spread: Mapping[str, tuple[Decimal, Decimal]] = field(default_factory=dict[str, tuple[Decimal, Decimal]])

    @property
    def word(self) -> str:
        """What stands before the amounts."""
        return f"{'at least ' if self.short else ''}{'about ' if self.spread else ''}"

    def told(self) -> str | None:
        """All of them, one after the other."""
        return " + ".join(shown(amount, currency) for currency, amount in sorted(self.amounts.items())) or None

    def told_each(self, count: int, what: str) -> str | None:
        """The same for each of so many."""
        if not count or not self.amounts:
            return None
        parts = (fine(amount / count, currency) for currency, amount in sorted(self.amounts.items()))
        return f"{self.word}{' + '.join(parts)} {what}"


def shown(amount: Decimal, currency: str) -> str:
    """An amount in whole units: USD with all its digits, others to their minor unit; nothing has no sign."""
    if currency == USD:
        return shown_usd(_unsigned_zero(amount.quantize(_PLACES)) if amount else Decimal(0))
    return f"{_unsigned_zero(amount.quantize(Decimal(1).scaleb(-exponent(currency)))):,f} {currency}"


def fine(amount: Decimal, currency: str) -> str:
    """An amount of one, with two digits more than the currency has; what would be told as nothing, with two digits."""
    if amount and abs(amount) < Decimal(1).scaleb(-exponent(currency) - 2):
        return f"{amount.quantize(Decimal(1).scaleb(amount.adjusted() - 1)):f} {currency}"
    return f"{_unsigned_zero(amount.quantize(Decimal(1).scaleb(-exponent(currency) - 2))):f} {currency}"


def _unsigned_zero(amount: Decimal) -> Decimal:
    """What is rounded to nothing, without the sign that it had."""
    return amount or amount.copy_abs()


def major(minor: int | Decimal, currency: str) -> Decimal:
    """Whole units of minor ones, exact."""
    return Decimal(minor).scaleb(-exponent(currency))
