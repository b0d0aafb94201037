"""Whether what was found now is what is on record: equal, within the declared tolerance, or different. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from interlock.components.taken import Taken
from interlock.components.tolerance import CONFIDENCE, apart

_LONGEST = 300


def answer_apart(taken: Taken, output: bytes | None, confidence: float, tolerance: Mapping[str, Decimal]) -> str | None:
    """How far an answer lies from the recorded one.

    Args:
        taken: The answer.
        output: The recorded output as canonical JSON; None: it is not on record.
        confidence: The recorded confidence.
        tolerance: What the component declares, by field.

    Returns:
        Empty: equal. Words: not equal, and within the tolerance. None: different.
    """
    told: list[str] = []
    if taken.confidence != confidence:
        far = apart(taken.confidence, confidence)
        if far is None or far > tolerance.get(CONFIDENCE, 0):
            return None
        told.append(f"confidence {far:f}")
    if output is None or taken.output_json == output:
        return ", ".join(told)
    recorded = _fields(output)
    if recorded is None or recorded.keys() != taken.output.keys():
        return None
    for name, value in taken.output.items():
        if value == recorded[name] and type(value) is type(recorded[name]):
            continue
        far = apart(value, recorded[name]) if name in tolerance else None
        if far is None or far > tolerance[name]:
            return None
        told.append(f"{name} {far:f}")
    return ", ".join(told)


def outputs_apart(recorded: bytes | None, now: bytes | None) -> tuple[str, str]:
    """The fields in which two outputs differ, of each as short JSON; two empty texts where they are the same bytes."""
    if recorded == now:
        return "", ""
    one, other = _fields(recorded), _fields(now)
    if one is None or other is None:
        return short(recorded), short(now)
    names = sorted(name for name in {*one, *other} if one.get(name, _NONE) != other.get(name, _NONE))
    if not names:  # the same fields, written otherwise
        return short(recorded), short(now)
    return (
        short(msgspec.json.encode({name: one[name] for name in names if name in one})),
        short(msgspec.json.encode({name: other[name] for name in names if name in other})),
    )


_NONE = object()


def _fields(data: bytes | None) -> dict[str, Any] | None:
    try:
        return msgspec.json.decode(data, type=dict[str, Any]) if data is not None else None
    except msgspec.DecodeError:
        return None


def short(data: bytes | None) -> str:
    """Stored JSON as a text of bounded length."""
    if data is None:
        return "none"
    text = data.decode("utf-8", "backslashreplace")
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
