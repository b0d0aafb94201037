"""Many records against one contract: each by itself, and all of them together.

One pass, in memory that does not grow with the number of records. A record that breaks the contract by itself, or that
has the key of an earlier one, is refused; what is demanded of all records together counts those that are not refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import jsonschema_rs
import msgspec

from interlock.contracts.canonical import canonical
from interlock.contracts.check import check
from interlock.contracts.contract import Contract, Field
from interlock.contracts.exact import EXACT, read_exact
from interlock.contracts.keys import Keys
from interlock.contracts.measure import Measure, Metric
from interlock.contracts.pattern import whole
from interlock.contracts.rules import field_at
from interlock.contracts.shown import Path, pointer, shown
from interlock.errors import Violation

_DIGEST = 16
"""Bytes of a key's digest: among 10**12 keys two agree by chance once in 10**15 batches."""
_MOST_NAMED = 100
"""Positions of refused records that a verdict names; all of them are counted."""


class BatchVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with many records.

    Attributes:
        records: How many there were.
        refused: How many break the contract by themselves, or repeat the key of an earlier one.
        by_record: The violations of the first hundred of these, by their position from 0.
        violations: What is wrong with all of them together: ``where`` is the field, ``what`` the count.
    """

    records: int
    refused: int
    by_record: dict[int, tuple[Violation, ...]]
    violations: tuple[Violation, ...]

    @property
    def kept(self) -> bool:
        """Whether every record and the batch keep the contract."""
        return not self.refused and not self.violations


class BatchCheck:
    """One pass over many records; the caller owns it, in one thread, and closes it.

    Args:
        contract: What they are held against.
    """

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self._unique = [_Unique(contract, one) for one in contract.measures if one.unique]
        self._counts = [_Count(contract, one) for one in contract.measures if not one.unique]
        self._seen = 0
        self._accepted = 0

    @property
    def idle(self) -> bool:
        """Whether the contract demands nothing of many records together, so that ``note`` need not be called."""
        return not self._unique and not self._counts

    def add(self, record: Any) -> tuple[Violation, ...]:
        """Check the next record, by itself and against those before. What is wrong with it; empty if it is taken."""
        found = check(self._contract, record)
        if found:
            self.refuse()
            return found
        return self.note(record)

    def refuse(self) -> None:
        """Count a record that was found wrong elsewhere, so that positions stay right."""
        self._seen += 1

    def note(self, record: Any) -> tuple[Violation, ...]:
        """Take in the next record, which keeps the contract by itself. What it repeats; empty if it is taken."""
        place = self._seen
        self._seen += 1
        keys = [unique.key(record) for unique in self._unique]
        twice = [
            unique.twice(place, earlier)
            for unique, key in zip(self._unique, keys, strict=True)
            if key is not None and (earlier := unique.keys.first(key)) is not None
        ]
        if twice:
            return tuple(twice)
        for unique, key in zip(self._unique, keys, strict=True):
            if key is not None:
                unique.keys.put(key, place)
        self._accepted += 1
        for count in self._counts:
            count.note(record, place)
        return ()

    def end(self) -> tuple[Violation, ...]:
        """What is wrong with all records together, after the last one."""
        broken = [count.broken(self._accepted) for count in self._counts]
        return tuple(violation for violation in broken if violation is not None)

    def close(self) -> None:
        """Give back the memory and the temporary files of the keys."""
        for one in (*self._unique, *self._counts):
            one.keys.close()


def check_batch(contract: Contract, records: Iterable[Any]) -> BatchVerdict:
    """Check many records in one pass; they may come from a stream that is longer than memory.

    ``BatchCheck`` is the same, record by record, for who wants to act on each one as it comes.

    Args:
        contract: The contract.
        records: JSON values, as ``read_json`` returns them.
    """
    batch = BatchCheck(contract)
    by_record: dict[int, tuple[Violation, ...]] = {}
    seen = refused = 0
    try:
        for record in records:
            found = batch.add(record)
            if found:
                refused += 1
                if len(by_record) < _MOST_NAMED:
                    by_record[seen] = found
            seen += 1
        violations = batch.end()
    finally:
        batch.close()
    return BatchVerdict(records=seen, refused=refused, by_record=by_record, violations=violations)


class _Keyed:
    """What reads the key of a record: the values of some fields, equal when they mean the same."""

    def __init__(self, contract: Contract, measure: Measure) -> None:
        self.measure = measure
        self.keys = Keys()
        self._reads = [(path, field_at(contract.record, path)) for path in measure.paths]

    def key(self, record: Any) -> bytes | None:
        """The digest of the values; None where one of them is not given."""
        values: list[Any] = []
        for path, field in self._reads:
            value = _at(record, path)
            if value is None:
                return None
            values.append(_comparable(field, value))
        return hashlib.blake2b(canonical(values), digest_size=_DIGEST).digest()


class _Unique(_Keyed):
    """Keys of which no two records have the same."""

    def twice(self, place: int, earlier: int) -> Violation:
        """The words for a record that repeats an earlier one."""
        names = " and ".join(pointer(path) for path in self.measure.paths)
        what = f"record {place + 1} has the same {names} as record {earlier + 1}"
        todo = self.measure.description or "send each one once"
        return Violation(where=pointer(self.measure.paths[0]), what=what, rule=self.measure.name, todo=todo)


class _Count(_Keyed):
    """One count over all records."""

    def __init__(self, contract: Contract, measure: Measure) -> None:
        super().__init__(contract, measure)
        self._counted = 0
        self._counts = _counting(measure)

    def note(self, record: Any, place: int) -> None:
        """Count one record."""
        if self.measure.metric is Metric.DUPLICATE_VALUES:
            key = self.key(record)
            if key is None:
                return
            if self.keys.first(key) is None:
                self.keys.put(key, place)
            else:
                self._counted += 1
        elif self.measure.metric is Metric.ROW_COUNT or self._counts(_at(record, self.measure.at)):
            self._counted += 1

    def broken(self, records: int) -> Violation | None:
        """What is wrong, if the count does not keep its limit."""
        measure = self.measure
        if measure.limit.holds(self._counted, records):
            return None
        share = f" ({self._counted * 100 / records:.2f} %)" if measure.limit.percent else ""
        what = f"{measure.metric} is {self._counted:,} of {records:,} records{share}, not {measure.limit}"
        todo = measure.description or "look at where the records come from"
        return Violation(where=pointer(measure.at), what=what, rule=measure.name, todo=todo)


def _counting(measure: Measure) -> Callable[[Any], bool]:
    """What says whether a value counts; a null counts only as null, or where null is listed."""
    listed = measure.listed
    if measure.metric is Metric.MISSING_VALUES:
        return lambda value: any(_same(value, one) for one in listed)
    if measure.metric is Metric.INVALID_VALUES and measure.pattern is not None:
        matcher = jsonschema_rs.Draft202012Validator(
            {"pattern": whole(measure.pattern)}, pattern_options=jsonschema_rs.RegexOptions(), offline=True
        )
        return lambda value: value is not None and not matcher.is_valid(value)
    if measure.metric is Metric.INVALID_VALUES:
        return lambda value: value is not None and not any(_same(value, one) for one in listed)
    return lambda value: value is None


def _same(value: Any, other: Any) -> bool:
    # True is 1 to Python, and not to JSON.
    return value == other and isinstance(value, bool) is isinstance(other, bool)


def _at(record: Any, path: Path) -> Any:
    here = record
    for step in path:
        if here is None:
            return None
        here = here.get(step)
    return here


def _comparable(field: Field | None, value: Any) -> Any:
    """A value so that equal ones are written alike: ``"9.50"`` is ``"9.5"``, a moment is one in UTC."""
    if field is None or field.shape not in EXACT or not isinstance(value, str):
        return value
    exact = read_exact(field.shape, value)
    if isinstance(exact, Decimal):
        text = f"{exact:f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return exact.isoformat() if isinstance(exact, (datetime, date, time)) else shown(value)
