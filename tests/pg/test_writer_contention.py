"""Two writers on the same rows: one order of locks, one winner a key, no update lost."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import UUID

import psycopg
import pytest

from interlock.clock import Clock
from interlock.db.database import Database
from interlock.db.gates import CaseGate, HoldsCase, KeyGate, TakesKey, short_digest
from interlock.db.queries import encode_rows
from interlock.db.signals import WAKE_CASES, CaseToWake, Notifier, wake_case
from interlock.db.work import Refusal, Stamp, Unit, Write
from interlock.db.writer import Writer
from interlock.ledger.ledger import first_entry

Admin = psycopg.Connection[tuple[Any, ...]]
MakeCases = Callable[..., list[UUID]]


@pytest.fixture
async def writers(database_url: str, notifier: Notifier, database: Database) -> AsyncIterator[tuple[Writer, Writer]]:
    gates = [CaseGate(), KeyGate()]
    async with (
        Writer(database_url, database.clock, gates, notifier) as first,
        Writer(database_url, Clock(), gates, notifier) as second,
    ):
        yield first, second


def a_unit(tenant: UUID, case: UUID, keys: list[str], payload: bytes = b"x") -> Unit:
    def build(stamp: Stamp) -> list[Write]:
        return [first_entry(stamp, tenant, "test.woke", subject=stamp.entry, case_id=case), wake_case(case)]

    taken = [TakesKey(short_digest(tenant.bytes, key.encode()), short_digest(payload)) for key in keys]
    return Unit(tenant, build, (HoldsCase(case, None), *taken))


def deadlocks(admin: Admin) -> int:
    admin.execute("select pg_stat_clear_snapshot()")
    row = admin.execute("select deadlocks from pg_stat_database where datname = current_database()").fetchone()
    assert row
    return int(row[0])


async def test_crossing_cases_and_keys_never_deadlock(
    writers: tuple[Writer, Writer], database: Database, make_cases: MakeCases, admin: Admin
) -> None:
    random_ = random.Random(7)
    cases: list[tuple[UUID, UUID]] = []
    for name in ("a", "b", "c"):
        tenant = await database.ensure_tenant(name)
        cases += [(tenant, case) for case in make_cases(tenant, 6, state="waiting")]
    written: list[Unit] = []
    refused: Counter[str] = Counter()
    end = time.monotonic() + 4

    async def client(writer: Writer) -> None:
        while time.monotonic() < end:
            tenant, case = random_.choice(cases)
            unit = a_unit(tenant, case, [f"k{random_.randrange(4000)}" for _ in range(random_.randrange(3))])
            refusal: Refusal | None = await writer.write(unit)  # a deadlock that lasts would raise
            if refusal:
                refused[refusal.code] += 1
            else:
                written.append(unit)

    await asyncio.gather(*(client(writer) for writer in writers for _ in range(32)))
    assert len(written) > 300
    assert set(refused) == {"key-held"}
    assert deadlocks(admin) == 0
    found = admin.execute("select id, case_id from ledger_entry where tenant <> installation_tenant()").fetchall()
    assert {row[0] for row in found} == {unit.id for unit in written}
    signals = dict(admin.execute("select id, signals from cases").fetchall())
    assert {case: n for case, n in signals.items() if n} == Counter(row[1] for row in found)


async def test_of_two_writers_one_wins_a_key_and_the_other_learns_of_it(
    writers: tuple[Writer, Writer], database: Database, make_cases: MakeCases, admin: Admin
) -> None:
    tenant = await database.ensure_tenant("default")
    case, other_case = make_cases(tenant, 2)
    for number in range(60):
        payload = b"x" if number % 2 else b"y"
        one, two = a_unit(tenant, case, [f"{number}"]), a_unit(tenant, other_case, [f"{number}"], payload)
        answers = await asyncio.gather(writers[0].write(one), writers[1].write(two))
        assert answers.count(None) == 1
        (refusal,) = (answer for answer in answers if answer)
        winner = one if answers[0] is None else two
        assert (refusal.code, refusal.holder, refusal.same) == ("key-held", winner.id, payload == b"x")
    assert admin.execute("select count(*) from ledger_entry where tenant <> installation_tenant()").fetchall() == [
        (60,)
    ]


async def test_cases_are_locked_by_tenant_and_id(
    writers: tuple[Writer, Writer], database: Database, make_cases: MakeCases, admin: Admin
) -> None:
    """While the lowest is held by somebody, no other one is locked, so that nobody ever waits in a circle."""
    first, second = sorted([await database.ensure_tenant("a"), await database.ensure_tenant("b")])
    (theirs,) = make_cases(second)
    low, high = make_cases(first, 2)
    admin.execute("update cases set changed_at = now() where id = %s", (low,))  # now it lies behind the others
    admin.execute("begin")
    admin.execute("select from cases where id = %s for no key update", (low,))
    units = [a_unit(second, theirs, []), a_unit(first, high, []), a_unit(first, low, [])]
    writing = asyncio.gather(*(writers[0].write(unit) for unit in units))
    await asyncio.sleep(0.3)
    assert not writing.done()
    admin.execute("select from cases where id in (%s, %s) for no key update nowait", (high, theirs))
    admin.execute("commit")
    assert await asyncio.wait_for(writing, 5) == [None] * 3


async def test_keys_are_taken_by_tenant_and_digest(
    writers: tuple[Writer, Writer], database: Database, admin: Admin
) -> None:
    first, second = sorted([await database.ensure_tenant("a"), await database.ensure_tenant("b")])
    low, high, theirs = UUID(int=5), UUID(int=2**127), UUID(int=1)

    def take(tenant: UUID, digest: UUID) -> Unit:
        def build(stamp: Stamp) -> list[Write]:
            return [first_entry(stamp, tenant, "test.done", subject=stamp.entry)]

        return Unit(tenant, build, (TakesKey(digest, UUID(int=0)),))

    insert = "insert into idempotency_key (digest, tenant, holder, payload) values (%s, %s, %s, %s)"
    admin.execute("begin")
    admin.execute(insert, (low, first, low, low))
    units = [take(second, theirs), take(first, high), take(first, low)]
    writing = asyncio.gather(*(writers[0].write(unit) for unit in units))
    await asyncio.sleep(0.3)
    assert not writing.done()
    admin.execute("set local lock_timeout = '500ms'")
    for digest, tenant in ((high, first), (theirs, second)):  # nobody has inserted these yet
        admin.execute(insert, (digest, tenant, digest, digest))
    admin.execute("rollback")
    assert await asyncio.wait_for(writing, 5) == [None] * 3


async def test_waking_locks_in_order_of_ids(
    database_url: str, tenant: UUID, make_cases: MakeCases, admin: Admin
) -> None:
    low, high = make_cases(tenant, 2, state="waiting")
    admin.execute("update cases set changed_at = now() where id = %s", (low,))  # now it lies behind the other
    rows = encode_rows([CaseToWake(high), CaseToWake(low)])
    admin.execute("begin")
    admin.execute("select from cases where id = %s for no key update", (low,))
    async with await psycopg.AsyncConnection.connect(
        database_url, autocommit=True, options="-c search_path=interlock"
    ) as waker:
        waking = asyncio.create_task(waker.execute(WAKE_CASES.text, {"rows": rows}))
        await asyncio.sleep(0.3)
        assert not waking.done()
        admin.execute("select from cases where id = %s for no key update nowait", (high,))
        admin.execute("commit")
        await asyncio.wait_for(waking, 5)
    assert admin.execute("select signals from cases").fetchall() == [(1,), (1,)]
