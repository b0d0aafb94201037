"""A workflow of one decision."""

from __future__ import annotations

from interlock.cases.case import Case
from interlock.cases.workflow import workflow


@workflow("claims", version="1")
async def claims(case: Case) -> str:
    """Decide one claim."""
    claim = await case.decide("approve", case.input)
    return "paid" if claim.output["approved"] else "refused"
