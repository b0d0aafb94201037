"""Many spenders at once, on two writers whose connections are killed: no limit is ever passed by one cent.

Hypothesis makes up the spenders: amounts, cases, callers, how often each is sent and how it ends; and how time passes
meanwhile, by a minute, an hour, a day or a month, on the clock that the limits read. An auditor reads the books all the
while, each time in one snapshot, and adds up what every stretch of time holds from the reservations themselves; the
buckets are only compared with them. That each reservation is of the moment of its action's last sending, or of the
first whose effect is in doubt, is compared with what the spenders know.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from interlock.db.database import Database
from interlock.db.gates import HoldsCase
from interlock.db.queries import Rows
from interlock.db.signals import Notifier
from interlock.db.work import Condition, Refusal, Stamp, Unit, Write
from interlock.db.writer import Writer
from interlock.guards import gate
from interlock.guards.gate import GivesBack, release, settle
from interlock.guards.limits import CaseBudget, Counts, Limits, Rate, Window
from interlock.guards.spending import spending
from interlock.ledger.ledger import first_entry
from interlock.money import Money
from interlock.node import gates

Admin = psycopg.Connection[tuple[Any, ...]]
MakeCases = Callable[..., list[UUID]]

CASES, CALLERS = 4, ("ana", "ben/2026-03", "")
LIMITS = Limits(
    each=Money("9.00", "EUR"),
    per_case=Money("30.00", "EUR"),
    per_caller=Money("45.00", "EUR"),
    per_hour=Money("70.00", "EUR"),
    per_day=Money("80.00", "EUR"),
    per_month=Money("90.00", "EUR"),
    windows=(Window(timedelta(minutes=1), Money("60.00", "EUR")),),
    count=Counts(per_case=12, per_day=35),
    rate=Rate(500, timedelta(hours=1)),
)
BUDGET = CaseBudget(money=Money("25.00", "EUR"), attempts=25)

STRETCHES = """
select v.guard, max(v.within) from (
  select r.guard, r.currency, sum(r.amount_minor) over (partition by r.guard order by r.at
    range between %s::interval preceding and current row) as within
  from reservation r where r.tenant = %s and r.state <> 'released' and r.guard = %s
) v group by v.guard
"""
DIFFERENCES = """
select guard, currency, slot, coalesce(b.used, 0), coalesce(r.amount, 0)
from (select guard, currency, slot, used from guard_bucket where tenant = %(tenant)s) b
full join (select guard, currency, slot, sum(amount_minor) as amount from reservation
           where tenant = %(tenant)s and state <> 'released' group by 1, 2, 3) r using (guard, currency, slot)
