"""Values of a feature into the store: checked one by one, written in group commits, on record in the ledger."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

from interlock.contracts import canonical
from interlock.db.database import READ_CLOCK, Database
from interlock.db.text import storable
from interlock.db.work import Stamp, Unit, Write
from interlock.db.writer import Writer
from interlock.decisions.features.feature import (
    LARGEST_VALUE,
    LONGEST_ENTITY,
    Feature,
    entity_of,
    unfit,
)
from interlock.decisions.features.store import ADD_VALUES, SEEN_AFTER, NewValue
from interlock.errors import Refused, Violation
from interlock.ledger.ledger import first_entry

log = logging.getLogger("interlock.features")

MOST_TOLD = 100
"""Rejected lines that a report names; the others are counted."""
_CHUNK = 500
_LAG = timedelta(milliseconds=50)
_KEYS = ("entity", "value", "event_at")

Violations = Callable[[str, Any], tuple[Violation, ...]]
"""What of a contract, by its reference, a value breaks."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line as it was read.

    Attributes:
        number: Its number, from 1.
        value: The JSON value that it holds; a Refused, if it could not be read.
    """

    number: int
    value: Any


@dataclass(frozen=True, slots=True)
class Rejected:
    """A line that was not taken.

    Attributes:
        line: Its number, from 1.
        why: What is wrong with it.
    """

    line: int
    why: str


@dataclass(slots=True)
class LoadReport:
    """What became of a load.

    Attributes:
        load: The load's id, the subject of its ledger entries.
        read: Lines that were read.
        taken: Values that are on record now, from this load or from an earlier one.
        rejected: Lines that were not taken.
        told: The first of these, with the reason.
        longest_commit_s: The longest that one commit took, in seconds.
    """

    load: UUID
    read: int = 0
    taken: int = 0
    rejected: int = 0
    told: list[Rejected] = field(default_factory=list[Rejected])
    longest_commit_s: float = 0.0

    def reject(self, line: int, why: str) -> None:
        """Count a line that is not taken."""
        self.rejected += 1
        if len(self.told) < MOST_TOLD:
            self.told.append(Rejected(line, why))


async def load_values(
    database: Database,
    writer: Writer,
    tenant: UUID,
    load: UUID,
    feature: Feature,
    lines: Iterable[Line],
    *,
    source: str,
    violations: Violations,
    rejected: Callable[[Rejected], None] = lambda _rejected: None,
) -> LoadReport:
    """Take values in, in constant memory. One bad line never stops the others; none is dropped without a word.

    Returns once every value that was taken may be seen: a decision that begins afterwards rests on them.

    Args:
        database: Tells when the values may be seen.
        writer: For the commits; a load from outside has one of its own, so that no decision waits for it.
        tenant: Whose values.
        load: An id for the ledger.
        feature: Of which feature.
        lines: ``{"entity": ..., "value": ..., "event_at": ...}`` each. Of two about one entity and moment the later
            one counts.
        source: Where they come from, as decisions will say it.
        violations: Checks values that are objects of a contract.
        rejected: Told of each line that is not taken.

    Raises:
        DatabaseUnavailable: the database went away for longer than the writer waits. What was taken is kept; the whole
            is loaded again, and what is on record already is not recorded twice.
    """
    report = LoadReport(load)
    chunk: dict[tuple[str, datetime], bytes] = {}
    held = 0
    for line in lines:
        report.read += 1
        try:
            entity, event_at, value = read_line(feature, line.value, violations)
        except Refused as cause:
            report.reject(line.number, storable(cause.what)[:300])
            rejected(Rejected(line.number, storable(cause.what)[:300]))
            continue
        chunk.pop((entity, event_at), None)
        chunk[entity, event_at] = value
        held += 1
        if len(chunk) >= _CHUNK:
            await _write(writer, tenant, feature, chunk, report, source)
            report.taken += held
            chunk, held = {}, 0
    if chunk:
        await _write(writer, tenant, feature, chunk, report, source)
        report.taken += held
    if report.taken:
        await _until_seen(database)
    if report.longest_commit_s > SEEN_AFTER.total_seconds():
        log.warning(
            "a commit of the load %s took up to %.1f s: for that long a backtest may see values that no decision saw",
            load,
            report.longest_commit_s,
        )
    return report


async def _until_seen(database: Database) -> None:
    """Wait until what was written may be seen, by the clocks of the processes too, which lag behind the database's."""
    async with database.installation() as connection:
        written = await READ_CLOCK.one(connection)
    if written is None:
        raise AssertionError("the database says its time")
    left = written + SEEN_AFTER + _LAG - database.clock.now()
    await asyncio.sleep(max(left.total_seconds(), 0) + 0.001)


def read_line(feature: Feature, value: Any, violations: Violations) -> tuple[str, datetime, bytes]:
    """One line's entity, time and value as canonical JSON. Pure.

    Raises:
        Refused: it is not of the declared type, or something is missing, unknown or cannot be stored.
    """
    if isinstance(value, Refused):
        raise value
    if not isinstance(value, dict) or set(value) != set(_KEYS):  # pyright: ignore[reportUnknownArgumentType] - JSON
        raise Refused(f"a line is an object of {', '.join(_KEYS)}, and nothing else")
    fields = cast("dict[str, Any]", value)
    entity = entity_of(fields, ("entity",))
    if not entity:
        raise Refused(f"entity is no text of 1 to {LONGEST_ENTITY} characters that can be stored")
    event_at = _moment(fields["event_at"])
    return entity, event_at, _value(feature, fields["value"], violations)


def _value(feature: Feature, value: Any, violations: Violations) -> bytes:
    if feature.contract:
        broken = violations(feature.contract, value)
        if broken:
            raise Refused(f"value breaks {feature.contract}: {'; '.join(map(str, broken[:5]))}")
    else:
        wrong = unfit(feature.output, value)
        if wrong:
            raise Refused(f"value: {wrong}")
    data = canonical(value)
    if len(data) > LARGEST_VALUE:
        raise Refused(f"value has {len(data):,} bytes, more than {LARGEST_VALUE:,}")
    return data


def _moment(text: Any) -> datetime:
    todo = 'write it with its zone, as in "2026-01-31T12:00:00Z"'
    if not isinstance(text, str):
        raise Refused("event_at is no text", todo=todo)
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise Refused("event_at says no time zone: " + todo, todo=todo)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError) as cause:
        raise Refused(f"event_at is no time: {todo}", todo=todo) from cause


async def _write(
    writer: Writer,
    tenant: UUID,
    feature: Feature,
    chunk: dict[tuple[str, datetime], bytes],
    report: LoadReport,
    source: str,
) -> None:
    values, load = list(chunk.items()), report.load

    def build(stamp: Stamp) -> Sequence[Write]:
        told = hashlib.sha256()
        rows: list[Write] = []
        for (entity, event_at), value in values:
            told.update(canonical([entity, event_at.isoformat(), value.decode()]))
            row = NewValue(
                id=stamp.new_id(),
                tenant=tenant,
                feature=feature.ref.name,
                version=feature.ref.version,
                entity=entity,
                value=value,
                event_at=event_at,
                source=source,
            )
            rows.append(Write(ADD_VALUES, row))
        entry = first_entry(
            stamp,
            tenant,
            "feature.loaded",
            subject=load,
            feature=str(feature.ref),
            source=source,
            values=len(rows),
            content=told.hexdigest(),
        )
        return [*rows, entry]

    began = time.monotonic()
    await writer.write(Unit(tenant, build))
    report.longest_commit_s = max(report.longest_commit_s, time.monotonic() - began)
