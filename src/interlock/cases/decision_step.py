"""The steps that decide: by a decision point, or by a person who is asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from interlock.cases.anew import superseded_decision
from interlock.cases.answered import (
    answered_by_person,
    answered_of,
    asked_review,
    error_of,
    failure_of,
)
from interlock.cases.driver import Outcome, Park, Thrown, Value
from interlock.cases.facts import facts_of
from interlock.cases.held import CaseStuck
from interlock.cases.journal import Place, Recorded, StepState, encode
from interlock.cases.quarantine import rules_of
from interlock.cases.recording import Recording
from interlock.cases.requests import Decide, Review, StepRequest
from interlock.cases.store import ADD_QUARANTINES, NewQuarantine
from interlock.db.text import storable
from interlock.db.work import Stamp, Write
from interlock.decisions.asked import Asked, Deferred
from interlock.decisions.decide import find_decision
from interlock.decisions.decision import Decision, Route
from interlock.errors import (
    ContractViolated,
    FeatureUnusable,
    MoneyInvalid,
    WorkflowMisuse,
)
from interlock.ledger.ledger import further_entry, hash_of
from interlock.oversight.queue import find_review
from interlock.oversight.store import ADD_REVIEWS
from interlock.privacy.records import records_of


class DecisionSteps(Recording):
    """Carries out what a workflow asks of its decision points and of people."""

    async def decide(self, request: Decide, place: Place, recorded: Recorded | None) -> Outcome:
        """Take a decision, or see whether the person whom it went to has spoken.

        Raises:
            WorkflowMisuse: the workflow's file declares no such decision.
            Fenced: the case belongs to another worker now.
        """
        if recorded and recorded.ref:
            decision = await find_decision(self.tools.database, self.held.case.tenant, recorded.ref)
            return await self._after_review(request, place, decision.review, decision)
        point = self.held.declaration.decisions.get(request.name)
        if point is None:
            known = ", ".join(sorted(self.held.declaration.decisions))
            raise WorkflowMisuse(
                f"the workflow's file declares no decision {request.name!r}", todo=f"it declares {known}"
            )
        case = self.held.case
        asked = Asked(
            tenant=case.tenant,
            workflow=case.workflow,
            point=point,
            declaration=self.held.declaration.digest,
            library=self.held.library.for_tenant(case.tenant),
            key=f"{case.id}/{case.run}/{place}",
            value=request.value,
            exposure=request.exposure,
            case_id=case.id,
            caller=case.caller,
            facts=facts_of(self.held, request.name, request.assumes),
            control=self.held.declaration.control,
            supersedes=await superseded_decision(self.held, self.tools, request.name, place),
            conditions=(self.held.condition,),
            attach=lambda stamp, decision: [self._step_of(request, place, stamp, decision)],
        )
        try:
            decision = await self.tools.decider.decide(asked)
        except ContractViolated as cause:
            thrown = await self._quarantine(request, place, point.input, cause)
            self.tools.decider.count_refused(asked)
            return thrown
        except FeatureUnusable as cause:  # a person sees to the value, and the case goes on; nothing is taken back
            raise CaseStuck(cause.code, storable(str(cause)), place=place) from cause
        if isinstance(decision, Deferred):
            return Park(self.tools.database.clock.now() + decision.pause, decision.why, decision.held_by)
        self.note_exposure(decision.exposure)
        if decision.route is Route.REVIEW:
            return Park(None, f"a person in the queue {point.queue.name}: {decision.why[0].what}")
        return Value(answered_of(decision).decided())

    def _step_of(self, request: Decide, place: Place, stamp: Stamp, decision: Decision) -> Write:
        if decision.route is Route.REVIEW:
            return self.row(request, place, stamp, StepState.PENDING, ref=decision.id)
        return self.row(request, place, stamp, StepState.DONE, result=answered_of(decision), ref=decision.id)

    async def _after_review(
        self, request: StepRequest[Any], place: Place, review_id: UUID | None, decision: Decision | None
    ) -> Outcome:
        """A pending decision or question: the person's word, if it has been given."""
        if review_id is None:
            raise AssertionError("a pending decision has a review")
        review = await find_review(self.tools.database, self.held.case.tenant, review_id)
        self.note_exposure(review.exposure)
        if review.resolution is None:
            return Park(None, f"a person in the queue {review.queue}: {'; '.join(review.asked.why[:1])}")
        point = self.held.declaration.decisions.get(request.name) if decision else None
        try:
            answered = answered_by_person(review, decision, point)
        except MoneyInvalid as cause:  # refused where it is said; here only if the file in force is another by now
            raise CaseStuck("change-without-amount", f"the change of {request.name}: {cause}") from cause
        decided = answered.decided()
        self.note_exposure(decided.exposure)
        await self.record(request, place, answered)
        return Value(decided)

    async def _quarantine(self, request: Decide, place: Place, contract: str, cause: ContractViolated) -> Outcome:
        case = self.held.case

        def build(stamp: Stamp) -> Sequence[Write]:
            row = NewQuarantine(
                id=stamp.new_id(),
                tenant=case.tenant,
                case_id=case.id,
                workflow=case.workflow,
                point=request.name,
                contract=contract,
                data=encode(request.value),
                violations=encode(cause.violations),
                created_at=stamp.now,
                rules=rules_of(cause.violations),
            )
            told = self.entry(
                stamp, "decision.quarantined", place, point=request.name, contract=contract, quarantine=row.id,
                rules=row.rules, data_hash=hash_of(row.data), violations_hash=hash_of(row.violations),
            )  # fmt: skip
            return [
                Write(ADD_QUARANTINES, row),
                *records_of(case.tenant, "quarantine", row.id, row.data),
                self.row(request, place, stamp, StepState.FAILED, result=failure_of(cause)),
                told,
            ]

        await self.write(build)
        return Thrown(error_of(failure_of(cause)))

    async def review(self, request: Review, place: Place, recorded: Recorded | None) -> Outcome:
        """Ask a person, or see whether they have spoken."""
        if recorded:
            return await self._after_review(request, place, recorded.ref, None)
        case = self.held.case
        queue = request.queue or case.workflow

        def build(stamp: Stamp) -> Sequence[Write]:
            review = asked_review(request, self.held, queue, stamp)
            opened = further_entry(
                stamp, case.tenant, "review.opened", subject=review.id, case_id=case.id, queue=review.queue,
                question_hash=hash_of(review.question), due_at=review.due_at,
            )  # fmt: skip
            return [
                Write(ADD_REVIEWS, review),
                self.row(request, place, stamp, StepState.PENDING, ref=review.id),
                self.entry(stamp, "step.pending", place, name=request.name),
                opened,
            ]

        await self.write(build)
        self.note_exposure(request.exposure)
        return Park(None, f"a person in the queue {queue}: {request.why}")
