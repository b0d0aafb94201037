"""Reference rates: what amounts of several currencies count for in the order of work, and, with their date, in figures
of the business view; nowhere else.
"""  # noqa: D205 - one thought

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import cast

import msgspec

from interlock.errors import MoneyInvalid, Refused
from interlock.money import exponent
from interlock.setting_forms import Raw, SettingForm

_RATE = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?\Z")
_TODO = 'write base = "EUR" and MYR = "0.20" in a table, or "EUR, MYR=0.20" in one text'


class RateSettings(msgspec.Struct, frozen=True):
    """Reference rates to one currency.

    Attributes:
        base: The currency.
        rates: What one unit of another is worth in it.
        date: Of which day they are; None: no figure of money is converted by them.
    """

    base: str = "EUR"
    rates: Mapping[str, Decimal] = MappingProxyType({})
    date: dt.date | None = None

    def convert(self, amount: Decimal, currency: str, to: str) -> Decimal | None:
        """An amount in another currency, not rounded; None: no rate is declared with its date."""
        if currency == to:
            return amount
        one, other = self._worth(currency), self._worth(to)
        return amount * one / other if self.date and one and other else None

    def _worth(self, currency: str) -> Decimal | None:
        return Decimal(1) if currency == self.base else self.rates.get(currency)


def _currency(text: str) -> str:
    try:
        exponent(text)
    except MoneyInvalid as cause:
        raise Refused(cause.what, todo=_TODO) from cause
    return text


def _date(value: object) -> dt.date | None:
    if value is None or isinstance(value, dt.date):
        return value
    try:
        return dt.date.fromisoformat(str(value))
    except ValueError as cause:
        raise Refused(f"{str(value)[:60]!r} is no day", todo='write date = "2026-11-01"') from cause


def _read(raw: Raw, _environ: Mapping[str, str]) -> RateSettings:
    if isinstance(raw.value, dict):
        table = cast("dict[str, object]", raw.value)
    elif isinstance(raw.value, str):
        first, *others = (part.strip() for part in raw.value.split(","))
        pairs = [part.partition("=") for part in others]
        table = {"base": first} | {key.strip(): value.strip() for key, _, value in pairs}
    else:
        raise Refused(f"{raw.value!r} is no table of rates", todo=_TODO)
    base = _currency(str(table.get("base", "EUR")))
    rates: dict[str, Decimal] = {}
    for key, value in table.items():
        if key in ("base", "date"):
            continue
        if not isinstance(value, str) or not _RATE.match(value) or not Decimal(value):
            raise Refused(f"{value!r} is no rate of {key[:60]}", todo=_TODO)
        if _currency(key) == base:
            raise Refused(f"{key} is the base itself", todo="leave it out: it counts as 1")
        rates[key] = Decimal(value)
    return RateSettings(base, MappingProxyType(rates), _date(table.get("date")))


RATES = SettingForm[RateSettings](_read, RateSettings())
