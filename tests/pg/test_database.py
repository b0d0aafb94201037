"""Connections of the pool, and statements that are asked together."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import psycopg
import pytest

from interlock.db.database import Database
from interlock.db.queries import Rows, all_at_once

COUNTED: Rows[int] = Rows("test.counted", "select n from generate_series(1, %(most)s::int) n", int)
FAILS: Rows[int] = Rows("test.fails", "select 1 / %(by)s::int", int)


async def test_a_connection_that_has_died_in_the_pool_is_not_handed_out(
    database: Database, tenant: UUID, admin: psycopg.Connection[tuple[Any, ...]]
) -> None:
    async with database.tenant(tenant) as connection:
        assert await COUNTED.all(connection, {"most": 1}) == [1]
    ended = admin.execute(
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity "
        "where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'"
    ).fetchall()
    assert ended
    assert all(gone for (gone,) in ended)
    for _ in range(3):
        async with database.tenant(tenant) as connection:
            assert await COUNTED.all(connection, {"most": 2}) == [1, 2]


async def test_what_is_asked_together_is_answered_in_its_order_or_not_at_all(database: Database, tenant: UUID) -> None:
    for _ in range(7):  # also once the driver has prepared them
        async with database.tenant(tenant) as connection:
            found = await all_at_once(connection, *((COUNTED, {"most": most}) for most in (3, 0, 1)))
        assert found == [[1, 2, 3], [], [1]]
    with pytest.raises(psycopg.errors.DivisionByZero):
        async with database.tenant(tenant) as connection:
            await all_at_once(connection, (COUNTED, {"most": 1}), (FAILS, {"by": 0}))
    async with database.tenant(tenant) as connection:
        assert await COUNTED.all(connection, {"most": 1}) == [1]
