"""Stops hold in the very commit that lets an action go, on every writer, whoever or whatever made them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import psycopg
import pytest

from interlock.actions.action import Action
from interlock.actions.scopes import scopes_of
from interlock.actions.under_way import calls_under_way
from interlock.db.database import Database
from interlock.db.signals import Notifier
from interlock.db.work import Refusal, Stamp, Unit, Write
from interlock.db.writer import Writer
from interlock.errors import NotFound, Refused, ScopeStopped, StateConflict
from interlock.guards.dead_man import TermState, authorize, begin_term, end_term, find_term, list_terms
from interlock.guards.scope import check_scope
from interlock.guards.stop_gate import HOLD_OFF_STOPS, NotStopped, StopKind
from interlock.guards.stop_watch import StopWatch
from interlock.guards.stops import find_in_force, find_stop, list_installation_stops, list_stops, resume, stop
from interlock.ledger.ledger import first_entry
from interlock.node import gates

Admin = psycopg.Connection[tuple[Any, ...]]
PAYS = ("everything", "connector:payments")


@pytest.fixture
async def writers(database_url: str, notifier: Notifier) -> AsyncIterator[tuple[Writer, Writer]]:
    """Two processes' writers."""
    async with AsyncExitStack() as stack:
        made: list[Writer] = []
        for _ in range(2):
            database = await stack.enter_async_context(Database(database_url))
            made.append(await stack.enter_async_context(Writer(database_url, database.clock, gates(), notifier)))
        yield made[0], made[1]


async def dispatch(writer: Writer, tenant: UUID, *scopes: str) -> Refusal | None:
    """What a dispatch commits, as far as stops are concerned."""

    def build(stamp: Stamp) -> list[Write]:
        return [first_entry(stamp, tenant, "test.spent", subject=stamp.entry)]

    return await writer.write(Unit(tenant, build, (NotStopped(scopes or PAYS),)))


async def test_after_a_stop_nothing_is_dispatched_on_any_writer(
    database: Database, writers: tuple[Writer, Writer], admin: Admin, tenant: UUID
) -> None:
    ended, enough = asyncio.Event(), asyncio.Event()
    wrote = 0

    async def hammer(writer: Writer) -> None:
        nonlocal wrote
        while not ended.is_set():
            if await dispatch(writer, tenant) is None:
                wrote += 1
                if wrote % 50 == 0:
                    enough.set()
            await asyncio.sleep(0)

    tasks = [asyncio.create_task(hammer(writers[n % 2])) for n in range(16)]
    try:
        for scope, everywhere in (("connector:payments", False), ("everything", False), ("connector:payments", True)):
            enough.clear()
            async with asyncio.timeout(10):
                await enough.wait()
            stopped = await stop(
                database, writers[0], tenant, scope=scope, who="rosa", why="audit", everywhere=everywhere
            )
            assert stopped.unanswered == 0
            (count,) = admin.execute("select count(*) from ledger_entry where kind = 'test.spent'").fetchall()
            await asyncio.sleep(0.1)
            (later,) = admin.execute("select count(*) from ledger_entry where kind = 'test.spent'").fetchall()
            assert later == count
            await resume(writers[1], tenant, stopped.id, who="rosa", why="it is fine", everywhere=everywhere)
    finally:
        ended.set()
        await asyncio.gather(*tasks)


async def test_a_stop_returns_only_when_every_dispatch_that_did_not_see_it_has_ended(
    database: Database, writers: tuple[Writer, Writer], tenant: UUID
) -> None:
    async with database.tenant(tenant) as connection:  # a dispatch that has read the stops and has not committed yet
        await HOLD_OFF_STOPS.all(connection, {"tenant": str(tenant)})
        stopping = asyncio.create_task(stop(database, writers[0], tenant, scope="everything", who="rosa", why="audit"))
        done, _ = await asyncio.wait([stopping], timeout=0.4)
        assert not done
        assert [stopped.scope for stopped in await list_stops(database, tenant)] == ["everything"]
        # Nobody waits behind the one that waits: what is not stopped goes on at once.
        begun = time.monotonic()
        assert await dispatch(writers[1], tenant, "connector:other") is None
        assert time.monotonic() - begun < 0.5
    async with asyncio.timeout(5):
        assert (await stopping).unanswered == 0


@pytest.mark.parametrize("everywhere", [False, True])
async def test_a_process_that_stands_still_does_not_hold_up_a_stop(
    database: Database, writers: tuple[Writer, Writer], tenant: UUID, *, everywhere: bool
) -> None:
    async with database.tenant(tenant) as connection:
        await HOLD_OFF_STOPS.all(connection, {"tenant": str(tenant)})
        begun = time.monotonic()
        stopped = await stop(
            database, writers[0], tenant, scope="everything", who="rosa", why="audit", everywhere=everywhere
        )
        assert 2.5 < time.monotonic() - begun < 4.5
        assert stopped.unanswered == 1
        refusal = await dispatch(writers[1], tenant)
        assert refusal is not None


