"""A process that stops in the middle of a transaction does not hold its cases for ever."""

from __future__ import annotations

import time
from uuid import UUID

import psycopg
import pytest

from interlock.db.database import Database, connect_service


async def test_a_session_that_stands_still_in_a_transaction_gives_its_locks_back(
    database: Database, database_url: str, tenant: UUID
) -> None:
    paused = await connect_service(database_url)
    allowed = await (await paused.execute("show idle_in_transaction_session_timeout")).fetchone()
    assert allowed == ("10s",)
    await paused.execute("set idle_in_transaction_session_timeout = '300ms'")  # the same rule, sooner
    await paused.execute("begin")
    await paused.execute("select pg_advisory_xact_lock(4711)")
    started = time.monotonic()
    async with database.installation() as other:
        await other.execute("select pg_advisory_lock(4711)")
    assert time.monotonic() - started < 5
    with pytest.raises(psycopg.Error):
        await paused.execute("select 1")
    await paused.close()
