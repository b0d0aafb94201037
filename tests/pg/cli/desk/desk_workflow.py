"""A small workflow for tests of the command line: rules or a person decide; ``stuck`` acts through nothing."""

from __future__ import annotations

from interlock import Case, Money, workflow


@workflow("desk", version="1.0.0", file="desk.workflow.yaml")
async def desk(case: Case) -> str:
    """Decide one claim."""
    claim = await case.decide("approve", case.input)
    if case.input["who"] == "stuck":
        await case.act("pay", {"to": "stuck", "amount": Money(case.input["total"], "MYR")}, because=claim)
    return "approved" if claim.output["approved"] else "refused"
