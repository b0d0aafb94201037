"""Stored bytes as parts of a document, without reading them where that is safe. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from interlock.contracts import read_json
from interlock.errors import MalformedJson
from interlock.money import Money


def embed(data: bytes | None) -> Any:
    """JSON that we have written ourselves, as it stands."""
    return msgspec.Raw(data) if data is not None else None


def embed_doubtful(data: bytes) -> tuple[Any, str | None]:
    """Bytes that came from outside and may be no JSON: as JSON, or else as text."""
    try:
        read_json(data, max_bytes=len(data))
    except MalformedJson:
        return None, data.decode("utf-8", "replace")
    return msgspec.Raw(data), None


def as_text(exposure: Money | None) -> str | None:
    """An amount as callers get it: ``12.30 MYR``."""
    return str(exposure) if exposure else None


def money_of(minor: int | None, currency: str | None) -> str | None:
    """Stored minor units as callers get them."""
    return as_text(Money.of_columns(minor, currency))


def as_hex(digest: bytes | None) -> str | None:
    """A hash as callers get it."""
    return digest.hex() if digest is not None else None
