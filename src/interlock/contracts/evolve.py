"""What a new version of a contract breaks, and for whom. Pure.

Producers wrote their data for the old version: whatever the new one refuses breaks them. Consumers read what the new
version lets through: whatever the old one would have refused breaks them. An optional field more breaks nobody.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import structs

from interlock.contracts.contract import ITEMS, Bound, Contract, Field, Rule, Shape
from interlock.contracts.exact import range_words
from interlock.contracts.level import Level
from interlock.contracts.measure import Measure
from interlock.contracts.shown import Path, pointer, shown
from interlock.errors import ContractInvalid, Violation


class Party(StrEnum):
    """Whom a change breaks."""

    PRODUCERS = "producers"
    CONSUMERS = "consumers"


class Break(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a new version breaks.

    Attributes:
        where: The JSON Pointer of the field, with ``*`` for every item.
        what: The change.
        breaks: For whom.
    """

    where: str
    what: str
    breaks: Party

    def __str__(self) -> str:
        return f"{self.where or '/'}: {self.what} (breaks {self.breaks})"


def compatible(old: Contract, new: Contract) -> tuple[Break, ...]:
    """What a new version breaks; empty if data and readers of the old version go on as they are."""
    return (
        *_field_breaks(old.record, new.record, ()),
        *_rule_breaks(old.rules, new.rules),
        *_measure_breaks(old.measures, new.measures),
        *_level_breaks(old.levels, new.levels),
    )


def publishable(old: Contract, new: Contract) -> tuple[Break, ...]:
    """Check that a new version may follow the old one.

    Returns:
        What it breaks, which a new major version may.

    Raises:
        ContractInvalid: another name, a version that does not come after the old one, or something breaks within the
            same major version; every break is listed.
    """
    if new.name != old.name:
        what = f"{new.reference} does not follow {old.reference}: its name is another"
        raise ContractInvalid(what, (), where=new.source, todo="publish it as a contract of its own")
    if new.version <= old.version:
        what = f"{new.version} does not come after {old.version}"
        raise ContractInvalid(what, (), where=new.source, todo="a published version never changes: raise the version")
    return replaceable(old, new)


def replaceable(old: Contract, new: Contract) -> tuple[Break, ...]:
    """Check that a contract may count in the place of another one, whichever of their versions comes first.

    Returns:
        What it breaks, which another major version may.

    Raises:
        ContractInvalid: something breaks within the same major version; every break is listed.
    """
    breaks = compatible(old, new)
    if breaks and new.version.major == old.version.major:
        raise ContractInvalid(
            f"{new.reference} breaks what {old.reference} promised",
            tuple(
                Violation(where=one.where, what=f"{one.what} (breaks {one.breaks})", rule=f"breaks-{one.breaks}")
                for one in breaks
            ),
            where=new.source,
            todo=f"make it {new.name}@{old.version.major + 1}.0.0, or undo these changes",
        )
    return breaks


def _field_breaks(old: Field, new: Field, path: Path) -> Iterator[Break]:
    if old.required != new.required:
        if new.required:
            yield _break(path, "it is required now", Party.PRODUCERS)
        else:
            yield _break(path, "it may be absent or null now", Party.CONSUMERS)
    if old.shape is not new.shape:
        yield from _shape_breaks(old, new, path)
        return
    for change in _limit_changes(old, new):
        yield from change.breaks(path)
    yield from _choice_breaks(old, new, path)
    if old.item is not None and new.item is not None:
        yield from _field_breaks(old.item, new.item, (*path, ITEMS))
    yield from _member_breaks(old, new, path)


def _shape_breaks(old: Field, new: Field, path: Path) -> Iterator[Break]:
    what = f"it was {old.shape} and is {new.shape}"
    if (old.shape, new.shape) != (Shape.INTEGER, Shape.NUMBER):
        yield _break(path, what, Party.PRODUCERS)
    if (old.shape, new.shape) != (Shape.NUMBER, Shape.INTEGER):
        yield _break(path, what, Party.CONSUMERS)


def _member_breaks(old: Field, new: Field, path: Path) -> Iterator[Break]:
    for field in old.fields:
        after = new.child(field.name)
        if after is not None:
            yield from _field_breaks(field, after, (*path, field.name))
            continue
        yield _break((*path, field.name), "it is removed; who still sends it is refused", Party.PRODUCERS)
        yield _break((*path, field.name), "it is removed; who reads it finds nothing", Party.CONSUMERS)
    for field in new.fields:
        if field.required and old.child(field.name) is None:
            yield _break((*path, field.name), "it is new and required", Party.PRODUCERS)


class _Change(msgspec.Struct, frozen=True):
    """How one limit changed: which parties lose by it, in words."""

    what: str
    narrower: bool
    wider: bool

    def breaks(self, path: Path) -> Iterator[Break]:
        if self.narrower:
            yield _break(path, self.what, Party.PRODUCERS)
        if self.wider:
            yield _break(path, self.what, Party.CONSUMERS)


def _limit_changes(old: Field, new: Field) -> Iterator[_Change]:
    for noun, before, after, rising in (
        ("the shortest length", old.min_length, new.min_length, True),
        ("the longest length", old.max_length, new.max_length, False),
        ("the fewest items", old.min_items, new.min_items, True),
        ("the most items", old.max_items, new.max_items, False),
        ("the digits before the point", _before_point(old), _before_point(new), False),
        ("the digits after the point", old.decimals, new.decimals, False),
        ("uniqueness of items", int(old.unique_items) or None, int(new.unique_items) or None, True),
    ):
        if before != after:
            tighter = _tighter(before, after, rising=rising)
            yield _Change(f"{noun} was {_word(before)} and is {_word(after)}", narrower=tighter, wider=not tighter)
    yield from _range_changes(old, new)
    yield from _form_changes(old, new)
    if old.multiple_of != new.multiple_of:
        what = f"it was a multiple of {_word(old.multiple_of)} and is one of {_word(new.multiple_of)}"
        narrower, wider = not _divides(new.multiple_of, old.multiple_of), not _divides(old.multiple_of, new.multiple_of)
        yield _Change(what, narrower, wider)


