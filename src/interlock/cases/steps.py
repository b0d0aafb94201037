"""Carries out what workflow code asks for. Each step is recorded in the commit that made its decision or action."""

from __future__ import annotations

import inspect
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import msgspec

from interlock.actions.action import Action, ActionState, outside_key
from interlock.actions.intent import Intent
from interlock.actions.outcome import Finished, Later
from interlock.actions.stale import Stale
from interlock.actions.terms import ActionTerms
from interlock.cases.anew import DecisionStale, key_after_rewind, superseded_decision, terms_of_decision
from interlock.cases.answered import (
    Answered,
    answered_by_person,
    answered_of,
    asked_review,
    error_of,
    failure_of,
)
from interlock.cases.cut import is_being_cut, said_by
from interlock.cases.driver import Outcome, Park, Thrown, Value, decode
from interlock.cases.event_step import await_event
from interlock.cases.facts import FactRead, as_fact, facts_of, read_fact, recheck
from interlock.cases.held import CaseStuck, FirstWrites, Held, Tools
from interlock.cases.journal import Place, Recorded, StepKind, StepState, args_hash, encode
from interlock.cases.requests import Act, AwaitEvent, Decide, First, ReadFact, Review, Step, StepRequest, Wait
from interlock.cases.store import ADD_QUARANTINES, CASE_OF_UNIT, RECORD_STEPS, NewQuarantine, StepRow
from interlock.db.gates import HoldsCase, TakesKey, key_digest, short_digest
from interlock.db.text import storable
from interlock.db.work import Condition, Refusal, Stamp, Write
from interlock.decisions.decide import Asked, Deferred, find_decision
from interlock.decisions.decision import Decision, Route
from interlock.errors import (
    ActionFailed,
    ContractViolated,
    DossierIncomplete,
    KeyReused,
    MoneyInvalid,
    StepFailed,
    Violation,
    WorkflowMisuse,
)
from interlock.ledger.ledger import first_entry, further_entry
from interlock.money import Money
from interlock.oversight.queue import find_review
from interlock.oversight.store import ADD_REVIEWS


