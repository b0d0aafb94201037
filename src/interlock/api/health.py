"""Health: whether this process can store anything, whether anybody takes cases, and whether the ledger keeps up."""

from __future__ import annotations

import asyncio

from litestar import Response, get

from interlock.api.call import Call, answer
from interlock.api.endpoint import Endpoint, says
from interlock.api.trouble_documents import Health
from interlock.config import Settings
from interlock.db.database import Database
from interlock.db.queries import load_queries
from interlock.errors import DatabaseUnavailable
from interlock.ledger.lag import lag_of
from interlock.ledger.reconcile import MOST_COUNTED
from interlock.ledger.reconcile_store import COUNT_OPEN_GAPS

PATIENCE_S = 3.0
COUNT_WORKERS = load_queries(__file__).rows("count_workers", int)


@get("/health", opt=says(Endpoint(needs=(), gives={200: Health, 503: Health})))
async def read_health(request: Call) -> Response[bytes]:
    """How this process and its database are; needs no key. 503: nothing can be stored."""
    node = request.node
    health = await look(node.database, unusable=len(node.publications.unusable), settings=node.settings)
    return answer(health, 503 if health.status == "down" else 200)


async def look(database: Database, *, unusable: int = 0, settings: Settings | None = None) -> Health:
    """Ask the database, for three seconds at most.

    Args:
        database: It.
        unusable: How many published versions this process cannot load.
        settings: Say where the ledger is published; None: nobody publishes it.
    """
    try:
        async with asyncio.timeout(PATIENCE_S), database.installation() as connection:
            workers = await COUNT_WORKERS.one(connection) or 0
            gaps = await COUNT_OPEN_GAPS.one(connection, {"most": MOST_COUNTED}) or 0
            lag = await lag_of(connection, settings)
    except (DatabaseUnavailable, TimeoutError):
        return Health(status="down", database="down", workers=0, unusable=unusable)
    well = workers and not (unusable or gaps or lag.what)
    return Health(
        status="ok" if well else "degraded", database="ok", workers=workers, unusable=unusable, gaps=gaps,
        unsealed=lag.unsealed, unpublished=lag.unpublished,
    )  # fmt: skip
