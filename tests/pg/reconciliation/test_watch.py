"""Rounds by themselves: what comes is matched and booked, what a person breaks is taken back, without being asked."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import date
from pathlib import Path

import msgspec
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.reconciliation.matched import SURE, matching, statement

from interlock.cases.resolve import resolve_exception
from interlock.cases.ways import Way
from interlock.packs.reconciliation.breaks.store import LIST_BREAKS, BreakRow
from interlock.packs.reconciliation.entry import Side
from interlock.packs.reconciliation.rounds import watch
from interlock.packs.reconciliation.rounds.round import Rounds
from interlock.packs.reconciliation.rounds.withdraw import refuse_match
from interlock.sim import SimulatedBooks


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something holds, twenty seconds at most."""
    give_up = time.monotonic() + 20
    while not await holds():
        assert time.monotonic() < give_up
        await asyncio.sleep(0.05)


async def test_news_is_taken_up_and_nothing_is_done_without_it(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "POLL_S", 0.05)
    monkeypatch.setattr(watch, "CALM_S", 0.1)
    with SimulatedBooks(tmp_path / "ledger") as books:
        async with matching(database_url, books, name="watch") as on:
            ended, node = asyncio.Event(), on.on.node
            watching = asyncio.create_task(watch.Watch(on.rounds(), "watch").run(ended))

            async def booked(number: int) -> bool:
                return len(await on.matches("booked")) == number

            await on.take(Side.EXPECTED, statement("e", ("A", SURE, 1000), ("B", SURE, 500)))
            await on.take(Side.ACTUAL, statement("a", ("A", "", 1000)))
            await until(lambda: booked(1))
            await on.take(Side.ACTUAL, statement("b", ("B", "", 500)))
            await until(lambda: booked(2))
            first, _ = await on.matches()
            await refuse_match(node.database, node.writer, node.tenant, first.id, who="ana", why="another payer")
            await until(lambda: booked(1))
            await asyncio.sleep(0.5)
            rounds = await on.count_rounds()
            await asyncio.sleep(0.5)
            assert await on.count_rounds() == rounds  # nothing has changed, so nobody looked again

            def another_day(_rounds: Rounds) -> date:
                return date(2100, 1, 1)

            async def looked() -> bool:
                return await on.count_rounds() == rounds + 1

            monkeypatch.setattr(Rounds, "today", another_day)  # when entries may have become late
            await until(looked)
            ended.set()
            await watching
        assert on.balances() == {"expected EUR": "-5.00", "actual EUR": "5.00"}


async def test_a_break_that_a_person_settled_is_known_as_such_without_other_news(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "POLL_S", 0.05)
    monkeypatch.setattr(watch, "CALM_S", 0.1)
    with SimulatedBooks(tmp_path / "ledger") as books:
        async with matching(database_url, books, name="watch") as on:
            ended, node = asyncio.Event(), on.on.node
            known = {"first_day": date(2026, 1, 1), "last_day": date(2026, 6, 1)}
            await on.take(Side.EXPECTED, statement("e", ("A", SURE, 1000)))
            await on.take(Side.ACTUAL, msgspec.structs.replace(statement("a", ("B", "", 500)), **known))
            watching = asyncio.create_task(watch.Watch(on.rounds(), "watch").run(ended))

            async def found() -> BreakRow | None:
                wanted = {"reconciliation": "watch", "due": True, "cause": None, "state": None, "account": None}
                async with node.database.tenant(node.tenant) as connection:
                    rows = await LIST_BREAKS.all(connection, {**wanted, "most": 9})
                return next((row for row in rows if row.side == "expected" and row.exception), None)

            async def is_asked() -> bool:
                return await found() is not None

            async def accepted() -> bool:
                wanted = {"reconciliation": "watch", "due": False, "cause": None, "state": "accepted", "account": None}
                async with node.database.tenant(node.tenant) as connection:
                    return bool(await LIST_BREAKS.all(connection, {**wanted, "most": 9}))

            await until(is_asked)
            asked = await found()
            assert asked is not None
            assert asked.exception is not None
            await resolve_exception(
                node.database, node.writer, node.tenant, asked.exception, Way.ANSWER, who="rosa", why="looked",
                value={"settle": "accept", "reason": "known"}, registry=node.registry,
            )  # fmt: skip
            await until(accepted)
            ended.set()
            await watching
