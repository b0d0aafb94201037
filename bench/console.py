"""How quick the console is: for an operator at the keyboard, and with a full queue and many decisions stored.

The receipts workflow on an embedded PostgreSQL with durability on, its site on loopback, Debian's Chromium.

1. A scripted operator clears 25 receipts by keyboard, LONG=1 a hundred: `1` approves, Ctrl-Enter decides and goes to
   the next. What is told is the console's own time for one item: from the key to the next item ready for a key, on the
   screen.
2. The queue is filled with 100,000 waiting items, and decisions are stored beside them: 30,000, LONG=1 five million.
   Each page is asked for 20 times over HTTP, LONG=1 30 times, the queue's also by filters that find much, few and
   nothing, and the pages of an item that waits and of one with its evidence, case, decision and proof. Its time is that
   of the whole answer, its weight what travels at a first visit: the page as it is, and all that it loads, compressed.
   What pages share for a second or two where many ask at once is switched off, so that each answer is made anew.
   Interactions are from the key to what it changes on the screen, the driver's own time included.

The last line is JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import re
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Hashable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx
import msgspec
import psycopg
from ground.desk import FLAGS, Desk, open_desk, settle
from ground.filling import fill
from ground.waiting import fill_waiting
from playwright.async_api import Browser, Page, async_playwright

from interlock.cli.demo.receipts import Handed
from interlock.console.assets import asset_path, assets
from interlock.console.shared import Shared
from interlock.packs.receipts.generate import Kind, generate

LONG = bool(os.environ.get("LONG"))
CLEARED = 100 if LONG else 25
WAITING = 100_000
DECISIONS = 5_000_000 if LONG else 30_000
TIMES = 30 if LONG else 20
HELD_S = 8.0
"""Longer than verdicts are held."""
GOAL_SERVER_MS, GOAL_INTERACTION_MS, GOAL_WEIGHT = 50.0, 100.0, 200_000
PAGES = (
    "/console", "/console/queue", "/console/queue?workflow=flow-1", "/console/queue?exposure_from=1000+EUR",
    "/console/queue?queue=queue-3", "/console/queue?team=team-1", "/console/queue?text=vendor+471",
    "/console/queue?text=nothing+of+it", "/console/exceptions", "/console/capacity", "/console/capacity?queue=queue-1",
    "/console/quality", "/console/autonomy", "/console/value", "/console/value/receipts", "/console/workflows",
    "/console/workflows/receipts", "/console/cases", "/console/decisions",
    "/console/actions", "/console/connectors", "/console/quarantine", "/console/contracts", "/console/rules",
    "/console/stops", "/console/ledger",
)  # fmt: skip
OF_ONE = """
select '/console/reviews/' || (select id from review where state = 'open' order by id desc limit 1) as path
union all
select '/console/' || kind || '/' || id from (
  select id as reviews, case_id as cases, decision_id as decisions from review
  where state = 'resolved' and case_id is not null order by id desc limit 1) v
