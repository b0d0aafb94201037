"""What a contract says of fields beside their form: that they are personal data, whose, and for what they may be read.

Written as custom properties of ODCS, which has no terms of its own for these; see docs/reference/contracts.md. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

import msgspec

from interlock.contracts.shown import Path, pointer, shown

if TYPE_CHECKING:
    from interlock.contracts.contract import Field
    from interlock.contracts.reading import Reading, Spot

MARKS = ("personal", "subject", "purposes", "searchable")
"""The custom properties that are read here; every other one is for other tools."""
_PURPOSE = re.compile(r"[a-z][a-z0-9-]{0,62}")
_MOST_PURPOSES = 32


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """What the custom properties of a field say of it.

    Attributes:
        personal: Whether its value is personal data: it is stored and logged only encrypted under its subject's key.
        subject: Whether it says whose data the record is.
        purposes: For what its value may be read.
        searchable: Whether decisions can be found by it.
    """

    personal: bool = False
    subject: bool = False
    purposes: tuple[str, ...] = ()
    searchable: bool = False


NO_MARK = Mark()


class Personal(msgspec.Struct, frozen=True, kw_only=True):
    """Which fields of a record are personal data.

    Attributes:
        subject: The path of the field that says whose they are; no step of it leads into an array.
        fields: The outermost marked fields, each with its path; ``*`` stands for every item of an array.
    """

    subject: Path
    fields: tuple[tuple[Path, Mark], ...]

    def refuses(self, purpose: str) -> tuple[str, ...]:
        """The fields, as JSON Pointers, that may not be read for a purpose."""
        return tuple(pointer(path) for path, mark in self.fields if purpose not in mark.purposes)

    def covers(self, path: Path) -> bool:
        """Whether what stands at a path is personal, or holds or belongs to what is."""
        return any(path[: len(place)] == place[: len(path)] for place, _ in self.fields)


def is_purpose(text: str) -> bool:
    """Whether a text can name a purpose: small letters, digits and hyphens."""
    return _PURPOSE.fullmatch(text) is not None


def read_mark(customs: Mapping[str, object], spot: Spot, reading: Reading) -> Mark:
    """What the custom properties of a field say of it; what cannot be meant is refused.

    Args:
        customs: The custom properties by name.
        spot: Where the field stands.
        reading: Where what is wrong is noted.
    """
    said = {name: _flag(name, customs, spot, reading) for name in ("personal", "subject", "searchable")}
    purposes = _purposes(customs, spot, reading)
    personal = said["personal"] or said["subject"]
    if personal and not purposes:
        todo = "add a custom property purposes, as in [reimbursement]"
        reading.refuse(spot.file, "this field is personal, and nothing says for what it may be read", "purposes", todo)
    if purposes and not personal:
        reading.refuse(spot.file, "purposes stand at a field that is not personal", "purposes", "add personal: true")
    return Mark(personal=personal, subject=said["subject"], purposes=purposes, searchable=said["searchable"])


def _flag(name: str, customs: Mapping[str, object], spot: Spot, reading: Reading) -> bool:
    value = customs.get(name, False)
    if not isinstance(value, bool):
        reading.refuse(spot.key("customProperties"), f"{name}: {shown(value)} is neither true nor false", name, "")
    return value is True


def _purposes(customs: Mapping[str, object], spot: Spot, reading: Reading) -> tuple[str, ...]:
    if "purposes" not in customs:
        return ()
    value = customs["purposes"]
    listed: list[object] = cast("list[object]", value) if isinstance(value, list) else []
    purposes = tuple(sorted({one for one in listed if isinstance(one, str) and is_purpose(one)}))
    if not listed or len(purposes) != len(listed) or len(purposes) > _MOST_PURPOSES:
        what, todo = (
            f"purposes: {shown(customs['purposes'])} is no list of purposes",
            "list names, as in [reimbursement, audit]",
        )
        reading.refuse(spot.key("customProperties"), what, "purposes", todo)
    return purposes


def personal_of(record: Field, reading: Reading) -> Personal | None:
    """Which fields of a record are personal data; None: none is. What has no subject is refused.

    Args:
        record: The contract's record.
        reading: Where what is wrong is noted.
    """
    marked = [(path, field) for path, field in _marked(record, ()) if field.mark.personal]
    if not marked:
        return None
    whole = ("schema", 0)
    subjects = [(path, field) for path, field in marked if field.mark.subject]
    if len(subjects) != 1:
        what = f"{len(subjects) or 'no'} fields are marked as the subject, and {_places(marked)} are personal"
        reading.refuse(whole, what, "subject", "mark the one field that says whose data the record is")
        return None
    path, field = subjects[0]
    if "*" in path:
        what = f"the subject {pointer(path)} stands within an array, so that a record has many"
        reading.refuse(whole, what, "subject", "mark one field outside of arrays; send a record for each person")
    if field.shape not in ("string", "integer") or not _always_there(record, path):
        what = f"the subject {pointer(path)} is not always there as a text or a whole number"
        reading.refuse(whole, what, "subject", "make it, and what it stands in, required: true, a string or an integer")
    outermost = [
        (place, one.mark)
        for place, one in marked
        if not any(place[: len(other)] == other for other, _ in marked if other != place)
    ]
    return Personal(subject=path, fields=tuple(outermost))


def _marked(field: Field, path: Path) -> Iterator[tuple[Path, Field]]:
    for child in field.fields:
        yield from (((*path, child.name), child), *_marked(child, (*path, child.name)))
    if field.item is not None:
        yield from (((*path, "*"), field.item), *_marked(field.item, (*path, "*")))


def _always_there(record: Field, path: Path) -> bool:
    here = record
    for step in path:
        child = here.child(str(step))
        if child is None or not child.required:
            return False
        here = child
    return True


def _places(marked: list[tuple[Path, Any]]) -> str:
    named = [pointer(path) for path, _ in marked]
    return ", ".join(named[:3]) + (f" and {len(named) - 3} more" if len(named) > 3 else "")  # noqa: PLR2004 - a few
