"""What a workflow's file says of one feature, and what its values may be. Pure.

A feature is a named, versioned value that a decision is taken on beside its input: computed by a function from the
input, or read from the store. Its values have a declared type; amounts are exact decimals in strings.
"""

from __future__ import annotations

import datetime as dt
import re
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

import msgspec

from interlock.db.text import storable
from interlock.errors import Refused

LARGEST_VALUE = 100_000
"""Bytes of one value as canonical JSON."""
LONGEST_ENTITY = 500
"""Characters of what a stored value is about."""
LONGEST_TEXT = 10_000
"""Characters of a value that is text."""
LARGEST_WHOLE = 2**53 - 1
"""Of an integer: beyond it, readers of JSON differ (RFC 8259, section 6)."""

_DECIMAL = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,18})?\Z")
_REFERENCE = re.compile(r"([a-z][a-z0-9_-]{0,62})@([1-9][0-9]{0,8})\Z")


class OutputType(StrEnum):
    """What the values of a feature are, where they are no objects of a contract."""

    STRING = "string"
    INTEGER = "integer"
    DECIMAL = "decimal"
    """An exact number as text: ``"31.00"``."""
    BOOLEAN = "boolean"
    DATE = "date"
    """``2026-01-31`` (RFC 3339, full-date)."""


class OnMissing(StrEnum):
    """What becomes of a decision when a value is absent, too old, late or unusable."""

    PERSON = "person"
    """A person decides; no component is asked on less than it needs."""
    REFUSE = "refuse"
    """Nothing is decided; the caller is told."""
    DEFAULT = "default"
    """The declared value takes its place, on record."""


class FeatureRef(msgspec.Struct, frozen=True):
    """The name by which a workflow's file asks for a feature: ``vendor_spend@2``.

    Attributes:
        name: Its name.
        version: Its version: another meaning of the same name.
    """

    name: str
    version: int

    @classmethod
    def parse(cls, text: str) -> FeatureRef:
        """Read ``NAME@VERSION``.

        Raises:
            Refused: not of that form.
        """
        found = _REFERENCE.match(text)
        if found is None:
            todo = "write NAME@VERSION, as in vendor_spend@2: small letters, digits, - and _; a version from 1 on"
            raise Refused(f"{storable(text[:60])!r} names no feature", todo=todo)
        return cls(found[1], int(found[2]))

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


class Feature(msgspec.Struct, frozen=True, kw_only=True):
    """One feature, as a workflow's file declares it.

    Attributes:
        ref: Its name and version.
        output: What its values are: an ``OutputType``, or the contract of an object as ``name@version``.
        function: Computes it, as ``module:function``; empty if it is read from the store.
        input: The contract of what the function is given; that of the decision point's input.
        entity: Where in the input stands what the stored value is about, outermost key first.
        max_age: The oldest that a value may be, counted from since when it holds; None: any.
        on_missing: What becomes of the decision without it.
        default: The value that takes its place then, as canonical JSON.
        bounded: Whether the input's contract bounds the time of the function, as the file declares.
    """

    ref: FeatureRef
    output: str
    function: str = ""
    input: str = ""
    entity: tuple[str, ...] = ()
    max_age: timedelta | None = None
    on_missing: OnMissing = OnMissing.PERSON
    default: bytes | None = None
    bounded: bool = False

    @property
    def field(self) -> str:
        """The name under which components, checks and conditions see it in the input."""
        return self.ref.name.replace("-", "_")

    @property
    def contract(self) -> str:
        """The contract of its values, if they are objects of one."""
        return self.output if "@" in self.output else ""


class Dated(msgspec.Struct, frozen=True):
    """What a function gives whose value holds since an earlier moment than now.

    Attributes:
        value: The value.
        at: Since when it holds, with its time zone.
    """

    value: Any
    at: dt.datetime


def plain(value: Any) -> Any:
    """A function's value as JSON holds it: exact decimals and dates become text."""
    if type(value) is Decimal and value.is_finite() and abs(value.adjusted()) < LONGEST_ENTITY:
        return f"{value:f}"
    if type(value) is dt.date:
        return value.isoformat()
    return value


def unfit(output: str, value: Any) -> str:
    """Why a value is not of a declared ``OutputType``; empty if it is. Nothing is coerced.

    Args:
        output: An ``OutputType``.
        value: A JSON value.
    """
    match output:
        case OutputType.INTEGER:
            fits, wanted = type(value) is int and abs(value) <= LARGEST_WHOLE, "a whole number that JSON holds exactly"
        case OutputType.DECIMAL:
            fits, wanted = type(value) is str and bool(_DECIMAL.match(value)), 'an exact number as text, as in "31.00"'
        case OutputType.BOOLEAN:
            fits, wanted = type(value) is bool, "true or false"
        case OutputType.DATE:
            fits, wanted = type(value) is str and _is_date(value), "a date, as in 2026-01-31"
        case _:
            fits = type(value) is str and len(value) <= LONGEST_TEXT and storable(value) == value
            wanted = f"text of at most {LONGEST_TEXT} characters that can be stored"
    return "" if fits else f"{storable(repr(value)[:60])} is not {wanted}"


def _is_date(text: str) -> bool:
    try:
        return dt.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def entity_of(value: Any, path: tuple[str, ...]) -> str:
    """What a stored value is about, from the input; empty if it stands not there or is no key that can be stored.

    Args:
        value: The input.
        path: The keys to it, outermost first.
    """
    for name in path:
        if not isinstance(value, dict) or name not in value:
            return ""
        value = value[name]  # pyright: ignore[reportUnknownVariableType] - JSON that a contract has checked
    if type(value) is int:  # pyright: ignore[reportUnknownArgumentType] - the same
        value = str(value) if abs(value) <= LARGEST_WHOLE else ""
    return value if isinstance(value, str) and is_entity(value) else ""


def is_entity(text: str) -> bool:
    """Whether a text can be what a value is about."""
    return 0 < len(text) <= LONGEST_ENTITY and storable(text) == text
