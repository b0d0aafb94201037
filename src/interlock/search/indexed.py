"""Fields by which decisions are found although nothing here declares them: declared then, or by a workflow elsewhere.

Nothing keeps a list of them. A field's terms begin with eight bytes that follow from its point, its name and its kind,
so the index itself says whether there are any.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from psycopg import AsyncConnection

from interlock.contracts.contract import Shape
from interlock.search.entry import SearchField
from interlock.search.store import BY_INDEX_ALONE, KEYS_IN_USE, POINTS_OF_TENANT
from interlock.search.term import Kind, key_of
from interlock.search.wanted import Catalog

_SHAPES: Mapping[Kind, Shape] = {
    Kind.TEXT: Shape.STRING,
    Kind.NUMBER: Shape.DECIMAL,
    Kind.TIME: Shape.TIMESTAMP,
    Kind.TIME_OF_DAY: Shape.TIME,
    Kind.BOOLEAN: Shape.BOOLEAN,
    Kind.PERSONAL: Shape.STRING,
}
"""One shape of each kind: which of them a field had, nothing but its contract tells. Most that is personal is text."""


async def with_indexed(
    connection: AsyncConnection[Any], catalog: Catalog, place: str | None, names: Collection[str]
) -> Catalog:
    """A catalog, and beside it all points that have decisions, with those of some fields by which these are found.

    Args:
        connection: Of the tenant.
        catalog: What contracts here declare.
        place: A workflow or a point, if only these are looked at.
        names: The fields. One that is declared here has the kind that it has here; any other whatever it had.
    """
    stored = [f"{one.workflow}.{one.point}" for one in await POINTS_OF_TENANT.all(connection)]
    whole = {**dict.fromkeys(stored, ()), **catalog}
    within = [point for point in whole if place in (None, point, point.rpartition(".")[0])]
    fields: list[tuple[str, SearchField]] = []
    for name in names:
        declared = {point: one.kind for point in within for one in whole[point] if one.name == name}
        kinds = set(declared.values()) or set(Kind)
        fields += [
            (point, SearchField(name, (), _SHAPES[kind], kind, key_of(point, name, kind)))
            for point in within
            if point not in declared
            for kind in sorted(kinds)
        ]
    if not fields:
        return whole
    await BY_INDEX_ALONE.all(connection)
    ends = [field.all for _, field in fields]
    given = {"lows": [one.low for one in ends], "highs": [one.high for one in ends]}
    for place_of_field in await KEYS_IN_USE.all(connection, given):
        point, field = fields[place_of_field - 1]
        whole[point] = (*whole[point], field)
    return whole
