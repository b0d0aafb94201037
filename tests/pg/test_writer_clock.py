"""Connections and their clock: corrected by the database's, refused where it is too far off."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from psycopg import conninfo

from interlock.clock import id_time
from interlock.db.database import Database
from interlock.errors import ClockSkewed, DatabaseUnavailable

_real = time.time_ns


def set_clock(monkeypatch: pytest.MonkeyPatch, off: timedelta) -> None:
    """Let this machine's clock be off."""
    ns = int(off.total_seconds() * 1e9)
    monkeypatch.setattr(time, "time_ns", lambda: _real() + ns)


@pytest.mark.parametrize("minutes", [-10, 10])
async def test_ten_minutes_off_is_refused(minutes: int, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    set_clock(monkeypatch, timedelta(minutes=minutes))
    with pytest.raises(ClockSkewed, match="this machine's clock says"):
        async with Database(database_url):
            pass


@pytest.mark.parametrize("minutes", [-1, 1])
async def test_one_minute_off_is_corrected(minutes: int, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    set_clock(monkeypatch, timedelta(minutes=minutes))
    async with Database(database_url) as database:
        true = datetime.fromtimestamp(_real() / 1e9, UTC)
        assert abs(database.clock.now() - true) < timedelta(seconds=2)
        assert abs(id_time(database.clock.new_id()) - true) < timedelta(seconds=2)


async def test_a_database_that_does_not_answer_is_named_so() -> None:
    with pytest.raises(DatabaseUnavailable, match="does not answer"):
        async with Database("host=/nonexistent dbname=x"):
            pass


async def test_a_tenant_is_made_once_and_found_by_name(database: Database) -> None:
    assert await database.find_tenant("acme") is None
    made = await database.ensure_tenant("acme")
    assert isinstance(made, UUID)
    assert await database.ensure_tenant("acme") == made
    assert await database.find_tenant("acme") == made


async def test_a_url_may_not_weaken_the_service(database_url: str) -> None:
    """Options in the URL give way to ours: role, search path, durability."""
    weak = conninfo.make_conninfo(database_url, options="-c synchronous_commit=off")
    async with Database(weak) as database, database.installation() as connection:
        for setting, expected in (("synchronous_commit", "on"), ("role", "interlock_service"), ("timezone", "UTC")):
            cursor = await connection.execute(f"show {setting}".encode())
            assert await cursor.fetchone() == (expected,)
