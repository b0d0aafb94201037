"""A person's answer in place of a step that failed: checked, and recorded as that person's own decision."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

import msgspec

from interlock.cases.answered import Answered
from interlock.cases.changed import changed_exposure, changed_source, check_change
from interlock.cases.driver import decode
from interlock.cases.ending_store import ANSWER_STEPS, AnsweredStep
from interlock.cases.journal import Recorded, StepKind, encode
from interlock.cases.personal import kept_value
from interlock.cases.registry import Registered
from interlock.cases.store import END_QUARANTINES, CaseRow, EndedQuarantine, Quarantined
from interlock.db.work import Stamp, Write
from interlock.decisions.decision import Reason, Route
from interlock.decisions.point import DecisionPoint
from interlock.decisions.sealed_record import record_hash
from interlock.decisions.store import ADD_DECISIONS, NewDecision
from interlock.errors import ContractViolated, NotFound, Refused
from interlock.ledger.ledger import further_entry, hash_of
from interlock.money import Money
from interlock.oversight.exception import CaseException
from interlock.oversight.review import Question
from interlock.oversight.store import ADD_ANSWERED_REVIEWS, AnsweredReview
from interlock.privacy.records import records_of
from interlock.privacy.unsaid import without_values

REASON_CODE = "answered"


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonsAnswer:
    """An answer that has been checked.

    Attributes:
        tenant: Whose.
        case: The case that could not go on.
        exception: What it is resolved by.
        step: The step that failed, or that asks.
        value: The answer.
        who: Whose it is.
        why: Why, in words.
        registered: The workflow, for a decision.
        quarantine: The input that broke its contract, if that is why the step failed.
    """

    tenant: UUID
    case: CaseRow
    exception: CaseException
    step: Recorded
    value: Any
    who: str
    why: str
    registered: Registered | None = None
    quarantine: Quarantined | None = None

    def writes(self, stamp: Stamp) -> list[Write]:
        """What makes it the result of its step, with the decision and the review that record whose it is."""
        if self.step.kind is StepKind.STEP:
            return [self._step(stamp, self.value, None)]
        if self.step.kind is StepKind.ASK:
            return [self._step(stamp, {"value": self.value, "by": self.who, "why": self.why}, None)]
        return self._decision(stamp)

    def _step(self, stamp: Stamp, result: Any, ref: UUID | None) -> Write:
        row = AnsweredStep(
            case_id=self.case.id,
            run=self.case.run,
            scope=self.step.scope,
            ordinal=self.step.ordinal,
            result=encode(result),
            ref=ref,
            at=stamp.now,
        )
        return Write(ANSWER_STEPS, row)

    def _decision(self, stamp: Stamp) -> list[Write]:
        if self.registered is None:
            raise AssertionError("an answer to a decision was checked with its workflow")
        point = self.registered.declaration.decisions[self.step.name]
        source, output = changed_source(point), encode(self.value)
        exposure = changed_exposure(source, self.value) if source else self.case.exposure
        decision_id, review_id = stamp.new_id(), stamp.new_id()
        row = self._row(stamp, self.registered, point, output, exposure, decision_id, review_id)
        review = self._review(stamp, row, point, review_id)
        answered = Answered(
            id=decision_id,
            rejected=False,
            amount=str(exposure) if exposure else None,
            confidence=None,
            by=f"person:{self.who}",
            findings=(),
            answer=self.value,
        )
        held = self.quarantine
        ended = (
            EndedQuarantine(id=held.id, state="released", resolved_at=stamp.now, resolved_by=self.who) if held else None
        )
        return [
            Write(ADD_DECISIONS, row),
            *records_of(self.tenant, "decision", row.id, row.input, output),
            Write(ADD_ANSWERED_REVIEWS, review),
            *([Write(END_QUARANTINES, ended)] if ended else []),
            self._step(stamp, answered, decision_id),
            *self._entries(stamp, row, review),
        ]

    def _row(
        self,
        stamp: Stamp,
        registered: Registered,
        point: DecisionPoint,
        output: bytes,
        exposure: Money | None,
        decision_id: UUID,
        review_id: UUID,
    ) -> NewDecision:
        data = self.quarantine.data if self.quarantine else encode({})
        why = Reason(code=REASON_CODE, what=f"the step failed, and a person answered: {self.exception.what}"[:500])
        contract = registered.library.contract(point.output)
        return NewDecision(
            id=decision_id,
            tenant=self.tenant,
            case_id=self.case.id,
            workflow=self.case.workflow,
            point=point.name,
            key=f"{self.case.id}/{self.case.run}/{self.step.place}",
            input=data,
            input_hash=hashlib.sha256(data).digest(),
            input_contract=None,
            output=output,
            output_hash=hashlib.sha256(output).digest(),
            output_contract=f"{contract.name}@{contract.version}",
            component="person",
            component_digest=None,
            propensity=Decimal(1),
            attempts=encode([]),
            confidence=None,
            confidence_needed=None,
            exposure_minor=exposure.minor if exposure else None,
            currency=exposure.currency if exposure else None,
            findings=encode([]),
            verdicts=encode([]),
            reasons=encode([why]),
            route=Route.REVIEW,
            review=review_id,
            evidence=encode({}),
            cost=Decimal(0),
            declaration=registered.declaration.digest,
            build=registered.library.build,
            took_us=encode({}),
            valid_until=stamp.now + point.valid_for,
            decided_at=stamp.now,
            supersedes=None,
        )

    def _review(self, stamp: Stamp, row: NewDecision, point: DecisionPoint, review_id: UUID) -> AnsweredReview:
        data = decode(row.input)
        question = Question(
            why=(self.exception.what,),
            input=cast("dict[str, Any]", data) if isinstance(data, dict) else {},
            proposal=None,
            proposed_by="",
            confidence=None,
            confidence_needed=None,
            evidence={},
            findings=(),
            output_contract=point.output,
            choices={"change": "the answer holds, and the case goes on with it"},
        )
        return AnsweredReview(
            id=review_id,
            tenant=self.tenant,
            case_id=self.case.id,
            decision_id=row.id,
            workflow=self.case.workflow,
            point=point.name,
            queue=point.queue.name,
            question=encode(question),
            exposure_minor=row.exposure_minor,
            currency=row.currency,
            output=row.output or b"",
            reason_code=REASON_CODE,
            note=self.why,
            resolved_by=self.who,
            at=stamp.now,
        )

    def _entries(self, stamp: Stamp, row: NewDecision, review: AnsweredReview) -> Sequence[Write]:
        taken = further_entry(
            stamp, self.tenant, "decision.taken", subject=row.id, case_id=self.case.id,
            point=f"{row.workflow}.{row.point}", component=row.component, input_hash=row.input_hash,
            output_hash=row.output_hash, declaration=row.declaration, route=row.route, review=review.id,
            exposure=str(row.exposure) if row.exposure else None, record=record_hash(row, self.tenant),
        )  # fmt: skip
        resolved = further_entry(
            stamp, self.tenant, "review.resolved", subject=review.id, case_id=self.case.id, resolution="change",
            reason_code=REASON_CODE, who=self.who, decision=row.id,
            output_hash=hash_of(review.output), looked_since=None, dwell_ms=None, dwell_of="unknown",
        )  # fmt: skip
        opened = further_entry(
            stamp, self.tenant, "review.opened", subject=review.id, case_id=self.case.id, decision=row.id,
            queue=review.queue, question_hash=hash_of(review.question), due_at=None,
        )  # fmt: skip
        if self.quarantine is None:
            return (taken, opened, resolved)
        released = further_entry(
            stamp, self.tenant, "quarantine.released", subject=self.quarantine.id, case_id=self.case.id, who=self.who,
            decision=row.id,
        )  # fmt: skip
        return (taken, opened, resolved, released)


def check_answer(step: Recorded, value: Any, registered: Registered | None) -> None:
    """Hold an answer to what its step demands: for a decision the point's output contract, and where it says what is
    at stake; for what the workflow's code asks, the contract that its file names.

    Raises:
        Refused: it is no JSON object where one is needed, or two people must say it.
        ContractViolated: it breaks the contract; every violation is named.
        NotFound: the workflow, or its decision point, is not carried here.
    """  # noqa: D205 - one thought
    if step.kind is StepKind.ASK:
        _check_asked(step, value, registered)
        return
    if step.kind is not StepKind.DECIDE:
        encode(value)
        return
    if registered is None or step.name not in registered.declaration.decisions:
        raise NotFound(
            f"the decision point {step.name} is not carried here", todo="ask where the workflow's code is installed"
        )
    if not isinstance(value, Mapping):
        raise Refused("the answer to a decision is a JSON object", where="/value", todo='write {"field": value}')
    point = registered.declaration.decisions[step.name]
    contract = point.output
    violations = check_change(registered, step.name)(contract, msgspec.convert(value, dict[str, Any]))
    if violations:
        raise ContractViolated(f"the answer breaks {contract}", violations, todo="mend what is named and send it again")
    _check_one_decides(point, msgspec.convert(value, dict[str, Any]))


def _check_one_decides(point: DecisionPoint, value: Mapping[str, Any]) -> None:
    """INVARIANT: what two people must say no exception lets one say. What was at stake is known by the answer alone."""
    source = changed_source(point)
    at_stake = changed_exposure(source, value) if source else None
    if point.people_for(at_stake) > 1:
        raise Refused(
            f"two people decide {point.name} from {point.four_eyes} on, an answer is one person's, and "
            f"{at_stake or 'an unknown amount'} is at stake",
            where="/value",
            todo="correct the input or mend the cause and say retry, so that it comes to review; or abandon",
        )


def _check_asked(step: Recorded, value: Any, registered: Registered | None) -> None:
    reference = registered.declaration.answers.get(step.name) if registered else None
    if registered is None or reference is None:
        raise NotFound(
            f"no contract of the answer to {step.name} is carried here",
            todo="ask where the workflow's code is installed",
        )
    if not isinstance(value, Mapping):
        raise Refused("the answer is a JSON object", where="/value", todo='write {"field": value}')
    violations = registered.library.violations(reference, msgspec.convert(value, dict[str, Any]))
    if violations:
        shown = without_values(registered.library.contract(reference), violations)
        raise ContractViolated(f"the answer breaks {reference}", shown, todo="mend what is named and send it again")


async def kept_answer(registered: Registered | None, tenant: UUID, step: Recorded, value: Any) -> Any:
    """An answer that was checked, with tokens in the place of what its contract marks."""
    if registered is not None and step.kind is StepKind.ASK:
        return await kept_value(registered, tenant, registered.declaration.answers[step.name], value)
    if registered is None or step.kind is not StepKind.DECIDE:
        return value
    return await kept_value(registered, tenant, registered.declaration.decisions[step.name].output, value)
