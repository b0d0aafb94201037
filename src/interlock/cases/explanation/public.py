"""Which values the person concerned may be told that are not data of their own. Pure.

INVARIANT: what the contract says of a field decides, never what a value looks like. A text of digits may be the number
of somebody's account or identity card, and a text of any kind somebody's name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

from interlock.contracts import Contract, Field, Shape
from interlock.decisions.counterfactual.change import Part
from interlock.decisions.counterfactual.search import Counterfactual

Fields = Mapping[tuple[Part, str], Field]
"""What contracts say of fields, by part and path."""
_EXACT = frozenset((Shape.DECIMAL, Shape.INTEGER, Shape.NUMBER, Shape.DATE, Shape.TIMESTAMP, Shape.TIME))
_CODE = re.compile(r"[a-z][a-z0-9]{0,30}(_[a-z0-9]{1,30}){0,9}\Z")


def fields_of(part: Part, contract: Contract | None) -> Iterator[tuple[tuple[Part, str], Field]]:
    """The fields of a contract's record, and those of its objects."""
    for field in contract.record.fields if contract is not None else ():
        yield from _within(part, field.name, field)


def _within(part: Part, path: str, field: Field) -> Iterator[tuple[tuple[Part, str], Field]]:
    yield (part, path), field
    for child in field.fields:
        yield from _within(part, f"{path}.{child.name}", child)


def may_tell(value: Any, field: Field | None, *, codes: bool = False) -> bool:
    """Whether a value is one that its contract lists, a number, a day or a moment by its contract, or yes or no.

    Args:
        value: As in JSON.
        field: What the contract says of it; None: nothing.
        codes: Whether a code such as ``too_late`` may be told too, where the contract demands a pattern of the text.
    """
    if value is None or isinstance(value, bool):
        return True
    if field is None:
        return False
    if isinstance(value, list):
        return all(may_tell(one, field.item, codes=codes) for one in cast("list[Any]", value))
    if isinstance(value, dict):
        inner = cast("dict[str, Any]", value)
        return all(may_tell(one, field.child(name), codes=codes) for name, one in inner.items())
    if field.shape in _EXACT or value in field.choices:
        return True
    return codes and field.pattern is not None and isinstance(value, str) and _CODE.match(value) is not None


def is_public(found: Counterfactual, fields: Fields) -> bool:
    """Whether the person concerned may be told of a change.

    INVARIANT: a text that only a table or a condition compares with may be about somebody else, such as a name.
    """
    return all(
        may_tell(change.instead, fields.get((change.part, change.name)))
        for change in found.changes
        if change.part in (Part.INPUT, Part.OUTPUT)
    )
