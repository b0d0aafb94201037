"""A decision before its commit: everything that is known of it but its id and its time, and the rows that it becomes.

Pure. In line, in a case, in a batch and in a stream the same functions make the same rows.
"""

from __future__ import annotations

import hashlib
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID

import msgspec

from interlock.autonomy.control.draw import draw_row
from interlock.autonomy.control.store import ADD_CONTROL_DRAWS
from interlock.autonomy.control.terms import ASKED, ASKED_WHAT
from interlock.autonomy.gate import StillCertified
from interlock.autonomy.store import autonomy_id
from interlock.components.component import ComponentRef
from interlock.db.gates import KeyDigests, TakesKey, key_digest, short_digest
from interlock.db.work import Condition, Stamp, Write
from interlock.decisions.ask import Asking
from interlock.decisions.asked import Asked
from interlock.decisions.condition_words import line_of_reason
from interlock.decisions.decision import Route, Verdict
from interlock.decisions.findable import finding_row
from interlock.decisions.policy import Ruling
from interlock.decisions.route import STOPPED, Routed, choose_route
from interlock.decisions.sealed_record import record_hash
from interlock.decisions.store import ADD_DECISIONS, NewDecision, canonical
from interlock.guards.stop_gate import NotStopped
from interlock.ledger.ledger import entry_of, further_entry, hash_of
from interlock.money import Money
from interlock.oversight.review import Question, line_of, urgency_of
from interlock.oversight.store import ADD_REVIEWS, NewReview


class Draft(msgspec.Struct, frozen=True):
    """A decision before its commit.

    Attributes:
        asked: What was asked.
        input: The input as canonical JSON.
        asking: Who was asked, and the best answer.
        verdicts: What conditions, findings and the policy demand.
        routed: The route, and why.
        took_us: Microseconds by stage.
        ruling: What the point's policy said, if it has one.
    """

    asked: Asked
    input: bytes
    asking: Asking
    verdicts: tuple[Verdict, ...]
    routed: Routed
    took_us: dict[str, int]
    ruling: Ruling | None = None

    @property
    def decided_by(self) -> ComponentRef | str | None:
        """Whose decision it is, so that a stop of theirs holds it off; None where a person decides."""
        if self.routed.route is Route.REVIEW:  # a rejection is a decision of its component, too
            return None
        return self.asking.best.component if self.asking.best else ""

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """What must hold in the commit: no stop, what is certified, the caller's own, the key, the books of the day."""
        asked = self.asked
        held = asked.conditions
        component = self.decided_by
        if component is not None:
            held = (NotStopped(asked.scopes(component)), *self.certified, *held)
        if asked.case_id is None:
            held = (*held, TakesKey(decision_key(asked), key_payload(self.input, asked.exposure)))
        if self.asking.reserved:
            held = (*held, *(one.condition for one in self.asking.reserved))
        return held

    @property
    def certified(self) -> tuple[StillCertified, ...]:
        """That what is certified still is, where the point declares its autonomy and no person decides."""
        asked, best = self.asked, self.asking.best
        if asked.point.autonomy is None or self.routed.route is Route.REVIEW:
            return ()
        turn = best.held.recorded.turn if best and best.held else None
        return (StillCertified(autonomy_id(asked.tenant, asked.workflow, asked.point.name), turn or 0),)

    @property
    def exposure(self) -> Money | None:
        """The money at stake."""
        best = self.asking.best
        return best.exposure if best else self.asked.exposure

    @property
    def wakes(self) -> tuple[str, ...]:
        """Who should look after the commit."""
        if self.routed.route is Route.REVIEW:
            return ("reviews",)
        return ("cases",) if self.asked.begins_case and self.routed.route is Route.AUTOMATIC else ()

    def held_off(self, stopped: str, code: str = STOPPED) -> Draft:
        """The same, sent to a person since what would have gone by itself is stopped, or is certified no more."""
        routed = choose_route(
            answered=self.asking.best is not None,
            sure=False,
            verdicts=self.verdicts,
            shortfall=self.asking.shortfall,
            person=self.asking.person,
            stopped=stopped,
            code=code,
        )
        return msgspec.structs.replace(self, routed=routed)

    def for_person(self) -> Draft:
        """The same, taken by a person, as those of the control group are: what goes to one anyway stays as it is."""
        return self if self.routed.route is Route.REVIEW else self.held_off(ASKED_WHAT, ASKED)

    def writes(self, stamp: Stamp, made: list[NewDecision], *, first: bool = True) -> list[Write]:
        """The rows: decision, ledger entry, review, and what the caller attaches.

        Args:
            stamp: Of the unit.
            made: Takes the decision.
            first: Whether the decision bears the unit's own id; one of several in a unit bears another.
        """
        row = row_of(self, stamp, stamp.entry if first else stamp.new_id())
        made.append(row)
        writes = [Write(ADD_DECISIONS, row), *entry_and_review(self, row, stamp), *self.asked.attach(stamp, row)]
        if self.asking.reserved:
            writes.extend(one.write for one in self.asking.reserved)
        lot = self.asked.lot
        if lot is not None and not lot.kept:
            drawn = draw_row(lot, row.case_id or row.id, self.asked.tenant, self.asked.workflow, stamp.now)
            writes.append(Write(ADD_CONTROL_DRAWS, drawn))
        finding = finding_row(self.asked, row, self.asking.best.answer.output if self.asking.best else None)
        if finding is not None:
            writes.append(finding)
        return writes


