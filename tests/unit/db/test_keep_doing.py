"""A duty goes on whatever becomes of it, says once what is wrong, and ends when it is told to."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager

import psycopg
import pytest

from interlock.db.keep_doing import keep_doing
from interlock.errors import DatabaseUnavailable

AWAY = DatabaseUnavailable("the database cannot be reached", where="database", todo="start it")


@asynccontextmanager
async def done(outcomes: Iterator[Exception | None]) -> AsyncGenerator[list[float]]:
    """A duty with these outcomes, and when it was done, after the last of them."""
    times: list[float] = []
    ended = asyncio.Event()

    async def do() -> None:
        times.append(asyncio.get_running_loop().time())
        try:
            outcome = next(outcomes)
        except StopIteration:
            ended.set()
            return
        if outcome:
            raise outcome

    task = asyncio.create_task(keep_doing("verdicts", do, 0.001))
    async with asyncio.timeout(5):
        await ended.wait()
    try:
        yield times
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()


async def test_what_fails_is_tried_again_and_is_told_once_of_a_kind(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "interlock.duties")
    failing = [
        AWAY,
        AWAY,
        psycopg.OperationalError("gone"),
        ValueError("x"),
        ValueError("y"),
        None,
        None,
        ValueError("z"),
    ]
    async with done(iter(failing)) as times:
        assert len(times) == len(failing) + 1
        await asyncio.sleep(0)
    assert [line.partition(":")[0] for line in caplog.messages] == [
        *["verdicts have to wait, trying again"] * 3,
        "verdicts go on",
        "verdicts have to wait, trying again",
        "verdicts go on",
    ]
    # what nobody has foreseen is told with where it comes from
    assert [bool(one.exc_info) for one in caplog.records] == [False, False, True, False, True, False]


async def test_what_swallows_its_cancellation_ends_all_the_same() -> None:
    begun, times = asyncio.Event(), 0

    async def swallow() -> None:
        nonlocal times
        times += 1
        begun.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return  # as wait_for of Python 3.11 can

    task = asyncio.create_task(keep_doing("verdicts", swallow, 0.001))
    await begun.wait()
    task.cancel()
    async with asyncio.timeout(5):
        await asyncio.gather(task, return_exceptions=True)
    assert times == 1


async def test_what_takes_long_is_done_less_often() -> None:
    times: list[float] = []
    enough = asyncio.Event()

    async def slow() -> None:
        times.append(asyncio.get_running_loop().time())
        if len(times) > 1:
            enough.set()
        await asyncio.sleep(0.02)

    task = asyncio.create_task(keep_doing("verdicts", slow, 0.001, part=5))
    async with asyncio.timeout(5):
        await enough.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert times[1] - times[0] >= 6 * 0.02 * 0.95
