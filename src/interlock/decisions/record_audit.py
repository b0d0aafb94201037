"""Every decision's record, held against the leaf that has its hash; and what other entries tell, against its rows."""

from __future__ import annotations

import asyncio
from uuid import UUID

import msgspec

from interlock.db.database import Database
from interlock.db.queries import load_queries
from interlock.decisions.sealed_record import record_hash
from interlock.decisions.store import FIND_DECISIONS
from interlock.ledger.audit import Audited, Fault
from interlock.ledger.facts import audit_facts
from interlock.ledger.store import TENANTS_KNOWN

PAGE = 500


class LeafOfDecision(msgspec.Struct, frozen=True, kw_only=True):
    """A decision's entry, with its place in the tree."""

    entry: UUID
    decision: UUID
    body: bytes
    index: int | None


class _Body(msgspec.Struct, frozen=True):
    record: str | None = None


LEAVES_OF_DECISIONS = load_queries(__file__).rows("leaves_of_decisions", LeafOfDecision)


async def audit_records(database: Database, tenant: UUID, found: Audited) -> None:
    """Compare what a tenant's entries tell with what is on record; what differs is added to what was found."""
    await _audit_decisions(database, tenant, found)
    await audit_facts(database, tenant, found)


async def audit_every_record(database: Database, found: Audited, *, pause_s: float = 0) -> None:
    """The same for every tenant, one after the other.

    Args:
        database: It.
        found: Takes what differs.
        pause_s: How long to leave the machine to others between two tenants.
    """
    async with database.installation() as connection:
        tenants = await TENANTS_KNOWN.all(connection)
    for tenant in tenants:
        await audit_records(database, tenant.tenant, found)
        await asyncio.sleep(pause_s)


async def _audit_decisions(database: Database, tenant: UUID, found: Audited) -> None:
    """Compare the records of a tenant's decisions, page by page.

    An entry from before records were hashed has no hash, and its decision is not compared.
    """
    after = UUID(int=0)
    while True:
        async with database.tenant(tenant) as connection:
            page = await LEAVES_OF_DECISIONS.all(connection, {"after": after, "most": PAGE})
            if not page:
                return
            ids = sorted(one.decision for one in page)
            rows = await FIND_DECISIONS.all(connection, {"ids": ids, "least": ids[0], "greatest": ids[-1]})
        hashes = {row.id: record_hash(row, tenant) for row in rows}
        for one in page:
            _compare(one, hashes.get(one.decision), found)
        after = page[-1].entry


def _compare(one: LeafOfDecision, computed: str | None, found: Audited) -> None:
    wanted = msgspec.json.decode(one.body, type=_Body).record
    found.records += 1
    if wanted is None or computed == wanted:
        return
    became = "is gone" if computed is None else "is not what was sealed"
    what = f"the record of the decision {one.decision} {became}"
    if one.index is not None:
        what = f"{what}: entry {one.index}"
    found.add(Fault(kind="record", what=what, index=one.index, entry=one.entry))
