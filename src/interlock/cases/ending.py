"""Ending a case without success: what is under way is settled, what it did is taken back, then it is cancelled.

Each part is a commit under the case's fence, and what is still to do is read from the records alone: killed between any
two commits, the next worker goes on where this one was. Where a person is needed, the case is an exception, and its
cancelling goes on with their answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from interlock.actions.action import Action, ActionState
from interlock.actions.connector import Connector
from interlock.actions.dispatch import Outcome
from interlock.actions.intent import Intent
from interlock.actions.outcome import Finished, Later, as_it_ended, give_up
from interlock.actions.stale import Stale
from interlock.actions.store import ACTIONS_OF_CASE, COUNT_DOUBTFUL
from interlock.actions.terms import ActionTerms
from interlock.cases.answered import failure_of
from interlock.cases.driver import Park
from interlock.cases.ending_store import CHANGE_ORIGINALS, Original
from interlock.cases.held import CaseStuck, Held, Tools
from interlock.cases.journal import Recorded, StepState, encode
from interlock.cases.store import FINISH_CASES, JOURNAL_OF_CASE, RECORD_STEPS, CaseState, FinishedCase, StepRow
from interlock.cases.undo import left_as_they_are, undo_fields, undo_order, undoing_connector
from interlock.db.gates import HoldsCase, TakesKey, key_digest, short_digest
from interlock.db.text import storable
from interlock.db.work import Condition, Refusal, Stamp, Write
from interlock.errors import ActionFailed, CancelWanted
from interlock.ledger.ledger import first_entry, further_entry

_UNSENT = (ActionState.INTENDED, ActionState.AWAITING_APPROVAL, ActionState.READY)
_ENDED = (ActionState.DONE, ActionState.FAILED, ActionState.UNDOING, ActionState.UNDONE)
_HIGHEST = 0
_LOOK_AGAIN = timedelta(seconds=1)


class Ending:
    """The end of one held case that is to be cancelled.

    Args:
        held: With ``cancel_at`` set.
        tools: What carries actions out.
    """

    def __init__(self, held: Held, tools: Tools) -> None:
        self._held = held
        self._tools = tools
        self._declared = held.declaration.actions

    async def go_on(self) -> Park | None:
        """Take the case as far towards its end as it goes now; None: it is cancelled.

        Raises:
            CaseStuck: a person is needed.
            Fenced: the case belongs to another worker now.
        """
        waits = [await self._settle(action) for action in await self._actions() if action.undo_of is None]
        if parks := [park for park in waits if park]:
            return min(parks, key=lambda park: park.at.timestamp() if park.at else float("inf"))
        actions = await self._actions()
        undos = {action.undo_of: action for action in actions if action.undo_of}
        for original in undo_order(actions, self._declared):
            park = await self._take_back(original, undos.get(original.id))
            if park:
                return park
        await self._finish(await self._actions())
        return None

    async def _actions(self) -> list[Action]:
        async with self._tools.database.tenant(self._held.case.tenant) as connection:
            return await ACTIONS_OF_CASE.all(connection, {"case_id": self._held.case.id})

    # -------------------------------------------------------- what is under way

    async def _settle(self, action: Action) -> Park | None:
        """Let an action come to its end: one that was never sent fails, one in doubt is settled as always."""
        if action.state in _ENDED:
            return None
        if await self._is_unsent(action):
            finished = give_up(action, self._held.holder, self._why_unsent(), doubtful=False)
            return await self._record(action, finished)
        if action.state is ActionState.EXCEPTION:
            raise self._stuck("action-in-doubt", f"{action.name}: {action.error}", action)
        connector, terms = self._means(action.name, action, action.connector, priority=1)
        try:
            outcome = await self._tools.dispatcher.carry_out(action.id, connector, terms, self._held.holder)
        except CancelWanted:  # it turned out to have had no effect, and is not sent again
            outcome = None
        now = await self._tools.dispatcher.find(action.id, self._held.case.tenant)
        if isinstance(outcome, Finished):
            return await self._record(now, outcome)
        if await self._is_unsent(now):
            return await self._settle(now)
        again = self._tools.database.clock.now() + _LOOK_AGAIN
        return _park(outcome) if outcome else Park(again, f"{action.name} is {now.state}")

    async def _is_unsent(self, action: Action) -> bool:
        """Whether no request of it may have had an effect, or may yet."""
        if action.state not in _UNSENT:
            return False
        if action.attempt < 1:
            return True
        asked = {"action_id": action.id, "most": action.attempt}
        async with self._tools.database.tenant(self._held.case.tenant) as connection:
            return not await COUNT_DOUBTFUL.one(connection, asked)

    def _why_unsent(self) -> str:
        return storable(f"the case was cancelled by {self._held.case.cancel_by}: {self._held.case.cancel_why}")[:2000]

    async def _record(self, action: Action, finished: Finished) -> None:
        """Record how an action ended, and the step that waits for it."""
        if finished.recorded:
            return
        case, step = self._held.case, await self._step_of(action)

        def build(stamp: Stamp) -> Sequence[Write]:
            return [
                *finished.writes(stamp),
                *([self._step_row(step, finished, stamp)] if step else []),
                self._entry(stamp, f"action.{finished.state}", action, **finished.facts),
            ]

        conditions = tuple(c for c in finished.conditions if not isinstance(c, HoldsCase))
        if finished.state is ActionState.EXCEPTION:

            def without_step(stamp: Stamp) -> Sequence[Write]:
                entry = self._entry(stamp, "action.exception", action, **finished.facts)
                return [*finished.writes(stamp), entry]

            raise self._stuck("action-in-doubt", f"{action.name}: {finished.error}", action, without_step, conditions)
        await self._write(case.tenant, build, conditions)

    async def _step_of(self, action: Action) -> Recorded | None:
        asked = {"case_id": self._held.case.id, "run": self._held.case.run}
        async with self._tools.database.tenant(self._held.case.tenant) as connection:
            journal = await JOURNAL_OF_CASE.all(connection, asked)
        return next((s for s in journal if s.ref == action.id and s.state is StepState.PENDING), None)

    def _step_row(self, step: Recorded, finished: Finished, stamp: Stamp) -> Write:
        done = finished.state is ActionState.DONE
        error = ActionFailed(f"{step.name} had no effect: {finished.error}", where=str(finished.ended.id))
        row = StepRow(
            case_id=step.case_id,
            tenant=self._held.case.tenant,
            run=self._held.case.run,
            scope=step.scope,
            ordinal=step.ordinal,
            kind=step.kind,
            name=step.name,
            args_hash=step.args_hash,
            state=StepState.DONE if done else StepState.FAILED,
            ref=finished.ended.id,
            result=encode(finished.response if done else failure_of(error)),
            due=None,
            fence=self._held.holder.fence,
            at=stamp.now,
        )
        return Write(RECORD_STEPS, row)

    # ----------------------------------------------------------- taking it back

    async def _take_back(self, original: Action, undo: Action | None) -> Park | None:
        """Carry the undo of an action out, on record or new; None: the action is undone."""
        terms = self._declared.get(original.name)
        if undo is None and terms is None:
            what = f"{original.name} cannot be taken back: the workflow's file in force does not declare it any more"
            raise self._stuck("undo-undeclared", what, original, priority=_HIGHEST)
        name = undo.name if undo else terms.undo if terms else ""
        if undo and undo.state in (*_ENDED, ActionState.EXCEPTION):
            return await self._undone(original, undo.id, as_it_ended(undo), on_record=True)
        through = undo.connector if undo else undoing_connector(original, self._declared)
        connector, undo_terms = self._means(name, undo or original, through, priority=_HIGHEST)
        holder = self._held.holder
        if undo:
            outcome = await self._tools.dispatcher.carry_out(undo.id, connector, undo_terms, holder)
            return await self._after_undo(original, undo.id, outcome)
        begun = await self._tools.dispatcher.begin(self._intent(original, undo_terms), connector, undo_terms, holder)
        if isinstance(begun, Refusal):
            what = f"the key of the undo of {original.name} belongs to another action: {begun.what}"
            raise self._stuck("undo-key-taken", what, original, priority=_HIGHEST)
        return await self._after_undo(original, *begun)

    def _intent(self, original: Action, terms: ActionTerms) -> Intent:
        """The undo, and in its commit that the original is being taken back."""
        fields = undo_fields(self._held.case.tenant, original, terms)
        return Intent(
            fields=fields,
            patience=terms.deadline,
            taken=TakesKey(
                key_digest(self._held.case.tenant, "action", fields["key"]), short_digest(fields["payload"])
            ),
            step=lambda _stamp, _undo: [Write(CHANGE_ORIGINALS, Original(id=original.id, state=ActionState.UNDOING))],
        )

    async def _after_undo(self, original: Action, undo_id: UUID, outcome: Outcome) -> Park | None:
        if not isinstance(outcome, Finished):
            return _park(outcome)
        return await self._undone(original, undo_id, outcome, on_record=outcome.recorded)

    async def _undone(self, original: Action, undo_id: UUID, finished: Finished, *, on_record: bool) -> None:
        """Record the end of an undo: done, the original is undone with it; else a person is needed, at once."""
        undo = await self._tools.dispatcher.find(undo_id, self._held.case.tenant)

        def build(stamp: Stamp) -> Sequence[Write]:
            ended = [] if on_record else [self._entry(stamp, f"action.{finished.state}", undo, **finished.facts)]
            if finished.state is not ActionState.DONE:
                return [*finished.writes(stamp), *ended]
            entry = further_entry if ended else first_entry
            told = entry(
                stamp, self._held.case.tenant, "action.undone", subject=original.id, case_id=original.case_id,
                undo=undo.id,
            )  # fmt: skip
            change = Write(CHANGE_ORIGINALS, Original(id=original.id, state=ActionState.UNDONE))
            return [*([] if on_record else finished.writes(stamp)), *ended, change, told]

        conditions = tuple(c for c in finished.conditions if not isinstance(c, HoldsCase))
        if finished.state is ActionState.DONE:
            await self._write(self._held.case.tenant, build, conditions)
            return
        doubtful = finished.state is ActionState.EXCEPTION
        became = "may have taken effect or not" if doubtful else "had no effect"
        raise self._stuck(
            "undo-in-doubt" if doubtful else "undo-failed",
            f"{undo.name}, which takes {original.name} back, {became}: {finished.error}",
            undo,
            None if on_record else build,
            conditions,
            priority=_HIGHEST,
        )

    # ------------------------------------------------------------------ the end

    async def _finish(self, actions: Sequence[Action]) -> None:
        case = self._held.case
        undone = [action for action in actions if action.state is ActionState.UNDONE]
        left = left_as_they_are(actions, self._declared)
        parts = [f"cancelled by {case.cancel_by}: {case.cancel_why}"]
        parts += [f"taken back: {', '.join(action.name for action in undone)}"] if undone else []
        parts += [f"{one.action.name} stays as it is: {one.why}" for one in left]

        def build(stamp: Stamp) -> Sequence[Write]:
            row = FinishedCase(
                case_id=case.id,
                state=CaseState.CANCELLED,
                conclusion=None,
                waiting_for=storable("; ".join(parts))[:500],
                at=stamp.now,
                exposure_minor=None,
                currency=None,
            )
            entry = first_entry(
                stamp, case.tenant, "case.cancelled", subject=case.id, case_id=case.id, who=case.cancel_by,
                why=case.cancel_why, undone=[action.id for action in undone],
                left=[{"action": one.action.id, "why": one.why} for one in left],
            )  # fmt: skip
            return [Write(FINISH_CASES, row), entry]

        await self._write(case.tenant, build, (), wakes=("done",))

    # ------------------------------------------------------------------- shared

    def _means(self, name: str, action: Action, through: str, *, priority: int) -> tuple[Connector, ActionTerms]:
        terms = self._declared.get(name)
        if terms is None:
            what = f"the workflow's file in force declares no action {name!r}, which is to be carried out"
            raise self._stuck("action-undeclared", what, action, priority=priority)
        terms = terms.through(through)
        connector = self._tools.connectors.get(terms.connector)
        if connector is None:
            what = f"the settings have no connector {terms.connector!r}, which {name} needs"
            raise self._stuck("connector-missing", what, action, priority=priority)
        return connector, terms

    def _stuck(
        self,
        kind: str,
        what: str,
        action: Action,
        writes: Callable[[Stamp], Sequence[Write]] | None = None,
        conditions: tuple[Condition, ...] = (),
        *,
        priority: int = 1,
    ) -> CaseStuck:
        return CaseStuck(kind, what, writes=writes, conditions=conditions, action=action, priority=priority)

    def _entry(self, stamp: Stamp, kind: str, action: Action, **facts: Any) -> Write:
        return first_entry(stamp, self._held.case.tenant, kind, subject=action.id, case_id=action.case_id, **facts)

    async def _write(
        self,
        tenant: UUID,
        build: Callable[[Stamp], Sequence[Write]],
        conditions: tuple[Condition, ...],
        *,
        wakes: tuple[str, ...] = (),
    ) -> None:
        held = self._held
        refusal, _ = await held.holder.carried.write(
            self._tools.writer, tenant, build, (held.recording, *conditions), wakes=wakes
        )
        if refusal:
            held.raise_refused(refusal)


def _park(outcome: Later | Stale) -> Park:
    match outcome:
        case Later(at, why, held_by):
            return Park(at, why, held_by)
        case Stale():
            raise AssertionError("what takes back or settles rests on no decision")
