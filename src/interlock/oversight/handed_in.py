"""Who handed in what a person is to decide: they may not decide it themselves."""

from __future__ import annotations

from uuid import UUID

from interlock.db.database import Database
from interlock.db.queries import load_queries
from interlock.oversight.exception import CaseException
from interlock.oversight.review import Review

_SQL = load_queries(__file__)
HANDED_IN_BY = _SQL.rows("handed_in_by", str)


async def find_handed_in_by(database: Database, tenant: UUID, item: Review | CaseException) -> str | None:
    """Who submitted the case of a review or an exception, or asked for the decision; None: nobody is known."""
    decision = item.decision_id if isinstance(item, Review) else None
    async with database.tenant(tenant) as connection:
        asked = {"case_id": item.case_id, "decision_id": decision, "review": item.id}
        return await HANDED_IN_BY.one(connection, asked) or None