async def test_stops_need_a_scope_and_reasons_end_by_themselves_and_are_lifted_once(
    database: Database, writers: tuple[Writer, Writer], tenant: UUID, admin: Admin
) -> None:
    writer = writers[0]
    for wrong in ("", "everything:all", "workflow", "workflow:", "agent: ", "person:rosa", "installation"):
        with pytest.raises(Refused, match="nothing that can be stopped"):
            check_scope(wrong)
    with pytest.raises(Refused, match="a reason is needed"):
        await stop(database, writer, tenant, scope="everything", who="rosa", why=" ")
    soon = datetime.now(UTC) + timedelta(milliseconds=300)
    await stop(database, writer, tenant, scope="workflow:w", who="rosa", why="looks odd", until=soon)
    (listed,) = await list_stops(database, tenant)
    assert (listed.scope, listed.who, listed.why, listed.until) == ("workflow:w", "rosa", "looks odd", soon.replace())
    refusal = await dispatch(writer, tenant, "everything", "workflow:w")
    assert refusal
    assert (refusal.code, refusal.what, refusal.until) == ("stopped", "workflow:w was stopped by rosa: looks odd", soon)
    other = await database.ensure_tenant("other")
    assert await list_stops(database, other) == []
    await asyncio.sleep(0.35)
    assert await list_stops(database, tenant) == []
    assert await dispatch(writer, tenant, "everything", "workflow:w") is None
    stopped = await stop(database, writer, tenant, scope="everything", who="rosa", why="audit")
    with pytest.raises(Refused, match="a reason is needed"):
        await resume(writer, tenant, stopped.id, who="rosa", why="")
    await resume(writer, tenant, stopped.id, who="ana", why="it is fine")
    with pytest.raises(NotFound, match="is in force"):
        await resume(writer, tenant, stopped.id, who="rosa", why="again")
    record = await find_stop(database, tenant, stopped.id)
    assert (record.lifted_by, record.lifted_why) == ("ana", "it is fine")
    assert not record.is_in_force(datetime.now(UTC))
    entries = admin.execute("select kind from ledger_entry where kind like 'guard.%' order by id").fetchall()
    assert [kind for (kind,) in entries] == ["guard.stopped", "guard.stopped", "guard.resumed"]
    (body,) = admin.execute("select body from ledger_entry where kind = 'guard.resumed'").fetchall()[0]
    assert b"it is fine" in bytes(body)


async def test_every_stop_of_a_scope_is_found_by_its_name(
    database: Database, writers: tuple[Writer, Writer], tenant: UUID
) -> None:
    with pytest.raises(NotFound, match="no stop of"):
        await find_in_force(database, tenant, "connector:payments")
    made = [
        await stop(database, writers[0], tenant, scope="connector:payments", who=who, why="audit")
        for who in ("rosa", "ana")
    ]
    everywhere = await stop(
        database, writers[0], tenant, scope="connector:payments", who="op", why="theirs", everywhere=True
    )
    found = await find_in_force(database, tenant, "connector:payments")
    assert [one.id for one in found] == [one.id for one in made]
    assert [one.id for one in await find_in_force(database, tenant, "connector:payments", everywhere=True)] == [
        everywhere.id
    ]


async def test_an_operator_stops_every_tenant_or_one_as_a_whole(
    database: Database, writers: tuple[Writer, Writer], tenant: UUID
) -> None:
    other = await database.ensure_tenant("other")
    writer = writers[0]

    async def held(*scopes: str) -> list[str]:
        found = [await dispatch(writer, whose, *scopes) for whose in (tenant, other)]
        return [refusal.what if refusal else "goes" for refusal in found]

    stopped = await stop(database, writer, tenant, scope="connector:payments", who="op", why="x", everywhere=True)
    assert await held() == ["connector:payments, in every tenant, was stopped by op: x"] * 2
    assert await held("everything", "connector:mail") == ["goes", "goes"]
    with pytest.raises(NotFound):  # by the tenant's own means it is not lifted
        await resume(writer, tenant, stopped.id, who="rosa", why="we want to")
    await resume(writer, tenant, stopped.id, who="op", why="mended", everywhere=True)

    stopped = await stop(database, writer, tenant, scope="tenant:other", who="op", why="unpaid")
    assert await held() == ["goes", "tenant:other was stopped by op: unpaid"]
    assert [(one.scope, one.kind) for one in await list_stops(database, other)] == [
        ("tenant:other", StopKind.INSTALLATION)
    ]
    assert await list_stops(database, tenant) == []  # another tenant's stop is none of its business
    assert [one.scope for one in await list_installation_stops(database)] == ["tenant:other"]
    # what takes an effect back bears neither "everything" nor the tenant
    assert await held("action:w.refund", "connector:payments") == ["goes", "goes"]
    await resume(writer, tenant, stopped.id, who="op", why="paid", everywhere=True)

    stopped = await stop(database, writer, tenant, scope="installation", who="op", why="fire")
    assert await held() == ["the whole installation was stopped by op: fire"] * 2
    (found,) = await find_in_force(database, tenant, "installation")
    assert found.id == stopped.id
    await resume(writer, tenant, found.id, who="op", why="out", everywhere=True)
    assert await held() == ["goes", "goes"]
    with pytest.raises(NotFound, match="no tenant 'nowhere'"):
        await stop(database, writer, tenant, scope="tenant:nowhere", who="op", why="x")