class CaseSteps:
    """Carries out the requests of one held case."""

    def __init__(self, held: Held, tools: Tools) -> None:
        self._held = held
        self._tools = tools

    # ------------------------------------------------------------------ the face

    async def carry_out(  # noqa: PLR0911 - one case for each kind of request
        self, request: StepRequest[Any], place: Place, recorded: Recorded | None
    ) -> Outcome:
        """Carry out a step that is new, or that is recorded and pending."""
        if not isinstance(request, Act):
            await self._settle_up()
        match request:
            case Decide():
                return await self._decide(request, place, recorded)
            case Act():
                return await self._act(request, place, recorded)
            case ReadFact():
                return await self._fact(request, place)
            case AwaitEvent():
                row = partial(self._row, request, place)
                return await await_event(self._held, self._tools, request, place, recorded, row)
            case Review():
                return await self._review(request, place, recorded)
            case Wait():
                return await self._wait(request, place, recorded)
            case First():
                return await self._first(request, place)
            case Step():
                return await self._run(request, place)
            case _:
                return await self._plain(request, place)

    def result_of(self, request: StepRequest[Any], recorded: Recorded) -> Value | Thrown:
        """The result of a step that has ended."""
        value = decode(recorded.result)
        if recorded.state is StepState.FAILED:
            return Thrown(error_of(value))
        match request:
            case Decide() | Review():
                decided = msgspec.convert(value, Answered).decided()
                self._note_exposure(decided.exposure)
                return Value(decided)
            case ReadFact():
                read = msgspec.convert(value, FactRead)
                return Value(as_fact(request.name, request.parameters, read, str(recorded.place)))
            case _ if request.kind is StepKind.NOW:
                return Value(datetime.fromisoformat(value))
            case _ if isinstance(request, First) or request.kind is StepKind.ID:
                return Value(UUID(value))
            case _:
                return Value(value)

    def _note_exposure(self, exposure: Money | None) -> None:
        self._held.exposure = exposure or self._held.exposure

    # ----------------------------------------------------------------- recording

    def _row(
        self,
        request: StepRequest[Any],
        place: Place,
        stamp: Stamp,
        state: StepState,
        *,
        result: Any = None,
        ref: UUID | None = None,
        due: datetime | None = None,
    ) -> Write:
        case = self._held.case
        row = StepRow(
            case_id=case.id,
            tenant=case.tenant,
            run=case.run,
            scope=place.scope,
            ordinal=place.ordinal,
            kind=request.kind,
            name=request.name,
            args_hash=args_hash(request.kind, request.name, request.arguments),
            state=state,
            ref=ref,
            result=encode(result) if state is not StepState.PENDING else None,
            due=due,
            fence=self._held.holder.fence,
            at=stamp.now,
        )
        return Write(RECORD_STEPS, row)

    def _entry(self, stamp: Stamp, kind: str, place: Place, **facts: Any) -> Write:
        case = self._held.case
        return first_entry(stamp, case.tenant, kind, subject=case.id, case_id=case.id, step=str(place), **facts)

    async def _settle_up(self) -> None:
        """Commit what is still carried: what comes next may take long, or cause something that rests on it."""
        if self._held.holder.carried:
            await self._write(None)

    async def _write(
        self, build: FirstWrites | None, *conditions: Condition, holds: HoldsCase | None = None
    ) -> Refusal | None:
        held = self._held
        refusal, _ = await held.holder.carried.write(
            self._tools.writer, held.case.tenant, build, (holds or held.condition, *conditions)
        )
        if refusal and refusal.code != "key-held":
            held.raise_refused(refusal)
        return refusal

    async def _record(
        self, request: StepRequest[Any], place: Place, result: Any, *, state: StepState = StepState.DONE
    ) -> None:
        """Record how a step ended: with the next commit of the case, or, inside a gather, at once.

        Nothing outside can rest on the result before it is on record: an action carries it in the very commit that
        lets it begin, and every other step waits for it, see ``_settle_up``. Inside a gather another branch may be at
        work for long, so that nothing would come by to take it along.
        """
        kind = f"step.{state}"
        encode(result)  # before the commit: what cannot be recorded is the workflow's error
        if not place.scope:
            case = self._held.case

            def build(stamp: Stamp, first: bool) -> Sequence[Write]:  # noqa: FBT001 - as ``Carried`` calls it
                entry = first_entry if first else further_entry
                told = entry(
                    stamp, case.tenant, kind, subject=case.id, case_id=case.id, step=str(place), name=request.name
                )
                return [self._row(request, place, stamp, state, result=result), told]

            self._held.holder.carried.add(build)
            return
        await self._write(
            lambda stamp: [
                self._row(request, place, stamp, state, result=result),
                self._entry(stamp, kind, place, name=request.name),
            ]
        )

    # ----------------------------------------------------------------- decisions

    async def _decide(self, request: Decide, place: Place, recorded: Recorded | None) -> Outcome:
        if recorded and recorded.ref:
            decision = await find_decision(self._tools.database, self._held.case.tenant, recorded.ref)
            return await self._after_review(request, place, decision.review, decision)
        point = self._held.declaration.decisions.get(request.name)
        if point is None:
            known = ", ".join(sorted(self._held.declaration.decisions))
            raise WorkflowMisuse(
                f"the workflow's file declares no decision {request.name!r}", todo=f"it declares {known}"
            )
        case = self._held.case
        asked = Asked(
            tenant=case.tenant,
            workflow=case.workflow,
            point=point,
            declaration=self._held.declaration.digest,
            library=self._held.library,
            key=f"{case.id}/{case.run}/{place}",
            value=request.value,
            exposure=request.exposure,
            case_id=case.id,
            caller=case.caller,
            facts=facts_of(self._held, request.name, request.assumes),
            supersedes=await superseded_decision(self._held, self._tools, request.name, place),
            conditions=(self._held.condition,),
            attach=lambda stamp, decision: [self._step_of(request, place, stamp, decision)],
        )
        try:
            decision = await self._tools.decider.decide(asked)
        except ContractViolated as cause:
            return await self._quarantine(request, place, point.input, cause)
        if isinstance(decision, Deferred):
            return Park(self._tools.database.clock.now() + decision.pause, decision.why, decision.held_by)
        self._note_exposure(decision.exposure)
        if decision.route is Route.REVIEW:
            return Park(None, f"a person in the queue {point.queue.name}: {decision.why[0].what}")
        return Value(answered_of(decision).decided())

    def _step_of(self, request: Decide, place: Place, stamp: Stamp, decision: Decision) -> Write:
        if decision.route is Route.REVIEW:
            return self._row(request, place, stamp, StepState.PENDING, ref=decision.id)
        return self._row(request, place, stamp, StepState.DONE, result=answered_of(decision), ref=decision.id)

    async def _after_review(
        self, request: StepRequest[Any], place: Place, review_id: UUID | None, decision: Decision | None
    ) -> Outcome:
        """A pending decision or question: the person's word, if it has been given."""
        if review_id is None:
            raise AssertionError("a pending decision has a review")
        review = await find_review(self._tools.database, self._held.case.tenant, review_id)
        self._note_exposure(review.exposure)
        if review.resolution is None:
            return Park(None, f"a person in the queue {review.queue}: {'; '.join(review.asked.why[:1])}")
        point = self._held.declaration.decisions.get(request.name) if decision else None
        try:
            answered = answered_by_person(review, decision, point)
        except MoneyInvalid as cause:  # refused where it is said; here only if the file in force is another by now
            raise CaseStuck("change-without-amount", f"the change of {request.name}: {cause}") from cause
        decided = answered.decided()
        self._note_exposure(decided.exposure)
        await self._record(request, place, answered)
        return Value(decided)

    async def _quarantine(self, request: Decide, place: Place, contract: str, cause: ContractViolated) -> Outcome:
        case = self._held.case

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
            )
            return [
                Write(ADD_QUARANTINES, row),
                self._row(request, place, stamp, StepState.FAILED, result=failure_of(cause)),
                self._entry(stamp, "decision.quarantined", place, point=request.name, contract=contract),
            ]

        await self._write(build)
        return Thrown(error_of(failure_of(cause)))

    # ------------------------------------------------------------------- reviews

    async def _review(self, request: Review, place: Place, recorded: Recorded | None) -> Outcome:
        if recorded:
            return await self._after_review(request, place, recorded.ref, None)
        case = self._held.case
        queue = request.queue or case.workflow

        def build(stamp: Stamp) -> Sequence[Write]:
            review = asked_review(request, self._held, queue, stamp)
            opened = further_entry(stamp, case.tenant, "review.opened", subject=review.id, case_id=case.id)
            return [
                Write(ADD_REVIEWS, review),
                self._row(request, place, stamp, StepState.PENDING, ref=review.id),
                self._entry(stamp, "step.pending", place, name=request.name),
                opened,
            ]

        await self._write(build)
        self._note_exposure(request.exposure)
        return Park(None, f"a person in the queue {queue}: {request.why}")

    # ------------------------------------------------------------------- actions

    async def _act(self, request: Act, place: Place, recorded: Recorded | None) -> Outcome:
        terms = self._held.declaration.actions.get(request.name)
        if terms is None:
            known = ", ".join(sorted(self._held.declaration.actions))
            raise WorkflowMisuse(
                f"the workflow's file declares no action {request.name!r}", todo=f"it declares {known}"
            )
        connector = self._tools.connectors.get(terms.connector)
        if connector is None:
            raise CaseStuck(
                "connector-missing", f"the settings have no connector {terms.connector!r}, which {request.name} needs"
            )
        missing = self._held.declaration.dossier.missing()
        if missing and not connector.abilities.simulated:
            violations = tuple(Violation(where=part, what="is missing", rule="dossier") for part in missing)
            problem = DossierIncomplete(
                f"{self._held.case.workflow} may act on simulated connectors only: it lacks {', '.join(missing)}",
                violations,
            )
            raise CaseStuck(problem.code, problem.what)

        async def fresh(action: Action) -> Stale | Later | Finished | None:
            return await recheck(self._held, self._tools, action)

        def ending(finished: Finished) -> FirstWrites:
            return self._ended(request, place, finished, StepState.DONE, finished.response)

        if recorded and recorded.ref:
            action_id = recorded.ref
            outcome = await self._tools.dispatcher.carry_out(
                action_id, connector, terms, self._held.holder, fresh, ending
            )
        else:
            intent = await self._intent(request, place, terms)
            begun = await self._tools.dispatcher.begin(intent, connector, terms, self._held.holder, fresh, ending)
            if isinstance(begun, Refusal):
                return await self._key_is_another_s(request, place, begun, intent.fields["key"])
            action_id, outcome = begun
        if isinstance(outcome, Later):
            return Park(outcome.at, outcome.why, outcome.held_by)
        if isinstance(outcome, Stale):
            raise DecisionStale(outcome)
        return await self._after_action(request, place, action_id, outcome)

    async def _intent(self, request: Act, place: Place, terms: ActionTerms) -> Intent:
        """What will be recorded of a new action, and its step beside it."""
        case = self._held.case
        name = f"{case.workflow}/{request.name}"
        key = outside_key(case.tenant, name, request.key or f"{case.key}/{case.run}/{place}")
        if request.key and case.run > 1:
            key = await key_after_rewind(self._held, self._tools, request.name, key)
        payload = encode(request.payload)
        fields = {
            "tenant": case.tenant,
            "case_id": case.id,
            "decision_id": request.decision,
            "workflow": case.workflow,
            "name": request.name,
            "connector": terms.connector,
            "domain": terms.domain,
            "key": key,
            "payload": payload,
            "exposure_minor": request.amount.minor if request.amount else None,
            "currency": request.amount.currency if request.amount else None,
            "valid_until": None,
            **await terms_of_decision(self._held, self._tools, request, terms),
            "caller": case.caller,
        }
        return Intent(
            fields=fields,
            patience=terms.deadline,
            taken=TakesKey(key_digest(case.tenant, "action", key), short_digest(payload)),
            step=lambda stamp, action_id: [self._row(request, place, stamp, StepState.PENDING, ref=action_id)],
        )

    async def _key_is_another_s(self, request: Act, place: Place, refusal: Refusal, key: str) -> Thrown:
        case = self._held.case
        reused = KeyReused(
            f"the action key {key!r} belongs to another action already",
            holder=str(refusal.holder),
            where=str(case.id),
        )
        await self._record(request, place, failure_of(reused), state=StepState.FAILED)
        return Thrown(error_of(failure_of(reused)))

    def _ended(
        self, request: Act, place: Place, finished: Finished, state: StepState, result: Any = None
    ) -> FirstWrites:
        """What records in one commit how the action ended and that the step has."""
        return lambda stamp: [
            *finished.writes(stamp),
            *([] if state is StepState.PENDING else [self._row(request, place, stamp, state, result=result)]),
            first_entry(
                stamp, self._held.case.tenant, f"action.{finished.state}", subject=finished.ended.id,
                case_id=self._held.case.id, error=finished.error or None,
            ),
        ]  # fmt: skip

    async def _after_action(self, request: Act, place: Place, action_id: UUID, finished: Finished) -> Outcome:
        """Record in one commit how the action ended and that the step has, unless that is on record."""
        if finished.recorded:
            return Value(finished.response)
        build = partial(self._ended, request, place, finished)
        if finished.state is ActionState.DONE:
            await self._write(
                build(StepState.DONE, finished.response),
                *_not_the_case(finished.conditions),
                holds=self._held.recording,
            )
            return Value(finished.response)
        if finished.state is ActionState.EXCEPTION:
            raise CaseStuck(
                "action-in-doubt",
                f"{request.name}: {finished.error}",
                writes=build(StepState.PENDING, None),
                conditions=_not_the_case(finished.conditions),
                action=await self._tools.dispatcher.find(action_id, self._held.case.tenant),
                place=place,
            )
        error = ActionFailed(f"{request.name} had no effect: {finished.error}", where=str(action_id))
        await self._write(
            build(StepState.FAILED, failure_of(error)), *_not_the_case(finished.conditions), holds=self._held.recording
        )
        return Thrown(error)

    # -------------------------------------------------------------- other steps

    async def _fact(self, request: ReadFact, place: Place) -> Outcome:
        read = await read_fact(self._held, self._tools, request.name, request.parameters)
        if isinstance(read, Later):
            return Park(read.at, read.why)
        await self._record(request, place, read)
        return Value(as_fact(request.name, request.parameters, read, str(place)))

    async def _wait(self, request: Wait, place: Place, recorded: Recorded | None) -> Outcome:
        now = self._tools.database.clock.now()
        if recorded and recorded.due and recorded.due <= now:
            await self._record(request, place, None)
            return Value(None)
        if recorded and recorded.due:
            return Park(recorded.due, request.name)
        due = request.until or now + (request.span or timedelta(0))
        await self._write(
            lambda stamp: [
                self._row(request, place, stamp, StepState.PENDING, due=due),
                self._entry(stamp, "step.pending", place, name=request.name, due=due),
            ]
        )
        return Park(due, request.name)

    async def _run(self, request: Step, place: Place) -> Outcome:
        try:
            result = request.run(*request.values)
            if inspect.isawaitable(result):
                result = await result
        except GeneratorExit:
            raise  # nobody waits for this step any more
        except BaseException as cause:  # whatever the function raises is the step's failure
            if is_being_cut(cause):
                raise
            error = StepFailed(storable(f"the step {request.name} failed: {said_by(cause)}"))
            error.__cause__ = cause
            await self._record(request, place, failure_of(error), state=StepState.FAILED)
            return Thrown(error)
        await self._record(request, place, result)
        return Value(decode(encode(result)))

    async def _first(self, request: First, place: Place) -> Outcome:
        """Take all keys in one commit; where one is held already, take the free ones and name the earliest holder."""
        case = self._held.case
        purpose = f"{request.name}:{case.workflow}"
        digests = [key_digest(case.tenant, purpose, key) for key in request.keys]

        def build(first: UUID) -> FirstWrites:
            return lambda stamp: [
                self._row(request, place, stamp, StepState.DONE, result=first),
                self._entry(stamp, "step.done", place, name=request.name, first=first),
            ]

        refusal = await self._write(build(case.id), *(TakesKey(digest, digest) for digest in digests))
        if refusal is None:
            return Value(case.id)
        units = [refusal.holder]
        for digest in digests:
            refusal = await self._write(
                lambda stamp: [self._entry(stamp, "key.taken", place, name=request.name)], TakesKey(digest, digest)
            )
            units.append(refusal.holder if refusal else None)
        first = await self._earliest([unit for unit in units if unit])
        await self._write(build(first))
        return Value(first)

    async def _earliest(self, units: Sequence[UUID]) -> UUID:
        """The oldest other case among those that these units of work belong to; this one when there is no other.

        INVARIANT: a case that lost one key is never first, not by the free keys that it took before its worker died.
        """
        async with self._tools.database.tenant(self._held.case.tenant) as connection:
            found = [await CASE_OF_UNIT.one(connection, {"id": unit}) for unit in units]
        mine = self._held.case.id
        cases = {holder.case_id for holder in found if holder and holder.case_id}
        return min(cases - {mine}, default=mine)

    async def _plain(self, request: StepRequest[Any], place: Place) -> Outcome:
        clock = self._tools.database.clock
        value: Any
        match request.kind:
            case StepKind.NOW:
                value = clock.now()
            case StepKind.RANDOM:
                value = random.random()  # noqa: S311 - no secret
            case StepKind.ID:
                value = clock.new_id()
            case _:
                value = True
        await self._record(request, place, value)
        return Value(value)


def _not_the_case(conditions: tuple[Condition, ...]) -> tuple[Condition, ...]:
    """The conditions beside the case's own fence, which every write of this file has already."""
    return tuple(condition for condition in conditions if not isinstance(condition, HoldsCase))
