"""The tree over the entries: nothing twice, nothing left out, whatever commits late, and only a true tree is signed."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from interlock.clock import Clock
from interlock.db.database import Database, connect_service
from interlock.db.signals import Notifier
from interlock.db.writer import Writer
from interlock.errors import ConfigInvalid, LedgerBroken
from interlock.ledger import seal
from interlock.ledger.audit import audit_tree
from interlock.ledger.checkpoint import read_checkpoint
from interlock.ledger.keys import check_together, make_key
from interlock.ledger.note import read_note
from interlock.ledger.publish import Outside
from interlock.ledger.scheduled import ScheduledAudit
from interlock.ledger.seal import LedgerTerms, Sealer, compare_outside
from interlock.ledger.store import seal_once
from interlock.node import gates

Admin = psycopg.Connection[tuple[Any, ...]]
Add = Callable[..., list[UUID]]
ADD = (
    "insert into ledger_entry (id, tenant, kind, subject, at, body) "
    "select id, %s, 'test.made', id, now(), '{}' from unnest(%s::uuid[]) id"
)
TENANT = UUID(int=7)


@pytest.fixture
def add(admin: Admin) -> Add:
    """Adds entries, each call a transaction of its own unless another connection is given."""
    clock = Clock()

    def entries(count: int = 1, *, through: Admin | None = None) -> list[UUID]:
        ids = [clock.new_id() for _ in range(count)]
        (through or admin).execute(ADD, (TENANT, ids))
        return ids

    return entries


async def sealed_all(url: str, most: int = 10_000) -> int:
    connection = await connect_service(url)
    try:
        count = 0
        while (found := await seal_once(connection, most)) is not None:
            count += found.sealed
            if not found.more:
                return count
        raise AssertionError("somebody else seals")
    finally:
        await connection.close()


def leaves(admin: Admin) -> list[UUID]:
    return [row[0] for row in admin.execute("select entry from ledger_leaf order by index").fetchall()]


def check_whole(admin: Admin) -> None:
    """Every entry has one leaf, and the places have no gap."""
    row = admin.execute(
        "select (select count(*) from ledger_entry), count(*), coalesce(max(index) + 1, 0),"
        " (select size from ledger_head),"
        " (select count(*) from ledger_entry e where not exists (select from ledger_leaf l where l.entry = e.id))"
        " from ledger_leaf"
    ).fetchone()
    assert row is not None
    assert row[4] == 0
    assert row[0] == row[1] == row[2] == row[3]


async def test_what_is_committed_late_is_sealed_later_and_nothing_twice(
    database_url: str, admin: Admin, add: Add
) -> None:
    await sealed_all(database_url)
    before = len(leaves(admin))
    with psycopg.connect(database_url, options="-c search_path=interlock") as slow:
        late = add(2, through=slow)
        early = add(3)
        assert await sealed_all(database_url) == 3
        more = add(2)
        assert await sealed_all(database_url) == 2
        assert await sealed_all(database_url) == 0
        late += add(1, through=slow)
        slow.commit()
        assert await sealed_all(database_url) == 3
    assert leaves(admin)[before:] == [*early, *more, *sorted(late)]
    check_whole(admin)


async def test_a_backlog_is_sealed_in_bounded_batches_each_a_whole_transaction(
    database_url: str, admin: Admin, add: Add
) -> None:
    await sealed_all(database_url)
    with psycopg.connect(database_url, options="-c search_path=interlock") as slow:
        add(1, through=slow)
        for _ in range(12):
            add(5)
        connection = await connect_service(database_url)
        sizes: list[int] = []
        while True:
            found = await seal_once(connection, 8)
            assert found is not None
            sizes.append(found.sealed)
            if not found.more:
                break
            if len(sizes) == 3:
                slow.commit()
        await connection.close()
    assert max(sizes) <= 8 + 5
    assert sum(sizes) == 61
    check_whole(admin)


async def test_under_writers_that_commit_in_any_order_nothing_is_missed(
    database_url: str, admin: Admin, add: Add
) -> None:
    done = threading.Event()

    def produce(seed: int) -> None:
        clock = Clock()
        with psycopg.connect(database_url, options="-c search_path=interlock") as connection:
            turn = 0
            while not done.is_set():
                turn += 1
                connection.execute(ADD, (TENANT, [clock.new_id() for _ in range(1 + (turn * seed) % 7)]))
                if turn % 5 == seed % 5:
                    time.sleep(0.03)
                if turn % 11 == seed:
                    connection.rollback()
                connection.commit()

    threads = [threading.Thread(target=produce, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(40):
        await sealed_all(database_url, most=20)
        await asyncio.sleep(0.02)
    done.set()
    for thread in threads:
        thread.join()
    await sealed_all(database_url, most=20)
    check_whole(admin)
    connection = await connect_service(database_url)
    assert (await audit_tree(connection, ())).count == 0
    await connection.close()


async def test_of_two_sequencers_at_once_one_works(database_url: str, admin: Admin, add: Add) -> None:
    await sealed_all(database_url)
    add(50)
    connections = [await connect_service(database_url) for _ in range(4)]

    async def turn(connection: Any) -> int:
        count = 0
        for _ in range(20):
            found = await seal_once(connection, 10)
            count += found.sealed if found else 0
            add(1)
        return count

    done = await asyncio.gather(*map(turn, connections))
    for connection in connections:
        await connection.close()
    await sealed_all(database_url)
    assert sum(done) > 50
    check_whole(admin)


async def test_after_a_dump_and_restore_what_has_no_leaf_is_new(database_url: str, admin: Admin, add: Add) -> None:
    await sealed_all(database_url)
    add(3)
    admin.execute("update ledger_head set cluster = 'elsewhere/1', seen = '900000000:900000000:'")
    assert await sealed_all(database_url) == 3
    add(2)
    assert await sealed_all(database_url) == 2
    check_whole(admin)


async def test_entries_of_another_cluster_whose_transactions_are_still_to_come_are_sealed_once(
    database_url: str, admin: Admin, add: Add
) -> None:
    add(6)
    await sealed_all(database_url)
    add(2)
    admin.execute(
        "update ledger_entry set xid = (pg_current_xact_id()::text::bigint + 3 + n.n)::text::xid8 "
        "from (select entry, index as n from ledger_leaf) n where n.entry = id"
    )
    admin.execute("update ledger_head set cluster = 'elsewhere/1'")
    assert await sealed_all(database_url) == 2
    for _ in range(40):
        add(1)
        assert await sealed_all(database_url) == 1
    check_whole(admin)


async def test_nobody_but_the_function_writes_the_tree(database: Database) -> None:
    for statement in (
        b"insert into ledger_leaf values (0, gen_random_uuid(), sha256(''))",
        b"update ledger_head set size = 0",
        b"delete from ledger_node",
        b"update ledger_entry set kind = 'x'",
        b"delete from ledger_entry",
        b"update ledger_checkpoint set size = 3",
    ):
        async with database.installation() as connection:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await connection.execute(statement)
    async with database.installation() as connection:
        with pytest.raises(psycopg.errors.RaiseException, match="not one of this ledger"):
            await connection.execute("select keep_checkpoint(0, sha256('x'), 'x', '{}')")


@pytest.fixture
def sealing(database_url: str) -> Callable[..., Sealer]:
    """Makes sealers of the database."""

    def make(terms: LedgerTerms) -> Sealer:
        return Sealer(database_url, Clock(), terms)

    return make


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(100):
        if holds():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it did not come about in five seconds")


async def test_news_is_signed_and_published_within_a_second_and_at_the_end(
    sealing: Callable[..., Sealer], tmp_path: Path, add: Add, admin: Admin
) -> None:
    terms = LedgerTerms((make_key("x.example/log"),), tmp_path / "out")
    outside = Outside(terms.folder)

    def published() -> int:
        note = outside.newest()
        return read_checkpoint(read_note(note).text).size if note else 0

    async with sealing(terms):
        add(3)
        await until(lambda: published() >= 3)
        began = time.monotonic()
        entries = len(leaves(admin))
        add(1)
        await until(lambda: published() > entries)
        assert time.monotonic() - began < 2
        add(5)
    assert published() == len(leaves(admin))
    assert all(read_note(note).signers(terms.keys) for note in outside.all())
    row = admin.execute("select count(*), max(size) from ledger_checkpoint").fetchone()
    assert row == (len(outside.all()), published())


async def test_one_without_a_key_keeps_nobody_from_signing(
    sealing: Callable[..., Sealer], tmp_path: Path, add: Add
) -> None:
    terms = LedgerTerms((make_key("x.example/log"),), tmp_path / "out")
    async with sealing(LedgerTerms((), tmp_path / "out")) as keyless:
        await until(lambda: keyless.leads)
        async with sealing(terms):
            add(1)
            await until(lambda: Outside(terms.folder).newest() is not None)


async def test_a_leader_that_stands_still_is_stood_in_for(
    sealing: Callable[..., Sealer], tmp_path: Path, add: Add, admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seal, "STANDS_STILL", timedelta(seconds=0.3))
    terms = LedgerTerms((make_key("x.example/log"),), tmp_path / "out")
    admin.execute("select pg_advisory_lock(%s)", (seal.LEADER,))
    async with sealing(terms) as standing_by:
        add(1)
        await until(lambda: Outside(terms.folder).newest() is not None)
        assert not standing_by.leads
    admin.execute("select pg_advisory_unlock(%s)", (seal.LEADER,))


async def test_what_spoils_a_turn_is_told_and_the_next_turn_goes_on(
    sealing: Callable[..., Sealer], tmp_path: Path, add: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seal, "TROUBLED_S", 0.1)
    terms = LedgerTerms((make_key("x.example/log"),), tmp_path / "out")
    async with sealing(terms) as first:
        add(1)
        await until(lambda: first.leads and Outside(terms.folder).newest() is not None)
        async with sealing(terms) as second:
            newest = terms.folder / "checkpoint"
            good = newest.read_bytes()
            newest.write_text("\u00e9\n\n\u2014 x \u00e9\n", "utf-8")
            history = next((terms.folder / "history").iterdir())
            history.rename(tmp_path / "aside")
            await first.__aexit__(None, None, None)
            await until(lambda: second.trouble is not None)
            assert "damaged" in str(second.trouble)
            newest.write_bytes(good)
            (tmp_path / "aside").rename(history)
            await until(lambda: second.leads and second.trouble is None)


AUDITED = "select count(*) from ledger_entry where kind = 'ledger.audited' and position(%s::bytea in body) > 0"


async def test_the_audit_of_the_schedule_stands_in_the_ledger(
    database_url: str, database: Database, notifier: Notifier, tmp_path: Path, admin: Admin
) -> None:
    terms = LedgerTerms((make_key("x.example/log"),), tmp_path / "out")
    await sealed_all(database_url)
    async with Writer(database_url, database.clock, gates(), notifier) as writer:
        for told in (b'"faults":0,', b'"faults":1,'):
            audit = ScheduledAudit(database_url, writer, terms, first=timedelta(0))
            await audit.duty()
            await until(lambda told=told: admin.execute(AUDITED, (told,)).fetchone() == (1,))
            await audit.close()
            admin.execute("update ledger_leaf set hash = sha256('x') where index = 0")


async def test_a_tree_that_is_not_the_published_one_is_refused_at_the_start(
    sealing: Callable[..., Sealer], tmp_path: Path, add: Add, admin: Admin, database_url: str
) -> None:
    terms = LedgerTerms((make_key("x.example/log"),), tmp_path / "out")
    async with sealing(terms):
        add(4)
    size = len(leaves(admin))
    admin.execute("update ledger_leaf set hash = sha256('forged') where index = 0")
    admin.execute("update ledger_node set hash = sha256('forged')")
    with pytest.raises(LedgerBroken, match="changed or forked"):
        await sealing(terms).__aenter__()
    admin.execute("delete from ledger_leaf where index >= %s", (size - 1,))
    admin.execute("update ledger_head set size = %s", (size - 1,))
    with pytest.raises(LedgerBroken, match="rolled back"):
        await sealing(terms).__aenter__()


async def test_keys_change_only_with_both_signatures_across_the_change(
    sealing: Callable[..., Sealer], tmp_path: Path, add: Add, admin: Admin
) -> None:
    old, new = make_key("x.example/log"), make_key("x.example/log")
    folder = tmp_path / "out"
    async with sealing(LedgerTerms((old,), folder)):
        add(1)
    with pytest.raises(LedgerBroken, match="none of the keys"):
        await sealing(LedgerTerms((new,), folder)).__aenter__()
    async with sealing(LedgerTerms((new, old), folder)):
        add(1)
    async with sealing(LedgerTerms((new,), folder)):
        add(1)
    signed = [len(read_note(note).signers((old.verifier, new.verifier))) for note in Outside(folder).all()]
    assert signed == [1, 2, 1]


async def test_without_a_key_the_tree_grows_and_nothing_is_signed(
    sealing: Callable[..., Sealer], tmp_path: Path, add: Add, admin: Admin
) -> None:
    async with sealing(LedgerTerms((), tmp_path / "out")):
        add(3)
    assert len(leaves(admin)) >= 3
    assert not (tmp_path / "out").exists()


async def test_a_checkpoint_that_none_of_the_keys_signed_or_of_another_log_is_refused(
    database_url: str, tmp_path: Path, sealing: Callable[..., Sealer], add: Add
) -> None:
    key = make_key("x.example/log")
    terms = LedgerTerms((key,), tmp_path / "out")
    async with sealing(terms):
        add(1)
    (terms.folder / "checkpoint").write_text("garbage")
    connection = await connect_service(database_url)
    with pytest.raises(LedgerBroken, match="damaged"):
        await compare_outside(connection, terms)
    await connection.close()


def test_keys_of_two_logs_do_not_go_together() -> None:
    with pytest.raises(ConfigInvalid, match="several logs"):
        check_together([make_key("a"), make_key("b")])
