"""Deciding anew: a case whose decision is stale goes back to before it, in one commit, and runs on from there.

The commit ends the action, which surely had no effect, and gives back what it reserved; its key too, if it was never
sent. It copies the journal up to the decision, and to the facts that this one assumed, into the case's next run, so
that replay reads the facts anew and decides anew. A crash before it leaves the action ready and the case where it was;
after it the case is ready and any worker goes on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from interlock.actions.action import Action
from interlock.actions.stale import STALE, Stale, assumed_of
from interlock.actions.store import ACTIONS_OF_CASE
from interlock.actions.terms import ActionTerms
from interlock.autonomy.granted import granted_of
from interlock.cases.answered import failure_of
from interlock.cases.held import CaseStuck, Held, Tools
from interlock.cases.journal import Place, Recorded, StepKind, StepState, encode
from interlock.cases.requests import Act
from interlock.cases.returned import return_event
from interlock.cases.rewind import Rewind, Stays, key_in_turn, plan_rewind
from interlock.cases.rewind_store import COPY_STEPS, REWIND_CASES, SUPERSEDED_DECISIONS, CopiedStep, RewoundCase
from interlock.cases.store import JOURNAL_OF_CASE, RECORD_STEPS, StepRow
from interlock.db.gates import FREE_KEYS, FreedKey, HoldsCase, key_digest
from interlock.db.text import storable
from interlock.db.work import Stamp, Write
from interlock.decisions.decide import find_decision
from interlock.decisions.decision import Became, Decision, Route
from interlock.errors import ActionFailed, DecisionRejected, InterlockError, NotFound, WorkFailed, WorkflowMisuse
from interlock.ledger.ledger import facts_of, first_entry, further_entry
from interlock.oversight.queue import find_review
from interlock.oversight.review import Resolution, Review
from interlock.oversight.store import WITHDRAW_REVIEWS_OF, WithdrawnReviewsOf


class DecisionStale(InterlockError):
    """An action may not begin, for its decision no longer holds; its case goes back. No workflow code sees this."""

    def __init__(self, stale: Stale) -> None:
        super().__init__(f"{stale.action.name}: {stale.why}", where=str(stale.action.id))
        self.stale = stale


async def terms_of_decision(held: Held, tools: Tools, request: Act, terms: ActionTerms) -> dict[str, Any]:
    """What an action takes over from the decision that it rests on: the fields of ``NewAction``.

    Raises:
        DecisionRejected: it was a no, by a condition or by a person. INVARIANT: what was rejected is not carried out,
            whether or not the workflow looked at the answer.
        WorkflowMisuse: the workflow's file demands a decision of a point, and the code names none or another one; or
            the code names one of another case, or one that waits for a person still.
    """
    case = held.case
    if request.decision is None:
        _check_point(terms, None)
        return {}
    try:
        decision = await find_decision(tools.database, case.tenant, request.decision)
    except NotFound:  # a question of the workflow's own: a person's word, without a time limit and without facts
        _check_point(terms, None)
        asked = await find_review(tools.database, case.tenant, request.decision)
        _check_word(held, request, asked.case_id, asked)
        return {"decided_at": asked.resolved_at}
    review = await find_review(tools.database, case.tenant, decision.review) if decision.review else None
    _check_word(held, request, decision.case_id, review)
    if decision.route is Route.REJECT:
        raise DecisionRejected(f"{request.name} rests on the decision {decision.id}, which is a no")
    _check_point(terms, decision)
    decided_at = (review.resolved_at if review else None) or decision.decided_at
    return {
        "valid_until": decided_at + (decision.valid_until - decision.decided_at) if decision.valid_until else None,
        "point": decision.point,
        "component": decision.component,
        "decided_at": decided_at,
        "facts": decision.facts,
        "granted": granted_by(decision) if decision.route is Route.AUTOMATIC else None,
    }


def granted_by(decision: Decision) -> bytes | None:
    """On what a decision went by itself, as its action keeps it; None: on no certificate."""
    return granted_of(
        decision.evidence,
        digest=decision.component_digest,
        exposure=decision.exposure,
        confidence=decision.confidence,
        in_turn=any(one.became is Became.UNSURE for one in decision.asked),
    )


def _check_word(held: Held, request: Act, case_id: UUID | None, review: Review | None) -> None:
    """See that a decision, or a question, is this case's own, and that the person who was asked did not say no."""
    if case_id != held.case.id:
        raise WorkflowMisuse(f"{request.name} rests on a decision of another case", todo="pass one of this case")
    if review is None:
        return
    if review.resolution is None:
        raise WorkflowMisuse(
            f"{request.name} rests on what a person has not decided yet", todo="pass what the case was answered"
        )
    if review.resolution is Resolution.REJECT:
        raise DecisionRejected(f"{request.name} rests on what {review.resolved_by} rejected: {review.id}")


def _check_point(terms: ActionTerms, decision: Decision | None) -> None:
    if terms.rests_on and (decision is None or decision.point != terms.rests_on):
        given = f"a decision of {decision.point}" if decision else "no decision"
        raise WorkflowMisuse(
            f"{terms.name} must rest on a decision of {terms.rests_on}, and {given} is named",
            todo=f"pass because= what case.decide({terms.rests_on!r}, ...) gave, or change rests_on in the file",
        )


async def key_after_rewind(held: Held, tools: Tools, name: str, key: str) -> str:
    """The key of an action whose namesake in an earlier run was stale, or was asked for by an input since corrected."""
    async with tools.database.tenant(held.case.tenant) as connection:
        actions = await ACTIONS_OF_CASE.all(connection, {"case_id": held.case.id})
    return key_in_turn([action for action in actions if action.name == name], key)


