"""What stands at a path that a condition names, as the contracts of its point and of its features say. Pure."""

from __future__ import annotations

from interlock.contracts.contract import Shape
from interlock.decisions.library import Library
from interlock.decisions.point import DecisionPoint
from interlock.errors import InterlockError


def shape_of(library: Library, point: DecisionPoint, path: tuple[str, ...]) -> Shape | None:
    """What stands there; of a list, what its items are. None: no contract that can be used says so.

    Args:
        library: Where the contracts are.
        point: The decision point.
        path: From ``input`` or ``output`` on, outermost name first.
    """
    names = path[1:]
    reference = point.output
    if path[0] == "input":
        reference = point.input
        feature = next((one for one in point.features if one.field == names[0]), None)
        if feature is not None:
            names, reference = names[1:], feature.contract
            if not reference:
                return None if names else Shape(feature.output)
    if not reference:
        return None
    try:
        field = library.contract(reference).record
    except InterlockError:  # whatever needs it says so; here the values speak for themselves
        return None
    for name in names:
        found = field.child(name)
        if found is None:
            return None
        field = found
    return field.item.shape if field.shape is Shape.ARRAY and field.item is not None else field.shape