def decision_key(asked: Asked) -> UUID:
    """The digest under which the idempotency key is held."""
    return key_digest(asked.tenant, f"decision:{asked.name}", asked.key)


def key_payload(data: bytes, exposure: Money | None) -> UUID:
    """The digest of what must be the same where a key comes again: all that its caller said of what is to be decided.

    Args:
        data: The input as canonical JSON.
        exposure: The money at stake, if the caller states it; an amount is the same however it was written.
    """
    if exposure is None:
        return short_digest(data)
    return short_digest(data, str(exposure).encode())


def decision_keys(asked: Asked) -> KeyDigests:
    """The digests of many idempotency keys, all of one point and tenant: those of ``decision_key``."""
    return KeyDigests(asked.tenant, f"decision:{asked.name}")


def row_of(draft: Draft, stamp: Stamp, decision_id: UUID) -> NewDecision:
    """The decision's row."""
    asked, best, point = draft.asked, draft.asking.best, draft.asked.point
    output = best.answer.output_json if best else None
    exposure = draft.exposure
    evidence: dict[str, Any] = (
        {"evidence": msgspec.Raw(best.answer.evidence_json), "fired": msgspec.Raw(best.answer.fired_json)}
        if best
        else {}
    )
    if draft.ruling:
        evidence["policy"] = draft.ruling
    if asked.features:
        evidence["features"] = asked.features.used
    if best and best.held:
        evidence["autonomy"] = best.held.recorded
    return NewDecision(
        id=decision_id,
        tenant=asked.tenant,
        case_id=_id_before(decision_id)
        if asked.begins_case and draft.routed.route is not Route.REJECT
        else asked.case_id,
        workflow=asked.workflow,
        point=point.name,
        key=asked.key,
        input=draft.input,
        input_hash=hashlib.sha256(draft.input).digest(),
        input_contract=asked.library.contract_name(point.input),
        output=output,
        output_hash=hashlib.sha256(output).digest() if output is not None else None,
        output_contract=asked.library.contract_name(point.output),
        component=str(best.component) if best else "person",
        component_digest=best.digest if best else None,
        propensity=as_decimal(best.propensity) if best else Decimal(1),
        attempts=canonical.encode(draft.asking.attempts),
        confidence=best.answer.confidence if best else None,
        confidence_needed=best.needed if best else None,
        exposure_minor=exposure.minor if exposure else None,
        currency=exposure.currency if exposure else None,
        findings=canonical.encode(best.findings if best else ()),
        verdicts=canonical.encode(draft.verdicts),
        reasons=canonical.encode(draft.routed.reasons),
        route=draft.routed.route,
        review=stamp.new_id() if draft.routed.route is Route.REVIEW else None,
        evidence=canonical.encode(evidence),
        cost=draft.asking.cost,
        declaration=asked.declaration,
        took_us=canonical.encode(draft.took_us),
        valid_until=stamp.now + point.valid_for,
        decided_at=stamp.now,
        supersedes=asked.supersedes,
        facts=asked.facts,
        build=asked.library.build,
        asked_at=draft.asking.now,
    )


