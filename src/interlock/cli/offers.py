"""What a file offers for submission: each line with its key. Pure but for reading the stream it is given.

A line is ``{"key": ..., "input": {...}}`` or a bare input, whose key is a field of it or a digest of its content. One
bad line never stops the rest: what is no JSON is offered as it stands, to be quarantined whole under the key
``FILE:LINE:digest``; what has no usable key is refused, by line.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple, cast

from interlock.cases.journal import encode
from interlock.cases.submit import LARGEST_INPUT
from interlock.contracts import canonical, read_json
from interlock.errors import InterlockError, MalformedJson, Refused

LARGEST_DOCUMENT = 256_000_000
"""Bytes of one JSON document that holds many inputs; JSON lines have no such bound."""
_LONGEST_LINE = LARGEST_INPUT + 10_000


class Offer(NamedTuple):
    """One input that can be submitted."""

    line: int
    key: str
    data: bytes


class BadLine(NamedTuple):
    """One line that cannot be submitted, and why."""

    line: int
    cause: InterlockError
    key: str = ""


class Keying(NamedTuple):
    """Where keys come from.

    Attributes:
        file: The file's name, for the keys of what is no JSON.
        field: The dotted path of the field of a bare input that is its key; empty: a digest of the content.
        key: The one key, for a file with one input.
    """

    file: str
    field: str = ""
    key: str = ""


class Line(NamedTuple):
    """One line as it stands; ``data`` is cut off where it is longer than any input may be."""

    number: int
    data: bytes


def read_lines(stream: BinaryIO) -> Iterator[Line]:
    """The lines that are not blank, with bounded memory however long one is."""
    number = 0
    while data := stream.readline(_LONGEST_LINE):
        number += 1
        rest = data
        while not rest.endswith(b"\n") and (rest := stream.readline(_LONGEST_LINE)):
            pass  # too long by far: what follows is read and let go
        if data.strip():
            yield Line(number, data.strip())


def read_inputs(data: bytes) -> Iterator[Line]:
    """The inputs of one JSON document: its elements if it is an array, else itself; numbered from 1.

    Raises:
        MalformedJson: it is no JSON.
    """
    value = read_json(data, max_bytes=LARGEST_DOCUMENT)
    if isinstance(value, list):
        for number, item in enumerate(cast("list[Any]", value), 1):
            yield Line(number, encode(item))
    else:
        yield Line(1, data.strip())


def offer_of(line: Line, keying: Keying) -> Offer | BadLine:
    """A line with its key, or why it has none."""
    number, data = line
    try:
        value = read_json(data, max_bytes=_LONGEST_LINE)
    except MalformedJson:
        return Offer(number, keying.key or _place_key(line, keying), data)
    try:
        return _keyed(number, data, value, keying)
    except InterlockError as cause:
        return BadLine(number, cause)


def _keyed(number: int, data: bytes, value: Any, keying: Keying) -> Offer:
    if keying.key:
        return Offer(number, keying.key, data)
    if keying.field:
        return Offer(number, _field(value, keying.field), data)
    if isinstance(value, dict) and cast("dict[str, Any]", value).keys() == {"key", "input"}:
        envelope = cast("dict[str, Any]", value)
        return Offer(number, _as_key(envelope["key"], "key"), encode(envelope["input"]))
    return Offer(number, f"sha256:{hashlib.sha256(canonical(value)).hexdigest()}", data)


def _field(value: Any, path: str) -> str:
    found: Any = value
    for name in path.split("."):
        if not isinstance(found, dict) or name not in found:
            raise Refused(f"the input has no field {path!r}", where=path, todo="mend it, or name another --key-from")
        found = cast("dict[str, Any]", found)[name]
    return _as_key(found, path)


def _as_key(value: Any, where: str) -> str:
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        return str(value)
    raise Refused(f"{str(value)[:60]!r} is no key", where=where, todo="a key is a text or a whole number")


def _place_key(line: Line, keying: Keying) -> str:
    name = "".join(one if one.isprintable() else "?" for one in keying.file)[-100:]
    return f"{name}:{line.number}:{hashlib.sha256(line.data).hexdigest()[:16]}"
