"""What is stored as JSON, as people read it. Personal data stand as ``(personal)``. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from interlock.contracts import read_json
from interlock.errors import MalformedJson
from interlock.privacy.token import hide

MOST_SHOWN = 200_000
"""Bytes of one value that a page shows."""


def as_lines(data: bytes | None) -> str:
    """Stored bytes, a line for each part, numbers as they were written; what is no JSON as the text that it is."""
    if data is None:
        return ""
    hidden = hide(data)
    try:
        read_json(data, max_bytes=len(data))
        text = msgspec.json.format(hidden, indent=2).decode()
    except (MalformedJson, msgspec.DecodeError, UnicodeDecodeError):
        text = hidden.decode("utf-8", "replace").replace("\0", "\ufffd")
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}\n… ({len(text):,} characters)"


def as_value(data: bytes | None) -> Any:
    """Stored JSON, read to be walked through; None where there is none or it cannot be read."""
    if data is None:
        return None
    try:
        return msgspec.json.decode(hide(data))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def in_words(value: Any, most: int = 300) -> str:
    """One value in a line: a text as it is, anything else as JSON, cut."""
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= most else f"{text[:most]}…"
