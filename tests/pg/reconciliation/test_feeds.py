"""Sources that are looked at while a process runs: folders, and queries whose rows come, change and go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from interlock.config import Settings
from interlock.db.database import Database
from interlock.errors import DatabaseUnavailable, StatementUnreadable
from interlock.packs.reconciliation.configured import settings_of
from interlock.packs.reconciliation.feeds import Look, looks, run_feeds
from interlock.packs.reconciliation.intake import Intake

from .handed import amounts, in_force, statements

Admin = psycopg.Connection[tuple[Any, ...]]
SETTINGS = """
[reconciliation.bank.actual.house]
folder = "in"
format = "csv"
account = "1"
currency = "EUR"
every = "10ms"
settle = "1ms"
dialect = {columns = {amount = "amount", booked_on = "day"}}
[reconciliation.bank.actual.erp]
url = "env:INTERLOCK_ERP"
query = "select amount, due, currency from due_items"
account = "1200"
dialect = {columns = {amount = "amount", booked_on = "due", currency = "currency"}}
"""
Feeds = dict[str, tuple[Look, timedelta]]


@pytest.fixture
def feeds(database: Database, tenant: UUID, database_url: str, admin: Admin, tmp_path: Path) -> Callable[[], Feeds]:
    admin.execute("create table public.due_items (amount numeric, due date, currency text)")
    admin.execute("insert into public.due_items values (12.30, '2026-03-02', 'EUR'), (7, '2026-03-02', 'JPY')")
    (tmp_path / "interlock.toml").write_text(SETTINGS)
    (tmp_path / "in").mkdir()
    environ = {"INTERLOCK_ERP": database_url}

    def of() -> Feeds:
        mine = settings_of(Settings.load({}, environ, tmp_path))
        return looks(Intake(database, tenant, "bank", "tests"), mine, environ)

    return of


async def test_what_a_query_gives_no_more_counts_no_more(
    feeds: Callable[[], Feeds], database: Database, tenant: UUID, admin: Admin
) -> None:
    look, every = feeds()["actual.erp"]
    assert every == timedelta(minutes=1)
    assert [await look(), await look()] == [1, 0]
    assert await amounts(database, tenant) == [7, 1230]
    first = await in_force(database, tenant)
    admin.execute("update public.due_items set amount = 8 where currency = 'JPY'")
    assert [await look(), await look()] == [1, 0]
    assert await amounts(database, tenant) == [8, 1230]
    admin.execute("update public.due_items set amount = 7 where currency = 'JPY'")  # as it was before
    assert [await look(), await look()] == [1, 0]
    assert (await in_force(database, tenant)).equals(first)
    admin.execute("delete from public.due_items where currency = 'JPY'")  # nothing is left of an account and currency
    assert [await look(), await look()] == [1, 0]
    assert await amounts(database, tenant) == [1230]
    admin.execute("delete from public.due_items")
    with pytest.raises(StatementUnreadable):
        await look()
    admin.execute("drop table public.due_items")
    with pytest.raises((StatementUnreadable, DatabaseUnavailable)):
        await look()
    assert await amounts(database, tenant) == [1230]
    assert {one.number for one in await statements(database, tenant)} == {"query erp"}


async def test_feeds_run_until_they_are_ended_and_one_in_trouble_holds_up_no_other(
    feeds: Callable[[], Feeds], database: Database, tenant: UUID, admin: Admin, tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    admin.execute("drop table public.due_items")
    ended = asyncio.Event()

    async def stumble() -> int:
        raise ZeroDivisionError

    given = feeds() | {"actual.faulty": (stumble, timedelta(milliseconds=10))}
    running = asyncio.create_task(run_feeds(given, ended))
    (tmp_path / "in" / "a.csv").write_text("day,amount\n2026-03-02,5.00\n")
    async with asyncio.timeout(20):
        while await amounts(database, tenant) != [500] or "due_items" not in caplog.text:  # noqa: ASYNC110 - it is in the database
            await asyncio.sleep(0.02)
        ended.set()
        await running
    assert "actual.faulty could not be looked at, trying again: ZeroDivisionError()" in caplog.text
