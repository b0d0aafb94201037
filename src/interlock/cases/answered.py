"""What steps give, in the form in which the journal keeps it, and back. Pure."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec

from interlock.cases.changed import changed_exposure, changed_source
from interlock.cases.driver import decode
from interlock.cases.held import Held
from interlock.cases.journal import encode
from interlock.cases.queues import sharing
from interlock.cases.requests import Decided, Review
from interlock.components.finding import Severity
from interlock.db.text import storable
from interlock.db.work import Stamp
from interlock.decisions.decision import Decision, Route
from interlock.decisions.point import DecisionPoint
from interlock.errors import (
    ActionFailed,
    ComponentFailed,
    ContractViolated,
    DecisionRejected,
    EventLate,
    InterlockError,
    KeyReused,
    StepFailed,
    Violation,
)
from interlock.money import Money
from interlock.oversight.review import WITHIN, Question, Resolution, line_of, urgency_of
from interlock.oversight.review import Review as StoredReview
from interlock.oversight.store import NewReview


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """A decision's answer as the journal keeps it: fields as in ``Decided``."""

    id: UUID
    rejected: bool
    amount: str | None
    confidence: float | None
    by: str
    findings: tuple[str, ...]
    answer: dict[str, Any] | None

    def decided(self) -> Decided:
        """As the workflow sees it."""
        return Decided(
            id=self.id,
            rejected=self.rejected,
            exposure=Money.parse(self.amount) if self.amount else None,
            confidence=self.confidence,
            by=self.by,
            findings=self.findings,
            answer=self.answer,
        )


def answered_of(decision: Decision) -> Answered:
    """What a decision answers by itself."""
    rejected = decision.route is Route.REJECT
    return Answered(
        id=decision.id,
        rejected=rejected,
        amount=str(decision.exposure) if decision.exposure else None,
        confidence=decision.confidence,
        by=decision.component,
        findings=_codes(decision),
        answer=None if rejected else decision.answer,
    )


def answered_by_person(review: StoredReview, decision: Decision | None, point: DecisionPoint | None) -> Answered:
    """What a person answered in its place, or to a question of the workflow's own.

    INVARIANT: what a person changed decides what is at stake; the rejected amount is neither paid nor held to limits.

    Raises:
        MoneyInvalid: the changed output has no amount where the point declares one.
    """
    output, exposure = decode(review.output), review.exposure
    source = changed_source(point) if review.resolution is Resolution.CHANGE else None
    if source is not None:
        exposure = changed_exposure(source, output)
    return Answered(
        id=decision.id if decision else review.id,
        rejected=review.resolution is Resolution.REJECT,
        amount=str(exposure) if exposure else None,
        confidence=decision.confidence if decision else None,
        by=f"person:{review.resolved_by}",
        findings=_codes(decision) if decision else (),
        answer=output,
    )


def _codes(decision: Decision) -> tuple[str, ...]:
    """The findings that demand something; what is only said is in the record."""
    return tuple(finding["code"] for finding in decode(decision.findings) if finding["severity"] != Severity.INFO)


def asked_review(request: Review, held: Held, queue: str, stamp: Stamp) -> NewReview:
    """The review of a question of the workflow's own."""
    question = Question(
        why=(request.why,),
        input=dict(request.value),
        proposal=dict(request.proposal) if request.proposal is not None else None,
        proposed_by=held.case.workflow,
        confidence=None,
        confidence_needed=None,
        evidence={},
        findings=(),
        output_contract="",
        choices={"approve": "the proposal holds", "change": "your output holds instead", "reject": "no"},
    )
    exposure = request.exposure
    return NewReview(
        id=stamp.new_id(),
        tenant=held.case.tenant,
        case_id=held.case.id,
        decision_id=None,
        workflow=held.case.workflow,
        point=request.name,
        queue=queue,
        question=encode(question),
        proposal=encode(request.proposal) if request.proposal is not None else None,
        exposure_minor=exposure.minor if exposure else None,
        currency=exposure.currency if exposure else None,
        urgency=urgency_of(exposure, None),
        due_at=stamp.now + WITHIN,
        created_at=stamp.now,
        why=line_of(request.why),
        needed=max((point.people_for(exposure) for point in sharing(held.declaration, queue)), default=1),
    )


def failure_of(error: InterlockError) -> dict[str, Any]:
    """An error as the journal keeps it."""
    violations = error.violations if isinstance(error, ContractViolated) else ()
    holder = error.holder if isinstance(error, KeyReused) else ""
    return {
        "code": error.code,
        "what": storable(error.what),
        "where": storable(error.where),
        "holder": holder,
        "violations": msgspec.to_builtins(violations),
    }


_PLAIN: dict[str, type[InterlockError]] = {
    kind.code: kind for kind in (ActionFailed, ComponentFailed, DecisionRejected, EventLate)
}
"""The errors that are kept by what and where alone."""


def error_of(stored: dict[str, Any]) -> InterlockError:
    """An error as it was recorded. INVARIANT: a workflow sees the same one at first and on replay."""
    what, where = stored["what"], stored["where"]
    match stored["code"]:
        case ContractViolated.code:
            return ContractViolated(what, msgspec.convert(stored["violations"], tuple[Violation, ...]), where=where)
        case KeyReused.code:
            return KeyReused(what, holder=stored["holder"], where=where)
        case code:
            return _PLAIN.get(code, StepFailed)(what, where=where)
