"""What a workflow asks of a flag, and what it was given. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Any, cast

import msgspec

from interlock.contracts import canonical, read_json
from interlock.errors import MalformedJson, WorkflowMisuse

LARGEST_VALUE = 100_000
"""Bytes of a flag's value, or of what a workflow tells about the case, as JSON."""
LONGEST_NAME = 200
OURS = ("targetingKey", "tenant", "workflow", "caller", "case")
"""What every evaluation is told of its case; a workflow adds names of its own."""

_LARGEST_WHOLE = 2**53 - 1
_EXACT = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,18})?\Z")


class FlagType(StrEnum):
    """What a flag's values are, as the workflow's default says."""

    BOOLEAN = "boolean"
    TEXT = "text"
    WHOLE = "whole"
    NUMBER = "number"
    """A float, for a share or a threshold that need not be exact."""
    EXACT = "exact"
    """A Decimal; the provider holds it as text, since what OpenFeature calls a number is a float."""
    OBJECT = "object"


class FlagGiven(msgspec.Struct, frozen=True, kw_only=True):
    """What an evaluation gave, as the journal keeps it.

    Attributes:
        value: The value as JSON; an exact number is text.
        reason: Why it is this one, in OpenFeature's words: STATIC, SPLIT, TARGETING_MATCH, DISABLED, ERROR, ...
        variant: Which variant of the flag, if the provider has a name for it.
        provider: Who was asked.
        error: OpenFeature's code where the workflow's default was taken because something failed; empty if nothing did.
        what: The same in words.
    """

    value: Any
    reason: str
    variant: str = ""
    provider: str = ""
    error: str = ""
    what: str = ""


def type_of(default: object) -> FlagType:
    """Which type of flag a default stands for.

    Raises:
        WorkflowMisuse: it is of no type that a flag can have.
    """
    match default:
        case bool():
            return FlagType.BOOLEAN
        case str():
            return FlagType.TEXT
        case int():
            return FlagType.WHOLE
        case float():
            return FlagType.NUMBER
        case Decimal():
            return FlagType.EXACT
        case dict() | list():
            return FlagType.OBJECT
        case _:
            raise WorkflowMisuse(
                f"the default of a flag is {type(default).__name__}",
                todo="pass true or false, text, a whole number, a float, a Decimal, a mapping or a list",
            )


def check_flag(name: object, default: object, context: Mapping[str, Any]) -> FlagType:
    """See that a workflow asks for a flag in a form that can be asked and recorded.

    Raises:
        WorkflowMisuse: the name, the default or the context is none.
    """
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        raise WorkflowMisuse(f"{ascii(name)[:60]} is no name of a flag", todo="use 1 to 200 printable characters")
    kind = type_of(default)
    wrong = unfit(kind, f"{default:f}" if isinstance(default, Decimal) else default)
    if wrong:
        raise WorkflowMisuse(f"the default of the flag {name} is unusable: {wrong}", todo="pass another one")
    taken = [one for one in context if one in OURS]
    if taken:
        raise WorkflowMisuse(f"{', '.join(taken)} is told anyway", todo="name what the workflow tells otherwise")
    wrong = unfit(FlagType.OBJECT, dict(context))
    if wrong:
        raise WorkflowMisuse(f"what is told to the flag {name} is unusable: {wrong}", todo="pass plain JSON")
    return kind


def unfit(kind: FlagType, value: object) -> str:
    """Why a value cannot be that of a flag of a type; empty if it can. Nothing is coerced."""
    match kind:
        case FlagType.BOOLEAN:
            fits = type(value) is bool
        case FlagType.WHOLE:
            fits = type(value) is int and abs(value) <= _LARGEST_WHOLE
        case FlagType.NUMBER:
            fits = type(value) is float and math.isfinite(value)
        case FlagType.EXACT:
            fits = type(value) is str and bool(_EXACT.match(value))
        case FlagType.TEXT:
            fits = type(value) is str
        case FlagType.OBJECT:
            fits = type(value) in (dict, list)
    if not fits:
        return f"{ascii(value)[:60]} ({type(value).__name__}) is not of the type {kind}"
    if kind in (FlagType.TEXT, FlagType.OBJECT):
        try:
            same = read_json(canonical(value), max_bytes=LARGEST_VALUE) == value
        except MalformedJson as cause:
            return cause.what
        return "" if same else f"{ascii(value)[:60]} is no JSON: keys are text, and lists are lists"
    return ""


def as_default(kind: FlagType, given: Any) -> Any:
    """A recorded value as the workflow's default is: at first the same as on replay."""
    if kind is FlagType.EXACT:
        return Decimal(cast("str", given))
    return float(given) if kind is FlagType.NUMBER else given
