"""The commits that change an action between two attempts, and the action as it then is."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import msgspec

from interlock.actions.action import Action, ActionState, Move, pause_after
from interlock.actions.failure import Retry
from interlock.actions.outcome import Holder, ended_attempt
from interlock.actions.refused import refused
from interlock.actions.store import CLEAR_ATTEMPTS, END_ACTIONS, END_ATTEMPTS, ClearedAttempts, Ended
from interlock.db.gates import HoldsCase, IsInState
from interlock.db.text import storable
from interlock.db.work import Stamp, Write
from interlock.db.writer import Writer
from interlock.ledger.ledger import first_entry, hash_of


class Transition:
    """Changes actions of held cases, durably, each under its case's fence.

    Args:
        writer: For every write.
        chance: The source of jitter.
    """

    def __init__(self, writer: Writer, chance: random.Random) -> None:
        self._writer = writer
        self._chance = chance

    async def pause(
        self,
        action: Action,
        holder: Holder,
        state: ActionState,
        outcome: str,
        what: str,
        retry_after: timedelta | None,
        ends: datetime | None,
        retry: Retry | None = None,
    ) -> Action:
        """Record how the attempt ended and when the next may begin.

        Args:
            action: With an attempt under way.
            holder: Who holds the case.
            state: ``ready``, or ``in_doubt``.
            outcome: How the attempt ended.
            what: What is known.
            retry_after: What the other side asked for.
            ends: From when on no process can send anything of it, now that this one has let go.
            retry: The pauses, where the workflow's file says which.
        """
        pause = pause_after(max(action.attempt, 1), self._chance, retry_after=retry_after, retry=retry)
        what = storable(what)[:2000]
        after: list[Action] = []

        def build(stamp: Stamp) -> Sequence[Write]:
            again = stamp.now + pause
            row = Ended(
                id=action.id, state=state, fence=holder.fence, not_before=again, error=what, sender_ends_at=ends
            )
            after.append(_recorded(action, row))
            return [
                Write(END_ACTIONS, row),
                Write(END_ATTEMPTS, ended_attempt(action, stamp.now, outcome, what)),
                first_entry(
                    stamp,
                    holder.tenant,
                    f"action.{outcome}",
                    subject=action.id,
                    case_id=action.case_id,
                    attempt=action.attempt,
                    not_before=again,
                    detail_hash=hash_of(what),
                ),
            ]

        await self._write(action, holder, build)
        return after[0]

    async def in_doubt(self, action: Action, holder: Holder, why: str) -> Action:
        """What was ready to be sent again under its key is in doubt: the key protects it no more."""
        row = Ended(id=action.id, state=ActionState.IN_DOUBT, fence=holder.fence, error=action.error or why)

        def build(stamp: Stamp) -> Sequence[Write]:
            entry = first_entry(
                stamp, holder.tenant, "action.in_doubt", subject=action.id, case_id=action.case_id, why=why
            )
            return [Write(END_ACTIONS, row), entry]

        await self._write(action, holder, build)
        return _recorded(action, row)

    async def ready_again(self, action: Action, holder: Holder, move: Move, *, voided: bool = False) -> Action:
        """It may be sent again; what cleared the doubt is recorded with it."""
        row = Ended(
            id=action.id,
            state=ActionState.READY,
            fence=holder.fence,
            not_before=action.not_before if action.state is ActionState.IN_DOUBT else None,
            error=action.error,
            voided=voided,
        )

        def build(stamp: Stamp) -> Sequence[Write]:
            cleared = Write(CLEAR_ATTEMPTS, ClearedAttempts(action_id=action.id, at=stamp.now))
            entry = first_entry(
                stamp,
                holder.tenant,
                "action.voided" if voided else "action.ready_again",
                subject=action.id,
                case_id=action.case_id,
                why=move.why,
            )
            return [Write(END_ACTIONS, row), *([cleared] if move.cleared else []), entry]

        await self._write(action, holder, build)
        return _recorded(action, row)

    async def _write(self, action: Action, holder: Holder, build: Callable[[Stamp], Sequence[Write]]) -> None:
        conditions = (
            HoldsCase(action.case_id, holder.fence),
            IsInState("action", action.id, (action.state,)),
        )
        refusal, _ = await holder.carried.write(self._writer, holder.tenant, build, conditions)
        if refusal:
            raise refused(refusal, action.id)


def _recorded(action: Action, row: Ended) -> Action:
    """The action as it stands on record once this row is: what ``end_actions`` makes of it."""
    return msgspec.structs.replace(
        action,
        state=row.state,
        fence=row.fence,
        not_before=row.not_before,
        error=row.error,
        sender_ends_at=row.sender_ends_at or action.sender_ends_at,
        generation=action.generation + int(row.voided),
        first_sent_at=None if row.voided else action.first_sent_at,
    )
