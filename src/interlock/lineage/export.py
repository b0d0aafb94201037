"""Telling others: reads what is sealed from a durable cursor, in bounded batches, on a connection of its own.

INVARIANT: the cursor moves only after a batch is durable at the other side. What a crash leaves in between is sent
again under the same run ids: at least once, without a gap, in the ledger's order. Nothing in the path of a decision
knows of it.

INVARIANT: the cursor moves only from where the batch began. Of two processes that export to one target the slower one
may send what the other has sent, and never moves the cursor over what neither has.

A record that cannot be read is left out, and the log names it: one must not keep all others from being told.
"""

from __future__ import annotations

import hashlib
import logging
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg import AsyncConnection

from interlock.clock import first_id
from interlock.db.database import Database
from interlock.decisions.decision import Decision
from interlock.decisions.store import FIND_DECISIONS
from interlock.errors import DatabaseUnavailable
from interlock.lineage.openlineage import TOLD, Event, Fields, Teller, unknown_fields
from interlock.lineage.sink import Sink
from interlock.lineage.store import (
    ACTIONS_TOLD,
    BEGIN_CURSOR,
    CASES_TOLD,
    FEED,
    LEDGER_SIZE,
    MOVE_CURSOR,
    READ_CURSOR,
    RECEIVED_BODY,
    TENANT_FEED,
    Fed,
    FedEntry,
    SpanEntry,
)
from interlock.lineage.trace import read_brought

log = logging.getLogger("interlock.lineage")
BATCH = 500
"""Leaves of one batch."""
FEW = 50
"""Decisions that are held in memory at once."""


class Export:
    """A continuous export to one target, from where it came to.

    Args:
        database: A pool of its own.
        sink: Where to.
        target: The target's name: each has a cursor of its own.
        fields: What contracts hold.
    """

    def __init__(self, database: Database, sink: Sink, target: str, fields: Fields = unknown_fields) -> None:
        self._database = database
        self._sink = sink
        self._fields = fields
        self.reader = f"openlineage {hashlib.sha256(target.encode()).hexdigest()[:16]}"

    async def turn(self) -> int:
        """Send the next batch; how many leaves it went through.

        Raises:
            SinkUnreachable: the other side takes nothing now; the cursor stands where it stood.
        """
        async with self._database.installation() as connection:
            start = await READ_CURSOR.one(connection, {"reader": self.reader})
            if start is None:  # from now on: what was before is exported by the command
                start = await LEDGER_SIZE.one(connection) or 0
                await BEGIN_CURSOR.run(connection, {"reader": self.reader, "next": start})
            leaves = await FEED.all(connection, {"next": start, "most": BATCH})
        if not leaves:
            return 0
        events = [event async for event in self._events(leaves)]
        if events:
            await self._sink.send(f"{start:020d}-{leaves[-1].index:020d}", events)
        async with self._database.installation() as connection:
            moved = {"reader": self.reader, "start": start, "next": leaves[-1].index + 1}
            await MOVE_CURSOR.run(connection, moved)
        return len(leaves)

    async def _events(self, leaves: Sequence[Fed]) -> AsyncGenerator[Event]:
        of_tenant: dict[tuple[UUID, str], list[FedEntry]] = defaultdict(list)
        for leaf in leaves:
            if leaf.tenant and leaf.tenant_name and leaf.kind in TOLD and leaf.subject and leaf.at:
                entry = FedEntry(kind=leaf.kind, subject=leaf.subject, case_id=leaf.case_id, at=leaf.at)
                of_tenant[leaf.tenant, leaf.tenant_name].append(entry)
        for (tenant, name), mine in of_tenant.items():
            async with self._database.tenant(tenant) as connection:
                for event in await tell_readable(connection, Teller(tenant, name, self._fields), mine):
                    yield event


