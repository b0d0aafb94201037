"""Limits and stops hold in the very commit that lets an action go, whatever the number of writers."""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.stage import declared, stage

from interlock.cases.case import Case
from interlock.db.database import Database
from interlock.db.signals import Notifier
from interlock.db.work import Condition, Refusal, Stamp, Unit, Write
from interlock.db.writer import Writer
from interlock.guards.gate import GivesBack, NotAfter, Spends, release, settle
from interlock.guards.limits import Limits, Rate
from interlock.guards.spending import draws_of, paces_of
from interlock.ledger.ledger import first_entry
from interlock.money import Money
from interlock.node import gates

Admin = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture
async def writers(database_url: str, notifier: Notifier) -> AsyncIterator[tuple[Writer, Writer]]:
    """Two processes' writers."""
    async with AsyncExitStack() as stack:
        made: list[Writer] = []
        for _ in range(2):
            database = await stack.enter_async_context(Database(database_url))
            made.append(await stack.enter_async_context(Writer(database_url, database.clock, gates(), notifier)))
        yield made[0], made[1]


class Spender:
    """Spends for actions that exist only here."""

    def __init__(self, tenant: UUID, database: Database, limits: Limits) -> None:
        self.tenant = tenant
        self.database = database
        self.limits = limits

    async def spend(
        self,
        writer: Writer,
        action: UUID,
        amount: str | None,
        *,
        case: str = "c",
        caller: str = "ana",
        doubtful: bool = False,
    ) -> Refusal | None:
        """Reserve what the limits ask for."""
        money = Money(amount, "EUR") if amount else None
        draws = draws_of(self.limits, guard="w.pay", case_id=case, caller=caller, amount=money)
        paces = paces_of(self.limits, guard="w.pay", caller=caller)
        return await self.write(writer, Spends(action, draws, paces, doubtful=doubtful))

    async def write(self, writer: Writer, *conditions: Condition, writes: Sequence[Write] = ()) -> Refusal | None:
        """One unit of work."""

        def build(stamp: Stamp) -> list[Write]:
            return [first_entry(stamp, self.tenant, "test.spent", subject=stamp.entry), *writes]

        return await writer.write(Unit(self.tenant, build, conditions))

    async def give_back(self, writer: Writer, action: UUID) -> Refusal | None:
        """The action had no effect."""
        return await self.write(writer, GivesBack(action), writes=[release(action)])

    async def settle(self, writer: Writer, action: UUID) -> Refusal | None:
        """The action took effect."""
        return await self.write(writer, writes=[settle(action)])

    def id(self) -> UUID:
        """Another action."""
        return self.database.clock.new_id()


MakeSpender = Callable[[Limits], Spender]


@pytest.fixture
def spender(tenant: UUID, database: Database) -> MakeSpender:
    return lambda limits: Spender(tenant, database, limits)


def used(admin: Admin) -> dict[str, int]:
    return dict(admin.execute("select guard, sum(used)::bigint from guard_bucket group by guard").fetchall())  # type: ignore[arg-type]


def eur(amount: str) -> Money:
    return Money(amount, "EUR")


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_many_spenders_across_two_writers_are_never_over_by_a_cent(
    spender: MakeSpender, writers: tuple[Writer, Writer], admin: Admin, seed: int
) -> None:
    chance = random.Random(seed)
    on = spender(Limits(per_case=eur("40.00"), per_day=eur("99.99")))
    amounts = [f"{chance.randrange(1, 900) / 100:.2f}" for _ in range(120)]
    cases = [f"case-{chance.randrange(4)}" for _ in amounts]
    actions = [on.id() for _ in amounts]

    async def life(number: int) -> int:
        writer = writers[number % 2]
        refusal = await on.spend(writer, actions[number], amounts[number], case=cases[number])
        if refusal:
            assert refusal.code == "limit"
            return 0
        if number % 3 == 0:
            await on.give_back(writer, actions[number])
            return 0
        if number % 3 == 1:
            await on.settle(writer, actions[number])
        return Money(amounts[number], "EUR").minor

    spent = await asyncio.gather(*(life(number) for number in range(len(amounts))))
    assert sum(spent) <= 9999
    by_case = {case: sum(s for s, c in zip(spent, cases, strict=True) if c == case) for case in set(cases)}
    assert all(total <= 4000 for total in by_case.values())
    held = used(admin)
    assert held["w.pay.per_day"] == sum(spent)
    assert held["w.pay.per_case"] == sum(spent)
    rest = 9999 - sum(spent)
    for number in range(3):  # what was given back, and the last cent, are there for others
        part = min(rest, 4000)
        if part:
            assert await on.spend(writers[0], on.id(), f"{part / 100:.2f}", case=f"rest-{number}") is None
        rest -= part
    assert rest == 0
    assert await on.spend(writers[1], on.id(), "0.01", case="over") is not None
    assert used(admin)["w.pay.per_day"] == 9999


async def test_what_is_refused_uses_nothing_up_and_the_exact_rest_goes(
    spender: MakeSpender, writers: tuple[Writer, Writer], admin: Admin
) -> None:
    on = spender(Limits(per_day=eur("10.00"), rate=Rate(2, timedelta(hours=1))))
    assert await on.spend(writers[0], on.id(), "6.00") is None
    refusal = await on.spend(writers[1], on.id(), "4.01")
    assert refusal
    assert refusal.code == "limit"
    assert "w.pay.per_day has 4.00 EUR left of 10.00 EUR, 4.01 EUR needed; it has room again at " in refusal.what
    assert refusal.until is not None
    assert refusal.until.time() == time(0)
    assert await on.spend(writers[1], on.id(), "4.00") is None  # the refused one has not used the rate up either
    late = await on.spend(writers[0], on.id(), None)
    assert late
    assert late.code == "rate"
    assert late.until is not None
    assert timedelta(minutes=25) < late.until - datetime.now(UTC) <= timedelta(minutes=31)
    assert used(admin)["w.pay.per_day"] == 1000


