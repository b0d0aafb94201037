"""Messages a second from a NATS JetStream: decided as they are in line, and the floor, which only acknowledges them.

One consumer process, one NATS server and one embedded PostgreSQL with durability on share the machine; both runs read
the same bytes from the same server. The last line is JSON.
"""

from __future__ import annotations

import asyncio
import json
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from ground.made import LENDING, MADE, make_lending
from ground.world import PATIENCE_S, World, cpu_of

from interlock.db.embedded import EmbeddedPostgres
from interlock.db.migrate import migrate

MESSAGES = {"decided": 6000, "floor": 20_000}
CONCURRENCY = (64, 128, 256)


@contextmanager
def nats_server(folder: Path) -> Generator[tuple[str, psutil.Process]]:
    """A NATS server with JetStream on loopback, its data on disk."""
    program = shutil.which("nats-server") or "/usr/sbin/nats-server"
    if not Path(program).exists():
        raise SystemExit("nats-server is not here: apt-get install nats-server")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [program, "-js", "-sd", str(folder), "-a", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 10
        while time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield f"nats://127.0.0.1:{port}", psutil.Process(process.pid)
    finally:
        process.kill()
        process.wait(timeout=10)


def run(
    world: World, url: str, server: str, broker: psutil.Process, name: str, *, concurrency: int, floor: bool
) -> Any:
    """One run in a process of its own: messages a second, and microseconds of processor time a message."""
    messages = MESSAGES["floor" if floor else "decided"]
    command = [sys.executable, str(LENDING / "consuming.py"), "--url", url, "--server", server, "--made", str(MADE)]
    command += ["--run", name, "--messages", str(messages), "--concurrency", str(concurrency)]
    database, nats = world.database_cpu(), cpu_of(broker)
    done = subprocess.run(
        [*command, *(["--floor"] if floor else [])],
        stdout=subprocess.PIPE, text=True, check=True, timeout=PATIENCE_S + 150,
    )  # fmt: skip
    told: dict[str, Any] = json.loads(done.stdout)
    each = 1e6 / messages
    return {
        "per_s": round(messages / told["seconds"]),
        "consumer_us": round(told["processor_seconds"] * each, 1),
        "database_us": round((world.database_cpu() - database) * each, 1),
        "broker_us": round((cpu_of(broker) - nats) * each, 1),
        "quarantined": told["quarantined"],
    }


def main() -> None:
    """Measure, and print."""
    make_lending()
    print(f"{platform.processor() or platform.machine()}, {psutil.cpu_count()} cores; shared by all that is measured")
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="ilk-") as short:
        folder = Path(short)
        with EmbeddedPostgres(folder / "pg") as database, nats_server(folder / "js") as (server, broker):
            world = World(folder / "pg", database)
            url = ""
            for at in CONCURRENCY:
                url = world.database(f"stream{at}")
                asyncio.run(migrate(url))
                found[f"decided, {at} under way"] = run(
                    world, url, server, broker, f"D{at}", concurrency=at, floor=False
                )
            found["floor: acknowledged only"] = run(world, url, server, broker, "F", concurrency=256, floor=True)
    print(f"{'':28}{'per s':>8}{'consumer':>11}{'database':>11}{'broker':>9}  (microseconds of processor time each)")
    for name, one in found.items():
        print(f"{name:28}{one['per_s']:>8}{one['consumer_us']:>11}{one['database_us']:>11}{one['broker_us']:>9}")
    best = max(one["per_s"] for name, one in found.items() if name.startswith("decided"))
    floor = found["floor: acknowledged only"]["per_s"]
    print(f"decided at {best / floor:.2f} of the floor")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
