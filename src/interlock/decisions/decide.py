"""One decision, in order. This file reads like the list in the design.

1. The same tenant, point and key again: the stored decision. The same key with another input: refused.
2. The contract validates the input; a violation is raised whole, and the caller quarantines.
3. The release in force picks the component version by a stable hash of the key; the propensity is recorded.
4. The components answer in their declared order, outside any transaction, within the latency budget.
5. Checks add findings, conditions add verdicts; an error in one means a person, never a skip.
6. Exposure, confidence, verdicts, stops and the queue's capacity give the route.
7. One commit: decision, ledger entry, and review, with the step of the case. Durable before anyone is told.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID

from interlock.actions.refused import refused
from interlock.db.database import Database
from interlock.db.gates import TakesKey, key_digest, short_digest
from interlock.db.work import Condition, Refusal, Stamp, Unit, Write
from interlock.db.writer import Writer
from interlock.decisions.ask import Asking, ask_components
from interlock.decisions.condition import Facts
from interlock.decisions.decision import Decision, Route, Verdict
from interlock.decisions.library import Library
from interlock.decisions.point import DecisionPoint
from interlock.decisions.route import Routed, choose_route, judge
from interlock.decisions.store import ADD_DECISIONS, FIND_DECISION, FIND_KEY, NewDecision, canonical
from interlock.errors import ContractViolated, KeyReused, NotFound
from interlock.guards.scope import decision_scopes
from interlock.guards.stop_gate import NotStopped
from interlock.guards.stop_watch import StopWatch
from interlock.ledger.ledger import first_entry, further_entry
from interlock.money import Money
from interlock.oversight.queue import count_waiting
from interlock.oversight.review import Question, urgency_of
from interlock.oversight.store import ADD_REVIEWS, NewReview

QUEUE_FULL_PAUSE = timedelta(seconds=30)
STOPPED_PAUSE = timedelta(seconds=30)  # a case is woken when the stop ends


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is to be decided.

    Attributes:
        tenant: Whose decision.
        workflow: Whose point.
        point: The decision point, as its file declares it.
        declaration: SHA-256 of that file.
        library: Where its contracts, components and checks are.
        key: The idempotency key; within a case, the step.
        value: The input.
        exposure: The money at stake, if the caller knows it.
        case_id: The case that it belongs to, if any.
        caller: Who asks, or who submitted its case; a stop may name them.
        facts: What it assumes, as canonical JSON.
        supersedes: The stale decision that it takes the place of.
        conditions: What else must hold in the commit, such as the case's fence.
        attach: Rows that belong into the same commit, such as the case's step.
    """

    tenant: UUID
    workflow: str
    point: DecisionPoint
    declaration: bytes
    library: Library
    key: str
    value: Mapping[str, Any]
    exposure: Money | None = None
    case_id: UUID | None = None
    caller: str = ""
    facts: bytes | None = None
    supersedes: UUID | None = None
    conditions: tuple[Condition, ...] = ()
    attach: Callable[[Stamp, Decision], Sequence[Write]] = lambda _stamp, _decision: ()

    @property
    def name(self) -> str:
        """The point's full name."""
        return f"{self.workflow}.{self.point.name}"

    def scopes(self, component: object) -> tuple[str, ...]:
        """By which names the decision can be stopped, if this component answers."""
        return decision_scopes(workflow=self.workflow, point=self.name, component=str(component), caller=self.caller)


@dataclass(frozen=True, slots=True)
class Deferred:
    """No decision was taken: intake is held rather than anything automated.

    Its queue is full; or it is stopped, and its point declares no person who could decide meanwhile.

    Attributes:
        why: In a sentence.
        pause: When to ask again.
        held_by: The stop that holds it, if one does.
    """

    why: str
    pause: timedelta
    held_by: UUID | None = None


@dataclass(frozen=True, slots=True)
class _Draft:
    """A decision before its commit."""

    asked: Asked
    input: bytes
    asking: Asking
    verdicts: tuple[Verdict, ...]
    routed: Routed
    took_us: dict[str, int]


