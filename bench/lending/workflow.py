"""The benchmarks' workflow: whether a loan is paid out. Its file says all of it; no code runs beside."""

from __future__ import annotations

from pathlib import Path

from interlock import Case, workflow


@workflow("lending", version="1.0.0", file=Path(__file__).with_name("lending.workflow.yaml"))
async def lending(case: Case) -> str:
    """Decide on one application as a durable case would; the benchmarks ask in line."""
    decided = await case.decide("approve", case.input)
    return "approved" if not decided.rejected else "rejected"
