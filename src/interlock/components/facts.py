"""Values on their way into a rule and out of it: our JSON to exact facts, the engine's strings to our JSON. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Context, Decimal
from typing import Any

from interlock.components.checking import FieldType, is_date
from interlock.components.engine import Fact
from interlock.errors import ComponentFailed

_DECIMAL = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,9})?\Z")
"""27 digits, which the engine holds exactly."""
_LARGEST_INTEGER = 10**18
_WIDE = Context(prec=80)
"""The engine's results have up to 29 digits, and 9 decimals may be asked for on top."""
_UNITS = tuple(Decimal(1).scaleb(-places) for places in range(10))
_LONGEST_TEXT = 10_000
_TYPE_NAMES = {
    FieldType.STRING: "string",
    FieldType.DATE: "string",
    FieldType.BOOLEAN: "bool",
    FieldType.DECIMAL: "number",
    FieldType.INTEGER: "number",
}


def read_fact(name: str, value: Any, kind: FieldType, values: tuple[str, ...] = ()) -> Fact:
    """Turn a value of our JSON into a fact.

    Args:
        name: What it is called, for the error.
        value: A decimal is a string of plain digits such as ``"31.00"`` (a Decimal or int also passes), an integer an
            int, a date a string ``"2026-01-31"``.
        kind: The declared type; not rows.
        values: The only strings that may come; empty for any.

    Raises:
        ComponentFailed: not of that type, or not exact.
    """
    fact = _READERS[kind](value)
    if fact is None:
        raise ComponentFailed(
            f"the input {name!r} is {str(value)[:60]!r} ({type(value).__name__}), not {kind}",
            where=f"/{name}",
            todo=_FORMS[kind],
        )
    if values and fact not in values:
        raise ComponentFailed(
            f"the input {name!r} is {str(value)[:60]!r}", where=f"/{name}", todo=f"it may be {', '.join(values)}"
        )
    return fact


def _read_decimal(value: Any) -> Decimal | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return _read_integer(value)
    text = format(value, "f") if isinstance(value, Decimal) and value.is_finite() else value
    return _unsigned_zero(Decimal(text)) if isinstance(text, str) and _DECIMAL.match(text) else None


def _unsigned_zero(number: Decimal) -> Decimal:
    """The number, a zero without its sign: the engine reads ``-0.00`` as ``0.00``."""
    return number or number.copy_abs()


def missing_fact(name: str, kind: FieldType) -> ComponentFailed:
    """The error of an input that is not there."""
    return ComponentFailed(f"the input {name!r} is missing", where=f"/{name}", todo=f"send it, as {kind}")


def fact_reader(name: str, kind: FieldType, values: tuple[str, ...] = ()) -> Callable[[Any], Fact]:
    """``read_fact`` for one input, made ready for many values; it raises as that does.

    Text that the engine would refuse (half a surrogate pair) raises ``UnicodeEncodeError``.
    """

    def read(value: Any) -> Fact:
        return read_fact(name, value, kind, values)

    def read_decimal(value: Any) -> Fact:
        if type(value) is str and _DECIMAL.match(value):
            number = Decimal(value)
            return number or number.copy_abs()
        return read(value)

    def read_text(value: Any) -> Fact:
        text = value if type(value) is str and len(value) <= _LONGEST_TEXT else str(read(value))
        if not text.isascii():
            text.encode()
        return text

    members = frozenset(values)

    def read_member(value: Any) -> Fact:
        return value if type(value) is str and value in members else read(value)

    def read_boolean(value: Any) -> Fact:
        return value if value is True or value is False else read(value)

    def read_integer(value: Any) -> Fact:
        return Decimal(value) if type(value) is int and -_LARGEST_INTEGER < value < _LARGEST_INTEGER else read(value)

    quick = {
        FieldType.DECIMAL: read_decimal,
        FieldType.INTEGER: read_integer,
        FieldType.BOOLEAN: read_boolean,
        FieldType.STRING: read_member if values else read_text,
    }
    return quick.get(kind, read)


def _read_integer(value: Any) -> Decimal | None:
    is_whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) < _LARGEST_INTEGER
    return Decimal(value) if is_whole else None


def _read_text(value: Any) -> str | None:
    return value if isinstance(value, str) and len(value) <= _LONGEST_TEXT else None


