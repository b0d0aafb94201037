"""A workflow on personal data: what somebody earns is raised, and payroll is told."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from interlock.cases.case import Case
from interlock.cases.workflow import workflow
from interlock.components.component import Answer
from interlock.components.finding import Finding, Severity


@workflow("raises", version="1", file="raises.workflow.yaml")
async def raises(case: Case) -> str:
    """Decide one raise and tell payroll; what the workflow sees of the person are tokens."""
    decided = await case.decide("approve", case.input)
    if not decided.output["approved"]:
        return "refused"
    payload = {"who": decided.output["email"], "salary": case.input["salary"], "text": f"Dear {case.input['name']}!"}
    await case.act("tell", payload, key=case.key)
    return "raised"


def gossip(value: Mapping[str, Any], _answer: Answer, _now: datetime) -> tuple[Finding, ...]:
    """A check that says more than it should."""
    what = f"{value['name']}, born {value['born']}, earns {float(value['salary']):.0f}"
    return (Finding(code="gossip", what=what, severity=Severity.INFO),)