where coalesce(b.used, 0) <> coalesce(r.amount, 0) and guard not like '%%.rate' and guard not like '%%.attempts'
"""
PASSED = """
create table if not exists public.passed (time interval not null);
truncate public.passed;
insert into public.passed values ('0');
grant select on public.passed to interlock_service;
"""
CLOCK = Rows("test.read_clock", "select clock_timestamp() + time from public.passed", datetime)
PAUSES = (timedelta(seconds=61), timedelta(minutes=61), timedelta(days=1), timedelta(days=31))
NEARLY = timedelta(seconds=2)
OWNED = """
select guard, slot, sum(amount_minor)::bigint from reservation where tenant = %s and state <> 'released' group by 1, 2
"""


@dataclass(frozen=True)
class Life:
    """What becomes of one action."""

    case: int
    cents: int
    sendings: int
    doubtful: bool
    end: str


lives = st.lists(
    st.builds(
        Life,
        case=st.integers(0, CASES - 1),
        cents=st.integers(1, 950),  # some are over the limit of each
        sendings=st.integers(1, 3),
        doubtful=st.booleans(),
        end=st.sampled_from(["settled", "failed", "in doubt"]),
    ),
    min_size=40,
    max_size=120,
)


class World:
    """One tenant, its cases, and two writers."""

    def __init__(self, tenant: UUID, cases: list[UUID], writers: list[Writer], database: Database) -> None:
        self.tenant = tenant
        self.cases = cases
        self.writers = writers
        self.database = database
        self.attempts: Counter[UUID] = Counter()
        self.ends: dict[UUID, str] = {}
        self.passed = timedelta(0)
        self.counted: dict[UUID, tuple[datetime, datetime]] = {}

    def now(self) -> datetime:
        """The time on the clock that the limits read."""
        return self.database.clock.now() + self.passed

    async def live(self, number: int, life: Life) -> None:
        """Send it as often as it is sent; then it ends as it ends."""
        action, case = self.database.clock.new_id(), self.cases[life.case]
        writer = self.writers[number % 2]
        for sending in range(life.sendings):
            if sending:
                await asyncio.sleep(0.03)
            doubtful = life.doubtful and action in self.ends
            conditions = spending(
                LIMITS, BUDGET, workflow="w", action="pay", action_id=action, case_id=case,
                caller=CALLERS[life.case % len(CALLERS)], amount=Money.of_minor(life.cents, "EUR"),
                doubtful=doubtful,
            )  # fmt: skip
            before = self.now()
            refusal = await self.write(writer, case, conditions)
            if refusal:
                assert refusal.code in {"limit", "rate"}
                break
            self.attempts[case] += 1
            self.ends[action] = "reserved"
            if not doubtful:
                self.counted[action] = (before, self.now())
        if action not in self.ends:
            return
        if life.end == "settled":
            await self.write(writer, case, (), [settle(action)])
            self.ends[action] = "settled"
        elif life.end == "failed":
            await self.write(writer, case, (GivesBack(action),), [release(action)])
            self.ends[action] = "released"

    async def write(
        self, writer: Writer, case: UUID, conditions: tuple[Condition, ...], writes: list[Write] | None = None
    ) -> Refusal | None:
        """One unit under the case's lock, as every dispatch is."""

        def build(stamp: Stamp) -> list[Write]:
            return [first_entry(stamp, self.tenant, "test.spent", subject=stamp.entry), *(writes or [])]

        return await writer.write(Unit(self.tenant, build, (HoldsCase(case, None), *conditions)))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lives=lives, kills=st.integers(0, 4), pauses=st.lists(st.sampled_from(PAUSES), max_size=4))
def test_no_limit_is_passed_by_a_cent_at_any_moment_whoever_dies(
    database_url: str,
    admin: Admin,
    make_cases: MakeCases,
    monkeypatch: pytest.MonkeyPatch,
    lives: list[Life],
    kills: int,
    pauses: list[timedelta],
) -> None:
    monkeypatch.setattr(gate, "READ_CLOCK", CLOCK)
    killed = asyncio.run(_run(database_url, admin, make_cases, lives, kills, pauses))
    event(f"connections killed: {killed}")


async def _run(
    url: str, admin: Admin, make_cases: MakeCases, lives: list[Life], kills: int, pauses: list[timedelta]
) -> int:
    admin.execute(PASSED)
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(Database(url))
        notifier = await stack.enter_async_context(Notifier(url))
        writers = [await stack.enter_async_context(Writer(url, database.clock, gates(), notifier)) for _ in range(2)]
        tenant = await database.ensure_tenant(f"t{database.clock.new_id().hex}")
        world = World(tenant, make_cases(tenant, CASES), writers, database)
        audits, over = 0, asyncio.Event()

        async def watch() -> None:
            nonlocal audits
            while not over.is_set():
                await asyncio.to_thread(audit, admin, world)
                audits += 1

        watching = asyncio.create_task(watch())
        killing = asyncio.create_task(kill(admin, url, kills, over))
        passing = asyncio.create_task(let_time_pass(url, world, pauses, over))
        try:
            async with asyncio.timeout(60):
                await asyncio.gather(*(world.live(number, life) for number, life in enumerate(lives)))
        finally:
            over.set()
            await watching
            killed = await killing
            await passing
    assert audits
    audit(admin, world)
    at_its_time(admin, world)
    settled = admin.execute(
        "select distinct action_id, state::text from reservation where tenant = %s", (world.tenant,)
    ).fetchall()
    assert dict(settled) == world.ends  # type: ignore[arg-type]  # the denied hold nothing, the others what they should
    tried = admin.execute(
        "select slot, used from guard_bucket where tenant = %s and guard = 'w.budget.attempts' and used > 0",
        (world.tenant,),
    ).fetchall()
    assert dict(tried) == {str(case): count for case, count in world.attempts.items()}  # type: ignore[arg-type]
    return killed