class Decider:
    """The one path.

    Args:
        database: To read what is stored.
        writer: For the commit.
        watch: Cuts off the asking of what is stopped.
    """

    def __init__(self, database: Database, writer: Writer, watch: StopWatch) -> None:
        self._database = database
        self._writer = writer
        self._watch = watch

    async def decide(self, asked: Asked) -> Decision | Deferred:
        """Decide, once.

        Raises:
            ContractViolated: the input breaks the point's contract; every violation is named.
            KeyReused: the key came before, with another input.
            Fenced: the case belongs to another worker now.
        """
        data = canonical.encode(asked.value)
        stored = await self._stored(asked, data)
        if stored:
            return stored
        _check_input(asked)
        started = time.perf_counter()
        key = f"{asked.tenant}/{asked.name}/{asked.key}".encode()
        asking = await ask_components(
            asked.point,
            asked.library,
            value=asked.value,
            key=key,
            exposure=asked.exposure,
            now=self._database.clock.now(),
            cutting=lambda component: self._watch.cutting(asked.tenant, asked.scopes(component)),
        )
        answered = time.perf_counter()
        verdicts = _judge(asked, asking)
        if asking.stopped and not asking.person:
            return Deferred(asking.stopped.what, STOPPED_PAUSE, asking.stopped.stop)
        draft = _draft(asked, data, asking, verdicts, started, answered)
        if draft.routed.route is Route.REVIEW:
            deferred = await self._hold_intake(asked)
            if deferred:
                return deferred
        return await self._commit(draft)

    async def _stored(self, asked: Asked, data: bytes) -> Decision | None:
        """The decision of the same key. A case's own steps are kept apart by its journal."""
        if asked.case_id:
            return None
        digest = key_digest(asked.tenant, f"decision:{asked.name}", asked.key)
        async with self._database.tenant(asked.tenant) as connection:
            held = await FIND_KEY.one(connection, {"digest": digest})
            if held is None:
                return None
            _same_input(asked, held.holder, same=held.payload == short_digest(data))
            return await FIND_DECISION.one(connection, {"id": held.holder})

    async def _hold_intake(self, asked: Asked) -> Deferred | None:
        queue = asked.point.queue
        waiting = await count_waiting(self._database, asked.tenant, queue.name)
        if waiting < queue.capacity:
            return None
        return Deferred(
            f"{waiting} reviews wait in the queue {queue.name}, which holds {queue.capacity}", QUEUE_FULL_PAUSE
        )

    async def _commit(self, draft: _Draft) -> Decision | Deferred:
        """The one commit. A stop that is in force at this very moment sends the decision to a person."""
        refusal, decision = await self._write(draft)
        if refusal and refusal.code == "stopped" and not draft.asking.person:
            return Deferred(refusal.what, STOPPED_PAUSE, refusal.holder)
        if refusal and refusal.code == "stopped":
            routed = choose_route(
                answered=draft.asking.best is not None,
                sure=False,
                verdicts=draft.verdicts,
                shortfall=draft.asking.shortfall,
                person=draft.asking.person,
                stopped=refusal.what,
            )
            held = _Draft(draft.asked, draft.input, draft.asking, draft.verdicts, routed, draft.took_us)
            deferred = await self._hold_intake(draft.asked) if routed.route is Route.REVIEW else None
            if deferred:
                return deferred
            refusal, decision = await self._write(held)
        if refusal is None and decision:
            return decision
        asked = draft.asked
        if refusal and refusal.code == "key-held" and refusal.holder:
            _same_input(asked, refusal.holder, same=refusal.same)
            async with self._database.tenant(asked.tenant) as connection:
                decision = await FIND_DECISION.one(connection, {"id": refusal.holder})
            if decision:
                return decision
        raise refused(refusal or Refusal("lost", "the decision is not on record"), asked.name)

    async def _write(self, draft: _Draft) -> tuple[Refusal | None, Decision | None]:
        asked = draft.asked
        made: list[Decision] = []

        def build(stamp: Stamp) -> Sequence[Write]:
            row = _row(draft, stamp)
            made.append(row.stored())
            return [Write(ADD_DECISIONS, row), *_entry_and_review(draft, row, stamp), *asked.attach(stamp, made[0])]

        conditions = list(asked.conditions)
        if draft.routed.route is not Route.REVIEW:  # a rejection is a decision of its component, too
            component = draft.asking.best.component if draft.asking.best else ""
            conditions.insert(0, NotStopped(asked.scopes(component)))
        if asked.case_id is None:
            digest = key_digest(asked.tenant, f"decision:{asked.name}", asked.key)
            conditions.append(TakesKey(digest, short_digest(draft.input)))
        wakes = ("reviews",) if draft.routed.route is Route.REVIEW else ()
        refusal = await self._writer.write(Unit(asked.tenant, build, tuple(conditions), wakes=wakes))
        return refusal, made[0] if made else None


def _check_input(asked: Asked) -> None:
    if not asked.point.input:
        return
    violations = asked.library.violations(asked.point.input, asked.value)
    if violations:
        raise ContractViolated(
            f"the input of {asked.name} breaks {asked.point.input}",
            violations,
            todo="mend what is named and send it again",
        )


def _same_input(asked: Asked, holder: UUID, *, same: bool) -> None:
    if not same:
        raise KeyReused(f"the key {asked.key!r} came before, with another input", holder=str(holder), where=asked.name)


