"""Decisions a second in line, over HTTP: contract, model, decision table, route, ledger entry, the case that will act.

Two server processes on one port (as `interlock up --servers 2`), one embedded PostgreSQL with durability on, and a load
generator in a process of its own share the machine. In the same run: the same servers' bare echo of the same bodies, a
plain INSERT of the same bytes with a commit each at the same concurrency, and two peers with their own four trivial
steps, without HTTP. Then the servers get half of their highest load, at even intervals. LONG=1 measures four times as
long. The last line is JSON for machines.
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
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from ground.made import LENDING, MADE, make_lending
from ground.world import PATIENCE_S, SIDES, World, line_of, make_environment, processes_cpu

from interlock.db.embedded import EmbeddedPostgres
from interlock.db.migrate import migrate

SECONDS, WARM_UP_S = (16.0, 4.0) if os.environ.get("LONG") else (4.0, 1.5)
CONNECTIONS = (32, 64)
PEERS_AT_ONCE = 32
SERVERS = 2
ECHO, DECISIONS = "/echo", "/v1/decisions"


class Loaded(NamedTuple):
    """What one load measured; processor times in microseconds a request, of each of the three parties."""

    per_s: float
    p50_ms: float
    p99_ms: float
    refused: int
    server_us: float
    database_us: float
    generator_us: float


class Served:
    """The server under the load.

    Args:
        world: The database.
        processes: The servers' processes.
        url: Where it listens.
        key: An API key.
    """

    def __init__(self, world: World, processes: list[subprocess.Popen[str]], url: str, key: str) -> None:
        self._world = world
        self._processes = processes
        self._url = url
        self._key = key
        self._runs = 0

    def load(self, path: str, *, connections: int, rate: float = 0.0) -> Loaded:
        """Load one path."""
        self._runs += 1
        command = [sys.executable, str(LENDING / "generator.py"), "--server", self._url, "--key", self._key]
        command += ["--run", f"run{self._runs}", "--path", path, "--connections", str(connections)]
        command += ["--rate", str(rate), "--seconds", str(SECONDS), "--warm-up", str(WARM_UP_S)]
        before = self._cpu(), self._world.database_cpu()
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=PATIENCE_S + SECONDS)
        after = self._cpu(), self._world.database_cpu()
        told: dict[str, Any] = json.loads(done.stdout)
        statuses = {int(status): count for status, count in told["statuses"].items()}
        wrong = {status: count for status, count in statuses.items() if status >= 300 and status != 503}
        if wrong or told["connections_lost"]:
            raise SystemExit(f"{path} answered {statuses} and lost {told['connections_lost']} connections")
        sent = sum(statuses.values()) * (WARM_UP_S + SECONDS) / SECONDS
        return Loaded(
            per_s=told["per_s"],
            p50_ms=told["p50_ms"],
            p99_ms=told["p99_ms"],
            refused=statuses.get(503, 0),
            server_us=(after[0] - before[0]) / sent * 1e6,
            database_us=(after[1] - before[1]) / sent * 1e6,
            generator_us=told["cpu_s"] / sent * 1e6,
        )

    def _cpu(self) -> float:
        return sum(processes_cpu(process.pid) for process in self._processes)


@contextmanager
def serving(world: World, url: str) -> Generator[Served]:
    """The servers, each in a process of its own, on one port."""
    command = [sys.executable, str(LENDING / "server.py"), "--url", url, "--made", str(MADE)]
    with ExitStack() as stack:
        processes: list[subprocess.Popen[str]] = []

        def start(port: int) -> tuple[str, str]:
            of_port = [*command, "--port", str(port)]
            process = subprocess.Popen(of_port, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            processes.append(stack.enter_context(process))
            return line_of(process).strip(), line_of(process).strip()

        listening, key = start(0)
        for _ in range(SERVERS - 1):
            start(urlsplit(listening).port or 0)
        yield Served(world, processes, listening, key)
        for process in processes:
            process.communicate(timeout=PATIENCE_S)


def peer(world: World, python: Path, name: str) -> float:
    """Runs a second of a peer with four trivial steps."""
    command = [str(python), str(SIDES / f"{name}_side.py"), "--url", world.database(name)]
    command += ["--callers", str(PEERS_AT_ONCE), "--warm-up", str(WARM_UP_S), "--seconds", str(SECONDS)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        line_of(process)
        counted: dict[str, Any] = json.loads(line_of(process))
        process.communicate(timeout=PATIENCE_S)
    return counted["cases"] / SECONDS


def inserts(world: World) -> float:
    """Plain inserts a second."""
    command = [sys.executable, str(LENDING / "inserts.py"), "--url", world.database("inserts")]
    command += ["--callers", str(CONNECTIONS[-1]), "--warm-up", str(WARM_UP_S), "--seconds", str(SECONDS)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=PATIENCE_S + SECONDS)
    return json.loads(done.stdout)["per_s"]


def run(world: World, python: Path) -> dict[str, float]:
    """Every figure."""
    url = world.database("decisions")
    asyncio.run(migrate(url))
    with serving(world, url) as served:
        echo = served.load(ECHO, connections=CONNECTIONS[-1])
        show("bare echo", echo)
        served.load(DECISIONS, connections=CONNECTIONS[0])  # the first plans, pages and quick components
        full = max((served.load(DECISIONS, connections=at_once) for at_once in CONNECTIONS), key=lambda one: one.per_s)
        show("decisions", full)
        half = served.load(DECISIONS, connections=CONNECTIONS[-1], rate=full.per_s / 2)
        show("at half of it", half)
    floor = inserts(world)
    print(f"{'plain inserts':>14} {floor:>9.0f}")
    figures = {
        **{f"echo_{name}": value for name, value in echo._asdict().items()},
        **{f"decisions_{name}": value for name, value in full._asdict().items()},
        **{f"half_{name}": value for name, value in half._asdict().items()},
        "inserts_per_s": floor,
    }
    for name in ("dbos", "langgraph"):
        figures[f"{name}_per_s"] = peer(world, python, name)
        print(f"{name:>14} {figures[f'{name}_per_s']:>9.0f}")
    return figures


def show(name: str, one: Loaded) -> None:
    """One line of the table."""
    print(
        f"{name:>14} {one.per_s:>9.0f} {one.p50_ms:>8.1f} {one.p99_ms:>8.1f} {one.refused:>8} "
        f"{one.server_us:>10.0f} {one.database_us:>9.0f} {one.generator_us:>10.0f}"
    )


def report(figures: dict[str, float]) -> None:
    """Print the ratios, and the line for machines."""
    decisions = figures["decisions_per_s"]
    values = (
        ("decisions a second", decisions, 3000.0, True),
        ("share of the bare echo", decisions / figures["echo_per_s"], 0.2, True),
        ("times DBOS", decisions / figures["dbos_per_s"], 30.0, True),
        ("times LangGraph", decisions / figures["langgraph_per_s"], 50.0, True),
        ("p99 in ms at half of the highest load", figures["half_p99_ms"], 10.0, False),
    )
    print(f"{decisions / figures['inserts_per_s']:.2f} times the plain inserts with a commit each")
    for name, value, goal, _ in values:
        print(f"{name}: {value:.2f} (goal {goal:g})")
    goals = [
        {"name": name, "value": round(value, 3), "goal": goal, "met": value >= goal if least else value < goal}
        for name, value, goal, least in values
    ]
    told = {name: round(value, 2) for name, value in figures.items()}
    print(json.dumps({"bench": "inline", "figures": {"python": platform.python_version(), **told}, "goals": goals}))


def main() -> None:
    """Measure and report."""
    python = make_environment()
    make_lending()
    heads = ("a second", "p50 ms", "p99 ms", "refused", "us: server", "database", "generator")
    print(
        f"{'':>14} " + " ".join(f"{head:>{width}}" for head, width in zip(heads, (9, 8, 8, 8, 10, 9, 10), strict=True))
    )
    with tempfile.TemporaryDirectory(prefix="interlock-bench-") as folder:
        data = Path(folder) / "server"
        with EmbeddedPostgres(data, linger=0) as server:
            figures = run(World(data, server), python)
            server.stop(wait=20)
    report(figures)


if __name__ == "__main__":
    main()
