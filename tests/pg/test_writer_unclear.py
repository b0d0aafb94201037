"""A connection that is cut while it is read from fails in the driver's own words, before it knows of the cut."""

from __future__ import annotations

from uuid import UUID

import psycopg
import pytest

from interlock.db.batch import Batch
from interlock.db.database import Database
from interlock.db.signals import Notifier
from interlock.db.work import Stamp, Unit, Write
from interlock.db.writer import Writer
from interlock.errors import WorkFailed
from interlock.ledger.ledger import first_entry


class Unclear:
    """Fails as the driver does, so many times."""

    def __init__(self, times: int) -> None:
        self.left = times

    async def admit(self, batch: Batch) -> None:
        """Fail, or let through."""
        if self.left and batch.units:
            self.left -= 1
            raise psycopg.OperationalError("cannot exit pipeline mode while busy")

    async def retract(self, batch: Batch) -> None:
        """Nothing was written."""


def unit(tenant: UUID) -> Unit:
    def build(stamp: Stamp) -> list[Write]:
        return [first_entry(stamp, tenant, "test.unclear", subject=stamp.entry)]

    return Unit(tenant, build)


async def test_an_error_of_the_driver_alone_is_tried_again_on_a_new_connection(
    database_url: str, database: Database, notifier: Notifier, tenant: UUID
) -> None:
    async with Writer(database_url, database.clock, [Unclear(2)], notifier) as writer:
        assert await writer.write(unit(tenant)) is None


async def test_one_that_never_ends_is_told_and_stops_nobody_else(
    database_url: str, database: Database, notifier: Notifier, tenant: UUID
) -> None:
    gate = Unclear(8)
    async with Writer(database_url, database.clock, [gate], notifier) as writer:
        with pytest.raises(WorkFailed, match="cannot exit pipeline mode"):
            await writer.write(unit(tenant))
        assert gate.left == 0
        assert await writer.write(unit(tenant)) is None
