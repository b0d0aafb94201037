"""How long it takes to find decisions among many, for each kind of condition and for several together.

The shipped schema with its row security, an embedded PostgreSQL with durability on and its own small memory, and the
search as the API and the command line make it. Each kind is asked with values drawn at random, so that it seldom finds
what it has just read. A page that had to end before it was full, or before nothing was left, counts as cut short.
300,000 decisions, or DECISIONS of them; LONG=1 stores ten million, or as many millions as the disk has room for. The
last line is JSON.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import platform
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import psycopg
from ground.findable import POINTS, bytes_each, fields_of_point, fill
from psycopg import conninfo

from interlock.db.database import Database
from interlock.db.embedded import EmbeddedPostgres
from interlock.db.migrate import migrate
from interlock.search.find import find_decisions
from interlock.search.wanted import LAST_ID, wanted_of
from interlock.search.where import read_where

SHORT, LONG = 300_000, 10_000_000
BYTES_EACH = 1300
SPARE_GB = 4.0
EACH = int(os.environ.get("EACH", "30"))
GOAL_MS = 1000
CATALOG = {point: fields_of_point(point) for point in POINTS}
Draw = Callable[[random.Random], str]


def keyed(_field: str, value: bytes) -> bytes:
    """Stands for the tenant's secret, whose digests cost the same."""
    return hashlib.sha256(value).digest()


def day(drawn: random.Random) -> str:
    """A day on which something was issued."""
    return (date(1, 1, 1) + timedelta(days=738_000 + drawn.randrange(1000))).isoformat()


def narrow_total(drawn: random.Random) -> str:
    """A thousandth of a number's size."""
    low = drawn.randrange(1000, 300_000)
    return f"total>={low} total<{low * 1.001:.4f}"


def narrow_amount(drawn: random.Random) -> str:
    """Less than one unit of money."""
    low = drawn.randrange(500, 4400)
    return f'exposure>="{low}.00 MYR" exposure<"{low}.90 MYR"'


KINDS: dict[str, Draw] = {
    "text, of one decision in five": lambda _: 'vendor="VENDOR 0"',
    "text, rare": lambda drawn: f'vendor="vendor {drawn.randrange(1, 50_000)}"',
    "beginning of a text": lambda drawn: f'vendor^="vendor {drawn.randrange(10, 1000)}"',
    "number": lambda drawn: f"total={drawn.randrange(2, 300_000)}",
    "number, of one in seven": lambda _: "total=1000",
    "numbers, a narrow range": narrow_total,
    "numbers, most of them": lambda drawn: f"total>={drawn.randrange(2, 100)}",
    "time, a day": lambda drawn: f"issued={day(drawn)}",
    "time, most of it": lambda _: "issued>=2021-09-01",
    "personal value": lambda drawn: f'buyer="buyer {drawn.randrange(1, 50_000)}"',
    "version, of nine in ten": lambda _: "component=rules:approve@1",
    "version, of one in ten thousand": lambda _: "component=rules:approve@3",
    "version of the contract": lambda _: "contract=receipt@1.1.0",
    "person": lambda drawn: f"by=person-{drawn.randrange(200)}",
    "caller": lambda drawn: f"caller=till-{drawn.randrange(20) * 20}",
    "amount, a narrow range": narrow_amount,
    "amount, most of them": lambda drawn: f'exposure>="{drawn.randrange(1, 9)} MYR"',
    "point": lambda _: "route=review",
    "time taken": lambda drawn: f"since={drawn.randrange(1, 300)}h until={drawn.randrange(1, 2)}h",
    "two common ones": lambda drawn: f'vendor="vendor 0" total>={drawn.randrange(2, 1000)}',
    "three common ones": lambda _: 'vendor="vendor 0" total=1000 component=rules:approve@2',
    "a common and a rare one": lambda drawn: f'component=rules:approve@1 vendor="vendor {drawn.randrange(1, 50_000)}"',
    "amount, route, confidence, time": lambda drawn: (
        f'exposure>="{drawn.randrange(10, 900)} MYR" route=review confidence<0.{drawn.randrange(10, 99)} since=200h'
    ),
    "everything at once": lambda drawn: (
        f'vendor="vendor 0" total>={drawn.randrange(2, 500)} issued>=2021-09-01 component=rules:approve@1 route=review '
        f'exposure>="1 MYR" confidence>0.5 since=400h by=person-{drawn.randrange(200)}'
    ),
    "nothing, of common ones": lambda _: 'vendor="vendor 0" total=1000 component=rules:approve@3 confidence>0.999',
}
"""What is asked, by kind."""


