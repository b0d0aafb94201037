"""What the command line looks up beyond what the rooms offer: the case of any id, the states of many cases, tenants."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from interlock.cases.store import FIND_CASE, FIND_QUARANTINE
from interlock.db.database import Database
from interlock.db.queries import load_queries
from interlock.errors import NotFound


class StateCount(msgspec.Struct, frozen=True, kw_only=True):
    """How many of some cases are where.

    Attributes:
        state: A case's state, or ``sleeping`` for one that waits for a time.
        conclusion: Of those that are done; else empty.
        cases: How many.
    """

    state: str
    conclusion: str
    cases: int


class Tenant(msgspec.Struct, frozen=True, kw_only=True):
    """One tenant.

    Attributes:
        tenant: Its id.
        name: Its name.
        created_at: Since when.
    """

    tenant: UUID
    name: str
    created_at: datetime


_SQL = load_queries(__file__)
CASE_OF_SUBJECT = _SQL.rows("case_of_subject", UUID)
STATES_OF_CASES = _SQL.rows("states_of_cases", StateCount)
LIST_TENANTS = _SQL.rows("list_tenants", Tenant)
WORKERS_CARRYING = _SQL.rows("workers_carrying", int)


async def case_of(database: Database, tenant: UUID, identifier: UUID) -> UUID:
    """The case that an id belongs to: its own, or that of its decision, action, review, exception or quarantine.

    Raises:
        NotFound: nothing of that id belongs to a case of this tenant.
    """
    async with database.tenant(tenant) as connection:
        if await FIND_CASE.one(connection, {"id": identifier}):
            return identifier
        found = await CASE_OF_SUBJECT.one(connection, {"id": identifier})
        if found is None:
            held = await FIND_QUARANTINE.one(connection, {"id": identifier})
            found = held.case_id if held else None
    if found is None:
        raise NotFound(
            f"nothing of the id {identifier} belongs to a case",
            todo="give that of a case, decision, action, review, exception or quarantine; see `interlock cases`",
        )
    return found
