"""Rows a second of `interlock decide` over a Parquet table, durability on, beside a floor of the same rows inserted.

A row is an application of 30 fields (bench/lending): contract, gradient-boosting model, conditions, ledger entry; one
in a hundred goes to a person. The floor is what PostgreSQL takes for the very rows that the run wrote, in the same
units, with nothing of ours around them. `LONG=1` decides a million rows, otherwise a hundred thousand. The last line is
JSON.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import platform
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any
from uuid import UUID

import polars as pl
import psutil
import psycopg

from interlock.batch.run import TOGETHER
from interlock.clock import Clock
from interlock.db.database import Database, connect_service
from interlock.db.embedded import EmbeddedPostgres
from interlock.db.gates import TAKE_KEYS, KeyRow, key_digest, short_digest
from interlock.db.migrate import migrate
from interlock.db.queries import encode_rows
from interlock.decisions.decision import Decision, Route
from interlock.decisions.store import ADD_DECISIONS, FIND_DECISIONS, NewDecision
from interlock.ledger.ledger import ADD_ENTRIES, Entry

LENDING = Path(__file__).with_name("lending")
ROWS = 1_000_000 if os.environ.get("LONG") == "1" else 100_000
PART = 50_000
FLOOR_ROWS = 50_000
BODIES = "select id, body from ledger_entry where id = any(%(ids)s) and id between %(least)s and %(greatest)s"
GOAL = 10_000
MOST_GROWTH = 1.25
"""The most that the resident memory near the end may be, as a multiple of that in the middle."""


def prepare(folder: Path) -> None:
    """The workflow without its table and its action, the model, and the rows."""
    flow = folder / "flow"
    shutil.copytree(LENDING, flow, ignore=shutil.ignore_patterns("__pycache__"))
    sys.path.insert(0, str(flow))
    lending: Any = importlib.import_module("make")  # it lies in the folder just made

    file = flow / "lending.workflow.yaml"
    text = file.read_text().split("\nactions:")[0]
    kept = [line for line in text.splitlines() if not line.strip().startswith(("policy:", "then:"))]
    file.write_text("\n".join(kept).replace("exposure >= 90000 EUR", "exposure >= 99000 EUR") + "\n")
    lending.make(flow)
    dice = random.Random(1)
    parts: list[Path] = []
    for first in range(0, ROWS, PART):
        rows: list[dict[str, Any]] = [
            lending.application(dice, first + number) for number in range(min(PART, ROWS - first))
        ]
        parts.append(folder / f"part-{first}.parquet")
        pl.DataFrame(rows).write_parquet(parts[-1])
    pl.scan_parquet(parts).sink_parquet(folder / "in.parquet", row_group_size=PART)


class Watch(threading.Thread):
    """Looks at a process, those that it began and its server twice a second: resident memory, and processor time."""

    def __init__(self, process: subprocess.Popen[bytes], server: psutil.Process) -> None:
        super().__init__(daemon=True)
        self._process = psutil.Process(process.pid)
        self._server = server
        self.memory: list[float] = []
        self.cpu_s = 0.0
        self.server_s = 0.0
        self.processes = 1
        self._server_before = _time(self._server)

    def run(self) -> None:
        """Until the process has ended."""
        while True:
            try:
                self.cpu_s = max(self.cpu_s, _time(self._process))
                everyone = [self._process, *self._process.children(recursive=True)]
                self.processes = max(self.processes, len(everyone))
                self.memory.append(sum(one.memory_info().rss for one in everyone) / 1e6)
                self.server_s = max(self.server_s, _time(self._server) - self._server_before)
            except psutil.Error:
                return
            time.sleep(0.5)


def _time(process: psutil.Process) -> float:
    """Processor time of a process and all that it began and that still run."""
    spent = 0.0
    for one in [process, *process.children(recursive=True)]:
        try:
            times = one.cpu_times()
            spent += times.user + times.system
        except psutil.Error:
            continue
    return spent


def decide(folder: Path, url: str, server: psutil.Process) -> tuple[dict[str, Any], Watch]:
    """Run the command; its report, and what was seen of it."""
    told = {
        "INTERLOCK_DATABASE_URL": url,
        "INTERLOCK_WORKFLOWS": "workflow:lending",
        "PYTHONPATH": str(folder / "flow"),
    }
    command = [sys.executable, "-c", "from interlock.cli import main; main()", "decide", "lending.approve"]
    process = subprocess.Popen(
        [*command, "--in", "in.parquet", "--out", "out.parquet", "--report", "report.json"],
        cwd=folder,
        env={**os.environ, **told},
        stdout=subprocess.DEVNULL,
    )
    watch = Watch(process, server)
    watch.start()
    if process.wait(timeout=3600) != 0:
        raise SystemExit("the command failed")
    watch.join(timeout=5)
    return json.loads((folder / "report.json").read_text()), watch


async def floor(url: str) -> float:
    """The same rows a second: decisions, keys and entries of another tenant, in units of the same size, no more."""
    async with Database(url) as database:
        mine, other = [await database.ensure_tenant(name) for name in ("default", "floor")]
        async with database.tenant(mine) as connection:
            cursor = await connection.execute("select id from decision order by id limit %s", (FLOOR_ROWS,))
            ids: list[UUID] = [row[0] for row in await cursor.fetchall()]
            spread: dict[str, Any] = {"ids": ids, "least": ids[0], "greatest": ids[-1]}
            known = await FIND_DECISIONS.all(connection, spread)
            cursor = await connection.execute(BODIES, spread)
            bodies: dict[UUID, bytes] = {row[0]: row[1] for row in await cursor.fetchall()}
    clock = Clock()
    units = [known[start : start + TOGETHER] for start in range(0, len(known), TOGETHER)]
    sent = [_encoded(unit, other, clock, bodies) for unit in units]
    connection = await connect_service(url)
    async with connection:
        began = time.perf_counter()
        for keys, decisions, entries in sent:
            async with connection.pipeline():
                await connection.execute("begin")
                await connection.execute("select set_config('app.tenant', %s, true)", (str(other),))
                await connection.execute(TAKE_KEYS.text, {"rows": keys})
                await connection.execute(ADD_DECISIONS.text, {"rows": decisions})
                await connection.execute(ADD_ENTRIES.text, {"rows": entries})
                await connection.execute("commit")
        return len(known) / (time.perf_counter() - began)


def _encoded(unit: list[Decision], tenant: UUID, clock: Clock, bodies: dict[UUID, bytes]) -> tuple[str, str, str]:
    keys: list[KeyRow] = []
    decisions: list[NewDecision] = []
    entries: list[Entry] = []
    for one in unit:
        fields: dict[str, Any] = {name: getattr(one, name) for name in Decision.__struct_fields__}
        fields |= {"id": clock.new_id(), "review": None, "route": Route.AUTOMATIC}
        row = NewDecision(**fields, tenant=tenant)
        decisions.append(row)
        keys.append(KeyRow(key_digest(tenant, "floor", one.key), tenant, row.id, short_digest(one.input)))
        entries.append(
            Entry(
                id=row.id, tenant=tenant, kind="decision.taken", subject=row.id, case_id=None, at=one.decided_at,
                body=bodies[one.id],
            )
        )  # fmt: skip
    return encode_rows(keys), encode_rows(decisions), encode_rows(entries)


def main() -> None:
    """Measure and report."""
    with (
        tempfile.TemporaryDirectory(prefix="interlock-bench-") as name,
        EmbeddedPostgres(Path(name) / "server", linger=0) as server,
    ):
        folder = Path(name)
        asyncio.run(migrate(server.url))
        prepare(folder)
        report, watch = decide(folder, server.url, _postmaster(server.url))
        bare = asyncio.run(floor(server.url))
        server.stop(wait=60)
    memory = watch.memory
    # the last samples are of the one file that is made of all rows at the end: they stand apart
    start, middle, end = memory[min(4, len(memory) - 1)], memory[len(memory) // 2], memory[int(len(memory) * 0.9)]
    rate = float(report["decisions_per_s"])
    figures = {
        "rows": report["rows"],
        "decisions_per_s": rate,
        "floor_per_s": round(bare, 1),
        "share_of_floor": round(rate / bare, 2),
        "cpu_us_per_row": round(watch.cpu_s / report["rows"] * 1e6, 1),
        "server_cpu_us_per_row": round(watch.server_s / report["rows"] * 1e6, 1),
        "memory_mb_at_start": round(start),
        "memory_mb_in_the_middle": round(middle),
        "memory_mb_near_the_end": round(end),
        "memory_mb_at_most": round(max(memory)),
        "reviews": report["reviews_opened"],
        "processes": watch.processes,
        "processors": os.cpu_count(),
        "python": platform.python_version(),
    }
    for what, value in figures.items():
        print(f"{what:>28}: {value:>12}")
    goals = [
        {"name": "decisions a second", "value": rate, "goal": GOAL, "met": rate >= GOAL},
        {
            "name": "memory near the end to the middle", "value": round(end / middle, 2), "goal": MOST_GROWTH,
            "met": end / middle <= MOST_GROWTH,
        },
    ]  # fmt: skip
    print(json.dumps({"bench": "batch", "figures": figures, "goals": goals}))


def _postmaster(url: str) -> psutil.Process:
    """The server's first process."""
    with psycopg.connect(url) as connection:
        return psutil.Process(connection.info.backend_pid).parent() or psutil.Process()


if __name__ == "__main__":
    main()