async def superseded_decision(held: Held, tools: Tools, point: str, place: Place) -> UUID | None:
    """The stale decision that a decision at this step takes the place of, if there is one."""
    if held.case.run == 1:
        return None
    async with tools.database.tenant(held.case.tenant) as connection:
        found = await SUPERSEDED_DECISIONS.all(connection, {"case_id": held.case.id})
    return next((old.id for old in found if old.point == point and old.place == str(place)), None)


async def decide_anew(held: Held, tools: Tools, stale: Stale) -> CaseStuck | None:
    """Take a case back to before its stale decision, ready to go on; or say why a person has to decide.

    INVARIANT: no branch of the case is at work: the driver has ended.

    Raises:
        Fenced: the case belongs to another worker now.
        CancelWanted: it is to be cancelled.
    """
    case, carried = held.case, held.holder.carried
    if carried:
        refusal, _ = await carried.write(tools.writer, case.tenant, None, (held.condition,))
        if refusal:
            held.raise_refused(refusal)
    async with tools.database.tenant(case.tenant) as connection:
        journal = await JOURNAL_OF_CASE.all(connection, {"case_id": case.id, "run": case.run})
    action = stale.action
    if action.decision_id is None:
        raise AssertionError("only an action that rests on a decision is stale")
    plan = plan_rewind(
        journal,
        decision=action.decision_id,
        assumed=assumed_of(action.facts),
        action=action.id,
        rewinds=case.rewinds,
    )
    if isinstance(plan, Stays):
        return _stuck(stale, plan.why)
    conditions = (held.condition, *(c for c in stale.finished.conditions if not isinstance(c, HoldsCase)))
    try:
        refusal, _ = await carried.write(
            tools.writer, case.tenant, lambda stamp: _writes(held, stale, plan, stamp), conditions, wakes=("cases",)
        )
    except WorkFailed as cause:
        return _stuck(stale, f"going back was refused: {cause.what}")
    if refusal and refusal.code in ("fenced", "cancelled"):
        held.raise_refused(refusal)
    if refusal:
        raise InterlockError(f"the case could not go back: {refusal.what}", where=str(case.id))
    return None


def _stuck(stale: Stale, why: str) -> CaseStuck:
    what = f"{stale.action.name} rests on a decision that no longer holds ({stale.why}), and {why}"
    return CaseStuck("decision-stale", what, action=stale.action)


def _writes(held: Held, stale: Stale, plan: Rewind, stamp: Stamp) -> list[Write]:
    case, action = held.case, stale.action
    failed = first_entry(
        stamp, case.tenant, "action.failed", subject=action.id, case_id=case.id, error=STALE, changed=len(stale.changes)
    )
    kept = [
        Write(COPY_STEPS, CopiedStep(case_id=case.id, run=case.run, scope=step.scope, ordinal=step.ordinal))
        for step in plan.kept
    ]
    freed = FreedKey(digest=key_digest(case.tenant, "action", action.key), holder=action.id)
    return [
        *stale.finished.writes(stamp),
        failed,
        *_superseded(held, stale, plan, stamp),
        *kept,
        *(write for step in plan.dropped for write in _given_up(held, stale, step, stamp)),
        *([] if action.attempt else [Write(FREE_KEYS, freed)]),  # what was sent keeps its key: see key_in_turn
        Write(REWIND_CASES, RewoundCase(case_id=case.id, at=stamp.now)),
    ]


def _superseded(held: Held, stale: Stale, plan: Rewind, stamp: Stamp) -> Sequence[Write]:
    """What the ledger says of each dropped decision: what was stale, by hash, for a value may be personal."""
    case = held.case
    changed = [
        {"fact": change.fact.name, "was": _hash(change.fact.value), "is": _hash(change.now)} for change in stale.changes
    ]
    told: dict[str, Any] = {"action": stale.action.id, "run": case.run + 1, "changed": changed}
    if not changed:
        until = stale.action.valid_until
        told |= {"expired": until} if until and until < stamp.now else {"uncertified": stale.why}
    return [
        further_entry(
            stamp, case.tenant, "decision.superseded", subject=decision, case_id=case.id, because=plan.decisions[0],
            **told,
        )
        for decision in plan.decisions
    ]  # fmt: skip


def _given_up(held: Held, stale: Stale, step: Recorded, stamp: Stamp) -> list[Write]:
    """What a dropped step leaves behind: an event goes back, a question is withdrawn, the action's step has failed."""
    if step.ref is None:
        return []
    if step.kind is StepKind.EVENT:
        return return_event(stamp, held.case.tenant, held.case.id, step.ref, why=stale.why)
    if step.kind in (StepKind.DECIDE, StepKind.REVIEW) and step.state is StepState.PENDING:
        body = facts_of(why=stale.why)
        return [Write(WITHDRAW_REVIEWS_OF, WithdrawnReviewsOf(ref=step.ref, at=stamp.now, body=body))]
    return [_failed_step(held, stale.action, step, stamp)] if step.ref == stale.action.id else []


def _failed_step(held: Held, action: Action, step: Recorded, stamp: Stamp) -> Write:
    """The end of the action's step in the run that is left: nobody who looks for pending steps finds it."""
    error = ActionFailed(storable(f"{action.name} had no effect: {STALE}"), where=str(action.id))
    row = StepRow(
        case_id=step.case_id,
        tenant=held.case.tenant,
        run=held.case.run,
        scope=step.scope,
        ordinal=step.ordinal,
        kind=step.kind,
        name=step.name,
        args_hash=step.args_hash,
        state=StepState.FAILED,
        ref=action.id,
        result=encode(failure_of(error)),
        due=None,
        fence=held.holder.fence,
        at=stamp.now,
    )
    return Write(RECORD_STEPS, row)


def _hash(value: Any) -> bytes:
    return hashlib.sha256(encode(value)).digest()
