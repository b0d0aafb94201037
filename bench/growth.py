"""What one decision costs with few and with many of them stored: processor time of the server and of the database.

A database for each number of stored decisions, all in one embedded PostgreSQL with durability on, filled by the server
with copies of real ones (see ground/filling.py). Then decisions are taken in each in turn, round after round, so that
whatever else the machine does falls on all alike; what is compared is the median of the rounds. Beside it: reading one
stored decision by its id, and finding it by its key, both at random. LONG=1 also stores a million, and ten million
where the disk has room for these. The last line is JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from ground.filling import Size, fill, sizes
from ground.made import LENDING, MADE, make_lending
from ground.world import PATIENCE_S, World, line_of

from interlock.db.embedded import EmbeddedPostgres
from interlock.db.migrate import migrate

SHORT, LONG = (10_000, 200_000), (10_000, 1_000_000, 10_000_000)
ORIGINALS = 1000
ROUNDS, EACH, READS = 9, 1000, 1000
GOAL_BYTES = 4000
"""No stored decision may take more: ten million on 40 GB."""
SPARE_GB = 6.0
"""Of the disk, beside what is stored: the write-ahead log, and whoever else needs room."""


class Cost(NamedTuple):
    """Microseconds each: processor time of the process and of the database, and time on the wall."""

    server_us: float
    database_us: float
    wall_us: float

    @property
    def cpu_us(self) -> float:
        """Processor time in all."""
        return self.server_us + self.database_us


class Stored:
    """A database with so many decisions, and the process that takes more of them.

    Args:
        decisions: How many are stored.
        world: For processor times.
        process: What obeys.
    """

    def __init__(self, decisions: int, world: World, process: subprocess.Popen[str]) -> None:
        self.decisions = decisions
        self.costs: dict[str, list[Cost]] = {}
        self._world = world
        self._process = process

    def order(self, verb: str, count: int) -> Cost:
        """Have it done; what each cost."""
        if self._process.stdin is None:
            raise AssertionError("the process takes orders")
        before = self._world.database_cpu()
        self._process.stdin.write(f"{verb} {count}\n")
        self._process.stdin.flush()
        told: dict[str, float] = json.loads(line_of(self._process))
        return Cost(told["cpu_us"], (self._world.database_cpu() - before) / count * 1e6, told["wall_us"])

    def measure(self, verb: str, count: int) -> None:
        """Have it done, and keep what it cost."""
        self.costs.setdefault(verb, []).append(self.order(verb, count))

    def typical(self, verb: str) -> Cost:
        """The median of the rounds."""
        return Cost(*(median(values) for values in zip(*self.costs[verb], strict=True)))


@contextmanager
def growing(world: World, url: str, decisions: int, run: str) -> Generator[Stored]:
    """The process that takes decisions in one database."""
    command = [sys.executable, str(LENDING / "growing.py"), "--url", url, "--made", str(MADE), "--run", run]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        line_of(process)
        yield Stored(decisions, world, process)
        process.communicate(timeout=PATIENCE_S)


def begin(world: World, decisions: int) -> str:
    """A database with so many decisions: some real ones, and copies of these; its URL."""
    url = world.database(f"stored{decisions}")
    asyncio.run(migrate(url))
    with growing(world, url, 0, "original") as process:
        process.order("decide", ORIGINALS)
    began = time.monotonic()
    fill(url, decisions)
    print(f"{decisions:>10,} stored in {time.monotonic() - began:.0f} s", flush=True)
    return url


def fits(folder: Path, decisions: int, each: float) -> bool:
    """Whether the disk has room for so many more of so many bytes; says so where it has none."""
    needed, free = decisions * each / 1e9 + SPARE_GB, shutil.disk_usage(folder).free / 1e9
    if needed > free:
        print(f"{decisions:>10,} would need {needed:.0f} GB of disk and {free:.0f} are free: skipped", flush=True)
    return needed <= free


def measure(all_stored: Sequence[Stored]) -> None:
    """Round after round in each."""
    for stored in all_stored:
        stored.order("decide", EACH)  # the first plans, pages and quick components
    for _ in range(ROUNDS):
        for stored in all_stored:
            stored.measure("decide", EACH)
    for _ in range(ROUNDS):
        for stored in all_stored:
            for verb in ("read", "find"):
                stored.measure(verb, READS)


def show_costs(all_stored: Sequence[Stored]) -> None:
    """A line for each number of decisions and each verb."""
    print(f"{'stored':>10} {'verb':>7} {'us: server':>10} {'database':>9} {'together':>9} {'wall':>8}")
    for stored in all_stored:
        for verb in stored.costs:
            one = stored.typical(verb)
            print(
                f"{stored.decisions:>10,} {verb:>7} {one.server_us:>10.0f} {one.database_us:>9.0f} {one.cpu_us:>9.0f} "
                f"{one.wall_us:>8.0f}"
            )


def bytes_each(found: dict[str, Size], decisions: int) -> float:
    """The bytes of one decision with all that belongs to it."""
    return sum(size.table + size.indexes for size in found.values()) / decisions


def show_sizes(found: dict[str, Size], decisions: int) -> None:
    """A line for each table."""
    print(f"{'bytes a decision':>18} {'rows':>6} {'table':>7} {'indexes':>7}")
    for name, size in found.items():
        rows, table, indexes = size.rows / decisions, size.table / decisions, size.indexes / decisions
        print(f"{name:>18} {rows:>6.2f} {table:>7.0f} {indexes:>7.0f}")
    each = bytes_each(found, decisions)
    print(f"{'together':>18} {'':>6} {each:>15.0f}: {each / 100:.1f} GB for ten million")


def report(all_stored: Sequence[Stored], each: float) -> None:
    """Print the ratios, and the line for machines."""
    first, last = all_stored[0], all_stored[-1]
    figures: dict[str, Any] = {"python": platform.python_version(), "bytes_each": round(each)}
    goals: list[dict[str, Any]] = []
    for stored in all_stored:
        for verb in stored.costs:
            told = {name: round(value, 1) for name, value in stored.typical(verb)._asdict().items()}
            figures[f"{verb}_at_{stored.decisions}"] = told
    for stored in all_stored[1:]:
        for verb, goal in (("decide", 1.2), ("read", None), ("find", None)):
            ratio = stored.typical(verb).cpu_us / first.typical(verb).cpu_us
            name = f"{verb}: times its cost at {first.decisions:,} with {stored.decisions:,} stored"
            print(f"{name}: {ratio:.2f}" + (f" (goal {goal})" if goal else ""))
            figures[f"{verb}_ratio_at_{stored.decisions}"] = round(ratio, 3)
            if goal:
                goals.append({"name": name, "value": round(ratio, 3), "goal": goal, "met": ratio <= goal})
    goals.append({"name": "bytes a decision", "value": round(each), "goal": GOAL_BYTES, "met": each <= GOAL_BYTES})
    figures["stored"] = last.decisions
    print(json.dumps({"bench": "growth", "figures": figures, "goals": goals}))


def main() -> None:
    """Fill, measure and report."""
    wanted = LONG if os.environ.get("LONG") else SHORT
    make_lending()
    with tempfile.TemporaryDirectory(prefix="interlock-bench-") as folder, ExitStack() as stack:
        data = Path(folder) / "server"
        server = stack.enter_context(EmbeddedPostgres(data, linger=0))
        world = World(data, server)
        urls: dict[int, str] = {}
        found: dict[str, Size] = {}
        for count in wanted:
            if fits(Path(folder), count, bytes_each(found, max(urls, default=1)) or GOAL_BYTES):
                urls[count] = begin(world, count)
                found = sizes(urls[count])
        with ExitStack() as processes:
            all_stored = [processes.enter_context(growing(world, url, count, "run")) for count, url in urls.items()]
            measure(all_stored)
        show_costs(all_stored)
        show_sizes(found, max(urls))
        report(all_stored, bytes_each(found, max(urls)))
        server.stop(wait=20)


if __name__ == "__main__":
    main()
