"""A case that begins with a decision: the rows that go into the decision's own commit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

import msgspec

from interlock.cases.answered import answered_of
from interlock.cases.journal import StepKind, StepState, args_hash, encode
from interlock.cases.store import ADD_CASES, RECORD_STEPS, CaseState, NewCase, StepRow
from interlock.cases.workflow import Workflow
from interlock.db.work import Stamp, Write
from interlock.decisions.decision import Decision, Route
from interlock.decisions.point import DecisionPoint
from interlock.ledger.ledger import further_entry, hash_of

Attach = Callable[[Stamp, Decision], Sequence[Write]]

APART = "\u00a0"
"""A no-break space, between the point's name and the decision's key: no key that holds one can be submitted. So no case
that somebody submits ever shares its key, and with that the keys of its actions, with one that follows a decision."""


def begins_case(workflow: Workflow, tenant: UUID, point: DecisionPoint, key: str, caller: str) -> Attach:
    """The rows by which a decision begins the case that follows it; a rejection begins none.

    Args:
        workflow: The code that the case goes through; see ``follow``.
        tenant: Whose decision.
        point: Its point.
        key: Its idempotency key.
        caller: Who asked.
    """

    def attach(stamp: Stamp, decision: Decision) -> Sequence[Write]:
        case_id = decision.case_id
        if case_id is None:
            return ()
        waits = decision.route is Route.REVIEW
        case = NewCase(
            id=case_id,
            tenant=tenant,
            workflow=workflow.name,
            version=workflow.version,
            code=workflow.code,
            key=f"{point.name}{APART}{key}",
            input=decision.input,
            state=CaseState.WAITING if waits else CaseState.READY,
            created_at=stamp.now,
            caller=caller,
            exposure_minor=decision.exposure_minor,
            currency=decision.currency,
        )
        step = StepRow(
            case_id=case_id,
            tenant=tenant,
            run=1,
            scope="",
            ordinal=0,
            kind=StepKind.DECIDE,
            name=point.name,
            args_hash=args_hash(StepKind.DECIDE, point.name, (msgspec.Raw(decision.input), None)),
            state=StepState.PENDING if waits else StepState.DONE,
            ref=decision.id,
            result=None if waits else encode(answered_of(decision)),
            due=None,
            fence=0,
            at=stamp.now,
        )
        received = further_entry(
            stamp, tenant, "case.received", subject=case_id, case_id=case_id,
            workflow=workflow.name, version=workflow.version, code=workflow.code, decision=decision.id, caller=caller,
            input_hash=hash_of(case.input),
        )  # fmt: skip
        return [Write(ADD_CASES, case), Write(RECORD_STEPS, step), received]

    return attach
