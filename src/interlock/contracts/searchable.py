"""Which fields of a contract decisions can be found by. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from interlock.contracts.shown import Path, pointer

if TYPE_CHECKING:
    from interlock.contracts.contract import Field
    from interlock.contracts.reading import Reading

MOST = 8
"""So many fields one decision can be found by, those of its input and its output together."""
_WITHIN = ("object", "array")


class Searchable(msgspec.Struct, frozen=True):
    """One field that decisions can be found by.

    Attributes:
        name: Its path, as it is written when something is looked for: ``vendor``, ``buyer.country``.
        path: The same, step by step.
        shape: What its value is.
        personal: Whether its value is personal data: found by the whole value only, through a keyed digest.
    """

    name: str
    path: tuple[str, ...]
    shape: str
    personal: bool = False


def searchable_of(record: Field, reading: Reading) -> tuple[Searchable, ...]:
    """The fields of a record that are declared searchable; what cannot be looked for is refused.

    Args:
        record: The contract's record.
        reading: Where what is wrong is noted.
    """
    whole = ("schema", 0)
    found: list[Searchable] = []
    for path, field, personal in _marked(record, (), personal=False):
        if "*" in path or field.shape in _WITHIN:
            what = f"{pointer(path)} is searchable, and is no single value: it is, or stands in, an array or an object"
            reading.refuse(whole, what, "searchable", "mark plain fields outside of arrays")
            continue
        found.append(Searchable(".".join(map(str, path)), tuple(map(str, path)), field.shape, personal))
    if len(found) > MOST:
        what = f"{len(found)} fields are searchable; a decision can be found by {MOST}"
        reading.refuse(whole, what, "searchable", "mark those that people look for")
    return tuple(found)


def _marked(field: Field, path: Path, *, personal: bool) -> Iterator[tuple[Path, Field, bool]]:
    for child in field.fields:
        of_person = personal or child.mark.personal
        if child.mark.searchable:
            yield (*path, child.name), child, of_person
        yield from _marked(child, (*path, child.name), personal=of_person)
    if field.item is not None:
        if field.item.mark.searchable:
            yield (*path, field.item.name), field.item, personal
        yield from _marked(field.item, (*path, field.item.name), personal=personal)
