"""Three times as many decisions as a server can take, sent to a real process by a real load generator, counted after.

How fast it is depends on the machine and stands in `make bench-overload`; what holds on any machine stands here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BENCH = Path(__file__).parents[2] / "bench" / "overload.py"
NEVER = (
    "accepted and not stored under its id",
    "refused and stored",
    "stored twice",
    "answers that are neither",
    "connections lost",
    "requests without an answer",
    "refused once the load is gone",
)


@pytest.mark.long
@pytest.mark.skipif(not BENCH.exists(), reason="the benchmarks are not here")
def test_at_three_times_its_capacity_the_rest_is_refused_and_nothing_accepted_is_lost() -> None:
    done = subprocess.run(
        [sys.executable, str(BENCH)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=240,
        env={**os.environ, "INTERLOCK_BENCH_SECONDS": "2"},
    )
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    values = {goal["name"]: goal["value"] for goal in told["goals"]}
    statuses = told["figures"]["overload_statuses"]

    assert {name: values[name] for name in NEVER} == dict.fromkeys(NEVER, 0)
    assert statuses["503"] > 0
    assert statuses["200"] > 0
    assert values["growth of memory from the middle to the end"] < 0.2
