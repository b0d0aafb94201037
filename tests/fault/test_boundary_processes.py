"""Real worker processes share one circuit: it outlives them, and what waited comes back at its pace, each paid once."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any

import httpx

sys.path.insert(0, str(Path(__file__).parent))
from books.world import WORKERS, World, wait_until

from interlock.sim import FaultPlan

CASES = 30


def test_two_worker_processes_share_one_circuit_that_outlives_them(tmp_path: Path) -> None:
    world = World(tmp_path / "world", tmp_path / "data", tenant="shared", plan=FaultPlan(), circuit_failures=5)
    with world, httpx.Client(base_url=world.url, headers={"Authorization": f"Bearer {world.key}"}) as client:
        world.provider_wanted = False
        world.provider.kill()
        for n in range(CASES):
            value = {"customer": f"c-{n}", "amount": "20.00", "days_since_purchase": 3}
            client.post("/v1/cases", json={"workflow": "refunds", "key": f"k-{n}", "input": value}).raise_for_status()

        def states() -> Counter[str]:
            cases: list[dict[str, Any]] = client.get("/v1/cases", params={"limit": 200}).json()["cases"]
            return Counter(case["state"] for case in cases)

        def circuit() -> dict[str, Any]:
            return client.get("/v1/connectors").json()["connectors"][0]

        wait_until(lambda: states()["waiting"] == CASES, 60, "every case waits")
        assert circuit()["circuit"] in ("open", "recovering")
        assert circuit()["what"] == "transient connection-refused"
        assert circuit()["waiting"] > 0
        for name in WORKERS:
            world.kill(name)
        assert circuit()["circuit"] in ("open", "recovering")
        world.want(*WORKERS)
        world.provider_wanted = True
        world.revive()
        wait_until(lambda: states()["done"] == CASES, 90, "every case is done")
        book = world.provider.book()
    times = sorted(entry.at.timestamp() for entry in book)
    came = [one - times[0] for one in times]
    counts = [sum(second <= one < second + 1 for one in came) for second in range(int(came[-1]) + 1)]
    sys.stdout.write(f"arrivals in each second after the probe: {counts}\n")
    assert len({entry.key for entry in book}) == len(book) == CASES
    for second in range(1, 5):
        assert sum(one < second for one in came) <= 1 + 2 ** (second + 0.35)
