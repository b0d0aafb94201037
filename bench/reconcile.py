"""Reconciling the 22,540 real payments: matched, decided, recorded and booked, against a floor without decisions.

Runs `interlock demo reconciliation --data` in an empty folder: two worker processes, books that fail at times, files
in pieces and out of order. The floor reads the same files, solves them once, and posts the same journals to the same
books over 32 connections: no decision, no record, no case, and no database. Faults are the same for both. The payments
are looked for in `../shared/data/payments`, or where INTERLOCK_SHARED_DATA says. The last line is JSON for machines.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from interlock.cli.demo.reconciling.payments import SETTINGS, read_payments
from interlock.cli.demo.reconciling.world import fault_plan
from interlock.config import FILE, Settings
from interlock.packs.reconciliation.configured import settings_of, sources_of, terms_of
from interlock.packs.reconciliation.entry import Side
from interlock.packs.reconciliation.identity import with_identity
from interlock.packs.reconciliation.matching.scorer import load_scorer
from interlock.packs.reconciliation.matching.solve import solve
from interlock.packs.reconciliation.statements import read_statements
from interlock.sim import SimulatedBooks

CONNECTIONS = 32
SEED = 7
LONGEST_S = 900
SHARED = Path(os.environ.get("INTERLOCK_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))


def demo(folder: Path, data: Path) -> dict[str, Any]:
    """The demo's report."""
    command = [
        str(Path(sys.executable).with_name("interlock")),
        "demo",
        "reconciliation",
        "--json",
        "--data",
        str(data),
    ]
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, text=True, timeout=LONGEST_S, check=True)
    return json.loads(done.stdout)


def proposals(folder: Path, data: Path) -> pl.DataFrame:
    """What the solver proposes, of files that are read in memory."""
    (folder / FILE).write_text(SETTINGS)
    configured = settings_of(Settings.load({}, {}, folder))
    sources = {key: one for key, (_, one) in sources_of(configured).items()}
    sides: dict[Side, list[pl.DataFrame]] = {side: [] for side in Side}
    for file in read_payments(data).files:
        source = sources[f"{file.side}.{file.source}"]
        for statement in read_statements(
            file.data, format=source.format, dialect=source.dialect, account=source.account, currency=source.currency
        ):
            entries = with_identity(statement, file.side)
            told = {"account": pl.lit(statement.account), "currency": pl.lit(statement.currency)}
            sides[file.side].append(entries.with_columns(**told))
    expected, actual = (pl.concat(sides[side]).sort("identity") for side in Side)
    return solve(expected, actual, terms_of(configured), load_scorer()).proposals


def journals(found: pl.DataFrame) -> Iterator[bytes]:
    """A request for each proposal."""
    for number, (expected, actual) in enumerate(found.select("expected_minor", "actual_minor").iter_rows()):
        amounts = {"clearing:expected": -expected, "clearing:actual": actual, "differences": expected - actual}
        lines = [{"account": name, "amount": f"{minor / 100:.2f}"} for name, minor in amounts.items()]
        body = msgspec.json.encode(
            {"reference": f"m-{number}", "date": "2022-06-01", "currency": "GBP", "lines": lines}
        )
        head = f"POST /journals HTTP/1.1\r\nHost: books\r\nIdempotency-Key: k-{number}\r\nContent-Length: {len(body)}"
        yield head.encode() + b"\r\n\r\n" + body


async def post(port: int, requests: Iterator[bytes]) -> int:
    """Post them all, again where the answer is a fault; how many requests it took."""
    sent = 0

    async def connection() -> None:
        nonlocal sent
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for request in requests:
            status = b""
            while status not in {b"201", b"202"}:
                sent += 1
                try:
                    writer.write(request)
                    head = await reader.readuntil(b"\r\n\r\n")
                    status = head[9:12]
                    length = int(head.lower().split(b"content-length: ")[1].split(b"\r")[0])
                    await reader.readexactly(length)
                except (ConnectionError, asyncio.IncompleteReadError):
                    reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()

    await asyncio.gather(*(connection() for _ in range(CONNECTIONS)))
    return sent


def floor(folder: Path, data: Path) -> tuple[float, float, int]:
    """Seconds to read and solve, seconds to post, and how many postings."""
    began = time.monotonic()
    found = proposals(folder, data)
    solved = time.monotonic()
    with SimulatedBooks(folder / "floor.ledger", faults=fault_plan(SEED, few=True)) as books:
        asyncio.run(post(int(books.url.rpartition(":")[2]), journals(found)))
    return solved - began, time.monotonic() - solved, found.height


def main() -> None:
    """Measure and report."""
    data = SHARED / "payments"
    if not data.is_dir():
        sys.exit(f"the payments are not here: {data}")
    with tempfile.TemporaryDirectory(prefix="interlock-bench-") as folder:
        solve_s, post_s, postings = floor(Path(folder), data)
        report = demo(Path(folder), data)
    bare = solve_s + post_s
    print(f"the floor: read and solved in {solve_s:.1f} s, {postings} journals posted in {post_s:.1f} s")
    print(f"all of it: {report['matched_s']} s, {report['matched_s'] / bare:.1f} times the floor")
    figures: dict[str, Any] = {
        "python": platform.python_version(),
        "payments": report["expected"],
        "matched_s": report["matched_s"],
        "bookings_per_s": round(report["balance"]["ours"] / report["matched_s"], 1),
        "floor_solve_s": round(solve_s, 2),
        "floor_post_s": round(post_s, 2),
        "times_floor": round(report["matched_s"] / bare, 2),
        "memory_mb": report["memory_mb"],
        "all": report["score"],
        "held_out": report["held_out"],
    }
    print(json.dumps({"bench": "reconcile", "figures": figures, "goals": report["goals"]}))


if __name__ == "__main__":
    main()