ACTION = Action(
    id=UUID(int=1), case_id=UUID(int=2), decision_id=None, workflow="refunds", name="pay", connector="payments",
    domain="payments.refund", key="k", payload=b"{}", exposure_minor=100, currency="EUR", state="in_doubt", fence=1,  # type: ignore[arg-type]
    attempt=1, not_before=None, valid_until=None, deadline=datetime(2030, 1, 1, tzinfo=UTC), first_sent_at=None,
    sent_at=datetime(2026, 1, 1, tzinfo=UTC), send_deadline=datetime(2026, 1, 1, tzinfo=UTC), response=None,
    error=None, created_at=datetime(2026, 1, 1, tzinfo=UTC), ended_at=None, caller="agent-7", point="approve",
    component="rules:approve@1",
)  # fmt: skip
UNDO = msgspec.structs.replace(ACTION, id=UUID(int=3), name="refund", undo_of=UUID(int=1))
BARE = msgspec.structs.replace(ACTION, id=UUID(int=4), caller="", point=None, component=None)
SCOPES = (
    "everything", "workflow:refunds", "action:refunds.pay", "action:refunds.refund", "connector:payments",
    "domain:payments.refund", "agent:agent-7", "point:refunds.approve", "component:rules:approve@1",
    "workflow:other", "agent:", "component:", "point:refunds.", "connector:pay",
)  # fmt: skip


async def test_what_sql_says_an_action_bears_is_what_its_dispatch_says(
    database: Database, tenant: UUID, admin: Admin
) -> None:
    columns = "id, case_id, workflow, name, connector, domain, key, payload, exposure_minor, currency, state, fence, "
    columns += "attempt, deadline, sent_at, send_deadline, created_at, undo_of, caller, point, component"
    for action in (ACTION, UNDO, BARE):
        row = [getattr(action, name) for name in columns.split(", ")]
        marks = ", ".join(["%s"] * len(row))
        admin.execute(f"insert into action (tenant, {columns}) values (%s, {marks})".encode(), [tenant, *row])
    for scope in SCOPES:
        found = {call.id for call in await calls_under_way(database, tenant, scope)}
        assert found == {one.id for one in (ACTION, UNDO, BARE) if scope in scopes_of(one)}, scope
    assert scopes_of(UNDO) == ("action:refunds.refund", "connector:payments")
    other = await database.ensure_tenant("other")
    assert await calls_under_way(database, other, "everything") == []
    (call, *_) = await calls_under_way(database, None, "everything")
    assert (call.tenant, str(call.exposure), call.attempt) == ("default", "1.00 EUR", 1)


# ------------------------------------------------------------------- dead-man terms


