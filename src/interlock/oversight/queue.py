"""The queue: what waits, and one review of it. What people do with it: ``claims``, ``handing`` and ``resolving``."""

from __future__ import annotations

from uuid import UUID

from interlock.db.database import Database
from interlock.errors import NotFound
from interlock.oversight.note import LONGEST_NOTE
from interlock.oversight.resolving import Answer, CheckOutput, KeepOutput
from interlock.oversight.review import Review
from interlock.oversight.store import COUNT_WAITING, FIND_REVIEW, LIST_QUEUE

__all__ = [
    "LONGEST_NOTE",
    "Answer",
    "CheckOutput",
    "KeepOutput",
    "count_waiting",
    "find_review",
    "list_queue",
]


async def list_queue(
    database: Database, tenant: UUID, *, queue: str | None = None, most: int = 50, skip: int = 0
) -> list[Review]:
    """The reviews that wait, the most expected loss first."""
    async with database.tenant(tenant) as connection:
        return await LIST_QUEUE.all(connection, {"queue": queue, "most": most, "skip": skip})


async def count_waiting(database: Database, tenant: UUID, queue: str) -> int:
    """How many reviews wait in a queue."""
    async with database.tenant(tenant) as connection:
        return await COUNT_WAITING.one(connection, {"queue": queue}) or 0


async def find_review(database: Database, tenant: UUID, review_id: UUID) -> Review:
    """One review.

    Raises:
        NotFound: this tenant has none of that id.
    """
    async with database.tenant(tenant) as connection:
        review = await FIND_REVIEW.one(connection, {"id": review_id})
    if review is None:
        raise NotFound(f"there is no review {review_id}", todo="`interlock reviews` lists those that wait")
    return review
