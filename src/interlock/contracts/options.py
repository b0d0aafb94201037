"""From ``logicalTypeOptions`` to the limits of a field. Pure.

The standard's JSON Schema has already refused options that the logical type does not have.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from interlock.contracts.contract import Bound, Exact, Field, Shape
from interlock.contracts.exact import EXACT, decimals_of, read_exact
from interlock.contracts.pattern import pattern_fault
from interlock.contracts.reading import Reading, Spot
from interlock.contracts.shown import shown

_TEXT_FORMATS = ("email", "uuid", "uri", "hostname", "ipv4", "ipv6")
_ISO_FORMATS = {
    Shape.DATE: ("yyyy-MM-dd",),
    Shape.TIMESTAMP: ("yyyy-MM-dd'T'HH:mm:ssXXX", "yyyy-MM-dd'T'HH:mm:ss[.SSSSSS]XXX"),
    Shape.TIME: ("HH:mm:ss", "HH:mm:ss[.SSSSSS]"),
}
_INTEGER_BITS = {f"{sign}{bits}": (sign, bits) for sign in "iu" for bits in (8, 16, 32, 64, 128)}
_FLOAT_MOST = {"f32": Decimal("3.4028234663852886e38"), "f64": Decimal("1.7976931348623157e308")}
_EMPTY = {Shape.BOOLEAN: "true or false has no options", Shape.OBJECT: "the fields of an object are named one by one"}


def read_options(field: Field, options: dict[str, Any], spot: Spot, reading: Reading) -> Field:
    """The field with the limits that its options demand; what cannot be enforced is refused."""
    if field.shape is Shape.STRING:
        field = _string(field, options, spot, reading)
    elif field.shape is Shape.ARRAY:
        field = msgspec.structs.replace(
            field,
            min_items=options.get("minItems"),
            max_items=options.get("maxItems"),
            unique_items=options.get("uniqueItems") is True,
        )
    elif field.shape in _EMPTY:
        for option in options:
            if not (option == "required" and field.shape is Shape.OBJECT):
                _refuse(option, f"{option} is not enforced here: {_EMPTY[field.shape]}", spot, reading)
    else:
        _refuse_formats(field, options, spot, reading)
        field = _ranged(field, options, spot, reading)
    _refuse_empty(field, spot, reading)
    return field


def _string(field: Field, options: dict[str, Any], spot: Spot, reading: Reading) -> Field:
    pattern, text_format = options.get("pattern"), options.get("format")
    if pattern is not None and (wrong := pattern_fault(str(pattern))):
        _refuse("pattern", wrong, spot, reading)
        pattern = None
    if text_format is not None and text_format not in _TEXT_FORMATS:
        what = f"the format {shown(text_format)} is not enforced here; {', '.join(_TEXT_FORMATS)} are"
        _refuse("format", what, spot, reading)
        text_format = None
    return msgspec.structs.replace(
        field,
        min_length=options.get("minLength"),
        max_length=options.get("maxLength"),
        pattern=pattern,
        text_format=text_format,
    )


def _refuse_formats(field: Field, options: dict[str, Any], spot: Spot, reading: Reading) -> None:
    written = options.get("format")
    if field.shape in _ISO_FORMATS and written is not None and written not in _ISO_FORMATS[field.shape]:
        what = f"the format {shown(written)} is not read; write {_ISO_FORMATS[field.shape][0]} or nothing"
        _refuse("format", what, spot, reading)
    if field.shape is Shape.DECIMAL and written is not None:
        _refuse("format", "a decimal has no format of a float; physicalType says its digits", spot, reading)
    if options.get("timezone") is (field.shape is Shape.TIME):
        what = "a time of day has no offset" if field.shape is Shape.TIME else "a timestamp always has its offset"
        _refuse("timezone", f"{what}; leave timezone out", spot, reading)
    if "defaultTimezone" in options:
        _refuse("defaultTimezone", "no time zone is ever assumed; leave defaultTimezone out", spot, reading)


def _ranged(field: Field, options: dict[str, Any], spot: Spot, reading: Reading) -> Field:
    lows, highs = _implied(field.shape, options.get("format"))
    for option, ends, exclusive in (
        ("minimum", lows, False),
        ("exclusiveMinimum", lows, True),
        ("maximum", highs, False),
        ("exclusiveMaximum", highs, True),
    ):
        end = _end(field, option, options, spot, reading)
        if end is not None:
            ends.append(Bound(end, exclusive))
    # Where two are written, the tighter one counts.
    low = max(lows, key=lambda bound: (bound.value, bound.exclusive), default=None)
    high = min(highs, key=lambda bound: (bound.value, not bound.exclusive), default=None)
    multiple = _multiple(field, options, spot, reading)
    return msgspec.structs.replace(field, low=low, high=high, multiple_of=multiple)


def _implied(shape: Shape, written: str | None) -> tuple[list[Bound], list[Bound]]:
    if shape is Shape.INTEGER:
        sign, bits = _INTEGER_BITS[written or "i64"]
        low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if sign == "i" else (0, 2**bits - 1)
        return [Bound(Decimal(low))], [Bound(Decimal(high))]
    if shape is Shape.NUMBER:
        most = _FLOAT_MOST[written or "f64"]
        return [Bound(-most)], [Bound(most)]
    return [], []


def _end(field: Field, option: str, options: dict[str, Any], spot: Spot, reading: Reading) -> Exact | None:
    written = options.get(option)
    if written is None:
        return None
    if field.shape in EXACT and field.shape is not Shape.DECIMAL:
        value = read_exact(field.shape, str(written))
        if value is None:
            _refuse(option, f"{shown(written)} is no {field.shape}", spot, reading)
        return value
    value = Decimal(written)
    if field.shape is Shape.NUMBER:
        # As the double that it is compared with, in its shortest form.
        return Decimal(repr(float(value)))
    decimals = 0 if field.shape is Shape.INTEGER else (field.decimals or 0)
    if decimals_of(value) > decimals:
        _refuse(option, f"{value} has more than {decimals} digits after the point", spot, reading)
    return value


def _multiple(field: Field, options: dict[str, Any], spot: Spot, reading: Reading) -> Decimal | None:
    if "multipleOf" not in options:
        return None
    value = Decimal(options["multipleOf"])
    if field.shape is Shape.NUMBER:
        what = "a float has no exact multiples; make it an integer, or a decimal with physicalType decimal(p,s)"
        _refuse("multipleOf", what, spot, reading)
        return None
    decimals = 0 if field.shape is Shape.INTEGER else (field.decimals or 0)
    if decimals_of(value) > decimals or value <= 0:
        _refuse("multipleOf", f"{value} is no multiple with {decimals} digits after the point", spot, reading)
        return None
    return value


def _refuse_empty(field: Field, spot: Spot, reading: Reading) -> None:
    """Refuse limits that no value can keep."""
    low, high = field.low, field.high
    ranged = low is not None and high is not None
    if ranged and _crossed(low, high):
        _refuse("minimum", "no value lies between the lower and the upper end", spot, reading)
    for smallest, largest, option in (
        (field.min_length, field.max_length, "minLength"),
        (field.min_items, field.max_items, "minItems"),
    ):
        if smallest is not None and largest is not None and smallest > largest:
            _refuse(option, f"{smallest} is more than the most, {largest}", spot, reading)


def _crossed(low: Any, high: Any) -> bool:
    return low.value > high.value or (low.value == high.value and (low.exclusive or high.exclusive))


def _refuse(option: str, what: str, spot: Spot, reading: Reading) -> None:
    reading.refuse(spot.key("logicalTypeOptions", option), what, "option", "mend or remove the option")