async def test_what_is_not_authorized_in_time_stops_by_itself(
    database: Database, writers: tuple[Writer, Writer], tenant: UUID, admin: Admin
) -> None:
    writer = writers[0]
    term = await begin_term(
        database, writer, tenant, scope="agent:seven", every=timedelta(seconds=1), who="rosa", why="an experiment"
    )
    assert await dispatch(writer, tenant, "everything", "agent:seven") is None
    await asyncio.sleep(1.05)
    refusal = await dispatch(writers[1], tenant, "everything", "agent:seven")  # no process but PostgreSQL did anything
    assert refusal
    assert (refusal.code, refusal.holder) == ("stopped", term.id)
    assert "agent:seven stopped by itself at" in refusal.what
    assert "nobody authorized it after rosa: an experiment" in refusal.what
    assert await dispatch(writer, tenant, "everything", "agent:eight") is None
    assert [(one.kind, one.scope) for one in await list_stops(database, tenant)] == [(StopKind.LAPSED, "agent:seven")]
    with pytest.raises(NotFound):  # a lapsed term is not resumed: somebody answers for it, or ends it
        await resume(writer, tenant, term.id, who="ana", why="go on")
    renewed = await authorize(database, writer, tenant, scope="agent:seven", who="ana", why="I have looked")
    assert renewed.authorized_by == "ana"
    assert await dispatch(writer, tenant, "everything", "agent:seven") is None
    await asyncio.sleep(1.05)
    assert await dispatch(writer, tenant, "everything", "agent:seven") is not None
    await end_term(database, writer, tenant, scope="agent:seven", who="rosa", why="the experiment is over")
    assert await dispatch(writer, tenant, "everything", "agent:seven") is None
    assert await list_terms(database, tenant) == []
    entries = admin.execute("select kind from ledger_entry where kind like 'guard.%' order by id").fetchall()
    assert [kind for (kind,) in entries] == ["guard.term_begun", "guard.authorized", "guard.term_ended"]


async def test_a_term_is_one_a_scope_and_authorized_for_no_longer_than_it_lasts(
    database: Database, writers: tuple[Writer, Writer], tenant: UUID
) -> None:
    writer, day = writers[0], timedelta(hours=24)

    async def begin(scope: str = "workflow:w", every: timedelta = day, why: str = "x") -> object:
        return await begin_term(database, writer, tenant, scope=scope, every=every, who="rosa", why=why)

    both = await asyncio.gather(begin(), begin(), return_exceptions=True)
    assert sum(isinstance(one, StateConflict) for one in both) == 1
    with pytest.raises(StateConflict, match="has a dead-man term"):
        await begin()
    with pytest.raises(Refused, match="a reason is needed"):
        await begin("workflow:v", why=" ")
    with pytest.raises(Refused, match="no use as a term"):
        await begin("workflow:v", timedelta(0))
    with pytest.raises(Refused, match="nothing that can be stopped"):
        await begin("wokflow:v")
    with pytest.raises(Refused, match="at most"):
        await authorize(database, writer, tenant, scope="workflow:w", who="a", why="x", span=timedelta(hours=25))
    with pytest.raises(NotFound, match="no dead-man term"):
        await authorize(database, writer, tenant, scope="workflow:v", who="a", why="x")
    term = await authorize(database, writer, tenant, scope="workflow:w", who="a", why="x", span=timedelta(hours=5))
    now = database.clock.now()
    assert term.state(now) is TermState.SOON
    assert term.state(now + timedelta(hours=6)) is TermState.LAPSED
    assert (await find_term(database, tenant, "workflow:w")).authorized_until == term.authorized_until
    again = await authorize(database, writer, tenant, scope="workflow:w", who="b", why="x")
    assert again.state(now) is TermState.AUTHORIZED
    other = await database.ensure_tenant("other")
    assert await list_terms(database, other) == []


# ------------------------------------------------------------------------- watching


async def test_what_is_under_way_is_cut_off_by_a_stop_with_and_without_news(
    database_url: str, database: Database, writers: tuple[Writer, Writer], notifier: Notifier, tenant: UUID
) -> None:
    other = await database.ensure_tenant("other")
    async with (
        Notifier(database_url) as cut_off,  # it hears of nothing: its listening is ended at once
        StopWatch(database, notifier, poll_s=60) as hears,
        StopWatch(database, cut_off) as polls,
    ):
        await cut_off.__aexit__()

        async def asked(watch: StopWatch, whose: UUID) -> str:
            begun = time.monotonic()
            try:
                async with watch.cutting(whose, ("everything", "point:w.p")):
                    await asyncio.sleep(3)
            except ScopeStopped as cause:
                assert time.monotonic() - begun < 1.6
                return cause.what
            return "answered"

        asking = [asyncio.create_task(asked(watch, tenant)) for watch in (hears, polls)]
        apart = asyncio.create_task(asked(polls, other))
        await asyncio.sleep(0.3)
        stopped = await stop(database, writers[0], tenant, scope="point:w.p", who="rosa", why="odd")
        assert await asyncio.gather(*asking) == ["point:w.p was stopped by rosa: odd"] * 2
        assert await asked(polls, tenant) == "point:w.p was stopped by rosa: odd"  # it is not even begun
        await resume(writers[0], tenant, stopped.id, who="rosa", why="fine")
        async with polls.cutting(tenant, ("everything", "point:w.p")):  # what is known is half a second old at most
            pass
        assert await apart == "answered"
        with pytest.raises(TimeoutError):  # a time limit of its own stays one
            async with polls.cutting(tenant, ("point:w.p",)), asyncio.timeout(0.01):
                await asyncio.sleep(1)
