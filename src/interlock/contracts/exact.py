"""Exact values that JSON carries as text: decimals, dates, timestamps and times. Pure.

JSON Schema can check neither an exact range nor a day that exists, and a JSON number is a double to most readers. So
these values are strings, read here, and nowhere else, by one set of forms.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from decimal import Context, Decimal
from typing import Any, cast

import msgspec

from interlock.contracts.contract import Bound, Exact, Field, Shape
from interlock.contracts.shown import shown

MOST_DIGITS = 38
"""The most digits of a decimal that a contract may ask for, as in most databases."""
EXACT = frozenset({Shape.DECIMAL, Shape.DATE, Shape.TIMESTAMP, Shape.TIME})
"""The shapes that are exact text."""
_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_HOUR = r"[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?"
FORMS = {
    Shape.DECIMAL: r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?",
    Shape.DATE: _DAY,
    Shape.TIMESTAMP: rf"{_DAY}T{_HOUR}(?:Z|[+-][0-9]{{2}}:[0-9]{{2}})",
    Shape.TIME: _HOUR,
}
"""How each is written, as a regular expression without anchors."""
_COMPILED = {shape: re.compile(form) for shape, form in FORMS.items()}
_WIDE = Context(prec=4 * MOST_DIGITS)
"""Wide enough that no remainder of two decimals is rounded or refused."""
_LONGEST = 200
"""Characters beyond which no text is one of these."""
_WRITTEN = {
    Shape.DECIMAL: ("plain decimal digits", 'write digits with a point, as in "31.00"'),
    Shape.DATE: ("a day", 'write a day that exists as "YYYY-MM-DD"'),
    Shape.TIMESTAMP: ("a moment", 'write it as "2018-02-28T09:30:00Z", with Z or an offset'),
    Shape.TIME: ("a time of day", 'write it as "09:30:00"'),
}


class Fault(msgspec.Struct, frozen=True):
    """What is wrong with one value, wherever it stands.

    Attributes:
        what: In words, with the value.
        rule: The rule that it breaks.
        todo: What would make it right.
    """

    what: str
    rule: str
    todo: str


def read_exact(shape: Shape, text: str) -> Exact | None:
    """What a text stands for; None if it does not have the form, or no such day or time exists."""
    if len(text) > _LONGEST or not _COMPILED[shape].fullmatch(text):
        return None
    try:
        return _read(shape, text)
    except (ValueError, OverflowError):
        return None


def _read(shape: Shape, text: str) -> Exact | None:
    if shape is Shape.DECIMAL:
        value = Decimal(text)
        # Minus zero would be a second way to write zero.
        return None if value.is_zero() and text.startswith("-") else value
    if shape is Shape.DATE:
        return date.fromisoformat(text)
    if shape is Shape.TIME:
        return time.fromisoformat(text)
    return datetime.fromisoformat(text).astimezone(UTC)


def exact_fault(field: Field, text: str) -> Fault | None:
    """The first thing that is wrong with the text of a decimal, date, timestamp or time; None if it is right."""
    value = read_exact(field.shape, text)
    if value is None:
        noun, todo = _WRITTEN[field.shape]
        return Fault(f"{shown(text)} is not {noun}", field.shape.value, todo)
    if isinstance(value, Decimal):
        return _digits_fault(field, text, value) or range_fault(field, value, shown(text))
    return range_fault(field, value, shown(text))


def _digits_fault(field: Field, text: str, value: Decimal) -> Fault | None:
    whole, _, fraction = text.removeprefix("-").partition(".")
    digits, decimals = field.digits or 2 * MOST_DIGITS, field.decimals or 0
    if len(fraction) > decimals:
        what = f"{shown(text)} has {len(fraction)} digits after the point, more than {decimals}"
        return Fault(what, "decimals", "round it where the rule for rounding is known")
    if len(whole.lstrip("0")) > digits - decimals:
        what = f"{shown(text)} has {len(whole)} digits before the point, more than {digits - decimals}"
        return Fault(what, "digits", "check where it came from")
    if field.multiple_of is not None and _WIDE.remainder(value, field.multiple_of):
        return Fault(f"{shown(text)} is no multiple of {field.multiple_of:f}", "multipleOf", "send a multiple")
    return None


def decimals_of(value: Decimal) -> int:
    """How many digits a finite decimal needs after the point: 2 for 0.05, 1 for 1.50, 0 for 1e2."""
    exponent = _WIDE.normalize(value).as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def range_fault(field: Field, value: object, text: str) -> Fault | None:
    """Whether a value lies outside of its field's range.

    Args:
        field: What the contract says.
        value: Of the type of the bounds, so that comparing is exact; for numbers a float or int.
        text: The value, safe to print.
    """
    # One range never mixes types: the loader reads both ends in the shape of the field.
    if field.low is not None and not _beyond(value, field.low):
        rule = "exclusiveMinimum" if field.low.exclusive else "minimum"
        return Fault(f"{text} is too small", rule, f"send {range_words(field)}")
    if field.high is not None and not _short_of(value, field.high):
        rule = "exclusiveMaximum" if field.high.exclusive else "maximum"
        return Fault(f"{text} is too large", rule, f"send {range_words(field)}")
    return None


def _beyond(value: Any, bound: Bound) -> bool:
    end = cast("Any", bound.value)
    return bool(value > end if bound.exclusive else value >= end)


def _short_of(value: Any, bound: Bound) -> bool:
    end = cast("Any", bound.value)
    return bool(value < end if bound.exclusive else value <= end)


def range_words(field: Field) -> str:
    """A field's range in words: ``at least 0.01 and at most 99999999.99``."""
    low = field.low and f"{'more than' if field.low.exclusive else 'at least'} {_plain(field.low.value)}"
    high = field.high and f"{'less than' if field.high.exclusive else 'at most'} {_plain(field.high.value)}"
    return " and ".join(words for words in (low, high) if words)


def _plain(value: Exact) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else value.isoformat()
