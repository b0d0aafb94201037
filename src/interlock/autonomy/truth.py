"""Comparing what was proposed with what was true, by what fields mean and not by how they are written. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any, cast

from interlock.contracts import Field, Shape
from interlock.contracts.shown import shown
from interlock.errors import Refused

_PLAIN = re.compile(r"[+-]?[0-9]{1,40}(\.[0-9]{1,40})?\Z", re.ASCII)
_WRITTEN = (Shape.DECIMAL, Shape.TIMESTAMP, Shape.TIME)
"""What is the same in several writings."""
_CARRIED: Mapping[Shape, type | tuple[type, ...]] = {
    Shape.STRING: str,
    Shape.DATE: str,
    Shape.NUMBER: (int, float),
    Shape.INTEGER: int,
    Shape.OBJECT: dict,
    Shape.ARRAY: list,
    Shape.BOOLEAN: (),
}


def agrees(proposal: Mapping[str, Any], truth: Mapping[str, Any], record: Field | None, fields: Sequence[str]) -> bool:
    """Whether a proposal is right by a stated truth.

    Args:
        proposal: What the component answered.
        truth: What was true.
        record: The record of the output: an amount ``31.0`` is ``31.00`` where it says that it is a decimal.
        fields: The declared fields, all of which the truth must state; empty: those that it states are compared.

    Raises:
        Refused: it states none, not all that are declared, one that the output has not, or one of another type.
    """
    check_truth(truth, record, fields)
    return not states_otherwise(truth, proposal, record, fields or tuple(truth))


def check_truth(truth: Mapping[str, Any], record: Field | None, fields: Sequence[str]) -> None:
    """See that a truth can be compared.

    Raises:
        Refused: it cannot.
    """
    if not truth:
        raise Refused("the truth states nothing", where="/truth", todo="state at least one field of the output")
    for name in fields:
        if name not in truth:
            raise Refused(f"the truth does not state {name}", where="/truth", todo=f"state {', '.join(fields)}")
    for name, value in truth.items():
        field = record.child(name) if record else None
        if record is not None and field is None:
            known = ", ".join(one.name for one in record.fields)
            raise Refused(f"the output has no field {shown(name)}", where="/truth", todo=f"it has {known}"[:300])
        if field is not None and not _fits(field, value):
            what = f"{name} is no {field.shape}"
            raise Refused(what, where=f"/truth/{name}", todo=f"write a {field.shape} as the output does")


def states_otherwise(one: Any, other: Any, record: Field | None, fields: Sequence[str] = ()) -> bool:
    """Whether two objects state something else; without ``fields`` of what both of them state.

    Args:
        one: An object, or null.
        other: Another one.
        record: The record that both are of.
        fields: What is compared; what is not there is null.
    """
    if not isinstance(one, dict) or not isinstance(other, dict):
        return one != other
    mine, its = cast("dict[str, Any]", one), cast("dict[str, Any]", other)
    names = fields or [name for name in mine if name in its]
    return any(not _same(record.child(name) if record else None, mine.get(name), its.get(name)) for name in names)


def says_no(proposal: Any, fields: Sequence[str], record: Field | None) -> bool:
    """Whether a proposal is itself a no: of what is compared, it is exactly one yes or no, and it is false.

    Without declared fields it is so where the output's record has one field alone that is true or false, or where
    nothing says the record, the answer has.
    """
    return _said(proposal, fields, record) is False


def says_yes(proposal: Any, fields: Sequence[str], record: Field | None) -> bool:
    """Whether a proposal is itself a yes, and nothing else: all that is compared is one yes or no, and it is true."""
    if _said(proposal, fields, record) is not True:
        return False
    known = [one.name for one in record.fields] if record else list(cast("dict[str, Any]", proposal))
    return len(fields or known) == 1


def _said(proposal: Any, fields: Sequence[str], record: Field | None) -> bool | None:
    if not isinstance(proposal, dict):
        return None
    answer = cast("dict[str, Any]", proposal)
    if not fields:
        named = [one.name for one in record.fields if one.shape is Shape.BOOLEAN] if record else list(answer)
        fields = [name for name in named if isinstance(answer.get(name), bool)]
    said = answer.get(fields[0]) if len(fields) == 1 else None
    return said if isinstance(said, bool) else None


def _same(field: Field | None, one: Any, other: Any) -> bool:
    if one is None or other is None:
        return one is other
    if field and field.shape is Shape.OBJECT and isinstance(one, dict) and isinstance(other, dict):
        mine, its = cast("dict[str, Any]", one), cast("dict[str, Any]", other)
        return all(_same(field.child(name), mine.get(name), its.get(name)) for name in {*mine, *its})
    if field and field.shape is Shape.ARRAY and isinstance(one, list) and isinstance(other, list):
        items, others = cast("list[Any]", one), cast("list[Any]", other)
        return len(items) == len(others) and all(map(_same, [field.item] * len(items), items, others))
    if field and field.shape in _WRITTEN:
        left, right = _meant(field.shape, one), _meant(field.shape, other)
        return left is not None and left == right
    return isinstance(one, bool) is isinstance(other, bool) and bool(one == other)


def _fits(field: Field, value: Any) -> bool:
    """Whether a value is of a field's shape; null is where the field may be left out."""
    if value is None:
        return not field.required
    if field.shape in _WRITTEN:
        return _meant(field.shape, value) is not None
    if isinstance(value, bool):
        return field.shape is Shape.BOOLEAN
    return isinstance(value, _CARRIED[field.shape])


def _meant(shape: Shape, value: Any) -> Decimal | datetime | time | None:
    """What a text stands for; None: it is none of this shape."""
    if not isinstance(value, str):
        return None
    try:
        if shape is Shape.DECIMAL:
            return Decimal(value) if _PLAIN.match(value) else None
        if shape is Shape.TIME:
            return time.fromisoformat(value)
        moment = datetime.fromisoformat(value)
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None
