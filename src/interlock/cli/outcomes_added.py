"""Outcomes from tables: each row judged by itself, once, or again and again from what grows."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import msgspec

from interlock.authority.judge import Verdict
from interlock.autonomy.outcomes.line import OutcomeLine, read_line
from interlock.autonomy.outcomes.plan import Became, Result
from interlock.autonomy.outcomes.record import MOST_AT_ONCE, record_outcomes
from interlock.autonomy.outcomes.table import row_line
from interlock.batch.open import SQL, open_table
from interlock.batch.rows import Reading
from interlock.batch.table import Place, Table
from interlock.cases.outcome_points import outcome_points
from interlock.db.keep_doing import keep_doing
from interlock.errors import Refused
from interlock.node import Node

log = logging.getLogger("interlock.outcomes")
MOST_TOLD = 100
TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
_Placed = tuple[str, OutcomeLine | Refused]


@dataclass(frozen=True, slots=True)
class Feed:
    """Where outcomes come from.

    Attributes:
        place: A file, a folder, or ``sql:`` before a SELECT.
        source: Whose word it is, where a line does not say.
        url: The database of a query.
        point: The decision point, where a line names neither a decision nor a point.
    """

    place: str
    source: str = ""
    url: str = ""
    point: str = ""

    def tables(self) -> Generator[Table]:
        """Its tables: of a folder each file that is one, by name.

        Raises:
            Refused: one cannot be read.
        """
        if self.place.startswith(SQL):
            yield open_table(self.place, Reading(contract=None, key="key"), url=self.url)
            return
        path = Path(self.place)
        names = sorted(one for one in path.iterdir() if one.suffix.lower() in TABLES) if path.is_dir() else [path]
        for name in names:
            if name.stat().st_size or name is path:  # one that is empty is still being written
                yield open_table(str(name), Reading(contract=None))


@dataclass(slots=True)
class Added:
    """What became of lines: counts, and some of those that are not on record."""

    counts: Counter[Became] = field(default_factory=Counter[Became])
    contradictory: int = 0
    bad: list[tuple[str, Result]] = field(default_factory=list[tuple[str, Result]])

    def note(self, place: str, result: Result) -> None:
        """Count a line, which stands in this place."""
        self.counts[result.became] += 1
        self.contradictory += result.contradictory
        if result.refused is not None and len(self.bad) < MOST_TOLD:
            self.bad.append((place, result))


async def add_all(node: Node, feed: Feed, *, who: str, verdict: Verdict) -> Added:
    """Put all that a feed says on record; what is there already is known.

    Raises:
        Refused: a table cannot be read; what stood before is on record.
    """
    added = Added()
    for table in feed.tables():
        await add_table(node, table, feed, added.note, who=who, verdict=verdict)
    return added


async def add_table(
    node: Node, table: Table, feed: Feed, note: Callable[[str, Result], None], *, who: str, verdict: Verdict
) -> None:
    """Put what a table of a feed says on record, and note what became of each line in its place.

    Raises:
        Refused: it cannot be read; what stood before is on record.
        StateConflict: it was written to meanwhile.
    """
    points, parts = outcome_points(node.registry, node.tenant), _parts(_lines(table, feed))
    while part := await asyncio.to_thread(next, parts, None):  # a slow file or database holds up nothing else
        lines = [line for _, line in part]
        results = await record_outcomes(
            node.database, node.writer, node.tenant, lines, points, who=who, verdict=verdict
        )
        for (place, _), result in zip(part, results, strict=True):
            note(place, result)


async def keep_adding(node: Node, feed: Feed, every_s: float, *, who: str, verdict: Verdict) -> None:
    """Add all that a feed says again and again, until this is cancelled. Nothing is lost and nothing twice.

    A row has effect once, by its key: there is no place to lose. What has no decision yet is said again each time until
    it has. A table that cannot be read is read the next time.
    """

    async def again() -> None:
        added = await add_all(node, feed, who=who, verdict=verdict)
        if new := added.counts[Became.RECORDED] + added.counts[Became.CORRECTED]:
            log.warning("%s: %d new outcomes, %d are not on record", feed.place[:80], new, len(added.bad))

    await keep_doing("outcomes", again, every_s)


def _parts(lines: Iterable[_Placed]) -> Generator[list[_Placed]]:
    """As many at a time as are one commit."""
    part: list[_Placed] = []
    for line in lines:
        part.append(line)
        if len(part) == MOST_AT_ONCE:
            yield part
            part = []
    if part:
        yield part


def _key_of(place: str, line: Mapping[str, Any]) -> str:
    """The key of a line without one: a file that is read again says nothing anew, even if it was corrected since."""
    told = msgspec.json.encode([place, line], order="sorted", enc_hook=str)
    return "sha256:" + hashlib.sha256(told).hexdigest()


def _lines(table: Table, feed: Feed) -> Generator[_Placed]:
    for rows in table.chunks(Place()):
        for row in rows:
            keyed = table.reading.key
            place = f"{table.identity.name}, {f'key {row.key}' if keyed else f'line {row.number}'}"
            try:
                if isinstance(row.wrong, Refused):
                    raise row.wrong
                value: Any = row.value
                if isinstance(value, dict):
                    cells = cast("dict[str, Any]", value)
                    value = row_line({**cells, "key": row.key} if keyed else cells)
                    if not {"key", "became_at"} & value.keys():
                        value["key"] = _key_of(place, value)
                    if feed.point and not value.get("decision"):
                        value = {"point": feed.point, **value}
                yield place, read_line(value, source=feed.source, cells=True)
            except Refused as cause:
                yield place, cause
    table.check_unchanged()
