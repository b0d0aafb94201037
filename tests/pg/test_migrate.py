"""Migrations: each once, in two halves, never edited; data migrations see every row."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterator

import psycopg
import pytest
from psycopg import conninfo, sql

from interlock.db import migrate as module
from interlock.db.database import Database, connect_service
from interlock.db.migrate import Migration, check_schema, migrate, migrations
from interlock.errors import DatabaseUnavailable, SchemaOutdated

KNOWN = migrations()
NOWHERE = "host=/nonexistent dbname=x"


@pytest.fixture
def blank_url(server_url: str) -> Iterator[str]:
    """An empty database."""
    name = sql.Identifier(dbname := f"interlock_blank_{secrets.token_hex(6)}")
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(sql.SQL("create database {}").format(name))
        yield conninfo.make_conninfo(server_url, dbname=dbname)
        connection.execute(sql.SQL("drop database if exists {} with (force)").format(name))


def inject(monkeypatch: pytest.MonkeyPatch, *more: Migration) -> None:
    """Let this code know more migrations."""
    monkeypatch.setattr(module, "migrations", lambda: (*KNOWN, *more))


def tables(url: str) -> list[tuple[str, str, str]]:
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "select table_name, column_name, data_type from information_schema.columns "
            "where table_schema = 'interlock' order by 1, 2"
        ).fetchall()
    return [(str(table), str(column), str(type_)) for table, column, type_ in found]


def test_every_file_of_the_folder_is_known_in_order() -> None:
    assert KNOWN
    assert list(KNOWN) == sorted(KNOWN, key=lambda m: (m.number, m.half == "after"))
    assert len({(m.number, m.half) for m in KNOWN}) == len(KNOWN)


async def test_a_second_run_does_nothing(blank_url: str) -> None:
    assert await migrate(blank_url) == tuple(m.name for m in KNOWN)
    before = tables(blank_url)
    assert await migrate(blank_url) == ()
    assert tables(blank_url) == before
    await check_schema(blank_url)


async def test_two_at_once_give_one_schema(blank_url: str, database_url: str) -> None:
    ran = await asyncio.gather(*(migrate(blank_url) for _ in range(3)))
    assert sorted(ran) == [(), (), tuple(m.name for m in KNOWN)]
    assert tables(blank_url) == tables(database_url)


async def test_an_edited_migration_is_refused(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first = KNOWN[0]
    edited = Migration(first.number, first.half, first.name, first.text + "\n-- one more word")
    monkeypatch.setattr(module, "migrations", lambda: (edited, *KNOWN[1:]))
    with pytest.raises(SchemaOutdated, match=f"another text of {first.name}"):
        await migrate(database_url)


async def test_the_half_before_leaves_the_half_after_for_later(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = Migration(9001, "before", "9001_x.before.sql", "create table interlock.x (i int)")
    after = Migration(9001, "after", "9001_x.after.sql", "drop table interlock.x")
    inject(monkeypatch, before, after)
    with pytest.raises(SchemaOutdated, match=r"lacks 9001_x\.before\.sql"):
        await check_schema(database_url)
    assert await migrate(database_url, halves=("before",)) == (before.name,)
    await check_schema(database_url)  # old processes may still run: what comes after is not missed
    assert ("x", "i", "integer") in tables(database_url)
    assert await migrate(database_url) == (after.name,)
    assert ("x", "i", "integer") not in tables(database_url)


async def test_a_migration_that_fails_leaves_nothing(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "create table interlock.x (i int); select 1 / 0"
    inject(monkeypatch, Migration(9001, "before", "9001_x.before.sql", text))
    with pytest.raises(psycopg.errors.DivisionByZero):
        await migrate(database_url)
    assert not [row for row in tables(database_url) if row[0] == "x"]
    with pytest.raises(SchemaOutdated):
        await check_schema(database_url)


async def test_a_data_migration_changes_every_tenants_rows_and_counts_them(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Database(database_url) as database:
        for name in ("a", "b", "c"):
            await database.ensure_tenant(name)
    text = """
        grant usage on schema interlock to interlock_migrator;
        grant select, update on interlock.tenant to interlock_migrator;
        set local role {role};
        set local row_security = {row_security};
        do $$
        declare changed int;
        begin
          update interlock.tenant set name = name || '-x';
          get diagnostics changed = row_count;
          if changed <> 3 then raise exception 'changed % of 3', changed; end if;
        end $$;
    """
    blind = Migration(9001, "before", "9001.before.sql", text.format(role="interlock_owner", row_security="on"))
    inject(monkeypatch, blind)
    with pytest.raises(psycopg.errors.RaiseException, match="changed 0 of 3"):
        await migrate(database_url)
    seeing = Migration(9001, "before", "9001.before.sql", text.format(role="interlock_migrator", row_security="off"))
    further = Migration(9002, "before", "9002.before.sql", "create role interlock_probe; drop role interlock_probe")
    inject(monkeypatch, seeing, further)  # the next one is the administrator's again
    assert await migrate(database_url) == (seeing.name, further.name)


async def test_what_is_missing_is_named(blank_url: str) -> None:
    with pytest.raises(SchemaOutdated, match=KNOWN[0].name):
        await check_schema(blank_url)


@pytest.mark.parametrize("verb", [migrate, check_schema, connect_service])
async def test_a_database_that_does_not_answer_is_named_so(verb: Callable[[str], Awaitable[object]]) -> None:
    with pytest.raises(DatabaseUnavailable, match="does not answer"):
        await verb(NOWHERE)
