"""A ledger that is not sealed, signed or published for over ten seconds is told of: by /health, doctor and status."""

from __future__ import annotations

import asyncio
import os
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from interlock.api.health import look
from interlock.cli.doctor.check import Level
from interlock.cli.doctor.ledger import check_ledger
from interlock.clock import Clock
from interlock.config import Settings
from interlock.db.database import Database, connect_service
from interlock.ledger import lag as room
from interlock.ledger.keys import make_key
from interlock.ledger.lag import Lag, lag_of
from interlock.ledger.seal import LedgerTerms, Sealer
from interlock.ledger.store import seal_once
from interlock.setting_forms import SecretRef

Admin = psycopg.Connection[tuple[Any, ...]]
KEY = make_key("x.example/log")
AGO = timedelta(minutes=1)


@pytest.fixture
def settings(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("THE_KEY", KEY.written())
    return Settings(
        database_url=database_url, ledger_key=SecretRef("env", "THE_KEY"), ledger_folder=tmp_path / "published"
    )


def add(admin: Admin, *, at: timedelta = timedelta(0)) -> None:
    admin.execute(
        "insert into ledger_entry (id, tenant, kind, subject, at, body) "
        "values (%s, %s, 'test.made', gen_random_uuid(), now() - %s, '{}')",
        (Clock().new_id(), UUID(int=7), at),
    )


async def sealed(url: str) -> None:
    async with await connect_service(url) as connection:
        await seal_once(connection)


async def lag(url: str, settings: Settings | None) -> Lag:
    async with Database(url) as database, database.installation() as connection:
        return await lag_of(connection, settings)


async def test_what_is_not_sealed_is_told(database_url: str, admin: Admin) -> None:
    await sealed(database_url)
    add(admin)
    assert await lag(database_url, None) == Lag()  # it has ten seconds
    add(admin, at=AGO)
    async with Database(database_url) as database:
        health = await look(database)
    assert (health.status, health.unsealed) == ("degraded", 2)
    await sealed(database_url)
    assert await lag(database_url, None) == Lag()


async def test_what_is_sealed_and_not_signed_is_told_where_there_is_a_key(
    database_url: str, admin: Admin, settings: Settings
) -> None:
    async with Sealer(database_url, Clock(), LedgerTerms((KEY,), settings.ledger_folder)):
        pass
    assert await lag(database_url, settings) == Lag()
    admin.execute("update ledger_checkpoint set signed_at = now() - %s", (AGO,))
    assert await lag(database_url, settings) == Lag()  # there is no news
    add(admin)
    await sealed(database_url)
    assert await lag(database_url, settings) == Lag()  # the news is new
    admin.execute("update ledger_head set sealed_at = now() - %s", (AGO,))
    assert await lag(database_url, settings) == Lag(unpublished=1)
    assert await lag(database_url, None) == Lag()
    admin.execute("delete from ledger_head")
    assert (await lag(database_url, settings)).what


async def test_what_is_not_published_is_told_by_the_doctor_too(
    database_url: str, admin: Admin, settings: Settings
) -> None:
    terms = LedgerTerms((KEY,), settings.ledger_folder)
    async with Sealer(database_url, Clock(), terms):
        pass
    (terms.folder / "history").rename(terms.folder / "aside")
    (terms.folder / "history").write_text("as good as a full disk")
    add(admin)
    async with Sealer(database_url, Clock(), terms):
        await asyncio.sleep(0.5)
    assert await lag(database_url, settings) == Lag()
    admin.execute("update ledger_checkpoint set signed_at = now() - %s", (AGO,))
    async with Database(database_url) as database:
        health = await look(database, settings=settings)
    assert (health.status, health.unpublished) == ("degraded", 1)
    (check,) = [one async for one in check_ledger(settings, database_url)]
    assert (check.level, "no published checkpoint" in check.what) == (Level.WARN, True)
    (terms.folder / "checkpoint").write_bytes(b"\xff")  # what cannot be read is no publication
    assert (await lag(database_url, settings)).unpublished > 1


async def test_a_folder_that_does_not_answer_holds_nobody_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "FOLDER_S", 0.05)
    fifo = tmp_path / "checkpoint"
    os.mkfifo(fifo)
    assert await room.published_size(tmp_path) == 0
    with fifo.open("w") as writer:  # the reader goes on, and ends
        writer.write("")
