"""One form for what is printed in many: amounts, dates, vendors' names. Pure.

The same rules are used to read a receipt, to compare a reading with its truth, and to recognise a duplicate. Each is
idempotent: what was normalised once stays as it is.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import date
from decimal import Decimal

_AMOUNT = re.compile(r"(-?)\s*(?:RM|MYR|\$)?\s*(-?)\s*([0-9]{1,12})(?:\.([0-9]{1,2}))?\Z")
_NOT_LETTER = re.compile(r"[^\w]|_")
_REGISTRATION = re.compile(
    r"[\s,.:;*-]*(?:"
    # a registration number: (900001-V), 900002-U, 009000003-M, (9004K), (JM0900005-K), (CO. NO. 900006-W)
    r"[(\[{]?\s*(?:(?:CO|COMPANY|REG|ROC|BR|BRN)\b[\s.]*)*(?:NO\b)?[\s.:#]*"
    r"(?:[A-Z]{1,3}\s?)?[0-9OIL][0-9OIL\s]{2,13}[0-9OIL]\s?[-.~_]?\s?[A-Z]?\s*[)\]}]+"
    r"|[(\[{]\s*(?:(?:CO|COMPANY|REG|ROC|BR|BRN)\b[\s.]*)*(?:NO\b)?[\s.:#]*"
    r"(?:[A-Z]{1,3}\s?)?[0-9]{3,13}\s?[-.~_]?\s?[A-Z]?\s*[)\]}]?"
    r"|(?:[A-Z]{1,2})?[0-9]{4,13}\s?-\s?[A-Z]{1,2}(?:\s*\([A-Z]{2,4}\))?"
    r")\s*\Z"
)
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")

EARLIEST_YEAR, LATEST_YEAR = 2000, 2079
"""Years that a receipt may bear. A two-digit year is of this century."""


def amount_of(text: str) -> Decimal | None:
    """The exact amount that a text means: ``"RM 1,007.50"`` is 1007.50, ``"43.7"`` is 43.70; None if it is none.

    A currency sign and separators of thousands are dropped; two decimals are always shown.
    """
    match = _AMOUNT.match(text.strip().upper().replace(",", ""))
    if not match:
        return None
    before, after, whole, cents = match.groups()
    value = Decimal(f"{whole}.{(cents or '').ljust(2, '0')}")
    return -value if before or after else value


def amount_text(value: Decimal) -> str:
    """An exact amount with two decimals, as it stands in JSON: ``"31.00"``."""
    return f"{value.quantize(Decimal('0.01')):f}"


def year_of(digits: str) -> int | None:
    """The year that two or four digits mean, or None if no receipt can bear it."""
    year = int(digits) + (2000 if len(digits) == 2 else 0)  # noqa: PLR2004 - a two-digit year
    return year if EARLIEST_YEAR <= year <= LATEST_YEAR else None


def month_of(name: str) -> int | None:
    """The month of an English or Malay name by its first letters: ``"MARCH"``, ``"MAC"``, ``"OGOS"``."""
    short = name.upper()[:3]
    malay = {"MAC": 3, "MEI": 5, "JUL": 7, "OGO": 8, "OGS": 8, "OKT": 10, "DIS": 12}
    return _MONTHS.index(short) + 1 if short in _MONTHS else malay.get(short)


def day(year: str, month: int, day_of_month: str) -> date | None:
    """A date, or None if the calendar does not have it."""
    known = year_of(year)
    try:
        return date(known, month, int(day_of_month)) if known else None
    except ValueError:
        return None


def company_text(text: str) -> str:
    """A vendor's name as printed, without the registration number behind it, in upper case with single spaces."""
    name = " ".join((text if text.isascii() else unicodedata.normalize("NFKC", text)).upper().split())
    while any(sign.isdigit() for sign in name):
        shorter = _REGISTRATION.sub("", name).strip(" ,;:*-_~'\"")
        if shorter == name or not letters_of(shorter):
            break
        name = shorter
    return name


def company_key(text: str) -> str:
    """What two spellings of one vendor share: letters and digits only, in upper case, accents removed.

    Spaces, punctuation, case and the registration number do not count; every letter does, so a misread letter differs.
    """
    return letters_of(company_text(text))


def letters_of(name: str) -> str:
    """The letters and digits of a name in upper case, accents removed."""
    if not name.isascii():
        plain = unicodedata.normalize("NFKD", name)
        name = "".join(sign for sign in plain if not unicodedata.combining(sign))
    return _NOT_LETTER.sub("", name.upper())
