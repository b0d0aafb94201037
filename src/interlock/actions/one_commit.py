"""Effects in Interlock's own database: the effect, its record and the case's step are one transaction.

There is no dispatch before it and no answer that could be lost after it: an action is done exactly if its effect is
there. Every guard, stop, time limit and fence holds in that very transaction; where one refuses, the effect is taken
back with it. An attempt that failed is taken back with all that it had drawn: its record, in a commit of its own, draws
what every attempt uses up.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from interlock.actions.action import Action, ActionState, pause_after
from interlock.actions.connector import Done, InDoubt, Permanent, Request, Transactional, Transient
from interlock.actions.dispatch_commit import conditions_of, dispatched, rows_of
from interlock.actions.failure import classed
from interlock.actions.opening import refused_tokens
from interlock.actions.outcome import Finished, Holder, ended_attempt, finish, request_of
from interlock.actions.refused import refused
from interlock.actions.store import END_ACTIONS, END_ATTEMPTS, Ended
from interlock.actions.terms import ActionTerms
from interlock.db.alone import Alone, Effect
from interlock.db.gates import HoldsCase, IsInState
from interlock.db.text import storable
from interlock.db.work import Refusal, Stamp, Unit, Write
from interlock.db.writer import Writer
from interlock.guards.gate import Spends
from interlock.guards.spending import attempted
from interlock.ledger.ledger import first_entry, further_entry, hash_of

_ROOM_TO_ANSWER = timedelta(seconds=2)

Ending = Callable[[Finished], Callable[[Stamp], Sequence[Write]]]
"""Gives the rows that end the action and, with them, the case's step: one of them is the unit's first entry."""


class NoEffect(Exception):
    """The effect was refused or failed; the transaction is rolled back.

    Args:
        sent: Why.
    """

    def __init__(self, sent: Transient | Permanent) -> None:
        super().__init__(sent.what)
        self.sent = sent


@dataclass(frozen=True, slots=True)
class _WithEffect:
    """Writes units together with an effect, as ``Carried`` asks for it."""

    alone: Alone
    effect: Effect

    async def write(self, unit: Unit) -> Refusal | None:
        return await self.alone.write(unit, self.effect)


class InOneCommit:
    """Carries out actions of held cases whose effect is in the same database.

    Args:
        alone: For the transactions with an effect.
        writer: For the record of an attempt that had none.
        now: The database's time.
        chance: The source of jitter.
    """

    def __init__(
        self, alone: Alone, writer: Writer, now: Callable[[], datetime], *, chance: random.Random | None = None
    ) -> None:
        self._alone = alone
        self._writer = writer
        self._now = now
        self._chance = chance or random.SystemRandom()

    async def carry_out(
        self,
        action: Action,
        connector: Transactional,
        terms: ActionTerms,
        holder: Holder,
        ending: Ending | None = None,
    ) -> tuple[Finished | Action, Done | Transient | Permanent] | Refusal:
        """Have the effect of an action that is ready, once.

        Returns:
            Done: the action as it is on record, ended, with the case's step if ``ending`` gives it. Without effect:
            the action, to be tried again, or its end, still to be recorded. Or what refused it.

        Raises:
            Fenced: the case belongs to another worker now; nothing happened.
        """
        answers: list[Done] = []

        async def effect(connection: AsyncConnection[Any]) -> None:
            if (refusal := refused_tokens(action, connector)) is not None:
                raise NoEffect(refusal)
            answers.append(await _ask(connector, connection, self._request(action, terms), terms))

        def build(stamp: Stamp) -> Sequence[Write]:
            after = dispatched(action, stamp, terms, holder, killed_late=True)
            finished = _done(after, holder, answers[-1])
            rows = (ending or _end_of(action, holder.tenant))(finished)
            return [*rows_of(stamp, after, holder, new=True), *rows(stamp)]

        conditions = conditions_of(action, terms, holder, doubtful=False)
        try:
            refusal, _ = await holder.carried.write(_WithEffect(self._alone, effect), holder.tenant, build, conditions)
        except NoEffect as cause:
            return await self._failed(action, terms, holder, cause.sent), cause.sent
        if refusal:
            return refusal
        return replace(_done(action, holder, answers[-1]), recorded=True, conditions=()), answers[-1]

    def _request(self, action: Action, terms: ActionTerms) -> Request:
        return msgspec.structs.replace(request_of(action), deadline=self._now() + terms.timeout)

    async def _failed(
        self, action: Action, terms: ActionTerms, holder: Holder, sent: Transient | Permanent
    ) -> Finished | Action:
        """Record an attempt that had no effect. A crash before this leaves the action as it was: ready."""
        taken = classed(sent, terms.errors)
        failure = sent if isinstance(taken, Done | InDoubt) else taken  # here nothing is ever in doubt
        outcome = "permanent" if isinstance(failure, Permanent) else "transient"
        after = await self._record(action, terms, holder, failure, outcome)
        if isinstance(after, Refusal):  # a branch of the case has used the last attempt up meanwhile, or this one has
            return finish(action, holder, ActionState.FAILED, error=f"{after.what}; the last one: {failure.what}")
        if isinstance(failure, Permanent):
            return finish(after, holder, ActionState.FAILED, error=failure.what)
        if after.attempt >= terms.attempts or self._now() > action.deadline:
            what = f"given up after {after.attempt} attempts: {failure.what}"
            return finish(after, holder, ActionState.FAILED, error=what)
        return after

    async def _record(
        self, action: Action, terms: ActionTerms, holder: Holder, sent: Transient | Permanent, outcome: str
    ) -> Action | Refusal:
        """Put the attempt on record, and what it uses up; or why it uses up more than there is."""
        used = attempted(
            terms.limits, terms.budget, workflow=action.workflow, action=action.name, action_id=action.id,
            case_id=action.case_id, caller=action.caller, undo=action.undo_of is not None,
        )  # fmt: skip
        recorded = await self._write_record(action, terms, holder, sent, outcome, used)
        if not isinstance(recorded, Refusal) or recorded.code != "rate":
            return recorded
        # It was made: it counts, and the next one waits until the rate has room for both.
        made = msgspec.structs.replace(used, paces=tuple(replace(pace, made=True) for pace in used.paces))
        room = recorded.until + max(pace.rate.per / pace.rate.count for pace in used.paces) if recorded.until else None
        return await self._write_record(action, terms, holder, sent, outcome, made, room)

    async def _write_record(
        self,
        action: Action,
        terms: ActionTerms,
        holder: Holder,
        sent: Transient | Permanent,
        outcome: str,
        used: Spends,
        not_before: datetime | None = None,
    ) -> Action | Refusal:
        again = sent.retry_after if isinstance(sent, Transient) else None
        pause = pause_after(action.attempt + 1, self._chance, retry_after=again, retry=terms.retry)
        what = storable(sent.what)[:2000]
        recorded: list[Action] = []

        def build(stamp: Stamp) -> Sequence[Write]:
            after = dispatched(action, stamp, terms, holder, killed_late=True)
            next_at = max(stamp.now + pause, not_before or stamp.now)
            ready = msgspec.structs.replace(
                after, state=ActionState.READY, not_before=next_at, error=what, sender_ends_at=stamp.now
            )
            recorded.append(ready)
            row = Ended(
                id=action.id, state=ready.state, fence=holder.fence, not_before=ready.not_before, error=what,
                sender_ends_at=ready.sender_ends_at,
            )  # fmt: skip
            entry = further_entry(
                stamp, holder.tenant, f"action.{outcome}", subject=action.id, case_id=action.case_id,
                attempt=after.attempt, not_before=ready.not_before, detail_hash=hash_of(what),
            )  # fmt: skip
            ended = Write(END_ATTEMPTS, ended_attempt(after, stamp.now, outcome, what))
            return [*rows_of(stamp, after, holder), ended, Write(END_ACTIONS, row), entry]

        conditions = (HoldsCase(action.case_id, holder.fence), IsInState("action", action.id, (action.state,)), used)
        refusal, _ = await holder.carried.write(self._writer, holder.tenant, build, conditions)
        if refusal and refusal.code not in ("limit", "rate"):
            raise refused(refusal, action.id)
        return refusal or recorded[-1]


async def _ask(
    connector: Transactional, connection: AsyncConnection[Any], request: Request, terms: ActionTerms
) -> Done:
    """Have the effect in the transaction, or raise NoEffect: whatever the connector does, nothing else is possible."""
    try:
        async with asyncio.timeout((terms.timeout + _ROOM_TO_ANSWER) / timedelta(seconds=1)):
            sent = await connector.take_effect(connection, request)
    except TimeoutError as cause:
        raise NoEffect(Transient("no answer within its deadline", code="timeout")) from cause
    except Exception as cause:
        what = f"the connector failed: {type(cause).__name__}: {cause}"
        raise NoEffect(Transient(what, code="connector-failed")) from cause
    if not isinstance(sent, Done):
        raise NoEffect(sent)
    return sent


def _done(action: Action, holder: Holder, answer: Done) -> Finished:
    return finish(action, holder, ActionState.DONE, response=answer.response, outcome="done")


def _end_of(action: Action, tenant: UUID) -> Ending:
    """The rows that end the action where no step of a case goes with them."""

    def ending(finished: Finished) -> Callable[[Stamp], Sequence[Write]]:
        return lambda stamp: [
            *finished.writes(stamp),
            first_entry(stamp, tenant, "action.done", subject=action.id, case_id=action.case_id, **finished.facts),
        ]

    return ending
