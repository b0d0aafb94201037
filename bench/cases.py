"""Cases a second: a workflow of four recorded steps, one an HTTP action, on Interlock and on two peers.

All three run one process with 32 cases under way on the same embedded PostgreSQL, each in a database of its own, and
call the same local HTTP server: Interlock by its own connector, on h11, the peers by httpx. Interlock's cases pass
their contract, limits and rate, and write ledger entries; a peer's case records its four steps. The peers live in
an environment of the benchmark's own, which the first run makes in .bench from bench/peers/requirements.lock. LONG=1
takes three turns of twenty seconds each. The last line is JSON for machines.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import Any, NamedTuple

from ground.world import PATIENCE_S, SIDES, World, line_of, make_environment, processes_cpu

from interlock.db.embedded import EmbeddedPostgres
from interlock.db.migrate import migrate

CALLERS = 32
TURNS, WARM_UP_S, SECONDS = (3, 4.0, 20.0) if os.environ.get("LONG") else (1, 2.0, 8.0)
GOALS = {"cases a second": 500.0, "times DBOS": 5.0, "times LangGraph": 10.0}


class Contender(NamedTuple):
    """Who runs: its script, with the Python that has its libraries."""

    name: str
    python: Path


class Measured(NamedTuple):
    """One turn of a contender; times in milliseconds, of a case from its start to its end, and of processors a case."""

    cases_per_s: float
    p50_ms: float
    p99_ms: float
    process_cpu_ms: float
    database_cpu_ms: float


@contextmanager
def outside() -> Generator[str]:
    """The HTTP server in a process of its own; where it is."""
    command = [sys.executable, str(SIDES / "http_server.py")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield f"http://127.0.0.1:{int(line_of(process))}"
        process.terminate()


def measure(world: World, outside: str, contender: Contender, turn: int) -> Measured:
    """Put one contender under the load, in a fresh database."""
    url = world.database(f"{contender.name}_{turn}")
    if contender.name == "interlock":
        asyncio.run(migrate(url))
    command = [str(contender.python), str(SIDES / f"{contender.name}_side.py"), "--url", url, "--server", outside]
    command += ["--callers", str(CALLERS), "--warm-up", str(WARM_UP_S), "--seconds", str(SECONDS)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        line_of(process)
        before = processes_cpu(process.pid), world.database_cpu()
        counted: dict[str, Any] = json.loads(line_of(process))
        after = processes_cpu(process.pid), world.database_cpu()
        process.communicate(timeout=PATIENCE_S)
    took: list[float] = counted["took"]
    cuts = quantiles(took, n=100)
    return Measured(
        cases_per_s=len(took) / SECONDS,
        p50_ms=median(took) * 1000,
        p99_ms=cuts[98] * 1000,
        process_cpu_ms=(after[0] - before[0]) / len(took) * 1000,
        database_cpu_ms=(after[1] - before[1]) / len(took) * 1000,
    )


def run(world: World, outside: str, contenders: list[Contender]) -> dict[str, Measured]:
    """Every contender's figures, each the median of turns that alternate, so that a slow moment hits all alike."""
    turns: dict[str, list[Measured]] = {contender.name: [] for contender in contenders}
    print(f"{'':>10} {'cases/s':>9} {'p50 ms':>9} {'p99 ms':>9} {'cpu ms/case: process':>21} {'database':>9}")
    for turn in range(TURNS):
        for contender in contenders:
            found = measure(world, outside, contender, turn)
            turns[contender.name].append(found)
            print(
                f"{contender.name:>10} {found.cases_per_s:>9.1f} {found.p50_ms:>9.1f} {found.p99_ms:>9.1f} "
                f"{found.process_cpu_ms:>21.2f} {found.database_cpu_ms:>9.2f}"
            )
    return {name: Measured(*(median(values) for values in zip(*found, strict=True))) for name, found in turns.items()}


def report(found: dict[str, Measured]) -> None:
    """Print the ratios, and the line for machines."""
    mine = found["interlock"]
    figures: dict[str, float | str] = {"callers": CALLERS, "python": platform.python_version()}
    for name, measured in found.items():
        figures |= {f"{name}_{what}": round(value, 2) for what, value in measured._asdict().items()}
    for name in ("dbos", "langgraph"):
        peer = found[name]
        cpu = (peer.process_cpu_ms + peer.database_cpu_ms) / (mine.process_cpu_ms + mine.database_cpu_ms)
        figures |= {f"times_{name}": round(mine.cases_per_s / peer.cases_per_s, 2), f"cpu_of_{name}": round(cpu, 2)}
        print(f"{mine.cases_per_s / peer.cases_per_s:.1f} times {name}; a case of {name} takes {cpu:.1f} times the CPU")
    values = (mine.cases_per_s, figures["times_dbos"], figures["times_langgraph"])
    goals = [
        {"name": name, "value": round(float(value), 2), "goal": goal, "met": float(value) >= goal}
        for (name, goal), value in zip(GOALS.items(), values, strict=True)
    ]
    print(json.dumps({"bench": "cases", "figures": figures, "goals": goals}))


def main() -> None:
    """Measure and report."""
    python = make_environment()
    contenders = [
        Contender("interlock", Path(sys.executable)),
        Contender("dbos", python),
        Contender("langgraph", python),
    ]
    with tempfile.TemporaryDirectory(prefix="interlock-bench-") as folder, outside() as url:
        data = Path(folder) / "server"
        with EmbeddedPostgres(data, linger=0) as server:
            found = run(World(data, server), url, contenders)
            server.stop(wait=20)
    report(found)


if __name__ == "__main__":
    main()
