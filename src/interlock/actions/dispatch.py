"""Carrying an action out, once.

The order is what makes it safe: the dispatch is committed, under the case's fence, with limits reserved and stops and
time limits checked in that very commit; then the outside call is made; then its end is recorded. A crash between any
two of these leaves a state from which ``settle_doubt`` knows what may be done.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec

from interlock.actions.action import (
    Action,
    ActionState,
    Move,
    NextMove,
    is_remembered,
    pause_after,
    settle_doubt,
)
from interlock.actions.connector import (
    Absent,
    Connector,
    Done,
    Found,
    InDoubt,
    Pending,
    Permanent,
    Sent,
    Transient,
)
from interlock.actions.outcome import (
    Finished,
    Holder,
    Later,
    as_it_ended,
    ended_attempt,
    finish,
    give_up,
    look_again,
    no_attempt_left,
    request_of,
)
from interlock.actions.store import (
    ADD_ATTEMPTS,
    CLEAR_ATTEMPTS,
    COUNT_DOUBTFUL,
    DISPATCH_ACTIONS,
    END_ACTIONS,
    END_ATTEMPTS,
    FIND_ACTION,
    ClearedAttempts,
    Dispatched,
    Ended,
    NewAttempt,
)
from interlock.actions.terms import ActionTerms
from interlock.db.database import Database
from interlock.db.gates import HoldsCase, IsInState
from interlock.db.text import storable
from interlock.db.work import Condition, Refusal, Stamp, Unit, Write
from interlock.db.writer import Writer
from interlock.errors import Fenced, NotFound
from interlock.guards.bucket import draws_of, pace_of, refused_outright
from interlock.guards.gate import NotAfter, Spends
from interlock.guards.stop_gate import NotStopped
from interlock.ledger.ledger import first_entry

_LOOK_AGAIN = timedelta(seconds=5)
_STOPPED_PAUSE = timedelta(seconds=5)
_ROOM_TO_ANSWER = timedelta(seconds=2)


class Dispatcher:
    """Carries out the actions of the cases that this process holds.

    Args:
        database: To read actions.
        writer: For every write.
        chance: The source of jitter.
    """

    def __init__(self, database: Database, writer: Writer, *, chance: random.Random | None = None) -> None:
        self._database = database
        self._writer = writer
        self._chance = chance or random.SystemRandom()

    async def carry_out(
        self, action_id: UUID, connector: Connector, terms: ActionTerms, holder: Holder
    ) -> Finished | Later:
        """Take an action as far as it goes now.

        Raises:
            Fenced: the case belongs to another worker now.
        """
        action = await self._find(action_id, holder.tenant)
        while True:
            if action.state is ActionState.READY:
                outcome = await self._send(action, connector, terms, holder)
            elif action.state in (ActionState.DISPATCHING, ActionState.IN_DOUBT):
                outcome = await self._settle(action, connector, terms, holder)
            else:
                return as_it_ended(action)
            if not isinstance(outcome, Action):
                return outcome
            action = outcome

    async def _find(self, action_id: UUID, tenant: UUID) -> Action:
        async with self._database.tenant(tenant) as connection:
            action = await FIND_ACTION.one(connection, {"id": action_id})
        if action is None:
            raise NotFound(f"there is no action {action_id}")
        return action

    # ------------------------------------------------------------------- sending

    async def _send(
        self, action: Action, connector: Connector, terms: ActionTerms, holder: Holder
    ) -> Finished | Later | Action:
        now = self._database.clock.now()
        if action.not_before and action.not_before > now:
            return Later(
                action.not_before, f"attempt {action.attempt + 1} of {action.name}: {action.error or 'paused'}"
            )
        doubtful = await self._is_doubtful(action, holder, action.attempt)
        if doubtful and not is_remembered(action, connector.abilities, now):
            return await self._in_doubt_again(action, holder)
        never = refused_outright(terms.limits, action.exposure)
        if never:
            return give_up(action, holder, f"refused by its limits: {never}", doubtful=doubtful)
        refusal = await self._commit_dispatch(action, terms, holder, doubtful=doubtful)
        if refusal:
            return await self._not_sent(action, holder, refusal, doubtful=doubtful)
        action = await self._find(action.id, holder.tenant)
        sent = await self._ask(action, connector)
        return await self._after(action, terms, holder, sent)

    async def _is_doubtful(self, action: Action, holder: Holder, most: int) -> bool:
        """Whether one of the first ``most`` attempts may have taken effect, whatever was answered to the later ones."""
        if most < 1:
            return False
        async with self._database.tenant(holder.tenant) as connection:
            return bool(await COUNT_DOUBTFUL.one(connection, {"action_id": action.id, "most": most}))

    async def _commit_dispatch(
        self, action: Action, terms: ActionTerms, holder: Holder, *, doubtful: bool
    ) -> Refusal | None:
        guard = f"{action.workflow}.{action.name}"
        now = self._database.clock.now()
        conditions: list[Condition] = [
            NotStopped(
                ("everything", f"workflow:{action.workflow}", f"connector:{action.connector}", f"action:{guard}")
            ),
            HoldsCase(action.case_id, holder.fence),
            IsInState("action", action.id, (ActionState.READY,)),
            Spends(
                action.id,
                draws_of(terms.limits, guard=guard, case_id=str(action.case_id), amount=action.exposure, now=now),
                pace_of(terms.limits, guard=guard),
            ),
        ]
        if not doubtful:  # what may have been paid already is only settled by sending; all else must still hold
            conditions.append(NotAfter(action.deadline, f"the time in which {action.name} may begin"))
            if action.valid_until:
                conditions.append(NotAfter(action.valid_until, "the decision's validity"))

        def build(stamp: Stamp) -> Sequence[Write]:
            deadline = stamp.now + terms.timeout
            return [
                Write(
                    DISPATCH_ACTIONS,
                    Dispatched(
                        id=action.id,
                        fence=holder.fence,
                        attempt=action.attempt + 1,
                        sent_at=stamp.now,
                        send_deadline=deadline,
                    ),
                ),
                Write(
                    ADD_ATTEMPTS,
                    NewAttempt(
                        action_id=action.id,
                        tenant=holder.tenant,
                        number=action.attempt + 1,
                        worker=holder.worker,
                        sent_at=stamp.now,
                    ),
                ),
                first_entry(
                    stamp,
                    holder.tenant,
                    "action.dispatched",
                    subject=action.id,
                    case_id=action.case_id,
                    attempt=action.attempt + 1,
                    key=action.key,
                    amount=str(action.exposure) if action.exposure else None,
                ),
            ]

        return await self._writer.write(Unit(holder.tenant, build, tuple(conditions)))

    async def _not_sent(
        self, action: Action, holder: Holder, refusal: Refusal, *, doubtful: bool
    ) -> Finished | Later | Action:
        now = self._database.clock.now()
        match refusal.code:
            case "fenced":
                raise Fenced(refusal.what, where=str(action.id))
            case "stopped":
                return Later(min(refusal.until or now + _STOPPED_PAUSE, now + _STOPPED_PAUSE), refusal.what)
            case "rate":
                return Later(refusal.until, refusal.what)
            case "limit" | "expired":
                return give_up(action, holder, refusal.what, doubtful=doubtful)
            case _:
                return await self._find(action.id, holder.tenant)

    async def _ask(self, action: Action, connector: Connector) -> Sent:
        """Make the outside call. Whatever the connector does, the answer is one of four."""
        request = request_of(action)
        left = request.deadline - self._database.clock.now()
        if left <= timedelta(0):
            return Transient("it was held up before it was sent")
        try:
            async with asyncio.timeout(left.total_seconds() + _ROOM_TO_ANSWER.total_seconds()):
                return await connector.send(request)
        except TimeoutError:
            return InDoubt("no answer within its deadline")
        except Exception as cause:  # noqa: BLE001 - a connector's own failure says nothing about the effect
            return InDoubt(f"the connector failed: {type(cause).__name__}: {cause}")

    async def _after(self, action: Action, terms: ActionTerms, holder: Holder, sent: Sent) -> Finished | Later | Action:
        """Go on from an answer.

        INVARIANT: "no effect" is said of this attempt alone. While an earlier one is in doubt, so is the action.
        """
        if isinstance(sent, Transient | Permanent) and await self._is_doubtful(action, holder, action.attempt - 1):
            again = sent.retry_after if isinstance(sent, Transient) else None
            outcome = "transient" if isinstance(sent, Transient) else "permanent"
            return await self._pause(action, holder, ActionState.IN_DOUBT, outcome, sent.what, again)
        match sent:
            case Done(response):
                return finish(action, holder, ActionState.DONE, response=response, outcome="done")
            case Permanent(what):
                return finish(action, holder, ActionState.FAILED, error=what, outcome="permanent")
            case Transient(what, retry_after):
                if self._no_more(action, terms):
                    return finish(
                        action, holder, ActionState.FAILED, outcome="transient",
                        error=f"given up after {action.attempt} attempts: {what}",
                    )  # fmt: skip
                return await self._pause(action, holder, ActionState.READY, "transient", what, retry_after)
            case InDoubt(what, retry_after):
                return await self._pause(action, holder, ActionState.IN_DOUBT, "in_doubt", what, retry_after)

    def _no_more(self, action: Action, terms: ActionTerms) -> bool:
        return action.attempt >= terms.attempts or self._database.clock.now() > action.deadline

    async def _pause(
        self,
        action: Action,
        holder: Holder,
        state: ActionState,
        outcome: str,
        what: str,
        retry_after: timedelta | None,
    ) -> Action:
        """Record how the attempt ended and when the next may begin."""
        pause = pause_after(max(action.attempt, 1), self._chance, retry_after=retry_after)

        def build(stamp: Stamp) -> Sequence[Write]:
            again = stamp.now + pause
            return [
                Write(
                    END_ACTIONS,
                    Ended(id=action.id, state=state, fence=holder.fence, not_before=again, error=storable(what)[:2000]),
                ),
                Write(END_ATTEMPTS, ended_attempt(action, stamp.now, outcome, what)),
                first_entry(
                    stamp,
                    holder.tenant,
                    f"action.{outcome}",
                    subject=action.id,
                    case_id=action.case_id,
                    attempt=action.attempt,
                    not_before=again,
                ),
            ]

        await self._write(action, holder, build)
        return await self._find(action.id, holder.tenant)

    async def _write(self, action: Action, holder: Holder, build: Any) -> None:
        conditions = (
            HoldsCase(action.case_id, holder.fence),
            IsInState("action", action.id, (action.state,)),
        )
        refusal = await self._writer.write(Unit(holder.tenant, build, conditions))
        if refusal:
            raise Fenced(refusal.what, where=str(action.id))

    # ------------------------------------------------------------------ in doubt

    async def _settle(
        self, action: Action, connector: Connector, terms: ActionTerms, holder: Holder
    ) -> Finished | Later | Action:
        """Settle an action whose answer was lost, as far as its connector's abilities allow."""
        now = self._database.clock.now()
        move = settle_doubt(action, connector.abilities, now)
        if move.move is NextMove.LOOK_UP:
            found = await self._look_up(action, connector)
            match found:
                case Found(response, matches=True):
                    return finish(action, holder, ActionState.DONE, response=response, outcome="found")
                case Found(response):
                    what = f"the other side holds another payment under this key: {response}"
                    return finish(action, holder, ActionState.EXCEPTION, error=what, outcome="found")
                case Absent():
                    move = settle_doubt(action, connector.abilities, now, absent=True)
                case Pending():
                    return look_again(action, holder, now + _LOOK_AGAIN, "is accepted at the other side and pending")
                case _:
                    return look_again(
                        action, holder, now + _LOOK_AGAIN, f"is in doubt and cannot be looked up now: {found.what}"
                    )
        return await self._make(move, action, terms, holder)

    async def _look_up(self, action: Action, connector: Connector) -> Any:
        now = self._database.clock.now()
        request = msgspec.structs.replace(request_of(action), deadline=now + _LOOK_AGAIN)
        try:
            async with asyncio.timeout(_LOOK_AGAIN.total_seconds()):
                return await connector.look_up(request)
        except Exception as cause:  # noqa: BLE001 - a look-up that fails is asked again
            return InDoubt(f"{type(cause).__name__}: {cause}")

    async def _make(self, move: Move, action: Action, terms: ActionTerms, holder: Holder) -> Finished | Later | Action:
        match move.move:
            case NextMove.SEND_AGAIN if action.attempt >= terms.attempts:
                return no_attempt_left(action, holder, move)
            case NextMove.SEND_AGAIN:
                return await self._ready_again(action, holder, move)
            case NextMove.WAIT:
                return Later(move.at, f"{action.name} is in doubt: {move.why}")
            case _:
                return finish(action, holder, ActionState.EXCEPTION, error=f"in doubt: {move.why}", outcome="in_doubt")

    async def _in_doubt_again(self, action: Action, holder: Holder) -> Action:
        """What was ready to be sent again under its key was held up until the other side may have forgotten the key."""
        why = "it was held up for longer than the other side remembers its key"

        def build(stamp: Stamp) -> Sequence[Write]:
            row = Ended(id=action.id, state=ActionState.IN_DOUBT, fence=holder.fence, error=action.error or why)
            return [
                Write(END_ACTIONS, row),
                first_entry(
                    stamp, holder.tenant, "action.in_doubt", subject=action.id, case_id=action.case_id, why=why
                ),
            ]

        await self._write(action, holder, build)
        return await self._find(action.id, holder.tenant)

    async def _ready_again(self, action: Action, holder: Holder, move: Move) -> Action:
        def build(stamp: Stamp) -> Sequence[Write]:
            not_before = action.not_before if action.state is ActionState.IN_DOUBT else None
            return [
                Write(
                    END_ACTIONS,
                    Ended(
                        id=action.id,
                        state=ActionState.READY,
                        fence=holder.fence,
                        not_before=not_before,
                        error=action.error,
                    ),
                ),
                *([Write(CLEAR_ATTEMPTS, ClearedAttempts(action_id=action.id, at=stamp.now))] if move.cleared else []),
                first_entry(
                    stamp, holder.tenant, "action.ready_again", subject=action.id, case_id=action.case_id, why=move.why
                ),
            ]

        await self._write(action, holder, build)
        return await self._find(action.id, holder.tenant)
