"""Health: whether this process can store anything, and whether anybody takes cases."""

from __future__ import annotations

import asyncio

from litestar import Response, get

from interlock.api.call import Call, answer
from interlock.api.endpoint import Endpoint, says
from interlock.api.trouble_documents import Health
from interlock.db.database import Database
from interlock.db.queries import load_queries
from interlock.errors import DatabaseUnavailable
from interlock.ledger.reconcile import MOST_COUNTED
from interlock.ledger.reconcile_store import COUNT_OPEN_GAPS

PATIENCE_S = 3.0
COUNT_WORKERS = load_queries(__file__).rows("count_workers", int)


@get("/health", opt=says(Endpoint(needs=(), gives={200: Health, 503: Health})))
async def read_health(request: Call) -> Response[bytes]:
    """How this process and its database are; needs no key. 503: nothing can be stored."""
    health = await look(request.node.database, unusable=len(request.node.publications.unusable))
    return answer(health, 503 if health.status == "down" else 200)


async def look(database: Database, *, unusable: int = 0) -> Health:
    """Ask the database, for three seconds at most.

    Args:
        database: It.
        unusable: How many published versions this process cannot load.
    """
    try:
        async with asyncio.timeout(PATIENCE_S), database.installation() as connection:
            workers = await COUNT_WORKERS.one(connection) or 0
            gaps = await COUNT_OPEN_GAPS.one(connection, {"most": MOST_COUNTED}) or 0
    except (DatabaseUnavailable, TimeoutError):
        return Health(status="down", database="down", workers=0, unusable=unusable)
    status = "ok" if workers and not unusable and not gaps else "degraded"
    return Health(status=status, database="ok", workers=workers, unusable=unusable, gaps=gaps)
