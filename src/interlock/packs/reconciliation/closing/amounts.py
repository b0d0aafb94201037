"""Amounts of any size in words. Pure."""

from __future__ import annotations

from interlock.money import exponent


def amount_text(minor: int, currency: str) -> str:
    """An amount of any size as exact decimals with its currency: ``-1234.50 EUR``."""
    digits = exponent(currency)
    whole = str(abs(minor)).rjust(digits + 1, "0")
    shown = f"{whole[:-digits]}.{whole[-digits:]}" if digits else whole
    return f"{'-' if minor < 0 else ''}{shown} {currency}"