async def let_time_pass(url: str, world: World, pauses: list[timedelta], over: asyncio.Event) -> None:
    """Put the clock that the limits read forward, between sendings and while they are under way."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        for pause in pauses:
            await asyncio.sleep(0.02)
            if over.is_set():
                return
            await connection.execute("update public.passed set time = time + %s", (pause,))
            world.passed += pause


def at_its_time(admin: Admin, world: World) -> None:
    """Each reservation is of the sending that counts, in the period of that moment."""
    periods = {f"w.pay.{allowance.name}": allowance.span.period for allowance in LIMITS.allowances}
    held = admin.execute("select action_id, guard, slot, at from reservation where tenant = %s", (world.tenant,))
    for action, guard, slot, at in held.fetchall():
        first, last = world.counted[action]
        assert first - NEARLY <= at <= last + NEARLY, (guard, first, at, last)
        assert slot.startswith(periods[guard](at) if guard in periods else ""), (guard, slot, at)


async def kill(admin: Admin, url: str, times: int, over: asyncio.Event) -> int:
    """Cut the writers' connections off in the middle of what they are doing; how often that was."""
    killed = 0
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        while killed < times and not over.is_set():
            await asyncio.sleep(0.004)
            found = await connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() "
                "and pid not in (pg_backend_pid(), %s) and state in ('active', 'idle in transaction') "
                "and (query ilike '%%guard_bucket%%' or query ilike '%%ledger_entry%%' or query = 'commit') limit 1",
                (admin.info.backend_pid,),
            )
            killed += len(await found.fetchall())
    return killed


def audit(admin: Admin, world: World) -> None:
    """Read the books in one snapshot; every sum from the reservations, and every bucket the same."""
    with admin.transaction():
        admin.execute("set transaction isolation level repeatable read")
        assert admin.execute(DIFFERENCES, {"tenant": world.tenant}).fetchall() == []
        for allowance in LIMITS.allowances:
            if allowance.span.length:
                asked = (allowance.span.length, world.tenant, f"w.pay.{allowance.name}")
                found = admin.execute(STRETCHES, asked).fetchall()
                assert all(within <= allowance.most for _, within in found), (allowance.name, found)
        most = {f"w.pay.{allowance.name}": allowance.most for allowance in LIMITS.allowances}
        most["w.budget.money"] = 2500
        sums = admin.execute(OWNED, (world.tenant,)).fetchall()
        assert [row for row in sums if row[2] > most[row[0]]] == []


def test_the_auditor_sees_what_is_wrong(
    database_url: str, admin: Admin, make_cases: MakeCases, tenant: UUID, database: Database
) -> None:
    life = Life(case=0, cents=100, sendings=1, doubtful=False, end="settled")
    asyncio.run(_run(database_url, admin, make_cases, [life], 0, []))
    (found,) = admin.execute("select tenant from guard_bucket limit 1").fetchall()
    world = World(found[0], [], [], database)
    admin.execute("update guard_bucket set used = used + 1 where guard = 'w.pay.per_day' and used > 0")
    with pytest.raises(AssertionError):
        audit(admin, world)
    admin.execute("update guard_bucket set used = used - 1 where guard = 'w.pay.per_day' and used > 0")
    audit(admin, world)
    admin.execute("update reservation set amount_minor = 8001 where guard = 'w.pay.per_day'")
    admin.execute("update guard_bucket set used = 8001 where guard = 'w.pay.per_day' and used > 0")
    with pytest.raises(AssertionError):
        audit(admin, world)