def _read_boolean(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _read_date(value: Any) -> str | None:
    return value if isinstance(value, str) and is_date(value) else None


def _read_rows(value: Any) -> None:
    """Rows come from tables, never from outside."""
    del value


_READERS = {
    FieldType.STRING: _read_text,
    FieldType.DECIMAL: _read_decimal,
    FieldType.INTEGER: _read_integer,
    FieldType.BOOLEAN: _read_boolean,
    FieldType.DATE: _read_date,
    FieldType.ROWS: _read_rows,
}
_FORMS = {
    FieldType.STRING: f"send a string of at most {_LONGEST_TEXT:,} characters",
    FieldType.DECIMAL: 'send a string of plain digits, at most 18 before the point and 9 after it, such as "31.00"',
    FieldType.INTEGER: "send a whole number of at most 18 digits",
    FieldType.BOOLEAN: "send true or false",
    FieldType.DATE: 'send a string such as "2026-01-31"',
    FieldType.ROWS: "declare single values",
}


def fact_writer(
    name: str, kind: FieldType, *, values: tuple[str, ...] = (), places: int | None = None
) -> Callable[[Fact], str | int | bool]:
    """``write_value`` for one output that has been computed here and has its declared type; it raises as that does."""

    def write(value: Fact) -> str | int | bool:
        return write_value(name, fact_text(value), _TYPE_NAMES[kind], kind, values=values, places=places)

    def as_it_is(value: Fact) -> str | int | bool:
        return value if isinstance(value, str) else value is True

    if kind is FieldType.BOOLEAN or (kind is FieldType.STRING and not values):
        return as_it_is
    return fact_text if kind is FieldType.DECIMAL and places is None else write


def fact_text(value: Fact) -> str:
    """The engine's ``string(value)``."""
    if isinstance(value, str):
        return value
    if isinstance(value, Decimal):
        return format(value, "f")
    return "true" if value else "false"


def write_value(
    name: str, text: Any, engine_type: Any, kind: FieldType, *, values: tuple[str, ...] = (), places: int | None = None
) -> str | int | bool:
    """Turn what the engine gave into our JSON.

    Args:
        name: What it is called, for the error.
        text: The engine's ``string(value)``.
        engine_type: The engine's ``type(value)``.
        kind: The declared type; not rows.
        values: The only strings that may come out; empty for any.
        places: How many decimals a decimal has; None leaves them as they came.

    Returns:
        A decimal as a string with all its digits.

    Raises:
        ComponentFailed: there is no value, or it is not of that type; more decimals than declared are never rounded
            away in silence.
    """
    if not isinstance(text, str) or engine_type != _TYPE_NAMES.get(kind):
        raise ComponentFailed(f"the output {name!r} is {engine_type or 'missing'}, not {kind}", where=f"/{name}")
    if values and text not in values:
        raise ComponentFailed(f"the output {name!r} is {text[:60]!r}", where=f"/{name}", todo=f"declared: {values}")
    if kind is FieldType.BOOLEAN:
        return text == "true"
    if kind is FieldType.INTEGER:
        return _whole(name, Decimal(text))
    if kind is FieldType.DATE and not is_date(text):
        raise ComponentFailed(f"the output {name!r} is {text[:60]!r}, no date", where=f"/{name}")
    return _with_places(name, text, places) if kind is FieldType.DECIMAL else text


def _whole(name: str, number: Decimal) -> int:
    if number != number.to_integral_value():
        raise ComponentFailed(f"the output {name!r} is {number}, no whole number", where=f"/{name}", todo="round it")
    return int(number)


def _with_places(name: str, text: str, places: int | None) -> str:
    if places is None:
        return text
    number = Decimal(text)
    rounded = number.quantize(_UNITS[places], context=_WIDE)
    if rounded != number:
        raise ComponentFailed(
            f"the output {name!r} is {text}, with more than {places} decimals",
            where=f"/{name}",
            todo="round it in the file",
        )
    return format(rounded, "f")


def days_since(day: str, now: datetime) -> Decimal:
    """Days from a date until today in UTC; negative for a date to come."""
    return Decimal((now.astimezone(UTC).date() - date.fromisoformat(day)).days)
