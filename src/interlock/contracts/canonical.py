"""One way to write a JSON value as bytes, so that equal values have equal hashes. Pure.

The form is the JSON Canonicalization Scheme (RFC 8785): no white space, fields sorted by the UTF-16 code units of
their names, strings with the shortest escapes, floats as ECMAScript writes them (``1.0`` is ``1``, ``1e21`` is
``1e+21``). One thing differs: whole numbers keep all their digits, where RFC 8785 would round those beyond 2**53 to a
double. Amounts of money are strings, so no amount passes through a float.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from typing import Any, cast

from interlock.contracts.shown import Path, pointer, shown
from interlock.errors import MalformedJson

STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)
"""One string of JSON, with its quotes."""
_DEEPEST = 128
_FIRST_UNSORTED = 0xEE
"""The first UTF-8 byte from which sorting by code points (Python's) and by UTF-16 code units can differ."""
_PLAIN_INTEGRAL = 21
"""ECMAScript writes a number of up to 21 digits before the point without an exponent."""
_PLAIN_FRACTION = -6
"""And up to six zeros after the point."""


def canonical(value: Any) -> bytes:
    """A JSON value as canonical bytes: equal values give equal bytes, whatever the order of their fields.

    Args:
        value: What ``read_json`` returns: dict with str keys, list or tuple, str, int, float, bool, None.

    Raises:
        MalformedJson: NaN, infinity, a lone surrogate, a Python object that is not JSON, or deeper than 128 levels.
    """
    try:
        # The C encoder sorts by code points and writes floats in Python's way; whether either matters is cheap to see.
        quick = _ENCODER.encode(value).encode()
    except (ValueError, TypeError, RecursionError):
        return _write(value, ()).encode()
    if not (quick.isascii() or max(quick) < _FIRST_UNSORTED) or _holds_float(quick):
        return _write(value, ()).encode()
    return quick


def digest(data: bytes) -> bytes:
    """The SHA-256 of bytes: 32 bytes."""
    return hashlib.sha256(data).digest()


_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))


def _holds_float(data: bytes) -> bool:
    """Whether compact JSON holds a number with a point or an exponent."""
    # Without escapes every second piece between quotes is outside of strings; splitting costs half of the expression.
    outside = STRING.sub(b"", data) if b"\\" in data else b"".join(data.split(b'"')[::2])
    return b"." in outside or b"e" in outside.replace(b"true", b"").replace(b"false", b"")


def _write(value: object, path: Path) -> str:
    if value is None or isinstance(value, (bool, int, float)):
        return _scalar(value, path)
    if isinstance(value, str):
        return _text(value, path)
    if len(path) >= _DEEPEST:
        raise MalformedJson(f"nested more than {_DEEPEST} deep", where=pointer(path), todo="flatten it")
    if isinstance(value, (list, tuple)):
        items = cast("list[object]", value)
        return f"[{','.join(_write(item, (*path, place)) for place, item in enumerate(items))}]"
    if isinstance(value, dict):
        return _object(cast("dict[object, object]", value), path)
    raise MalformedJson(f"{shown(value)} is not JSON", where=pointer(path), todo="pass text, numbers, lists and dicts")


def _object(value: dict[object, object], path: Path) -> str:
    names: list[str] = []
    for name in value:
        if not isinstance(name, str):
            raise MalformedJson(f"{shown(name)} is a key", where=pointer(path), todo="keys of objects are strings")
        _text(name, path)
        names.append(name)
    names.sort(key=lambda name: name.encode("utf-16-be"))
    return f"{{{','.join(f'{_text(name, path)}:{_write(value[name], (*path, name))}' for name in names)}}}"


def _text(text: str, path: Path) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as cause:
        what = f"{shown(text)} holds half of a surrogate pair"
        raise MalformedJson(what, where=pointer(path), todo="remove the broken character") from cause
    return json.dumps(text, ensure_ascii=False)


def _scalar(value: float | None, path: Path) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if not math.isfinite(value):
            raise MalformedJson(f"{value!r} is no JSON number", where=pointer(path), todo="leave the field out")
        return _float(value)
    try:
        return str(value)
    except ValueError as cause:
        raise MalformedJson(f"{shown(value)} is too long", where=pointer(path), todo="pass a smaller number") from cause


def _float(value: float) -> str:
    """A finite float as ECMAScript's Number::toString writes it (RFC 8785, section 3.2.2.3)."""
    if value == 0:
        return "0"
    mantissa, _, exponent = f"{abs(value)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    fraction = "" if fraction == "0" else fraction
    # The value is 0.DIGITS times ten to the power of point.
    point = len(whole) + int(exponent or 0)
    digits = (whole + fraction).lstrip("0")
    point -= len(whole + fraction) - len(digits)
    digits = digits.rstrip("0")
    sign = "-" if value < 0 else ""
    if len(digits) <= point <= _PLAIN_INTEGRAL:
        return f"{sign}{digits}{'0' * (point - len(digits))}"
    if 0 < point <= _PLAIN_INTEGRAL:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if _PLAIN_FRACTION < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    power = f"{'+' if point > 0 else '-'}{abs(point - 1)}"
    tail = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{tail}e{power}"
