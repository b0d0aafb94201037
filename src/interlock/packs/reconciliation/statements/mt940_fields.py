"""The fields of an MT940 or MT942 text by the library ``mt-940`` (BSD), as our own types; the only place that knows it.

Fields are handed to the library one by one, so that one that it cannot read costs one entry and not the file. Its
fixes are all switched on (``Options.all``): reversals of credits count as debits, and texts of any length are kept.
"""

from __future__ import annotations

import logging
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, cast

import msgspec
from mt940.models import Amount, Balance, SumAmount, Transactions
from mt940.options import Options
from mt940.tags import StatementGLS

# what it cannot read it logs whole, with names and accounts of people
logging.getLogger("mt940").setLevel(logging.CRITICAL + 1)

TAGS = frozenset({"13", "20", "21", "25", "28", "34", "60", "61", "62", "64", "65", "86", "90", "NS"})
_UNREADABLE = (RuntimeError, ValueError, ArithmeticError, LookupError, TypeError, AttributeError)
_OPTIONS = Options.all()
_LONG_REFERENCE = StatementGLS()
_FIELD = re.compile(r":(?P<full>(?P<tag>[0-9]{2}|NS)[A-Z]?):")
_BARE = re.compile(r"(?:[0-9]{2}|NS)[A-Z]?:")
_ENVELOPE = re.compile(r"\{[1-5]:")
# the library's own forms end where an amount goes on with a sign that they do not know: 1.234,56 would be 1
_WHOLE_LINE = re.compile(
    r"[0-9]{6}(?:[0-9\s]{4})?R?[DC][A-Z]?[\n ]?(?=,?[0-9])(?=[0-9,]{1,15}[A-Z])(?P<amount>[0-9]*,?[0-9]*)(?=[A-Z])",
    re.IGNORECASE,
)
_WHOLE_AMOUNT = re.compile(
    r"(?P<before>(?:[DC][0-9]{6}|[0-9]*)(?P<currency>[A-Z]{3}))0*(?P<amount>(?=,?[0-9])(?=[0-9,]{1,15}$)[0-9]*,?[0-9]*)$",
    re.IGNORECASE | re.MULTILINE,
)
_BALANCE_CURRENCY = re.compile(r"[DC][0-9]{6}(?P<currency>[A-Z]{3})[0-9,. ']", re.IGNORECASE)


class Field(msgspec.Struct, frozen=True):
    """One field of the text.

    Attributes:
        tag: ``61``, ``86``, ``NS``.
        full: The tag with its letter: ``60F``.
        value: What follows it, without the marks around it; its lines end with a line feed.
        line: Where it begins, from 1.
    """

    tag: str
    full: str
    value: str
    line: int


