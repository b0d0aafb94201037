"""Wakes: few notifications for many, near and far, over lost connections."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from interlock.db.database import Database
from interlock.db.signals import CHANNEL, Notifier

Admin = psycopg.Connection[tuple[Any, ...]]


async def until(true: Callable[[], bool], seconds: float = 5.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come about in time"
        await asyncio.sleep(0.01)


async def connected(admin: Admin, number: int) -> None:
    """Wait until so many connections listen."""
    query = "select count(*) from pg_stat_activity where datname = current_database() and query ilike 'listen %%'"
    await until(lambda: admin.execute(query.encode(), ()).fetchall() == [(number,)])


async def test_a_wake_reaches_this_process_without_the_database() -> None:
    notifier = Notifier("host=/nonexistent")
    heard: list[str] = []
    notifier.listen("a", lambda: heard.append("a"))
    notifier.listen("b", lambda: heard.append("b"))
    async with notifier:
        notifier.wake("a", "unheard")
        await until(lambda: heard == ["a"], 0.2)


async def test_a_wake_reaches_other_processes(database_url: str, notifier: Notifier, admin: Admin) -> None:
    heard: list[float] = []
    async with Notifier(database_url) as other:
        other.listen("news", lambda: heard.append(time.monotonic()))
        await connected(admin, 2)
        began = time.monotonic()
        notifier.wake("news")
        await until(lambda: bool(heard))
        assert heard[0] - began < 0.5


async def test_what_one_notification_cannot_hold_goes_with_the_next(
    database_url: str, notifier: Notifier, admin: Admin
) -> None:
    names = [f"case:{number:040}" for number in range(1000)]  # 46 kB; PostgreSQL refuses 8,000 bytes
    heard: list[str] = []
    async with Notifier(database_url) as other:
        for name in names:
            other.listen(name, lambda name=name: heard.append(name))
        await connected(admin, 2)
        notifier.wake(*names)
        await until(lambda: len(heard) == len(names))
    assert heard == names


async def test_a_thousand_wakes_are_few_notifications_and_all_arrive(
    database_url: str, notifier: Notifier, admin: Admin
) -> None:
    names = [f"case:{number}" for number in range(1000)]
    heard: set[str] = set()
    async with Notifier(database_url) as other:
        for name in names:
            other.listen(name, lambda name=name: heard.add(name))
        await connected(admin, 2)
        admin.execute(f"listen {CHANNEL}".encode())
        for name in names:
            for _ in range(3):
                notifier.wake(name)
            await asyncio.sleep(0.001)
        await until(lambda: len(heard) == len(names))
    notices = list(admin.notifies(timeout=0.3))
    assert 2 <= len(notices) <= 120


async def test_no_more_than_fifty_notifications_a_second(notifier: Notifier, admin: Admin) -> None:
    await connected(admin, 1)
    admin.execute(f"listen {CHANNEL}".encode())
    began = time.monotonic()
    count = 0
    while (took := time.monotonic() - began) < 1.5:
        notifier.wake("news")
        count += 1
        await asyncio.sleep(0.0005)
    await asyncio.sleep(0.1)
    notices = list(admin.notifies(timeout=0.3))
    assert count > 500
    assert 5 <= len(notices) <= 50 * took + 5


async def test_it_finds_lost_connections_again(database_url: str, notifier: Notifier, admin: Admin) -> None:
    heard: list[None] = []
    async with Notifier(database_url) as other:
        other.listen("news", lambda: heard.append(None))
        await connected(admin, 2)
        admin.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() "
            "and pid <> pg_backend_pid()"
        )
        await connected(admin, 0)
        await connected(admin, 2)
        await asyncio.sleep(0.6)  # the sender notices at its next wake, which is lost, and connects again
        notifier.wake("news")
        await asyncio.sleep(0.7)
        heard.clear()
        notifier.wake("news")
        await until(lambda: bool(heard))


async def test_a_name_that_cannot_travel_is_refused(notifier: Notifier) -> None:
    for name in ("", "two words", "new\nline", "x" * 201, "nul\0"):
        with pytest.raises(ValueError, match="no name of a wake"):
            notifier.wake(name)


async def test_it_leaves_no_connection_open(database_url: str, database: Database, admin: Admin) -> None:
    async with Notifier(database_url) as notifier:
        notifier.wake("news")
        await connected(admin, 1)
        await asyncio.sleep(0.1)
    gc.collect()  # a connection that is forgotten warns, and warnings are errors
    query = b"select count(*) from pg_stat_activity where datname = current_database() and query ~* 'notify|listen i'"
    await until(lambda: admin.execute(query + b" and pid <> pg_backend_pid()").fetchall() == [(0,)])