def _before_point(field: Field) -> int | None:
    return None if field.digits is None else field.digits - (field.decimals or 0)


def _tighter(before: int | None, after: int | None, *, rising: bool) -> bool:
    """Whether a limit that changed lets less through; for a rising one more is less."""
    if before is None or after is None:
        return before is None
    return after > before if rising else after < before


def _divides(part: Decimal | None, whole: Decimal | None) -> bool:
    """Whether every multiple of ``whole`` is one of ``part``; without a multiple anything goes."""
    return part is None or (whole is not None and whole % part == 0)


def _range_changes(old: Field, new: Field) -> Iterator[_Change]:
    what = f"its range was {range_words(old) or 'open'} and is {range_words(new) or 'open'}"
    narrower = _cuts(old.low, new.low, sign=1) or _cuts(old.high, new.high, sign=-1)
    wider = _cuts(new.low, old.low, sign=1) or _cuts(new.high, old.high, sign=-1)
    if narrower or wider:
        yield _Change(what, narrower=narrower, wider=wider)


def _cuts(one: Bound | None, other: Bound | None, *, sign: int) -> bool:
    """Whether the other end refuses something that the one lets through; sign 1 for lower ends, -1 for upper ones."""
    if other is None or one == other:
        return False
    if one is None:
        return True
    this: Any = one.value
    that: Any = other.value
    if this == that:
        return other.exclusive
    return that > this if sign > 0 else that < this


def _form_changes(old: Field, new: Field) -> Iterator[_Change]:
    # Whether one expression lets more through than another is not decided here; a changed one may do both.
    for noun, before, after in (
        ("pattern", old.pattern, new.pattern),
        ("format", old.text_format, new.text_format),
    ):
        if before != after:
            what = f"its {noun} was {_word(before)} and is {_word(after)}"
            yield _Change(what, narrower=after is not None, wider=before is not None)


def _choice_breaks(old: Field, new: Field, path: Path) -> Iterator[Break]:
    removed = [choice for choice in old.choices if choice not in new.choices] if new.choices else []
    added = [choice for choice in new.choices if choice not in old.choices] if old.choices else []
    if removed:
        yield _break(path, f"{_listed(removed)} no longer allowed", Party.PRODUCERS)
    if added:
        yield _break(path, f"{_listed(added)} allowed now", Party.CONSUMERS)
    if new.choices and not old.choices:
        yield _break(path, f"only {_listed(list(new.choices))} allowed now", Party.PRODUCERS)
    if old.choices and not new.choices:
        yield _break(path, "any value is allowed now", Party.CONSUMERS)
    refused = [value for value in new.missing if value not in old.missing]
    if refused:
        yield _break(path, f"{_listed(refused)} refused now, as standing for no value", Party.PRODUCERS)
    let_in = [value for value in old.missing if value not in new.missing]
    if let_in:
        yield _break(path, f"{_listed(let_in)} no longer refused as standing for no value", Party.CONSUMERS)


def _measure_breaks(old: tuple[Measure, ...], new: tuple[Measure, ...]) -> Iterator[Break]:
    # Names and words aside; whether one limit is tighter than another is not decided, so a changed one is both.
    before = {structs.replace(one, name="", description=""): one for one in old}
    after = {structs.replace(one, name="", description=""): one for one in new}
    for key, measure in after.items():
        if key not in before:
            what = f"the demand {measure.name} ({measure.metric}: {measure.limit}) is new"
            yield _break(measure.at, what, Party.PRODUCERS)
    for key, measure in before.items():
        if key not in after:
            what = f"the demand {measure.name} ({measure.metric}: {measure.limit}) is gone"
            yield _break(measure.at, what, Party.CONSUMERS)


def _level_breaks(old: tuple[Level, ...], new: tuple[Level, ...]) -> Iterator[Break]:
    before, after = {level.said: level for level in old}, {level.said: level for level in new}
    for said, level in after.items():
        if said not in before:
            yield _break(level.element, f"the promise {said} is new", Party.PRODUCERS)
    for said, level in before.items():
        if said not in after:
            yield _break(level.element, f"the promise {said} is gone", Party.CONSUMERS)


def _rule_breaks(old: tuple[Rule, ...], new: tuple[Rule, ...]) -> Iterator[Break]:
    before = {(rule.kind, rule.scope, rule.operands): rule for rule in old}
    after = {(rule.kind, rule.scope, rule.operands): rule for rule in new}
    for key, rule in after.items():
        if key not in before:
            yield _break(rule.scope, f"the rule {rule.name} ({_rule_words(rule)}) is new", Party.PRODUCERS)
    for key, rule in before.items():
        if key not in after:
            yield _break(rule.scope, f"the rule {rule.name} ({_rule_words(rule)}) is gone", Party.CONSUMERS)


def _rule_words(rule: Rule) -> str:
    return f"{rule.kind}: {', '.join(map(str, rule.operands))}"


def _listed(choices: list[str | int | bool]) -> str:
    words = ", ".join(shown(choice) for choice in choices[:10])
    return f"{words}{' and more' if len(choices) > 10 else ''} {'is' if len(choices) == 1 else 'are'}"  # noqa: PLR2004 - enough to see


def _word(value: object) -> str:
    return "nothing" if value is None else str(value)


def _break(path: Path, what: str, party: Party) -> Break:
    return Break(where=pointer(path), what=what, breaks=party)