cross join lateral (values ('reviews', v.reviews), ('cases', v.cases), ('decisions', v.decisions)) p (kind, id)
"""
"""The page of an item that waits, and those of one that was decided."""
READY = "[data-key~='1']"
"""What an item has once it can be decided by a key."""
ROLES = ("admin", "lead", "owner", "engineer", "auditor", "reviewer")


def p95(times: list[float]) -> float:
    """The 95th percentile."""
    return statistics.quantiles(times, n=20)[18]


async def made_anew(_self: Shared[Any], _question: Hashable, make: Callable[[], Awaitable[Any]]) -> object:
    """In place of what pages share: each asks for itself."""
    return await make()


def pages_of_one(url: str) -> list[str]:
    """The addresses of ``OF_ONE``."""
    with psycopg.connect(url, options="-c search_path=interlock") as admin:
        return [str(path) for (path,) in admin.execute(OF_ONE)]


def large(number: int) -> list[Handed]:
    """Receipts that are each for a person."""
    made = generate(11, number, today=datetime.now(UTC).date(), mix={Kind.LARGE: 1})
    return [
        Handed(
            key=f"large-{one['key']}",
            body=msgspec.json.encode(
                {"employee": f"employee-{at}", **{k: one[k] for k in ("words", "bboxes", "image_size")}}
            ),
            truth=None,
            kind="large",
        )
        for at, one in enumerate(made)
    ]


async def clear(page: Page, desk: Desk) -> list[float]:
    """Decide so many by keyboard; milliseconds from the deciding key to the next item, ready."""
    await page.goto(desk.url + "/console/queue")
    await page.keyboard.press("n")
    took: list[float] = []
    for _ in range(CLEARED):
        await page.locator(READY).wait_for()
        before = page.url.partition("?")[0]
        if await page.locator("input[value=approve]").is_enabled():
            await page.keyboard.press("1")
        else:  # nothing could read it: no, for the first reason of the list
            await page.keyboard.press("3")
            await page.locator("#reason-reject").press("ArrowDown")
        began = time.perf_counter()
        await page.keyboard.press("Control+Enter")
        if len(took) + 1 < CLEARED:
            await page.wait_for_url(lambda url, before=before: url.partition("?")[0] != before, wait_until="commit")
            await page.locator(READY).wait_for()
        took.append(1000 * (time.perf_counter() - began))
    return took[:-1]


def loaded_by(page: str) -> int:
    """The bytes of what a page loads beside itself, as they travel."""
    return sum(len(one.packed) for name, one in assets().items() if asset_path(name) in page)


async def ask(desk: Desk, cookie: dict[str, str], paths: list[str]) -> dict[str, tuple[float, float, int]]:
    """Ask for each page many times: p50 and p95 in milliseconds, and its weight in bytes."""
    found: dict[str, tuple[float, float, int]] = {}
    async with httpx.AsyncClient(base_url=desk.url, cookies={cookie["name"]: cookie["value"]}, timeout=60) as client:
        for path in paths:
            times: list[float] = []
            weight = 0
            for _ in range(TIMES + 2):
                began = time.perf_counter()
                answer = await client.get(path)
                times.append(1000 * (time.perf_counter() - began))
                if answer.status_code != 200:
                    sys.exit(f"{path} answered {answer.status_code}: {answer.text[:300]}")
                weight = weight or len(answer.content) + loaded_by(answer.text)
            found[path] = statistics.median(times[2:]), p95(times[2:]), weight
    return found


async def interact(page: Page, desk: Desk) -> dict[str, float]:
    """Interactions with the full queue: p95 in milliseconds."""
    await page.goto(desk.url + "/console/queue")

    moves: list[float] = []
    for at in range(TIMES):
        began = time.perf_counter()
        await page.keyboard.press("j")
        await page.locator(
            f"tbody[data-list] tr:nth-child({at + 1}) :focus, tbody[data-list] tr:nth-child({at + 1}):focus"
        ).first.wait_for()
        moves.append(1000 * (time.perf_counter() - began))
    opens: list[float] = []
    for _ in range(TIMES):
        await page.goto(desk.url + "/console/queue")
        await page.keyboard.press("j")
        began = time.perf_counter()
        await page.keyboard.press("Enter")
        await page.wait_for_url(re.compile("/(reviews|exceptions)/."), wait_until="commit")
        await page.locator("body[data-here] #main h1").wait_for()
        opens.append(1000 * (time.perf_counter() - began))
    return {"move in the list": p95(moves), "open an item": p95(opens)}


async def measure(desk: Desk, browser: Browser) -> None:
    """Clear, fill, ask; print."""
    _, cookie = await desk.sign_in("ana", ROLES)
    window = await browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    await window.add_cookies([cookie])  # type: ignore[list-item]
    page = await window.new_page()
    await desk.hand_in(large(CLEARED + 10))
    await settle(desk.node)
    each = await clear(page, desk)
    print(f"{CLEARED} receipts cleared by keyboard: {statistics.median(each):.0f} ms an item, p95 {p95(each):.0f} ms")
    await asyncio.sleep(HELD_S)  # the last verdicts take effect, and their cases end, before what is stored is replaced
    await settle(desk.node)
    began = time.perf_counter()
    await asyncio.to_thread(fill, desk.database_url, DECISIONS)
    await asyncio.to_thread(fill_waiting, desk.database_url, desk.node.tenant, WAITING)
    print(f"filled with {DECISIONS:,} decisions and {WAITING:,} waiting items in {time.perf_counter() - began:.0f} s")
    with patch.object(Shared, "get", made_anew):
        found = await ask(desk, cookie, [*PAGES, *pages_of_one(desk.database_url)])
    print(f"{'page':<64}{'p50 ms':>9}{'p95 ms':>9}{'kB':>7}")
    for path, (middle, most, weight) in found.items():
        print(f"{path:<64}{middle:>9.1f}{most:>9.1f}{weight / 1000:>7.0f}")
    seen = await interact(page, desk)
    print(", ".join(f"{name}: p95 {took:.0f} ms" for name, took in seen.items()))
    slow = {path: round(one[1], 1) for path, one in found.items() if one[1] > GOAL_SERVER_MS}
    worst = max(one[1] for one in found.values())
    heaviest = max(one[2] for one in found.values())
    slowest = max(seen.values())
    figures = {
        "python": platform.python_version(), "decisions": DECISIONS, "waiting": WAITING,
        "cleared_ms_each": round(statistics.median(each)), "cleared_ms_p95": round(p95(each)),
        "pages_p95_ms": {path: round(one[1], 1) for path, one in found.items()}, "slow": slow,
        "interactions_p95_ms": {name: round(took) for name, took in seen.items()},
    }  # fmt: skip
    goals = [
        {"name": "server time of every page at p95, ms", "value": round(worst, 1), "goal": GOAL_SERVER_MS,
         "met": worst < GOAL_SERVER_MS},
        {"name": "interaction at p95, ms", "value": round(slowest), "goal": GOAL_INTERACTION_MS,
         "met": slowest < GOAL_INTERACTION_MS},
        {"name": "heaviest page with all that it loads, bytes", "value": heaviest, "goal": GOAL_WEIGHT,
         "met": heaviest < GOAL_WEIGHT},
    ]  # fmt: skip
    print(json.dumps({"bench": "console", "figures": figures, "goals": goals}))


async def main() -> None:
    """Make the world and measure."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        sys.exit("Chromium is missing: apt-get install chromium")
    with tempfile.TemporaryDirectory() as folder:
        async with open_desk(Path(folder), 60) as desk, async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
            await measure(desk, browser)
            await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
