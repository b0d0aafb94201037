"""The lineage of one action, decision or case, read in one tenant."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

from interlock.cases.record import CaseRecord, read_record
from interlock.db.database import Database
from interlock.decisions.decide import find_decision
from interlock.decisions.decision import Decision
from interlock.errors import NotFound
from interlock.lineage.graph import Graph
from interlock.lineage.store import ENTRY_BODIES, ORDER_OF_CASE, PUBLICATIONS_USED, RECEIVED_BODY, WHOSE_ID
from interlock.lineage.trace import Brought, Found, flows, grow, id_of, read_brought, used_of
from interlock.oversight.queue import find_review
from interlock.oversight.review import Review


async def read_lineage(database: Database, tenant: UUID, identifier: UUID) -> Graph:
    """All that stands behind an action, a decision or a case, and all that came of it.

    Raises:
        NotFound: this tenant has none of that id.
    """
    async with database.tenant(tenant) as connection:
        whose = await WHOSE_ID.one(connection, {"id": identifier})
    if whose is None:
        raise NotFound(
            f"there is no action, decision or case {identifier}",
            todo="copy the whole id",
        )
    record, decisions = await _records(database, tenant, identifier, whose.case_id)
    reviews = () if record else await _reviews(database, tenant, decisions)
    async with database.tenant(tenant) as connection:
        found = Found(
            record=record,
            decisions=decisions,
            received=await _received(connection, record),
            brought=await _brought(connection, [one for one in decisions if record is None or _begins(one, record)]),
            publications=await PUBLICATIONS_USED.all(connection, used_of(decisions)),
            reviews=reviews,
            order=await _order(connection, record),
        )
    of = id_of(whose.kind, identifier)
    nodes, edges = grow(found, identifier).graph(of)
    kept = {node.id for node in nodes}
    money = flows(
        (one for one in decisions if id_of("decision", one.id) in kept),
        (one for one in (record.actions if record else ()) if id_of("action", one.id) in kept),
    )
    return Graph(of=of, nodes=nodes, edges=edges, money=money)


async def _records(
    database: Database, tenant: UUID, identifier: UUID, case_id: UUID | None
) -> tuple[CaseRecord | None, tuple[Decision, ...]]:
    if case_id is None:
        return None, (await find_decision(database, tenant, identifier),)
    try:
        record = await read_record(database, tenant, case_id)
    except NotFound:  # a decision that names a case which was never begun
        return None, (await find_decision(database, tenant, identifier),)
    return record, record.decisions


def _begins(decision: Decision, record: CaseRecord) -> bool:
    """Whether a decision of a case was asked in line, and began the case."""
    return decision.id.int == record.case.id.int + 1


async def _order(connection: AsyncConnection[Any], record: CaseRecord | None) -> dict[UUID, int]:
    if record is None or not record.actions:
        return {}
    subjects = await ORDER_OF_CASE.all(connection, {"case_id": record.case.id})
    return {subject: place for place, subject in enumerate(subjects)}


async def _received(connection: AsyncConnection[Any], record: CaseRecord | None) -> Brought | None:
    if record is None:
        return None
    entry = await RECEIVED_BODY.one(connection, {"id": record.case.id})
    return read_brought(entry.body) if entry else None


async def _brought(connection: AsyncConnection[Any], decisions: list[Decision]) -> dict[UUID, Brought]:
    if not decisions:
        return {}
    ids = [one.id for one in decisions]
    bodies = await ENTRY_BODIES.all(connection, {"ids": ids, "least": min(ids), "greatest": max(ids)})
    return {one.subject: read_brought(one.body) for one in bodies}


async def _reviews(database: Database, tenant: UUID, decisions: tuple[Decision, ...]) -> tuple[Review, ...]:
    return tuple([await find_review(database, tenant, one.review) for one in decisions if one.review])
