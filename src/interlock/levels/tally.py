"""Counting what passes a contract, in memory: a microsecond for each record. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from interlock.contracts.contract import Contract, Shape
from interlock.contracts.level import Kind
from interlock.contracts.rules import field_at
from interlock.contracts.shown import Path, pointer

_AHEAD = timedelta(minutes=5)
"""How far another clock may be ahead before its moments count as wrong."""
_ZONES = timedelta(hours=14)
"""How far ahead of UTC a calendar day can be."""
_DAY = timedelta(days=1)


class Plan:
    """What is counted of one contract's records.

    Args:
        contract: The contract.
    """

    def __init__(self, contract: Contract) -> None:
        levels = contract.levels
        self.line = contract.line
        self.measured = bool(levels)
        newest = dict.fromkeys(level.element for level in levels if level.kind is Kind.LATENCY)
        filled = dict.fromkeys(level.element for level in levels if level.kind is Kind.COMPLETENESS)
        self.moments = tuple((path, _is_day(contract, path)) for path in newest)
        self.fields = tuple(filled)


class Tally:
    """What was counted since the last time that it was written down.

    Attributes:
        records: Records that kept the contract.
        refused: Records that broke it.
        filled: How many of the records had each field, in the order of the plan.
        newest: The newest moment of each element, in the order of the plan.
    """

    __slots__ = ("_horizon", "_plan", "_today", "filled", "newest", "records", "refused")

    def __init__(self, plan: Plan, now: datetime) -> None:
        self.records = 0
        self.refused = 0
        self.filled = [0] * len(plan.fields)
        self.newest: list[datetime | None] = [None] * len(plan.moments)
        self._plan = plan
        self._horizon = now + _AHEAD
        self._today = (now + _ZONES).date()

    def note(self, record: Mapping[str, Any]) -> None:
        """Count a record that keeps the contract."""
        self.records += 1
        plan = self._plan
        for place, path in enumerate(plan.fields):
            if _at(record, path) is not None:
                self.filled[place] += 1
        for place, (path, is_day) in enumerate(plan.moments):
            text = _at(record, path)
            if text is not None:
                moment = self._day(text) if is_day else self._moment(text)
                last = self.newest[place]
                if moment is not None and (last is None or moment > last):
                    self.newest[place] = moment

    def join(self, other: Tally) -> None:
        """Take in what another tally of the same plan counted."""
        self.records += other.records
        self.refused += other.refused
        self.filled = [mine + its for mine, its in zip(self.filled, other.filled, strict=True)]
        for place, moment in enumerate(other.newest):
            last = self.newest[place]
            if moment is not None and (last is None or moment > last):
                self.newest[place] = moment

    def _moment(self, text: str) -> datetime | None:
        # A moment in the future says that a clock is wrong, and would hide for ever that nothing new comes.
        moment = datetime.fromisoformat(text)
        return moment if moment <= self._horizon else None

    def _day(self, text: str) -> datetime | None:
        # A day is as old as its end: what is of today is not old.
        day = date.fromisoformat(text)
        return datetime(day.year, day.month, day.day, tzinfo=UTC) + _DAY if day <= self._today else None

    def by_element(self) -> dict[str, tuple[int, datetime | None]]:
        """How many records had each element and its newest moment, by JSON Pointer; without the record itself."""
        found: dict[str, tuple[int, datetime | None]] = {}
        for path, count in zip(self._plan.fields, self.filled, strict=True):
            found[pointer(path)] = (count, None)
        for (path, _), moment in zip(self._plan.moments, self.newest, strict=True):
            name = pointer(path)
            found[name] = (found.get(name, (0, None))[0], moment)
        return found


def _is_day(contract: Contract, path: Path) -> bool:
    field = field_at(contract.record, path)
    return field is not None and field.shape is Shape.DATE


def _at(record: Any, path: Path) -> Any:
    here = record
    for step in path:
        if here is None:
            return None
        here = here.get(step)
    return here