class Stated(msgspec.Struct, frozen=True, kw_only=True):
    """A balance, or the sum of some entries.

    Attributes:
        amount: Signed; exact.
        currency: As it stands there.
        on: Its day.
        count: Of how many entries it is the sum.
    """

    amount: Decimal
    currency: str
    on: date | None = None
    count: int | None = None


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One statement line with all that is said of it.

    Attributes:
        amount: Signed; exact.
        value_on: Its value day; a February 30 is the last of February, as 30/360 days of interest have it.
        booked_on: Its day of booking, if it has one.
        reverses: Whether it is marked RC or RD.
        texts: The other parts by the library's names; only those that are there.
    """

    amount: Decimal
    value_on: date
    booked_on: date | None
    reverses: bool
    texts: dict[str, str]


def fields_of(text: str) -> list[Field]:
    """The fields of a text; what stands before the first, and envelopes of SWIFT, are passed over.

    Args:
        text: The file; its lines end with a line feed.
    """
    fields: list[Field] = []
    found: tuple[str, str, int] | None = None
    value: list[str] = []
    ended = False
    lines = text.split("\n")
    for number, raw in enumerate(lines, start=1):
        line = raw.strip("\x01\x03").rstrip()
        if line == ":" and number < len(lines) and _BARE.match(lines[number]):
            continue  # the mark before a tag was torn off, onto a line of its own
        if _BARE.match(line) and number > 1 and lines[number - 2].rstrip() == ":":
            line = f":{line}"
        if line == "-" or line.startswith("-}"):
            ended = True
            continue
        match = _FIELD.match(line)
        if match and match["tag"] in TAGS:
            _close(fields, found, value)
            found, value, ended = (match["tag"], match["full"], number), [line[match.end() :]], False
        elif line and not ended and not _ENVELOPE.match(line):
            value.append(line)
    _close(fields, found, value)
    return fields


def _close(fields: list[Field], found: tuple[str, str, int] | None, value: list[str]) -> None:
    if found:
        fields.append(Field(found[0], found[1], "\n".join(value).strip(), found[2]))


def stated(field: Field) -> Stated | None:
    """A field with a balance (60, 62, 64), a sum (90D, 90C) or a floor (34); None if it cannot be read."""
    if field.tag != "34":
        whole = _WHOLE_AMOUNT.match(field.value)
        if not whole:
            return None
        amount = whole["amount"]
        plain = f"0{amount}" if amount.startswith(",") else amount
        field = msgspec.structs.replace(field, value=f"{whole['before']}{plain}")
    for value in _data(field).values():
        if isinstance(value, SumAmount):
            number = cast("object", value.number)
            count = int(number) if isinstance(number, str) and number.isdigit() else None
            return Stated(amount=value.amount, currency=value.currency or "", count=count)
        if isinstance(value, Amount):
            return Stated(amount=value.amount, currency=value.currency or "")
        if isinstance(value, Balance) and isinstance(value.amount, Amount):
            on = date(value.date.year, value.date.month, value.date.day) if value.date else None
            return Stated(amount=value.amount.amount, currency=value.amount.currency or "", on=on)
    return None


def currency_of(field: Field) -> str:
    """The currency of a balance, whatever its amount looks like; empty if it has none."""
    found = _BALANCE_CURRENCY.match(field.value)
    return found["currency"] if found else ""


def made_at(field: Field) -> datetime | None:
    """When the statement was made (13D), in UTC; one without an offset is taken for UTC. None if it cannot be read."""
    found = _data(field).get("date")
    if not isinstance(found, datetime):
        return None
    try:
        offset = found.utcoffset()
        plain = datetime(found.year, found.month, found.day, found.hour, found.minute, tzinfo=UTC)
        return plain - offset if offset is not None else plain
    except (ValueError, OverflowError):
        return None


def line_of(fields: list[Field]) -> Line | None:
    """A statement line (61) with the fields that follow it (86, NS); None if its own field cannot be read.

    Args:
        fields: The line's field, and those after it.
    """
    written = _WHOLE_LINE.match(fields[0].value)
    if not written:
        return None
    longer = {61: _LONG_REFERENCE} if "//" in fields[0].value.partition("\n")[0] else None
    data = _transaction([fields[0]], longer)
    if data is None:
        return None
    whole = _transaction(fields, longer) or {**data, **_own_words(fields[1:])}
    amount, value_on, booked_on = (whole.get(name) for name in ("amount", "date", "entry_date"))
    if not isinstance(amount, Amount) or not isinstance(value_on, date):
        return None
    if abs(amount.amount) != Decimal(written["amount"].replace(",", ".")):
        return None
    texts = {name: text for name, text in whole.items() if isinstance(text, str) and text.strip()}
    return Line(
        amount=amount.amount,
        value_on=date(value_on.year, value_on.month, value_on.day),
        booked_on=date(booked_on.year, booked_on.month, booked_on.day) if isinstance(booked_on, date) else None,
        reverses=texts.get("status", "").upper() in {"RC", "RD"},
        texts=texts,
    )


def _own_words(fields: list[Field]) -> dict[str, Any]:
    """The text of fields that the library does not understand, as it stands."""
    return {"transaction_details": "\n".join(field.value for field in fields)}


def _transaction(fields: list[Field], tags: dict[Any, Any] | None) -> dict[str, Any] | None:
    collection = Transactions(tags=tags, options=_OPTIONS)
    try:
        for field in fields:
            collection.parse(f":{field.full}:{field.value}")
        return dict(collection.transactions[0].data)
    except _UNREADABLE:
        return None


def _data(field: Field) -> dict[str, Any]:
    collection = Transactions(options=_OPTIONS)
    try:
        collection.parse(f":{field.full}:{field.value}")
    except _UNREADABLE:
        return {}
    return dict(collection.data)
