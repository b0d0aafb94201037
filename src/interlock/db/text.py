"""Text as PostgreSQL holds it. Pure."""

from __future__ import annotations

import re

_NOT_HELD = re.compile("[\x00\ud800-\udfff]")


def storable(text: str) -> str:
    """A message with U+FFFD for each character that no text column holds: NUL, and half of a surrogate pair.

    For words that people read, such as an error's; never for keys or values, which are refused instead.
    """
    return _NOT_HELD.sub("\ufffd", text)
