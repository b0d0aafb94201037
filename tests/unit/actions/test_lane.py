"""Places: no more at once than the limit, few in line, the others told at once when to come again."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta

from interlock.actions.lane import Lane

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def lane(most: int) -> Lane:
    return Lane("payments", most, lambda: NOW, random.Random(1))


async def test_no_more_go_at_once_than_the_limit_and_a_quarter_waits_in_line() -> None:
    of, most, done, told = lane(16), 0, 0, list[datetime]()
    release = asyncio.Event()

    async def go() -> None:
        nonlocal most, done
        async with of.place() as busy:
            if busy:
                assert busy.code == "busy"
                assert busy.what == "payments is at its limit of 16 at once"
                told.append(busy.until or NOW)
                return
            most = max(most, of.under_way)
            await release.wait()
            done += 1

    tasks = [asyncio.create_task(go()) for _ in range(100)]
    await asyncio.sleep(0.01)
    assert (of.under_way, of.in_line, len(told)) == (16, 4, 80)
    release.set()
    await asyncio.gather(*tasks)
    assert (most, done, of.under_way, of.in_line) == (16, 20, 0, 0)
    assert all(NOW + timedelta(seconds=0.1) <= one <= NOW + timedelta(seconds=15) for one in told)
    assert len({*told}) > 70


async def test_who_gives_up_waiting_or_fails_leaves_no_place_taken() -> None:
    of = lane(1)

    async def fail() -> None:
        async with of.place():
            raise RuntimeError

    async with of.place() as busy:
        assert busy is None
        waiting = asyncio.create_task(fail())
        await asyncio.sleep(0)
        assert of.in_line == 1
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    await asyncio.gather(fail(), return_exceptions=True)
    async with of.place() as busy:
        assert busy is None
    assert (of.under_way, of.in_line) == (0, 0)
