"""Dispatches a second under limits, on one embedded server: none, the usual ones, and every kind at once.

A unit is a ledger entry and what its limits take, as a dispatch commits it, each in a case of its own. The floor writes
the same rows of the usual limits in batches, without conditions, locks that others want, answers or callers. The last
line is JSON for machines.
"""

from __future__ import annotations

import asyncio
import json
import platform
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from uuid import UUID

from interlock.clock import Clock
from interlock.db.database import Database, connect_service
from interlock.db.embedded import EmbeddedPostgres
from interlock.db.migrate import migrate
from interlock.db.queries import encode_rows
from interlock.db.signals import Notifier
from interlock.db.work import Stamp, Unit, Write
from interlock.db.writer import Writer
from interlock.guards.gate import GuardGate
from interlock.guards.limits import CaseBudget, Counts, Limits, Rate, Window
from interlock.guards.spending import spending
from interlock.guards.store import FILL_BUCKETS, RESERVE, FilledBucket, NewReservation
from interlock.ledger.ledger import ADD_ENTRIES, Entry, first_entry
from interlock.money import Money

CALLERS = 128
SECONDS = 2.0
TURNS = 3
FLOOR_BATCH = 100
GOAL = 0.2
MUCH = Money("9000000000", "EUR")
FAST = Rate(1_000_000, timedelta(seconds=1))

NONE = (Limits(), CaseBudget())
USUAL = (Limits(each=MUCH, per_day=MUCH, rate=FAST), CaseBudget())
EVERY = (
    Limits(
        each=MUCH,
        per_case=MUCH,
        per_caller=MUCH,
        per_hour=MUCH,
        per_day=MUCH,
        per_month=MUCH,
        windows=(Window(timedelta(days=7), MUCH),),
        count=Counts(per_case=100, per_hour=10**9, per_day=10**9),
        rate=FAST,
        rate_per_caller=FAST,
    ),
    CaseBudget(money=MUCH, attempts=100, time=timedelta(days=1)),
)
AMOUNT = Money("31.00", "EUR")


async def limited(url: str, tenant: UUID, terms: tuple[Limits, CaseBudget], writers: int) -> float:
    """Units a second of callers who share so many writers."""
    done, end = 0, time.perf_counter() + SECONDS
    clock = Clock()

    async def caller(writer: Writer) -> None:
        nonlocal done
        while time.perf_counter() < end:
            conditions = spending(
                *terms,
                workflow="bench",
                action="pay",
                action_id=None,
                case_id=clock.new_id(),
                caller="bench",
                amount=AMOUNT,
            )

            def build(stamp: Stamp) -> list[Write]:
                return [first_entry(stamp, tenant, "bench.spent", subject=stamp.entry, amount=str(AMOUNT))]

            refusal = await writer.write(Unit(tenant, build, conditions))
            if refusal:
                raise SystemExit(f"a unit was refused: {refusal}")
            done += 1

    async with AsyncExitStack() as stack:
        notifier = await stack.enter_async_context(Notifier(url))
        made = [await stack.enter_async_context(Writer(url, clock, [GuardGate()], notifier)) for _ in range(writers)]
        began = time.perf_counter()
        await asyncio.gather(*(caller(made[number % writers]) for number in range(CALLERS)))
        return done / (time.perf_counter() - began)


async def bare_writes(url: str, tenant: UUID) -> float:
    """Units a second of the rows of the usual limits, in batches: the floor of the cost."""
    clock, done = Clock(), 0
    day = datetime.now(UTC).date().isoformat()
    connection = await connect_service(url)
    async with connection:
        began = time.perf_counter()
        while (took := time.perf_counter() - began) < SECONDS:
            stamps = [Stamp(clock.now(), clock.new_id(), clock) for _ in range(FLOOR_BATCH)]
            entries = [
                first_entry(one, tenant, "bench.floor", subject=one.entry, amount=str(AMOUNT)).row for one in stamps
            ]
            kept = [
                NewReservation(
                    action_id=one.entry, tenant=tenant, guard="floor.per_day", currency="EUR", slot=day,
                    amount_minor=AMOUNT.minor, at=one.now,
                )
                for one in stamps
            ]  # fmt: skip
            filled = [
                FilledBucket(tenant=tenant, guard=f"floor.{name}", currency=currency, slot=slot, used=done)
                for name, currency, slot in (("per_day", "EUR", day), ("rate", "", ""))
            ]
            async with connection.pipeline():
                await connection.execute("begin")
                await connection.execute("select set_config('app.tenant', %s, true)", (str(tenant),))
                await connection.execute(FILL_BUCKETS.text, {"rows": encode_rows(filled)})
                await connection.execute(RESERVE.text, {"rows": encode_rows(kept)})
                await connection.execute(
                    ADD_ENTRIES.text, {"rows": encode_rows([e for e in entries if isinstance(e, Entry)])}
                )
                await connection.execute("commit")
            done += FLOOR_BATCH
    return done / took


async def measure(url: str) -> dict[str, float]:
    """All figures, each the median of turns that alternate, so that a slow moment of the machine hits all alike."""
    await migrate(url)
    async with Database(url) as database:
        tenant = await database.ensure_tenant("bench")
    found: dict[str, list[float]] = {}

    async def note(name: str, run: Callable[[], Awaitable[float]]) -> None:
        found.setdefault(name, []).append(await run())
        print(f"{name:>28}: {found[name][-1]:10,.0f}")

    for _ in range(TURNS):
        await note("unlimited_per_s", lambda: limited(url, tenant, NONE, 1))
        await note("usual_limits_per_s", lambda: limited(url, tenant, USUAL, 1))
        await note("usual_two_writers_per_s", lambda: limited(url, tenant, USUAL, 2))
        await note("every_limit_per_s", lambda: limited(url, tenant, EVERY, 1))
        await note("floor_per_s", lambda: bare_writes(url, tenant))
    return {name: round(median(values), 1) for name, values in found.items()}


def main() -> None:
    """Measure and report."""
    with (
        tempfile.TemporaryDirectory(prefix="interlock-bench-") as folder,
        EmbeddedPostgres(Path(folder) / "server", linger=0) as server,
    ):
        figures: dict[str, float | str] = dict(asyncio.run(measure(server.url)))
        server.stop(wait=20)
    share = round(float(figures["usual_limits_per_s"]) / float(figures["floor_per_s"]), 2)
    figures["callers"] = CALLERS
    figures["python"] = platform.python_version()
    goal = {"name": "share of the floor", "value": share, "goal": GOAL, "met": share >= GOAL}
    print(json.dumps({"bench": "guards", "figures": figures, "goals": [goal]}))


if __name__ == "__main__":
    main()
