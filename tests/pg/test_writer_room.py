"""A server that has no room, on its disk or in its memory, is waited for, as if it were away: the work is fine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import AsyncConnection

from interlock.db.alone import Alone
from interlock.db.batch import Batch
from interlock.db.database import Database
from interlock.db.gates import CaseGate, HoldsCase
from interlock.db.signals import Notifier
from interlock.db.work import Stamp, Unit, Write
from interlock.db.writer import Writer
from interlock.errors import DatabaseUnavailable
from interlock.ledger.ledger import first_entry


class Full:
    """Has the server say that it has no room, so many times."""

    def __init__(self, state: str, times: int) -> None:
        self.left = times
        self._state = state

    async def admit(self, batch: Batch) -> None:
        """Fail, or let through."""
        if self.left:
            self.left -= 1
            await batch.connection.execute(
                f"do $$ begin raise 'no room' using errcode = '{self._state}'; end $$".encode()
            )

    async def retract(self, batch: Batch) -> None:
        """Nothing was written."""


def unit(tenant: UUID) -> Unit:
    def build(stamp: Stamp) -> list[Write]:
        return [first_entry(stamp, tenant, "test.room", subject=stamp.entry)]

    return Unit(tenant, build)


@pytest.mark.parametrize("state", ["53100", "53200", "53400"])
async def test_work_waits_for_room_and_is_written_once(
    state: str, database_url: str, database: Database, notifier: Notifier, tenant: UUID
) -> None:
    gate = Full(state, 2)
    async with Writer(database_url, database.clock, [gate], notifier) as writer:
        assert await writer.write(unit(tenant)) is None
    assert gate.left == 0
    with psycopg.connect(database_url) as connection:
        rows = connection.execute("select count(*) from interlock.ledger_entry where kind = 'test.room'").fetchone()
    assert rows == (1,)


async def test_a_server_that_stays_full_is_told_as_one_that_is_away(
    database_url: str, database: Database, notifier: Notifier, tenant: UUID
) -> None:
    async with Writer(database_url, database.clock, [Full("53100", 100)], notifier, patience_s=0.3) as writer:
        with pytest.raises(DatabaseUnavailable, match="no room"):
            await writer.write(unit(tenant))


async def test_an_effect_in_the_same_database_waits_for_room_with_its_record(
    database_url: str, database: Database, notifier: Notifier, tenant: UUID, make_cases: Callable[..., list[UUID]]
) -> None:
    (case,) = make_cases(tenant)
    ran: list[str] = []

    async def effect(_connection: AsyncConnection[Any]) -> None:
        ran.append("and was rolled back but for the last time")

    def build(stamp: Stamp) -> list[Write]:
        return [first_entry(stamp, tenant, "test.room", subject=stamp.entry, case_id=case)]

    async with Alone(database_url, database.clock, [CaseGate(), Full("53100", 2)], notifier, patience_s=5) as alone:
        assert await alone.write(Unit(tenant, build, (HoldsCase(case, None),)), effect) is None
    assert len(ran) == 3
