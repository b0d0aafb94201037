"""The functions that look across tenants: claiming due cases, and taking over those of dead workers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from uuid import UUID

import psycopg
import pytest

from interlock.db.database import SERVICE_OPTIONS

Admin = psycopg.Connection[tuple[Any, ...]]
MakeCases = Callable[..., list[UUID]]
MakeWorker = Callable[..., int]

LOCK_CLASS = 1229999948
OLD, NEW = UUID(int=1), UUID(int=2)


@pytest.fixture
def make_worker(admin: Admin) -> MakeWorker:
    """Registers a worker whose lease ends in so many seconds."""

    def make(seconds: float = 15, *, ended: bool = False) -> int:
        row = admin.execute(
            "insert into worker (name, code, lease_until, ended_at) values ('w', '{}', now() + %s * interval '1 s', "
            "case when %s then now() end) returning number",
            (seconds, ended),
        ).fetchone()
        assert row
        return int(row[0])

    return make


@pytest.fixture
def session(database_url: str) -> Callable[[], AbstractContextManager[Admin]]:
    """Opens a session of the service."""

    @contextmanager
    def open_one() -> Generator[Admin]:
        with psycopg.connect(database_url, autocommit=True, options=SERVICE_OPTIONS) as connection:
            yield connection

    return open_one


Session = Callable[[], AbstractContextManager[Admin]]


def claim(connection: Admin, worker: int, code: list[UUID], most: int = 10) -> dict[UUID, int]:
    """The claimed cases with their fences."""
    query = "select id, fence from claim_cases(%s, %s, %s)"
    return {row[0]: row[1] for row in connection.execute(query, (worker, code, most))}


SUSPICION_S = 0.25  # a free lock is believed when it is seen twice, a little more than 200 ms apart


def take_over(connection: Admin) -> list[tuple[int, int]]:
    """The workers that were found dead, with the number of their cases."""
    query = "select worker, cases from take_over_cases() where suspects = 0"
    return [(row[0], row[1]) for row in connection.execute(query)]


def test_claiming_raises_the_fence_and_gives_the_case_to_the_worker(
    session: Session, tenant: UUID, make_cases: MakeCases, make_worker: MakeWorker, admin: Admin
) -> None:
    cases, worker = make_cases(tenant, 3), make_worker()
    with session() as connection:
        assert claim(connection, worker, [OLD], 2) == dict.fromkeys(cases[:2], 2)  # the oldest first
        assert claim(connection, worker, [OLD]) == {cases[2]: 2}
        assert claim(connection, worker, [OLD]) == {}
    found = admin.execute("select distinct state::text, worker, fence, wake_at from cases").fetchall()
    assert found == [("running", worker, 2, None)]


def test_what_is_not_due_is_not_claimed(
    session: Session, tenant: UUID, make_cases: MakeCases, make_worker: MakeWorker, admin: Admin
) -> None:
    later, never, due = make_cases(tenant, 3, state="waiting")
    admin.execute("update cases set wake_at = now() + interval '1 minute' where id = %s", (later,))
    admin.execute("update cases set wake_at = null where id = %s", (never,))
    with session() as connection:
        assert set(claim(connection, make_worker(), [OLD])) == {due}


def test_workers_pass_each_other(
    session: Session, tenant: UUID, make_cases: MakeCases, make_worker: MakeWorker
) -> None:
    cases = make_cases(tenant, 4)
    with session() as one, session() as two:
        one.execute("begin")
        mine = claim(one, make_worker(), [OLD], 2)
        two.execute("set statement_timeout = '2s'")
        others = claim(two, make_worker(), [OLD], 4)
        one.execute("commit")
    assert set(mine) == set(cases[:2])
    assert set(others) == set(cases[2:])


def test_a_worker_claims_only_the_versions_that_it_carries(
    session: Session, tenant: UUID, make_cases: MakeCases, make_worker: MakeWorker
) -> None:
    old, new = make_cases(tenant, 1, code=OLD), make_cases(tenant, 1, code=NEW)
    with session() as connection:
        assert claim(connection, make_worker(), []) == {}
        assert set(claim(connection, make_worker(), [NEW])) == set(new)
        assert set(claim(connection, make_worker(), [OLD, NEW])) == set(old)


def test_a_worker_whose_lease_is_over_claims_nothing(
    session: Session, tenant: UUID, make_cases: MakeCases, make_worker: MakeWorker
) -> None:
    make_cases(tenant)
    with session() as connection:
        for worker in (make_worker(-1), make_worker(15, ended=True), 999):
            assert claim(connection, worker, [OLD]) == {}


def test_a_dead_worker_loses_its_cases_and_a_healthy_one_keeps_them(
    session: Session, tenant: UUID, make_cases: MakeCases, make_worker: MakeWorker, admin: Admin
) -> None:
    healthy, killed, paused = make_worker(), make_worker(), make_worker(-1)
    kept = make_cases(tenant, 2, state="running", worker=healthy)
    of_killed = make_cases(tenant, 3, state="running", worker=killed)
    of_paused = make_cases(tenant, 1, state="running", worker=paused)
    with session() as heart, session() as paused_heart, session() as peer:
        heart.execute("select pg_advisory_lock(%s, %s)", (LOCK_CLASS, healthy))
        paused_heart.execute("select pg_advisory_lock(%s, %s)", (LOCK_CLASS, paused))  # it lives, but its lease is over
        assert take_over(peer) == [(paused, 1)]
        assert take_over(peer) == []  # the other's lock is free, but perhaps only for a moment
        time.sleep(SUSPICION_S)
        assert take_over(peer) == [(killed, 3)]
        assert take_over(peer) == []
        states = dict(admin.execute("select id, (state, worker, fence)::text from cases").fetchall())
        assert {states[case] for case in kept} == {f"(running,{healthy},1)"}
        assert {states[case] for case in of_killed + of_paused} == {"(ready,,1)"}
        ended = admin.execute("select number from worker where ended_at is not null order by 1").fetchall()
        assert ended == [(killed,), (paused,)]
        assert claim(peer, healthy, [OLD]) == dict.fromkeys(of_killed + of_paused, 2)  # they are due at once


def test_a_lock_that_was_free_for_a_moment_costs_nothing(
    session: Session, tenant: UUID, make_cases: MakeCases, make_worker: MakeWorker
) -> None:
    worker = make_worker()
    make_cases(tenant, 1, state="running", worker=worker)
    with session() as heart, session() as peer:
        for _ in range(2):
            assert take_over(peer) == []
            heart.execute("select pg_advisory_lock(%s, %s)", (LOCK_CLASS, worker))  # it has connected again
            time.sleep(SUSPICION_S)
            assert take_over(peer) == []
            heart.execute("select pg_advisory_unlock(%s, %s)", (LOCK_CLASS, worker))  # and the suspicion begins anew


def test_the_lock_of_a_session_that_ends_is_free(
    session: Session, tenant: UUID, make_cases: MakeCases, make_worker: MakeWorker
) -> None:
    worker = make_worker()
    make_cases(tenant, 1, state="running", worker=worker)
    with session() as peer:
        with session() as heart:
            heart.execute("select pg_advisory_lock(%s, %s)", (LOCK_CLASS, worker))
            assert take_over(peer) == []
        for _ in range(100):
            if found := take_over(peer):
                break
            peer.execute("select pg_sleep(0.01)")
        else:
            found = []
    assert found == [(worker, 1)]


async def test_taking_over_locks_cases_in_their_one_order(
    database_url: str, tenant: UUID, make_cases: MakeCases, make_worker: MakeWorker, admin: Admin
) -> None:
    worker = make_worker(-1)
    low, high = make_cases(tenant, 2, state="running", worker=worker)
    for state, holder in (("ready", None), ("running", worker)):  # now it lies behind the other, in the index too
        admin.execute("update cases set state = %s, worker = %s where id = %s", (state, holder, low))
    admin.execute("begin")
    admin.execute("select from cases where id = %s for no key update", (low,))
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True, options=SERVICE_OPTIONS) as peer:
        taking = asyncio.create_task(peer.execute("select * from take_over_cases()"))
        await asyncio.sleep(0.3)
        assert not taking.done()
        admin.execute("select from cases where id = %s for no key update nowait", (high,))
        admin.execute("commit")
        await asyncio.wait_for(taking, 5)


def test_cases_of_code_that_nobody_carries_are_told(
    session: Session, tenant: UUID, make_cases: MakeCases, admin: Admin
) -> None:
    make_cases(tenant, 2, code=OLD)
    make_cases(tenant, 3, code=NEW)
    admin.execute(
        "insert into worker (name, code, lease_until) values ('w', %s, now() + interval '1 minute')", ([NEW],)
    )
    with session() as connection:
        found = connection.execute("select tenant, code, cases from stranded_cases()").fetchall()
    assert found == [(tenant, OLD, 2)]


@pytest.mark.parametrize("role", ["interlock_migrator", "interlock_owner"])
def test_only_the_service_may_call_them(role: str, admin: Admin) -> None:
    admin.execute(f"set role {role}".encode())
    for call in ("claim_cases(1, '{}', 1)", "take_over_cases()", "stranded_cases()", "find_api_key('')"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            admin.execute(f"select * from interlock.{call}".encode())