def _id_before(decision_id: UUID) -> UUID:
    """The id of the case that a decision begins: it sorts right before, as a case's own comes before its decisions'."""
    return UUID(int=decision_id.int - 1)


def entry_and_review(draft: Draft, row: NewDecision, stamp: Stamp) -> list[Write]:
    """The ledger entry, and the review with its own."""
    asked, exposure = draft.asked, draft.exposure
    facts: dict[str, Any] = {
        "point": asked.name,
        "component": row.component,
        "component_digest": row.component_digest,
        "input_hash": row.input_hash,
        "output_hash": row.output_hash,
        "declaration": row.declaration,
        "build": row.build,
        "record": record_hash(row, asked.tenant),
        "facts_hash": hashlib.sha256(row.facts).digest() if row.facts else None,
        "supersedes": row.supersedes,
        "confidence": row.confidence,
        "exposure": str(exposure) if exposure else None,
        "route": row.route,
        "review": row.review,
    }
    if asked.case_id is None:
        facts["caller"] = asked.caller
    if asked.origin is not None:
        facts["origin"] = asked.origin
    if draft.asking.best and draft.asking.best.held:
        facts["certificate"] = draft.asking.best.held.recorded.certificate
    if asked.features:
        facts["features_hash"] = hashlib.sha256(canonical.encode(asked.features.used)).digest()
    entry = entry_of(stamp, row.id, asked.tenant, "decision.taken", row.id, row.case_id, facts)
    if row.review is None:
        return [entry]
    review = _review(draft, row, stamp, row.review)
    opened = further_entry(
        stamp, asked.tenant, "review.opened", subject=row.review, case_id=row.case_id, decision=row.id,
        queue=review.queue, question_hash=hash_of(review.question), due_at=review.due_at,
    )  # fmt: skip
    return [entry, Write(ADD_REVIEWS, review), opened]


def _review(draft: Draft, row: NewDecision, stamp: Stamp, review_id: UUID) -> NewReview:
    asked, best, point = draft.asked, draft.asking.best, draft.asked.point
    question = Question(
        why=tuple(reason.what for reason in draft.routed.reasons),
        input=dict(asked.value),
        proposal=best.answer.output if best else None,
        proposed_by=row.component,
        confidence=row.confidence,
        # one that reached it and came here all the same would tell that it is of the control group
        confidence_needed=None if draft.routed.reasons[0].code == ASKED else row.confidence_needed,
        evidence=best.answer.evidence if best else {},
        findings=tuple({"code": f.code, "what": f.what, "where": f.where} for f in best.findings) if best else (),
        output_contract=point.output,
        choices={
            "approve": "the proposal holds, and the case goes on with it",
            "change": f"your output holds instead, checked against {point.output}, and the case goes on with it",
            "reject": "no: the case ends as rejected unless its workflow says otherwise",
        },
    )
    return NewReview(
        id=review_id,
        tenant=asked.tenant,
        case_id=row.case_id,
        decision_id=row.id,
        workflow=asked.workflow,
        point=point.name,
        queue=point.queue.name,
        question=canonical.encode(question),
        proposal=row.output,
        exposure_minor=row.exposure_minor,
        currency=row.currency,
        # a sure answer that a condition, a finding or a stop sends to a person is in doubt as a whole
        urgency=urgency_of(draft.exposure, None if best is None or best.sure else row.confidence),
        due_at=stamp.now + point.queue.due,
        created_at=stamp.now,
        confidence=row.confidence,
        why=line_of(line_of_reason(draft.routed.reasons, best.answer.fired if best else ())),
        team=point.queue.team or None,
        codes=tuple(dict.fromkeys(finding["code"] for finding in question.findings)),
        needed=point.people_for(draft.exposure),
    )


def as_decimal(share: Fraction) -> Decimal:
    """A probability as it stands in a decision's row."""
    return Decimal(share.numerator) / Decimal(share.denominator)
