"""Three times as many decisions as the server can take: what is accepted is in time and on record, the rest is refused.

The API that ships in one process, a load generator in another, one embedded PostgreSQL with durability on. First as
fast as answers come, on 64 connections: the capacity. Then three times as much at even intervals, whatever became of
the requests before. Then one after the other, as soon as that is over. Every answer is held against what is stored.
INTERLOCK_BENCH_SECONDS sets how long each load lasts. The last line is JSON.
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
from collections import Counter
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

import psutil
import psycopg
from ground.made import LENDING, MADE, make_lending
from ground.world import PATIENCE_S, World, line_of

from interlock.db.embedded import EmbeddedPostgres
from interlock.db.migrate import migrate

SECONDS = float(os.environ.get("INTERLOCK_BENCH_SECONDS", "6"))
WARM_UP_S = 2.0
TIMES = 3
CONNECTIONS, CROWD = 64, 400
ACCEPTED, REFUSED = (200, 202), 503
STORED = "select key, id::text from interlock.decision"


class Answered(NamedTuple):
    """What one load met.

    Attributes:
        told: What the generator measured.
        answers: Key, status and decision's id of every answer, those of the warm-up too.
        memory: Resident bytes of the server, twenty times a second.
    """

    told: dict[str, Any]
    answers: list[tuple[str, int, str]]
    memory: list[int]

    @property
    def accepted_per_s(self) -> float:
        """Decisions a second."""
        return self.told["per_s"]

    @property
    def statuses(self) -> Counter[int]:
        """How many answers there were of each status."""
        return Counter(status for _, status, _ in self.answers)


class Watch(Thread):
    """Looks at the memory of a process until it is told to end."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.seen: list[int] = []
        self.ends = False
        self._process = psutil.Process(pid)

    def run(self) -> None:
        """Look twenty times a second."""
        while not self.ends:
            self.seen.append(self._process.memory_info().rss)
            time.sleep(0.05)


class Server:
    """The server under the load.

    Args:
        folder: For what the generator records.
        process: The server's process; its first line is the URL, its second a key.
    """

    def __init__(self, folder: Path, process: subprocess.Popen[str]) -> None:
        self._folder = folder
        self._process = process
        self._url, self._key = line_of(process).strip(), line_of(process).strip()

    def load(self, run: str, *, connections: int, rate: float = 0.0, seconds: float = SECONDS) -> Answered:
        """Load it, and look at its memory meanwhile."""
        record = self._folder / run
        command = [sys.executable, str(LENDING / "generator.py"), "--server", self._url, "--key", self._key]
        command += ["--run", run, "--connections", str(connections), "--rate", str(rate), "--record", str(record)]
        command += ["--seconds", str(seconds), "--warm-up", str(WARM_UP_S)]
        watch = Watch(self._process.pid)
        watch.start()
        try:
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=PATIENCE_S + seconds)
        finally:
            watch.ends = True
            watch.join(timeout=5)
        lines = (line.split(" ") for line in record.read_text().splitlines())
        answers = [(key, int(status), id_) for key, status, id_ in lines]
        return Answered(json.loads(done.stdout), answers, watch.seen)


def missing(url: str, loads: list[Answered]) -> dict[str, int]:
    """What the answers say and the database does not, and the other way round; each counted."""
    with psycopg.connect(url) as admin:
        rows = [(str(key), str(id_)) for key, id_ in admin.execute(STORED)]
    stored = dict(rows)
    answers = [answer for load in loads for answer in load.answers]
    return {
        "accepted and not stored under its id": sum(
            stored.get(key) != id_ for key, status, id_ in answers if status in ACCEPTED
        ),
        "refused and stored": sum(key in stored for key, status, _ in answers if status not in ACCEPTED),
        "stored twice": len(rows) - len(stored),
        "answers that are neither": sum(status not in (*ACCEPTED, REFUSED) for _, status, _ in answers),
        "connections lost": sum(load.told["connections_lost"] for load in loads),
        "requests without an answer": sum(load.told["unanswered"] for load in loads),
    }


def growth(memory: list[int]) -> float:
    """By which part the memory has grown from the middle of a load to its end."""
    middle, end = memory[len(memory) // 2], max(memory[-5:])
    return end / middle - 1


def show(name: str, load: Answered) -> None:
    """One line of the table."""
    told, refused = load.told, load.statuses[REFUSED]
    print(
        f"{name:>16} {told['per_s']:>9.0f} {told['p50_ms']:>8.1f} {told['p99_ms']:>8.1f} {refused:>8} "
        f"{told['refused_p50_ms']:>8.1f} {told['refused_p99_ms']:>8.1f} {max(load.memory) / 1e6:>9.0f}",
        flush=True,
    )


def report(full: Answered, over: Answered, after: Answered, wrong: dict[str, int]) -> None:
    """Print the ratios, and the line for machines."""
    share = over.statuses[REFUSED] / max(1, len(over.answers))
    values = (
        ("p99 of what is accepted, times that at capacity", over.told["p99_ms"] / full.told["p99_ms"], 2.0, False),
        (
            "p99 of refusals, times p50 of what is accepted",
            over.told["refused_p99_ms"] / over.told["p50_ms"],
            1.0,
            False,
        ),
        ("accepted a second, part of the capacity", over.accepted_per_s / full.accepted_per_s, 0.8, True),
        ("growth of memory from the middle to the end", growth(over.memory), 0.2, False),
        ("share that is refused", share, 0.3, True),
        ("refused once the load is gone", after.statuses[REFUSED], 0, False),
        *((name, count, 0, False) for name, count in wrong.items()),
    )
    goals: list[dict[str, Any]] = []
    for name, value, goal, least in values:
        print(f"{name}: {value:.3g} (goal {'at least' if least else 'at most'} {goal:g})")
        met = value >= goal if least else value <= goal
        goals.append({"name": name, "value": round(value, 3), "goal": goal, "met": met})
    figures: dict[str, Any] = {"python": platform.python_version(), "seconds": SECONDS}
    for name, load in (("capacity", full), ("overload", over), ("after", after)):
        figures |= {f"{name}_{key}": value for key, value in load.told.items() if key != "statuses"}
        figures[f"{name}_statuses"] = {str(status): count for status, count in sorted(load.statuses.items())}
    print(json.dumps({"bench": "overload", "figures": figures, "goals": goals}))


def main() -> None:
    """Measure and report."""
    make_lending()
    with tempfile.TemporaryDirectory(prefix="interlock-bench-") as name:
        folder = Path(name)
        with EmbeddedPostgres(folder / "server", linger=0) as database:
            url = World(folder / "server", database).database("decisions")
            asyncio.run(migrate(url))
            command = [sys.executable, str(LENDING / "server.py"), "--url", url, "--made", str(MADE)]
            with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
                server = Server(folder, process)
                heads = ("accepted/s", "p50 ms", "p99 ms", "refused", "p50 ms", "p99 ms", "memory MB")
                print(f"{'':>16} {heads[0]:>9} " + " ".join(f"{head:>8}" for head in heads[1:]))
                full = server.load("capacity", connections=CONNECTIONS)
                show("at capacity", full)
                rate = TIMES * full.accepted_per_s
                over = server.load("overload", connections=CROWD, rate=rate)
                show(f"{TIMES} times as much", over)
                after = server.load("after", connections=1, seconds=1)
                show("one at a time", after)
                process.communicate(timeout=PATIENCE_S)
            report(full, over, after, missing(url, [full, over, after]))
            database.stop(wait=20)


if __name__ == "__main__":
    main()
