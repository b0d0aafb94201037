"""The trace that a request belongs to (W3C Trace Context, 2021): the caller's, or begun here; given back."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable

import msgspec

_FORM = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})(-.*)?\Z")


class Trace(msgspec.Struct, frozen=True):
    """Where a request stands in a trace.

    Attributes:
        id: The trace's id: 32 hexadecimal digits. Problems and log lines name it.
        span: The id of this request's own part: 16 hexadecimal digits.
        flags: As the caller sent them; ``00`` for a trace that begins here.
    """

    id: str
    span: str
    flags: str

    @property
    def parent(self) -> str:
        """The value of a ``traceparent`` header."""
        return f"00-{self.id}-{self.span}-{self.flags}"


def begin_trace(headers: Iterable[tuple[bytes, bytes]]) -> Trace:
    """This request's place in the trace that its headers name; one that is missing or malformed begins a new trace.

    Args:
        headers: Names in small letters, and values.
    """
    named = [value for name, value in headers if name == b"traceparent"]
    found = _FORM.match(named[0]) if len(named) == 1 else None
    if found and (found[3] is None or not named[0].startswith(b"00")):
        return Trace(found[1].decode(), secrets.token_hex(8), found[2].decode())
    drawn = secrets.token_hex(24)
    return Trace(drawn[:32], drawn[32:], "00")