async def tell_readable(connection: AsyncConnection[Any], teller: Teller, entries: Sequence[FedEntry]) -> list[Event]:
    """The events of one tenant's entries, in their order; what cannot be read is left out, and the log says so."""
    try:
        return await tell(connection, teller, entries)
    except (psycopg.Error, DatabaseUnavailable):
        raise
    except Exception as cause:  # noqa: BLE001 - a record that somebody changed may break anything that reads it
        if len(entries) == 1:
            told = f"{entries[0].kind} of {entries[0].subject}"
            log.error("lineage leaves out %s, which cannot be read: %s: %s", told, type(cause).__name__, cause)  # noqa: TRY400 - said
            return []
    middle = len(entries) // 2
    halves = [await tell_readable(connection, teller, half) for half in (entries[:middle], entries[middle:])]
    return [*halves[0], *halves[1]]


async def tell(connection: AsyncConnection[Any], teller: Teller, entries: Sequence[FedEntry]) -> list[Event]:
    """The events of one tenant's entries, in their order."""
    taken = [one.subject for one in entries if one.kind == "decision.taken"]
    acted = [one.subject for one in entries if one.kind.startswith("action.")]
    begun = [one.subject for one in entries if one.kind == "case.received"]
    actions = {one.id: one for one in await ACTIONS_TOLD.all(connection, {"ids": acted})} if acted else {}
    named = _cases_named(entries)
    cases = {one.id: one for one in await CASES_TOLD.all(connection, {"ids": named})} if named else {}
    contracts = {case_id: await _contract_of(connection, case_id) for case_id in begun}
    events: list[Event] = []
    decisions: dict[UUID, Decision] = {}
    for entry in entries:
        case = cases.get(entry.case_id) if entry.case_id else None
        if entry.kind == "decision.taken":
            if entry.subject not in decisions:
                decisions = await _decisions(connection, taken)
            if entry.subject in decisions:
                events += teller.decision(decisions[entry.subject], case)
        elif entry.subject in actions and case:
            events.append(teller.action(actions[entry.subject], case, entry.kind, entry.at))
        elif entry.kind.startswith("case.") and case:
            events.append(teller.case(case, entry.kind, entry.at, contracts.get(case.id)))
    return events


async def _decisions(connection: AsyncConnection[Any], left: list[UUID]) -> dict[UUID, Decision]:
    """The next few decisions, taken off the list: with their inputs, all of a batch might not fit into memory."""
    some, left[:FEW] = left[:FEW], []
    if not some:
        return {}
    bounds = {"ids": some, "least": min(some), "greatest": max(some)}
    return {one.id: one for one in await FIND_DECISIONS.all(connection, bounds)}


def _cases_named(entries: Iterable[FedEntry]) -> list[UUID]:
    return sorted({one.case_id for one in entries if one.case_id})


async def _contract_of(connection: AsyncConnection[Any], case_id: UUID) -> str | None:
    entry = await RECEIVED_BODY.one(connection, {"id": case_id})
    return read_brought(entry.body).contract if entry else None


async def export_span(
    database: Database,
    tenant: UUID,
    name: str,
    sink: Sink,
    *,
    since: datetime,
    until: datetime,
    fields: Fields = unknown_fields,
) -> int:
    """Send what happened in one tenant in a span of time; how many events.

    Raises:
        SinkUnreachable: the other side stopped taking it.
    """
    teller, sent = Teller(tenant, name, fields), 0
    after, end = first_id(since), first_id(until)
    while True:
        wanted = {"after": after, "until": end, "kinds": list(TOLD), "most": BATCH}
        async with database.tenant(tenant) as connection:
            entries: list[SpanEntry] = await TENANT_FEED.all(connection, wanted)
            events = await tell_readable(connection, teller, entries) if entries else []
        if events:
            await sink.send(f"{tenant}-{entries[0].id}-{entries[-1].id}", events)
        sent += len(events)
        if len(entries) < BATCH:
            return sent
        after = entries[-1].id
