"""Rows as programs read them: money as "12.30 MYR", stored JSON as JSON, hashes in hex, nothing else changed. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from interlock.contracts import read_json
from interlock.errors import MalformedJson
from interlock.money import Money

_UNTOLD = frozenset({"row_version"})
"""Fields that mean something to one process for a moment, and nothing to anybody else."""
_HASHES = frozenset({"input_hash", "output_hash", "component_digest", "declaration", "build"})


def as_document(row: msgspec.Struct) -> dict[str, Any]:
    """A stored row as a JSON document.

    ``exposure_minor`` and ``currency`` become ``exposure``, as "12.30 MYR"; stored JSON stands there verbatim, so that
    no number changes on the way; what is no JSON is text.
    """
    document: dict[str, Any] = {}
    for name in row.__struct_fields__:
        if name in _UNTOLD:
            continue
        value: Any = getattr(row, name)
        if name == "exposure_minor":
            currency: str | None = getattr(row, "currency", None)
            document["exposure"] = None if value is None or currency is None else str(Money.of_minor(value, currency))
        elif name == "currency" and "exposure_minor" in row.__struct_fields__:
            continue
        elif isinstance(value, bytes):
            document[name] = value.hex() if name in _HASHES else _stored(value)
        else:
            document[name] = value
    return document


def _stored(data: bytes) -> Any:
    try:
        read_json(data)
    except MalformedJson:
        return data.decode("utf-8", "backslashreplace")
    return msgspec.Raw(
        b" ".join(data.splitlines())
    )  # one document, one line: outside strings a line end is white space
