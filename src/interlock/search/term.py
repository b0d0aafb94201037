"""The bytes by which a value is found: their order is the value's, so one index finds it, its range, its prefix. Pure.

A term is eight bytes that name point, field and kind, then the value:

- a text as UTF-8 after NFC, case folding and NFC again (Unicode Standard, section 3.13, D145), its first 96 bytes; of a
  longer one these, a zero byte, and a digest of all of it;
- a number as its sign, its exponent and its digits, exactly, whatever it is carried in;
- a day, a moment or a time of day as microseconds, in UTC;
- a personal value as a digest under a key of the tenant: found by the whole value, and by nothing less.
"""

from __future__ import annotations

import functools
import hashlib
import unicodedata
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from interlock.contracts.contract import Shape
from interlock.contracts.exact import read_exact

KEY_BYTES = 8
PERSONAL_BYTE = 0xFE
"""With what every personal term begins, and no other."""
LONGEST_TEXT = 96
"""Bytes of a text that stand in its term; what is longer is told apart by a digest."""
_DIGEST_BYTES = 16
_EXPONENT = 1 << 20
"""Added to an exponent, so that none is negative; far beyond those of any number that a contract lets through."""
_EPOCH = datetime(1, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_TIMES = (Shape.DATE, Shape.TIMESTAMP, Shape.TIME)
_NUMBERS = (Shape.DECIMAL, Shape.NUMBER, Shape.INTEGER)


class Kind(StrEnum):
    """How a field is looked for."""

    TEXT = "text"
    NUMBER = "number"
    TIME = "time"
    TIME_OF_DAY = "time of day"
    BOOLEAN = "boolean"
    PERSONAL = "personal"


class Span(NamedTuple):
    """The terms from ``low`` on and before ``high``."""

    low: bytes
    high: bytes


def kind_of(shape: str, *, personal: bool = False) -> Kind:
    """How a field of a shape is looked for."""
    if personal:
        return Kind.PERSONAL
    if shape in _NUMBERS:
        return Kind.NUMBER
    if shape == Shape.TIME:
        return Kind.TIME_OF_DAY
    if shape in _TIMES:
        return Kind.TIME
    return Kind.BOOLEAN if shape == Shape.BOOLEAN else Kind.TEXT


@functools.lru_cache(maxsize=4096)
def key_of(point: str, field: str, kind: Kind) -> bytes:
    """The eight bytes with which all terms of a field begin.

    Args:
        point: The decision point, as ``workflow.point``.
        field: The field as it is written when something is looked for.
        kind: How it is looked for.
    """
    named = f"{point}\0{field}\0{kind}".encode()
    digest = hashlib.blake2b(named, digest_size=KEY_BYTES, person=b"interlock.find.1").digest()
    # INVARIANT: by its first byte a personal term is known, so that erasing somebody's data takes it away, too
    return bytes([PERSONAL_BYTE if kind is Kind.PERSONAL else digest[0] & 0x7F]) + digest[1:]


def value_bytes(shape: str, value: object) -> bytes | None:
    """A value that has passed its contract, as its term holds it; None where there is none."""
    if value is None:
        return None
    if shape == Shape.BOOLEAN:
        return b"\x01" if value is True else b"\x00"
    if shape in _NUMBERS:
        return number_bytes(_exact(value))
    text = value if isinstance(value, str) else str(value)
    if shape in _TIMES:
        read = read_exact(Shape(shape), text)
        return None if read is None or isinstance(read, Decimal) else time_bytes(read)
    return text_bytes(text)


def folded(text: str) -> str:
    """A text as it is compared: however it was composed, and whatever the case of its letters."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def text_bytes(text: str) -> bytes:
    """A text's bytes."""
    whole = folded(text).encode("utf-8", "surrogatepass")
    if len(whole) <= LONGEST_TEXT:
        return whole
    return whole[:LONGEST_TEXT] + b"\x00" + hashlib.blake2b(whole, digest_size=_DIGEST_BYTES).digest()


def number_bytes(number: Decimal) -> bytes:
    """A finite number's bytes: the greater number has the greater bytes, and equal ones (1.0 and 1) the same."""
    sign, digits, exponent = number.as_tuple()
    text = "".join(map(str, digits)).strip("0") if any(digits) else ""
    if not text or not isinstance(exponent, int):
        return b"\x80"
    size = (number.adjusted() + _EXPONENT).to_bytes(3, "big") + text.encode()
    if not sign:
        return b"\x81" + size
    # the other way about; the end counts as more than any digit, since -1.5 comes before -1
    return b"\x7f" + bytes(255 - byte for byte in size) + b"\xff"


def time_bytes(moment: date | datetime | time) -> bytes:
    """A moment's bytes; a day's are those of its first moment in UTC."""
    if isinstance(moment, time):
        moment = datetime.combine(_EPOCH.date(), moment, UTC)
    elif not isinstance(moment, datetime):
        moment = datetime.combine(moment, time(), UTC)
    return ((moment - _EPOCH) // _MICROSECOND).to_bytes(8, "big")


def after(value: bytes) -> bytes:
    """The least bytes that come after a value's own."""
    return value + b"\x00"


def past_prefix(prefix: bytes) -> bytes:
    """The least bytes that come after all that begin so; ``prefix`` holds a byte other than 0xff."""
    cut = prefix.rstrip(b"\xff")
    return cut[:-1] + bytes([cut[-1] + 1])


def _exact(value: object) -> Decimal:
    """A number as it was written; a double as its shortest text, which is what JSON carries."""
    if isinstance(value, (int, Decimal)):
        return Decimal(value)
    return Decimal(value if isinstance(value, str) else repr(value))
