"""Exact amounts from columns of text, by arithmetic on their digits. Pure; no number is ever a float on the way."""

from __future__ import annotations

import re

import polars as pl

from interlock.errors import MoneyInvalid
from interlock.money import Money

_PLAIN = r"^[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)$"
_MOST_DIGITS = 60
_FLOAT_TOLERANCE = 1e-6


def plain_amounts(texts: pl.Expr, *, decimal: str, thousands: str) -> pl.Expr:
    """Amounts as they are written in a file, as plain ones: ``-1.234,56`` is ``-1234.56``.

    Groups of thousands have three digits each, or there are none. What is no amount becomes null.

    Args:
        texts: A column of text.
        decimal: The sign before the decimals.
        thousands: The sign between groups; empty: there is none.
    """
    point, group = re.escape(decimal), re.escape(thousands)
    whole = f"(?:[0-9]+|[0-9]{{1,3}}(?:{group}[0-9]{{3}})+)" if thousands else "[0-9]+"
    text = texts.str.strip_chars(" \t")
    bare = text.str.replace_all(thousands, "", literal=True) if thousands else text
    plain = bare.str.replace_all(decimal, ".", literal=True) if decimal != "." else bare
    return pl.when(text.str.contains(f"^[+-]?{whole}(?:{point}[0-9]+)?$")).then(plain)


def minor_units(plain: pl.Expr, digits: int) -> pl.Expr:
    """Plain amounts as signed minor units, 64 bits; null for what is none, too large, or not exact in this currency.

    Args:
        plain: A column of text: ``-12.30``, ``5.``, ``.5``.
        digits: How many decimals the currency has; more are allowed only if they are zeros.
    """
    good = plain.str.contains(_PLAIN) & (plain.str.len_chars() <= _MOST_DIGITS)
    unsigned = plain.str.strip_prefix("-").str.strip_prefix("+")
    whole = unsigned.str.extract(r"^([0-9]*)").fill_null("")
    fraction = unsigned.str.extract(r"\.([0-9]*)$").fill_null("").str.strip_chars_end("0")
    fits = fraction.str.len_chars() <= digits
    padded = (fraction + pl.lit("0" * digits)).str.slice(0, digits)
    units = (whole + padded).cast(pl.Int64, strict=False)
    return pl.when(good & fits).then(pl.when(plain.str.starts_with("-")).then(-units).otherwise(units))


def minor_of_floats(values: pl.Expr, digits: int) -> pl.Expr:
    """Floating point amounts as minor units; null where one is further than 1e-6 from whole ones, or beyond 2**51.

    Below 2**51 the nearest whole minor units are surely those that were meant; beyond, a double has too few digits to
    say. Large amounts may be further off than 1e-6 only by being doubles: those that are the double of their whole
    minor units are taken as well.
    """
    scaled = values * float(10**digits)
    whole = scaled.round()
    # not by dividing: polars multiplies by the reciprocal instead, which is not the same
    written = minor_units(values.cast(pl.String), digits)
    near = ((scaled - whole).abs() <= _FLOAT_TOLERANCE) | (written == whole.cast(pl.Int64, strict=False))
    near &= whole.abs() < 2.0**51
    return pl.when(values.is_finite() & near).then(whole.cast(pl.Int64, strict=False))


def amount_trouble(text: str, currency: str) -> tuple[str, str]:
    """Why an amount was not taken: what is wrong, and what to do.

    Args:
        text: The amount as it was found.
        currency: Its currency, a known one.
    """
    shown = text.strip()[:60]
    if not shown:
        return "the amount is missing", "ask who sent it for the amount"
    if re.match(_PLAIN, shown) and not shown.startswith(".") and not shown.endswith("."):
        try:
            Money(shown, currency)
        except MoneyInvalid as cause:
            return cause.what, cause.todo
    return f"{shown!r} is no amount of {currency}", "see that the file is read in the form in which it is written"
