"""Who handed in, or wrote, what a person is to decide: they may not decide it themselves."""

from __future__ import annotations

from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from interlock.db.database import Database
from interlock.db.queries import load_queries
from interlock.oversight.exception import CaseException
from interlock.oversight.review import Review


class DrawnFor(msgspec.Struct, frozen=True):
    """The decision that a review of the audit sample is about, and its case."""

    case_id: UUID | None
    decision_id: UUID


_SQL = load_queries(__file__)
HANDED_IN_BY = _SQL.rows("handed_in_by", str)
WRITTEN_BY = _SQL.rows("written_by", str)
DRAWN_FOR = _SQL.rows("drawn_for", DrawnFor)


class Hands(NamedTuple):
    """Through whose hands something went before it is decided.

    Attributes:
        handed_in_by: Who submitted the case of a review or an exception, or asked for the decision; None: not known.
        written_by: Who corrected its input, mended it in quarantine, or gave the value of a step that failed.
    """

    handed_in_by: str | None
    written_by: tuple[str, ...]


async def find_hands(database: Database, tenant: UUID, item: Review | CaseException) -> Hands:
    """Through whose hands a review or an exception went."""
    async with database.tenant(tenant) as connection:
        asked = await _asked(connection, item)
        handed_in_by = await HANDED_IN_BY.one(connection, asked) or None
        written_by = await WRITTEN_BY.all(connection, {name: asked[name] for name in ("case_id", "decision_id")})
    return Hands(handed_in_by, tuple(written_by))


async def find_handed_in_by(database: Database, tenant: UUID, item: Review | CaseException) -> str | None:
    """Who submitted the case of a review or an exception, or asked for the decision; None: nobody is known."""
    async with database.tenant(tenant) as connection:
        return await HANDED_IN_BY.one(connection, await _asked(connection, item)) or None


async def _asked(connection: AsyncConnection[Any], item: Review | CaseException) -> dict[str, UUID | None]:
    """What is asked about; of a review of the audit sample the decision that it is blind to, which it does not name."""
    decision = item.decision_id if isinstance(item, Review) else None
    if isinstance(item, Review) and item.case_id is None and decision is None:
        drawn = await DRAWN_FOR.one(connection, {"review": item.id})
        if drawn is not None:
            return {"case_id": drawn.case_id, "decision_id": drawn.decision_id, "review": item.id}
    return {"case_id": item.case_id, "decision_id": decision, "review": item.id}