class Took(NamedTuple):
    """What one kind took: milliseconds, how many it found, how many pages were cut short."""

    p50: float
    p99: float
    found: float
    short: int


async def measure(database: Database, tenant: UUID) -> dict[str, Took]:
    """Ask each kind many times, all kinds in turn."""
    drawn = random.Random(7)
    times: dict[str, list[float]] = {kind: [] for kind in KINDS}
    found: dict[str, list[int]] = {kind: [] for kind in KINDS}
    short = dict.fromkeys(KINDS, 0)
    cursor = LAST_ID
    for turn in range(EACH):
        for kind, draw in KINDS.items():
            where = draw(drawn)
            wanted = wanted_of(
                read_where(where), drawn.choice(POINTS) if kind == "point" else None, CATALOG,
                now=database.clock.now(), keyed=keyed,
            )  # fmt: skip
            began = time.perf_counter()
            page = await find_decisions(database, tenant, wanted, before=cursor if turn % 5 == 4 else LAST_ID)
            times[kind].append((time.perf_counter() - began) * 1000)
            found[kind].append(len(page.decisions))
            short[kind] += not page.complete and len(page.decisions) < 50
            cursor = page.next or cursor
    return {
        kind: Took(_quantile(times[kind], 0.5), _quantile(times[kind], 0.99), sum(found[kind]) / EACH, short[kind])
        for kind in KINDS
    }


def _quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


def fitting(folder: Path) -> int:
    """As many as were asked for, or as the disk has room for, in whole millions."""
    if not os.environ.get("LONG"):
        return int(os.environ.get("DECISIONS", SHORT))
    room = (shutil.disk_usage(folder).free / 1e9 - SPARE_GB) * 1e9 / BYTES_EACH
    return max(min(LONG, int(room / 1e6) * 1_000_000), SHORT)


async def run(url: str, wanted: int) -> None:
    """Fill, measure and report."""
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("create database find")
    url = conninfo.make_conninfo(url, dbname="find")
    await migrate(url)
    async with Database(url) as database:
        tenant, other = await database.ensure_tenant("default"), await database.ensure_tenant("other")
        began = time.perf_counter()
        fill(url, other, 1000, lambda _: None)
        fill(url, tenant, wanted, lambda done: print(f"{done:,} stored", file=sys.stderr, flush=True))
        filled, each = time.perf_counter() - began, bytes_each(url, wanted)
        took = await measure(database, tenant)
    print(f"{wanted:,} decisions, {each:.0f} bytes each with all that they are found by; stored in {filled:.0f} s")
    print(f"{'milliseconds':>34} {'p50':>7} {'p99':>7} {'found':>6} {'short':>6}")
    for kind, one in took.items():
        print(f"{kind:>34} {one.p50:>7.1f} {one.p99:>7.1f} {one.found:>6.1f} {one.short:>6}")
    worst = max(one.p99 for one in took.values())
    cut = sum(one.short for one in took.values())
    figures = {kind: {"p50_ms": round(one.p50, 2), "p99_ms": round(one.p99, 2)} for kind, one in took.items()}
    goals = [
        {"name": f"finding among {wanted:,}: p99 of the slowest kind, ms", "value": round(worst, 1), "goal": GOAL_MS,
         "met": worst < GOAL_MS},
        {"name": "pages that were cut short", "value": cut, "goal": 0, "met": cut == 0},
    ]  # fmt: skip
    for goal in goals:
        print(f"{goal['name']}: {goal['value']} (goal {goal['goal']})")
    told = {"python": platform.python_version(), "decisions": wanted, "bytes_each": round(each), **figures}
    print(json.dumps({"bench": "find", "figures": told, "goals": goals}))


def main() -> None:
    """Run it on a server of its own."""
    with (
        tempfile.TemporaryDirectory(prefix="interlock-bench-") as folder,
        EmbeddedPostgres(Path(folder) / "server", linger=0) as server,
    ):
        asyncio.run(run(server.url, fitting(Path(folder))))
        server.stop(wait=20)


if __name__ == "__main__":
    main()
