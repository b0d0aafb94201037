"""What follows a decision that was asked in line: the action that its point declares, carried out by a worker.

``then: {action: pay, with: {to: input.employee, amount: exposure}}`` makes of the decision the first step of a case
whose code is in this file, in the decision's own commit. So the action is held by the same limits, stops, keys and
undo as that of any workflow, and a decision that a person has yet to settle is followed once it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from interlock.cases.case import Case
from interlock.cases.journal import StepKind
from interlock.cases.requests import Decide, Decided, Request
from interlock.cases.workflow import Workflow
from interlock.db.gates import short_digest
from interlock.decisions.point import DecisionPoint, Then
from interlock.errors import WorkflowMisuse

_DOMAIN = b"interlock.cases.following.1"
"""Named in the code of the cases; another text here would be other code."""


def follow(workflow: Workflow, point: DecisionPoint) -> Workflow:
    """The code of the cases that follow a point's decisions: under the workflow's name, by the terms of its file.

    Args:
        workflow: Whose point it is.
        point: It declares what follows.
    """
    terms = point.then
    if terms is None:
        raise AssertionError("only a point that declares it is followed")
    code = short_digest(_DOMAIN, workflow.name.encode(), point.name.encode(), msgspec.json.encode(terms))

    async def body(case: Case) -> str:
        # Where the file does not say what is at stake, only the caller did: a decision taken anew keeps that. It is no
        # part of what is compared on replay, since the file may say it by then.
        stated = None if point.exposure else case.exposure
        asked: Request[Decided] = Decide(StepKind.DECIDE, point.name, (case.input, None), case.input, stated)
        decided = await asked
        if decided.rejected:
            return "rejected"
        await case.act(terms.action, _payload(terms, case.input, decided), because=decided)
        return "done"

    return Workflow(workflow.name, workflow.version, body, code, workflow.file, follows=True)


def _payload(terms: Then, given: Mapping[str, Any], decided: Decided) -> dict[str, Any]:
    return {name: _value(reference, given, decided) for name, reference in terms.arguments}


def _value(reference: str, given: Mapping[str, Any], decided: Decided) -> Any:
    if reference == "exposure":
        return decided.exposure
    root, *path = reference.split(".")
    value: Any = given if root == "input" else decided.output
    for key in path:
        if not isinstance(value, dict) or key not in value:
            raise WorkflowMisuse(f"there is no {reference} in this decision", todo="mend then.with in the file")
        value = value[key]  # pyright: ignore[reportUnknownVariableType] - JSON that a contract has checked
    return value  # pyright: ignore[reportUnknownVariableType]
