"""Reconciliation: what no match explains is followed until somebody, or a later match, settles it.

A case is one break. Matches have no code here: the round asks the point ``match`` for each, and the case that follows
its decision books it; see ``rounds``.
"""

from __future__ import annotations

from interlock.cases.case import Case
from interlock.cases.workflow import workflow


@workflow("reconciliation", version="1.0.0")
async def reconciliation(case: Case) -> str:
    """Follow one break. Concludes with what became of it, as a person said."""
    said = await case.decide("settle", case.input)
    return str(said.output["settle"])