async def test_the_same_action_reserves_once_and_ends_once(
    spender: MakeSpender, writers: tuple[Writer, Writer], admin: Admin
) -> None:
    on = spender(Limits(per_day=eur("10.00")))
    action, other = on.id(), on.id()
    assert await on.spend(writers[0], action, "6.00") is None
    assert await on.spend(writers[1], action, "6.00") is None  # its second attempt
    assert used(admin) == {"w.pay.per_day": 600}
    await on.give_back(writers[0], action)
    await on.give_back(writers[1], action)
    assert used(admin) == {"w.pay.per_day": 0}
    assert await on.spend(writers[0], other, "7.00") is None
    await on.settle(writers[0], other)
    await on.give_back(writers[0], other)  # too late: what is settled stays spent
    assert used(admin) == {"w.pay.per_day": 700}
    rows = admin.execute("select action_id, state::text from reservation").fetchall()
    assert dict(rows) == {action: "released", other: "settled"}


async def test_what_is_given_back_goes_to_the_slot_that_it_was_taken_from(
    spender: MakeSpender, writers: tuple[Writer, Writer], admin: Admin
) -> None:
    on = spender(Limits(per_day=eur("10.00")))
    action = on.id()
    assert await on.spend(writers[0], action, "3.00") is None
    yesterday = a_day_later(admin)
    assert await on.spend(writers[0], on.id(), "5.00") is None
    await on.give_back(writers[1], action)
    slots = dict(admin.execute("select slot, used from guard_bucket").fetchall())
    assert slots == {"": 0, yesterday: 0, datetime.now(UTC).date().isoformat(): 500}


def a_day_later(admin: Admin) -> str:
    """What was reserved today was reserved yesterday; the name of that day."""
    yesterday = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
    for table in ("guard_bucket", "reservation"):
        admin.execute(f"update {table} set slot = %s where slot <> ''", (yesterday,))  # type: ignore[arg-type]
    return yesterday


async def test_what_is_sent_again_on_another_day_counts_on_that_day_or_is_refused_and_holds_what_it_held(
    spender: MakeSpender, writers: tuple[Writer, Writer], admin: Admin
) -> None:
    on = spender(Limits(per_day=eur("10.00")))
    action, other = on.id(), on.id()

    def books() -> tuple[dict[str, int], dict[UUID, str]]:
        used = admin.execute("select slot, used from guard_bucket where slot <> ''").fetchall()
        held = admin.execute("select action_id, slot from reservation where state = 'reserved'").fetchall()
        return dict(used), dict(held)  # type: ignore[arg-type]

    assert await on.spend(writers[0], action, "6.00") is None
    before = a_day_later(admin)
    today = datetime.now(UTC).date().isoformat()
    assert await on.spend(writers[1], other, "7.00") is None
    refusal = await on.spend(writers[0], action, "6.00")
    assert refusal is not None
    assert "w.pay.per_day has 3.00 EUR left of 10.00 EUR, 6.00 EUR needed" in refusal.what
    assert books() == ({before: 600, today: 700}, {action: before, other: today})
    assert await on.spend(writers[0], action, "6.00", doubtful=True) is None  # its effect may be of yesterday
    assert books() == ({before: 600, today: 700}, {action: before, other: today})
    await on.give_back(writers[1], other)
    assert await on.spend(writers[0], action, "6.00") is None
    assert books() == ({before: 0, today: 600}, {action: today})
    await on.give_back(writers[1], action)
    assert books() == ({before: 0, today: 0}, {})


async def test_a_rate_across_two_writers_is_one_rate(
    spender: MakeSpender, writers: tuple[Writer, Writer], admin: Admin
) -> None:
    on = spender(Limits(rate=Rate(20, timedelta(seconds=1))))
    begun = asyncio.get_running_loop().time()
    refusals = await asyncio.gather(*(on.spend(writers[n % 2], on.id(), None) for n in range(100)))
    took = asyncio.get_running_loop().time() - begun
    passed = sum(refusal is None for refusal in refusals)
    assert 19 <= passed <= 20 + 20 * took + 1
    assert {refusal.code for refusal in refusals if refusal} == {"rate"}


async def test_a_moment_that_has_passed_refuses_by_the_databases_clock(
    spender: MakeSpender, writers: tuple[Writer, Writer]
) -> None:
    on = spender(Limits())
    now = on.database.clock.now()
    refusal = await on.write(writers[0], NotAfter(now - timedelta(milliseconds=1), "the decision's validity"))
    assert refusal
    assert refusal.code == "expired"
    assert "the decision's validity ended at" in refusal.what
    assert await on.write(writers[0], NotAfter(now + timedelta(minutes=1), "it")) is None


async def pays(case: Case) -> str:
    """Pay as asked."""
    await case.act("pay", {"to": "Ana", "amount": Money(case.input["amount"], "EUR")})
    return "paid"


async def test_a_missing_connector_is_an_exception_that_says_so(database_url: str, tmp_path: Path) -> None:
    async with stage(database_url, [declared(pays, tmp_path)]) as on:
        case = await on.until(await on.submit())
    assert case.waiting_for == "connector-missing: the settings have no connector 'payments', which pay needs"
