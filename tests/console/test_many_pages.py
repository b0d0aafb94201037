"""A hundred open pages: all see a change within a second of processor time, and the list is made for all at once."""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest
from tests.console.visiting import refund_orders, signed_in, site
from tests.pg.stage import Stage, declared

from interlock.cases.registry import Registry
from interlock.console import queue
from interlock.oversight.claims import claim, release
from interlock.oversight.desk import Desk
from interlock.oversight.listing import list_work

PAGES = 100
CHANGES = 3
JITTER_S = 0.2
"""As the page's script waits before it asks."""


class OpenPage:
    """What a browser does that has the queue open: it waits for news and asks for the list."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self.listens = asyncio.Event()
        self.seen: list[tuple[float, bool]] = []

    async def run(self) -> None:
        """Follow until cancelled."""
        async with self._http.stream("GET", "/console/live?topics=reviews+exceptions") as answer:
            async for line in answer.aiter_lines():
                if line == "event: hello":
                    self.listens.set()
                if line == "event: news":
                    await asyncio.sleep(random.uniform(0, JITTER_S))
                    listed = await self._http.get("/console/queue/list")
                    self.seen.append((time.perf_counter(), "taken by ana" in listed.text))

    async def shows(self, taken: bool, since: float) -> float:  # noqa: FBT001 - what is waited for
        """How long after a moment the page showed it."""
        async with asyncio.timeout(10):
            while True:
                for at, shown in self.seen:
                    if at > since and shown == taken:
                        return at - since
                await asyncio.sleep(0.005)


async def test_a_change_reaches_a_hundred_open_pages_within_a_second(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = 0

    async def counted(*args: object, **terms: object) -> object:
        nonlocal made
        made += 1
        return await list_work(*args, **terms)  # type: ignore[arg-type]

    monkeypatch.setattr(queue, "list_work", counted)
    async with AsyncExitStack() as stack:
        node, url = await stack.enter_async_context(site(database_url, Registry([declared(refund_orders, tmp_path)])))
        async with Stage(node) as stage:
            await stage.work()
            for at in range(4):
                await stage.submit(key=f"k{at}", amount="120.00")
            reviews = await stage.wait_for_reviews(4)
        people = [await signed_in(stack, node, url, name) for name in ("ana", "bob", "cleo", "dan", "eve")]
        limits = httpx.Limits(max_connections=None)
        clients = [
            await stack.enter_async_context(
                httpx.AsyncClient(base_url=url, cookies=people[at % 5].http.cookies, timeout=30, limits=limits)
            )
            for at in range(PAGES)
        ]
        pages = [OpenPage(client) for client in clients]
        tasks = [asyncio.create_task(page.run()) for page in pages]
        await asyncio.gather(*(page.listens.wait() for page in pages))
        desk, ana = Desk(node.database, node.writer, node.authority), people[0].visitor.actor
        took: list[float] = []
        before, cpu = made, time.process_time()
        for change in range(CHANGES):
            since = time.perf_counter()
            await (release if change % 2 else claim)(desk, ana, reviews[0].id)
            took += await asyncio.gather(*(page.shows(change % 2 == 0, since) for page in pages))
        spent = (time.process_time() - cpu) / CHANGES
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    took.sort()
    asked = sum(len(page.seen) for page in pages) / PAGES / CHANGES
    told = (
        f"{PAGES} pages: p50 {statistics.median(took):.3f} s, p95 {took[int(len(took) * 0.95)]:.3f} s, "
        f"{spent:.3f} s of processor time a change, {asked:.1f} requests a page, {made - before} lists made"
    )
    # by processor time, the pages' own included: a machine that others use is late by what they take
    assert spent < 1 - JITTER_S, told
    assert asked < 2, told
    assert made - before < CHANGES * 8, told