def _judge(asked: Asked, asking: Asking) -> tuple[Verdict, ...]:
    best = asking.best
    if best is None:
        return ()
    facts = Facts(
        input=asked.value,
        output=best.answer.output,
        confidence=best.answer.confidence,
        exposure=best.exposure,
        findings=tuple(finding.code for finding in best.findings),
    )
    return judge(review=asked.point.review, reject=asked.point.reject, facts=facts, findings=best.findings)


def _draft(
    asked: Asked, data: bytes, asking: Asking, verdicts: tuple[Verdict, ...], started: float, answered: float
) -> _Draft:
    routed = choose_route(
        answered=asking.best is not None,
        sure=asking.best is not None and asking.best.sure,
        verdicts=verdicts,
        shortfall=asking.shortfall,
        person=asking.person,
        stopped=asking.stopped.what if asking.stopped else "",
    )
    took = {"components": round((answered - started) * 1e6), "rules": round((time.perf_counter() - answered) * 1e6)}
    return _Draft(asked, data, asking, verdicts, routed, took)


def _row(draft: _Draft, stamp: Stamp) -> NewDecision:
    asked, best, point = draft.asked, draft.asking.best, draft.asked.point
    output = canonical.encode(best.answer.output) if best else None
    exposure = best.exposure if best else asked.exposure
    evidence: dict[str, Any] = {"evidence": best.answer.evidence, "fired": best.answer.fired} if best else {}
    return NewDecision(
        id=stamp.entry,
        tenant=asked.tenant,
        case_id=asked.case_id,
        workflow=asked.workflow,
        point=point.name,
        key=asked.key,
        input=draft.input,
        input_hash=hashlib.sha256(draft.input).digest(),
        input_contract=_full_name(asked.library, point.input),
        output=output,
        output_hash=hashlib.sha256(output).digest() if output is not None else None,
        output_contract=_full_name(asked.library, point.output),
        component=str(best.component) if best else "person",
        component_digest=best.digest if best else None,
        propensity=_as_decimal(best.propensity) if best else Decimal(1),
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
    )


def _entry_and_review(draft: _Draft, row: NewDecision, stamp: Stamp) -> list[Write]:
    asked = draft.asked
    entry = first_entry(
        stamp,
        asked.tenant,
        "decision.taken",
        subject=row.id,
        case_id=asked.case_id,
        point=asked.name,
        component=row.component,
        component_digest=row.component_digest,
        input_hash=row.input_hash,
        output_hash=row.output_hash,
        declaration=row.declaration,
        facts_hash=hashlib.sha256(row.facts).digest() if row.facts else None,
        supersedes=row.supersedes,
        confidence=row.confidence,
        exposure=str(row.exposure) if row.exposure else None,
        route=row.route,
        review=row.review,
    )
    if row.review is None:
        return [entry]
    opened = further_entry(
        stamp, asked.tenant, "review.opened", subject=row.review, case_id=asked.case_id, decision=row.id
    )
    return [entry, Write(ADD_REVIEWS, _review(draft, row, stamp, row.review)), opened]


def _review(draft: _Draft, row: NewDecision, stamp: Stamp, review_id: UUID) -> NewReview:
    asked, best, point = draft.asked, draft.asking.best, draft.asked.point
    question = Question(
        why=tuple(reason.what for reason in draft.routed.reasons),
        input=dict(asked.value),
        proposal=best.answer.output if best else None,
        proposed_by=row.component,
        confidence=row.confidence,
        confidence_needed=row.confidence_needed,
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
        case_id=asked.case_id,
        decision_id=row.id,
        workflow=asked.workflow,
        point=point.name,
        queue=point.queue.name,
        question=canonical.encode(question),
        proposal=row.output,
        exposure_minor=row.exposure_minor,
        currency=row.currency,
        # a sure answer that a condition, a finding or a stop sends to a person is in doubt as a whole
        urgency=urgency_of(row.exposure, None if best is None or best.sure else row.confidence),
        due_at=stamp.now + point.queue.due,
        created_at=stamp.now,
    )


def _full_name(library: Library, reference: str) -> str | None:
    if not reference:
        return None
    contract = library.contract(reference)
    return f"{contract.name}@{contract.version}"


def _as_decimal(share: Fraction) -> Decimal:
    return Decimal(share.numerator) / Decimal(share.denominator)


async def find_decision(database: Database, tenant: UUID, decision_id: UUID) -> Decision:
    """One decision.

    Raises:
        NotFound: this tenant has none of that id.
    """
    async with database.tenant(tenant) as connection:
        decision = await FIND_DECISION.one(connection, {"id": decision_id})
    if decision is None:
        raise NotFound(f"there is no decision {decision_id}")
    return decision
