"""The one way in for JSON from outside: strict, bounded, and quick where there is nothing to complain about. Pure.

What two readers could take for two different things is refused here, before anything is hashed, stored or decided:
duplicate keys, byte-order marks, NUL and lone surrogates (PostgreSQL cannot store them), numbers that no type of ours
holds, and anything beyond the bounds of size and depth.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn, cast

import msgspec

from interlock.contracts.canonical import STRING, canonical, digest
from interlock.contracts.shown import Path, Step, pointer, shown
from interlock.errors import MalformedJson

__all__ = ["LARGEST_PAYLOAD", "MOST_DIGITS", "canonical", "digest", "read_json"]

LARGEST_PAYLOAD = 2_000_000
"""Bytes; a receipt has about 2,400."""
MOST_DIGITS = 64
"""Characters of one number."""


def read_json(data: bytes, *, max_bytes: int = LARGEST_PAYLOAD, max_depth: int = 64) -> Any:
    """Read JSON (RFC 8259, made strict as in I-JSON, RFC 7493) into dict, list, str, int, float, bool and None.

    Almost every payload takes the quick way, a few microseconds of C; the careful way, ten times slower, reads what the
    quick one is not sure of, and finds the words for every refusal.

    Args:
        data: The bytes as they came.
        max_bytes: The largest payload.
        max_depth: The most arrays and objects within each other.

    Raises:
        MalformedJson: not UTF-8, a byte-order mark, not JSON, trailing characters, a duplicate key, NUL or a lone
            surrogate in a string or key, NaN or infinity, a number of more than 64 characters or beyond the range of a
            double, too deep, too large. ``where`` is a line and column, or a JSON Pointer.
    """
    if len(data) > max_bytes:
        what = f"the payload has {len(data):,} bytes, more than {max_bytes:,}"
        raise MalformedJson(what, todo="send it in parts, or send a reference to it")
    if _surely_bounded(data, max_depth):
        try:
            value = _DECODER.decode(data)
            again = _ENCODER.encode(value)
        except (ValueError, OverflowError, RecursionError):
            return _Careful(data, max_depth).read()
        # INVARIANT: each string has its two quotes, and the quotes within it, on both sides, since the one escape that
        # makes a quote out of none is left to the careful way. A duplicate key is lost in decoding, and its quotes with
        # it, so equal counts before and after mean that there was none.
        if data.count(b'"') == again.count(b'"'):
            return value
    return _Careful(data, max_depth).read()


_DECODER = msgspec.json.Decoder()
_ENCODER = msgspec.json.Encoder()
_AS_ZERO = bytes.maketrans(b"123456789.eE+-", b"00000000000000")
_LONG_NUMBER = b"0" * (MOST_DIGITS + 1)
_AS_SQUARE = bytes.maketrans(b"{}", b"[]")
_NO_BRACKET = bytes(byte for byte in range(256) if byte not in b"[]{}")
_NEWLINE = b"\n"


def _surely_bounded(data: bytes, max_depth: int) -> bool:
    """Whether JSON surely holds nothing that its reader in C would let through and we do not.

    These are a number of more than 64 characters, one that underflows to zero (it needs a negative exponent), NUL as an
    escape, and more levels than allowed. What only looks like one, within a string, costs the look outside of strings.
    """
    escapes = b"\\" in data
    if escapes and (b"\\u0022" in data or b"\\u0000" in data):
        return False
    if _bounded(data, max_depth):
        return True
    return not escapes and _bounded(b"".join(data.split(b'"')[::2]), max_depth, exactly=True)


def _bounded(data: bytes, max_depth: int, *, exactly: bool = False) -> bool:
    if b"e-" in data or b"E-" in data or _LONG_NUMBER in data.translate(_AS_ZERO):
        return False
    if data.count(b"[") + data.count(b"{") <= max_depth:
        return True
    return exactly and _within(data, max_depth)


def _within(outside: bytes, max_depth: int) -> bool:
    """Whether brackets nest at most ``max_depth`` deep: each round takes the innermost pairs, one level, away."""
    brackets = outside.translate(_AS_SQUARE, _NO_BRACKET)
    for _ in range(max_depth):
        if not brackets:
            break
        brackets = brackets.replace(b"[]", b"")
    return not brackets


def _fraction(text: str) -> float:
    value = float(text)
    if len(text) > MOST_DIGITS or not math.isfinite(value) or (value == 0 and _NOT_ZERO.match(text)):
        raise ValueError(text)
    return value


_NOT_ZERO = re.compile(r"-?[0.]*[1-9]")


class _Twice(dict[str, Any]):
    """An object of which one key stood twice; ``key`` is that key."""

    key: str = ""


class _Number:
    """A number that no type of ours holds."""

    def __init__(self, text: str) -> None:
        self.text = text


class _Careful:
    """One reading that notices everything, and names where it is."""

    def __init__(self, data: bytes, max_depth: int) -> None:
        self._data = data
        self._max_depth = max_depth
        self._noticed = b"\\u" in data

    def read(self) -> Any:
        value = self._parse(self._text())
        if not _within(STRING.sub(b"", self._data), self._max_depth):
            self._too_deep()
        if self._noticed:
            _refuse_within(value)
        return value

    def _text(self) -> str:
        try:
            text = self._data.decode()
        except UnicodeDecodeError as cause:
            what = f"byte 0x{self._data[cause.start]:02x} is not UTF-8"
            raise MalformedJson(what, where=self._place(cause.start), todo="encode the payload as UTF-8") from cause
        if text.startswith("\ufeff"):
            raise MalformedJson(
                "a byte-order mark stands before the JSON", where="line 1, column 1", todo="send it without the mark"
            )
        return text

    def _parse(self, text: str) -> Any:
        decoder = json.JSONDecoder(
            object_pairs_hook=self._object,
            parse_int=self._whole,
            parse_float=self._fraction,
            parse_constant=self._unusual,
        )
        try:
            return decoder.decode(text)
        except json.JSONDecodeError as cause:
            where = f"line {cause.lineno}, column {cause.colno}"
            raise MalformedJson(
                f"this is not JSON: {cause.msg[:1].lower()}{cause.msg[1:]}",
                where=where,
                todo="look at this place and just before it",
            ) from cause
        except RecursionError:
            self._too_deep()

    def _too_deep(self) -> NoReturn:
        raise MalformedJson(f"arrays and objects nest more than {self._max_depth} deep", todo="flatten the payload")

    def _place(self, offset: int) -> str:
        before = self._data[:offset]
        return f"line {before.count(_NEWLINE) + 1}, column {len(before) - before.rfind(_NEWLINE)}"

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(pairs)
        if len(value) == len(pairs):
            return value
        self._noticed = True
        twice, seen = _Twice(value), set[str]()
        for name, _ in pairs:
            if name in seen:
                twice.key = name
                break
            seen.add(name)
        return twice

    def _whole(self, text: str) -> int | _Number:
        return int(text) if len(text) <= MOST_DIGITS else self._unusual(text)

    def _fraction(self, text: str) -> float | _Number:
        try:
            return _fraction(text)
        except ValueError:
            return self._unusual(text)

    def _unusual(self, text: str) -> _Number:
        self._noticed = True
        return _Number(text)


def _refuse_within(value: object) -> None:
    """Find the first thing, by depth, that may not stand in a value, and name its place."""
    level: list[tuple[Path, object]] = [((), value)]
    while level:
        below: list[tuple[Path, object]] = []
        for path, here in level:
            _refuse_here(path, here)
            below += [((*path, step), child) for step, child in _children(here)]
        level = below


def _children(value: object) -> list[tuple[Step, object]]:
    if isinstance(value, dict):
        return list(cast("dict[Step, object]", value).items())
    return list(enumerate(cast("list[object]", value))) if isinstance(value, list) else []


def _refuse_here(path: Path, value: object) -> None:
    if isinstance(value, _Number):
        what = f"{value.text[:60]} is no number that can be held"
        raise MalformedJson(
            what, where=pointer(path), todo="send a finite number of at most 64 characters, or a string"
        )
    if isinstance(value, _Twice):
        what = f"the key {shown(value.key)} stands twice"
        raise MalformedJson(what, where=pointer((*path, value.key)), todo="send each key once")
    if isinstance(value, dict):
        for name in cast("dict[str, object]", value):
            _refuse_text(name, path, "the key")
    elif isinstance(value, str):
        _refuse_text(value, path, "the text")


def _refuse_text(text: str, path: Path, noun: str) -> None:
    if "\0" in text:
        raise MalformedJson(
            f"{noun} {shown(text)} holds NUL (\\u0000)", where=pointer(path), todo="remove the character"
        )
    try:
        text.encode()
    except UnicodeEncodeError as cause:
        what = f"{noun} {shown(text)} holds half of a surrogate pair"
        raise MalformedJson(what, where=pointer(path), todo="send the character whole, or remove it") from cause
