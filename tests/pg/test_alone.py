"""An effect and its unit are one transaction: both happen, or neither, and once, whatever is lost on the wire."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import AsyncConnection

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.pg.cutting import CommitWire

from interlock.clock import Clock
from interlock.db.alone import Alone, Effect
from interlock.db.gates import CaseGate, HoldsCase, IsInState, KeyGate, TakesKey, short_digest
from interlock.db.signals import Notifier
from interlock.db.work import Condition, Refusal, Stamp, Unit, Write
from interlock.errors import DatabaseUnavailable, WorkFailed
from interlock.ledger.ledger import first_entry

Admin = psycopg.Connection[tuple[Any, ...]]
MakeCases = Callable[..., list[UUID]]


@pytest.fixture
async def wire(database_url: str) -> AsyncIterator[CommitWire]:
    async with CommitWire(database_url) as wire:
        yield wire


@pytest.fixture
async def alone(wire: CommitWire, notifier: Notifier) -> AsyncIterator[Alone]:
    async with Alone(wire.url, Clock(), [CaseGate(), KeyGate()], notifier, patience_s=3) as alone:
        yield alone


@pytest.fixture
def effects(admin: Admin) -> Callable[[], int]:
    """A table for effects, outside of the schema; counts them."""
    admin.execute("create table public.effect (n int)")
    admin.execute("grant insert, select on public.effect to interlock_service")
    return lambda: int(admin.execute("select count(*) from public.effect").fetchall()[0][0])


def unit(tenant: UUID, case: UUID, *more: Condition, fence: int | None = None) -> Unit:
    def build(stamp: Stamp) -> list[Write]:
        return [first_entry(stamp, tenant, "test.done", subject=stamp.entry, case_id=case)]

    return Unit(tenant, build, (HoldsCase(case, fence), *more))


def entries(admin: Admin) -> int:
    return int(
        admin.execute("select count(*) from ledger_entry where tenant <> installation_tenant()").fetchall()[0][0]
    )


class Counted:
    """The effect: a row; counts how often it ran."""

    def __init__(self, raises: Exception | None = None) -> None:
        self.ran = 0
        self.raises = raises

    async def __call__(self, connection: AsyncConnection[Any]) -> None:
        """Have it."""
        self.ran += 1
        await connection.execute(b"insert into public.effect values (1)")
        if self.raises:
            raise self.raises


async def test_both_are_committed(
    alone: Alone, tenant: UUID, make_cases: MakeCases, admin: Admin, effects: Callable[[], int]
) -> None:
    (case,) = make_cases(tenant)
    assert await alone.write(unit(tenant, case), Counted()) is None
    assert (effects(), entries(admin)) == (1, 1)


async def test_what_a_gate_refuses_takes_the_effect_back(
    alone: Alone, tenant: UUID, make_cases: MakeCases, admin: Admin, effects: Callable[[], int]
) -> None:
    (case,) = make_cases(tenant)
    key = TakesKey(short_digest(b"k"), short_digest(b"p"))
    assert await alone.write(unit(tenant, case, key), Counted()) is None
    refused = await alone.write(unit(tenant, case, key), Counted())
    fenced = await alone.write(unit(tenant, case, fence=7), Counted())
    assert isinstance(refused, Refusal)
    assert isinstance(fenced, Refusal)
    assert (refused.code, fenced.code) == ("key-held", "fenced")
    assert (effects(), entries(admin)) == (1, 1)


async def test_an_effect_that_raises_leaves_nothing(
    alone: Alone, tenant: UUID, make_cases: MakeCases, admin: Admin, effects: Callable[[], int]
) -> None:
    (case,) = make_cases(tenant)
    with pytest.raises(LookupError):
        await alone.write(unit(tenant, case), Counted(LookupError()))
    assert (effects(), entries(admin)) == (0, 0)
    assert await alone.write(unit(tenant, case), Counted()) is None


async def test_a_unit_that_the_database_refuses_takes_the_effect_back(
    alone: Alone, tenant: UUID, make_cases: MakeCases, admin: Admin, effects: Callable[[], int]
) -> None:
    (case,) = make_cases(tenant)

    def build(stamp: Stamp) -> list[Write]:
        entry = first_entry(stamp, tenant, "test.done", subject=stamp.entry, case_id=case)
        return [entry, entry]

    with pytest.raises(WorkFailed):
        await alone.write(Unit(tenant, build, (HoldsCase(case, None),)), Counted())
    assert (effects(), entries(admin)) == (0, 0)


async def test_an_answer_lost_after_the_commit_is_found_and_the_effect_is_not_had_again(
    alone: Alone, wire: CommitWire, tenant: UUID, make_cases: MakeCases, admin: Admin, effects: Callable[[], int]
) -> None:
    (case,) = make_cases(tenant)
    wire.cut_after_commits = 1
    effect = Counted()
    assert await alone.write(unit(tenant, case), effect) is None
    assert (wire.cuts, effect.ran) == (1, 1)
    assert (effects(), entries(admin)) == (1, 1)


async def test_a_commit_lost_on_its_way_is_tried_again_whole(
    alone: Alone, wire: CommitWire, tenant: UUID, make_cases: MakeCases, admin: Admin, effects: Callable[[], int]
) -> None:
    (case,) = make_cases(tenant)
    wire.cut_before_commits = 2
    effect = Counted()
    assert await alone.write(unit(tenant, case), effect) is None
    assert (wire.cuts, effect.ran) == (2, 3)
    assert (effects(), entries(admin)) == (1, 1)


async def test_of_two_at_once_one_has_its_effect(
    wire: CommitWire, tenant: UUID, make_cases: MakeCases, admin: Admin, effects: Callable[[], int], notifier: Notifier
) -> None:
    """Both have had it, in their transactions, before one of them passes the gates."""
    (case,) = make_cases(tenant)
    both = asyncio.Barrier(2)

    async def effect(connection: AsyncConnection[Any]) -> None:
        await connection.execute(b"insert into public.effect values (1)")
        await both.wait()

    key = TakesKey(short_digest(b"k"), short_digest(b"p"))
    async with Alone(wire.url, Clock(), [CaseGate(), KeyGate()], notifier) as alone:
        said = await asyncio.gather(*(alone.write(unit(tenant, case, key), effect) for _ in range(2)))
    assert sorted(refusal.code if refusal else "" for refusal in said) == ["", "key-held"]
    assert (effects(), entries(admin)) == (1, 1)


async def test_a_slow_effect_holds_no_lock_of_ours(
    alone: Alone, tenant: UUID, make_cases: MakeCases, admin: Admin, effects: Callable[[], int]
) -> None:
    (case,) = make_cases(tenant)
    at_work, go_on = asyncio.Event(), asyncio.Event()

    async def effect(connection: AsyncConnection[Any]) -> None:
        await connection.execute(b"insert into public.effect values (1)")
        at_work.set()
        await go_on.wait()

    writing = asyncio.create_task(alone.write(unit(tenant, case), effect))
    await at_work.wait()
    locks = (
        # the databases of other tests, being clones, have the same relations under the same numbers
        b"select count(*) from pg_locks l join pg_class c on c.oid = l.relation "
        b"join pg_stat_activity a on a.pid = l.pid and a.datname = current_database() "
        b"where c.relnamespace = 'interlock'::regnamespace and a.backend_type = 'client backend'"
    )
    assert admin.execute(locks).fetchall() == [(0,)]
    go_on.set()
    assert await writing is None
    assert effects() == 1


async def test_a_database_that_stays_away_is_told(alone: Alone, wire: CommitWire, tenant: UUID) -> None:
    wire.open = False
    with pytest.raises(DatabaseUnavailable, match="whether it wrote is unknown"):
        await alone.write(unit(tenant, UUID(int=1)), Counted())


async def test_a_unit_that_holds_no_case_is_refused(alone: Alone, tenant: UUID) -> None:
    bare = Unit(
        tenant, lambda stamp: [first_entry(stamp, tenant, "t", subject=stamp.entry)], (IsInState("a", tenant, ()),)
    )
    effect: Effect = Counted()
    with pytest.raises(AssertionError, match="holds its case"):
        await alone.write(bare, effect)
