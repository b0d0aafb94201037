"""The step that acts: it puts an action on record, has it carried out, and records how both ended."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

from interlock.actions.action import Action, ActionState, outside_key
from interlock.actions.connector import Connector
from interlock.actions.dispatch import Outcome as Dispatched
from interlock.actions.intent import Intent
from interlock.actions.outcome import Finished, Later
from interlock.actions.stale import Stale
from interlock.actions.terms import ActionTerms
from interlock.cases.anew import DecisionStale, key_after_rewind, terms_of_decision
from interlock.cases.answered import error_of, failure_of
from interlock.cases.driver import Outcome, Park, Thrown, Value
from interlock.cases.facts import recheck
from interlock.cases.held import CaseStuck, FirstWrites
from interlock.cases.journal import Place, Recorded, StepState, encode
from interlock.cases.recording import Recording
from interlock.cases.requests import Act
from interlock.cases.store import JOURNAL_OF_CASE
from interlock.db.gates import HoldsCase, TakesKey, key_digest, short_digest
from interlock.db.work import Condition, Refusal
from interlock.errors import (
    ActionFailed,
    DecisionRejected,
    DossierIncomplete,
    KeyReused,
    Violation,
    WorkflowMisuse,
)
from interlock.ledger.ledger import first_entry


class ActionSteps(Recording):
    """Carries out what a workflow asks to be done outside."""

    async def act(self, request: Act, place: Place, recorded: Recorded | None) -> Outcome:
        """Carry an action out as far as it goes now.

        Raises:
            WorkflowMisuse: the workflow's file declares no such action.
            CaseStuck: it cannot go on without a person.
            DecisionStale: what it rests on holds no more.
            Fenced: the case belongs to another worker now.
        """
        if recorded and recorded.ref:
            return await self._go_on(request, place, recorded.ref)
        connector, terms = self._means(request)
        try:
            intent = await self._intent(request, place, terms)
        except DecisionRejected as cause:
            await self.record(request, place, failure_of(cause), state=StepState.FAILED)
            return Thrown(cause)
        begun = await self.tools.dispatcher.begin(
            intent, connector, terms, self.held.holder, self._recheck, self._ending(request, place)
        )
        if isinstance(begun, Refusal):
            return await self._key_is_taken(request, place, begun, intent.fields["key"])
        return await self._became(request, place, *begun)

    async def _go_on(self, request: Act, place: Place, action_id: UUID) -> Outcome:
        """Take an action that is on record as far as it goes now, through the connector that it is on record with."""
        action = await self.tools.dispatcher.find(action_id, self.held.case.tenant)
        connector, terms = self._means(request, action, place)
        outcome = await self.tools.dispatcher.carry_out(
            action_id, connector, terms, self.held.holder, self._recheck, self._ending(request, place)
        )
        return await self._became(request, place, action_id, outcome)

    async def _became(self, request: Act, place: Place, action_id: UUID, outcome: Dispatched) -> Outcome:
        match outcome:
            case Later(at, why, held_by):
                return Park(at, why, held_by)
            case Stale():
                raise DecisionStale(outcome)
            case Finished():
                return await self._after_action(request, place, action_id, outcome)

    def _means(
        self, request: Act, action: Action | None = None, place: Place | None = None
    ) -> tuple[Connector, ActionTerms]:
        """What an action is carried out by, and on which terms: a new one as the file in force says."""
        terms = self.held.declaration.actions.get(request.name)
        if terms is None:
            known = ", ".join(sorted(self.held.declaration.actions))
            raise WorkflowMisuse(
                f"the workflow's file declares no action {request.name!r}", todo=f"it declares {known}"
            )
        terms = terms.through(action.connector) if action else terms
        connector = self.tools.connectors.get(terms.connector)
        if connector is None:
            what = f"the settings have no connector {terms.connector!r}, which {request.name} needs"
            raise CaseStuck("connector-missing", what, action=action, place=place)
        missing = self.held.declaration.dossier.missing()
        if missing and not connector.abilities.simulated:
            violations = tuple(Violation(where=part, what="is missing", rule="dossier") for part in missing)
            problem = DossierIncomplete(
                f"{self.held.case.workflow} may act on simulated connectors only: it lacks {', '.join(missing)}",
                violations,
            )
            raise CaseStuck(problem.code, problem.what)
        return connector, terms

    async def _recheck(self, action: Action) -> Stale | Later | Finished | None:
        return await recheck(self.held, self.tools, action)

    def _ending(self, request: Act, place: Place) -> Callable[[Finished], FirstWrites]:
        return lambda finished: self._ended(request, place, finished, StepState.DONE, finished.response)

    async def _intent(self, request: Act, place: Place, terms: ActionTerms) -> Intent:
        """What will be recorded of a new action, and its step beside it."""
        case = self.held.case
        name = f"{case.workflow}/{request.name}"
        key = outside_key(case.tenant, name, request.key or f"{case.key}/{case.run}/{place}")
        if request.key and case.run > 1:
            key = await key_after_rewind(self.held, self.tools, request.name, key)
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
            **await terms_of_decision(self.held, self.tools, request, terms),
            "caller": case.caller,
        }
        return Intent(
            fields=fields,
            patience=terms.deadline,
            taken=TakesKey(key_digest(case.tenant, "action", key), short_digest(payload)),
            step=lambda stamp, action_id: [self.row(request, place, stamp, StepState.PENDING, ref=action_id)],
        )

    async def _key_is_taken(self, request: Act, place: Place, refusal: Refusal, key: str) -> Outcome:
        """Go on with this step's own action if it is the one that has the key; else the key is another's.

        INVARIANT: a commit whose answer never came may land after the journal was read. The action that it recorded is
        the step's own, and under way: who took it for another's would lose its end.
        """
        case = self.held.case
        if refusal.holder and await self._is_own(place, refusal.holder):
            return await self._go_on(request, place, refusal.holder)
        reused = KeyReused(
            f"the action key {key!r} belongs to another action already",
            holder=str(refusal.holder),
            where=str(case.id),
        )
        await self.record(request, place, failure_of(reused), state=StepState.FAILED)
        return Thrown(error_of(failure_of(reused)))

    async def _is_own(self, place: Place, action_id: UUID) -> bool:
        asked = {"case_id": self.held.case.id, "run": self.held.case.run}
        async with self.tools.database.tenant(self.held.case.tenant) as connection:
            journal = await JOURNAL_OF_CASE.all(connection, asked)
        return any(
            step.place == place and step.ref == action_id and step.state is StepState.PENDING for step in journal
        )

    def _ended(
        self, request: Act, place: Place, finished: Finished, state: StepState, result: Any = None
    ) -> FirstWrites:
        """What records in one commit how the action ended and that the step has."""
        return lambda stamp: [
            *finished.writes(stamp),
            *([] if state is StepState.PENDING else [self.row(request, place, stamp, state, result=result)]),
            first_entry(
                stamp, self.held.case.tenant, f"action.{finished.state}", subject=finished.ended.id,
                case_id=self.held.case.id, **finished.facts,
            ),
        ]  # fmt: skip

    async def _after_action(self, request: Act, place: Place, action_id: UUID, finished: Finished) -> Outcome:
        """Record in one commit how the action ended and that the step has, unless that is on record."""
        if finished.recorded:
            return Value(finished.response)
        build = partial(self._ended, request, place, finished)
        if finished.state is ActionState.DONE:
            await self.write(
                build(StepState.DONE, finished.response),
                *_not_the_case(finished.conditions),
                holds=self.held.recording,
            )
            return Value(finished.response)
        if finished.state is ActionState.EXCEPTION:
            raise CaseStuck(
                "action-in-doubt",
                f"{request.name}: {finished.error}",
                writes=build(StepState.PENDING, None),
                conditions=_not_the_case(finished.conditions),
                action=await self.tools.dispatcher.find(action_id, self.held.case.tenant),
                place=place,
            )
        error = ActionFailed(f"{request.name} had no effect: {finished.error}", where=str(action_id))
        await self.write(
            build(StepState.FAILED, failure_of(error)), *_not_the_case(finished.conditions), holds=self.held.recording
        )
        return Thrown(error)


def _not_the_case(conditions: tuple[Condition, ...]) -> tuple[Condition, ...]:
    """The conditions beside the case's own fence, which every write of this file has already."""
    return tuple(condition for condition in conditions if not isinstance(condition, HoldsCase))
